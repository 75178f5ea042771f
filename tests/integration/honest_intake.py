"""An intake in memory that tells a sender "durable" only when the test has committed."""

import asyncio
from collections.abc import Callable
from itertools import groupby

from gateway.contract import Sender, StoreUnavailableError
from gateway.model.frame import Frame


class HonestIntake:
    """Waiting frames become durable in `commit`; with `by_itself` a commit follows each turn of the loop."""

    def __init__(self, *, by_itself: bool = True, limit: int = 100_000) -> None:
        self.by_itself = by_itself
        self.limit = limit
        self.waiting: list[tuple[Frame, Sender | None, int]] = []
        self.durable: list[Frame] = []
        self.refusals = 0
        self.most_waiting = 0
        self.broken = False
        self._scheduled = False

    def offer(self, frame: Frame, sender: Sender | None = None, token: int = 0) -> bool:
        if len(self.waiting) >= self.limit:
            self.refusals += 1
            return False
        self.waiting.append((frame, sender, token))
        self.most_waiting = max(self.most_waiting, len(self.waiting))
        if self.by_itself and not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self.commit)
        return True

    async def accept(self, frame: Frame) -> int:
        if self.broken:
            raise StoreUnavailableError("the disk is full")
        self.durable.append(frame)
        return len(self.durable)

    def commit(self) -> None:
        self._scheduled = False
        done, self.waiting = self.waiting, []
        self.durable += [frame for frame, _, _ in done]
        told = sorted(((sender, token) for _, sender, token in done if sender), key=lambda pair: id(pair[0]))
        for _, group in groupby(told, key=lambda pair: id(pair[0])):
            pairs = list(group)
            pairs[0][0].durable([token for _, token in pairs])

    @property
    def payloads(self) -> list[bytes]:
        return [frame.payload for frame in self.durable]


async def until(condition: Callable[[], object], within_s: float = 60) -> None:
    """Wait until the condition holds; fail the test when it does not in time."""
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.005)
