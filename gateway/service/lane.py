"""Lane: the deliveries that wait for one channel, High first, and what its workers may take."""

import asyncio
from heapq import heappop, heappush

from gateway.model.delivery import Delivery


class Lane:
    """All methods belong to the event loop. A delivery that comes again while it waits is only renewed."""

    def __init__(self) -> None:
        self._waiting: dict[str, tuple[int, Delivery]] = {}
        self._heap: list[tuple[int, int, str]] = []
        self._since: dict[str, float] = {}
        self._order = 0
        self._news = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, delivery: Delivery, rank: int, wait_s: float = 0.0) -> None:
        """Let a delivery wait; one that is due later is offered to the workers then."""
        old = self._waiting.get(delivery.id)
        self._waiting[delivery.id] = (rank, delivery)
        if wait_s > 0:
            asyncio.get_running_loop().call_later(wait_s, self._enter, delivery.id)
        elif old is None or rank != old[0]:  # milder too: its old place in the queue counts no more
            self._enter(delivery.id)

    def drop(self, delivery_id: str) -> None:
        """Forget a delivery that was settled before it was sent."""
        self._waiting.pop(delivery_id, None)
        self._since.pop(delivery_id, None)

    def oldest_s(self, now: float) -> float:
        """Return how long the oldest delivery has waited that could have been sent."""
        return max((now - since for since in self._since.values()), default=0.0)

    async def take(self, *, urgent: bool) -> tuple[int, Delivery]:
        """Return the next delivery with its rank; with `urgent` only a High one."""
        while True:
            found = self._next(urgent=urgent)
            if found is not None:
                return found
            self._news.clear()
            await self._news.wait()

    def _enter(self, delivery_id: str) -> None:
        if delivery_id not in self._waiting:
            return
        self._order += 1
        heappush(self._heap, (self._waiting[delivery_id][0], self._order, delivery_id))
        self._since.setdefault(delivery_id, asyncio.get_running_loop().time())
        self._news.set()

    def _next(self, *, urgent: bool) -> tuple[int, Delivery] | None:
        while self._heap:
            rank, _, delivery_id = self._heap[0]
            known = self._waiting.get(delivery_id)
            if known is not None and known[0] == rank:
                if urgent and rank > 0:
                    return None
                heappop(self._heap)
                self.drop(delivery_id)
                return known
            heappop(self._heap)  # settled, or of another severity since
        return None
