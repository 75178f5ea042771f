"""Outlet: what was heard of one sender, offered to the intake in its order, held back when that is full."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from gateway.contract import Clock, Intake
from gateway.contract.gatt import Hear
from gateway.model.frame import Frame, Transport
from gateway.transports.ble.standing import Standing

RETRY_S = 0.05
"""How soon a frame that the intake had no room for is offered again."""
MAX_WAITING = 64
"""So many frames of one sender wait for room; past it the oldest that nobody waits for is dropped."""


class Outlet:
    """A Sender of its own, so that its tokens are the session's own; `stored` is told of those on disk."""

    def __init__(
        self,
        intake: Intake,
        clock: Clock,
        ingress: str,
        standing: Standing,
        stored: Callable[[Sequence[int]], None] | None = None,
    ) -> None:
        self._intake = intake
        self._clock = clock
        self._ingress = ingress
        self._standing = standing
        self._stored = stored
        self._waiting: deque[tuple[Frame, int]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def waiting(self) -> int:
        """How many frames the intake has not taken yet."""
        return len(self._waiting)

    def hear(self, hear: Hear, source: str) -> None:
        """Take in what was heard now."""
        frame = Frame(
            transport=Transport.BLE,
            channel=hear.channel,
            payload=hear.payload,
            received_at=self._clock.now(),
            ingress=self._ingress,
            source=source,
        )
        if len(self._waiting) >= MAX_WAITING:
            self._drop_one()
        self._waiting.append((frame, hear.token))
        self._standing.heard += 1
        if self._timer is None:
            self._offer()

    def durable(self, tokens: Sequence[int]) -> None:
        """Hear what is on disk."""
        if self._stored is not None:
            self._stored(tokens)

    def forget(self) -> None:
        """Drop what the device will send again by itself."""
        self._waiting = deque(item for item in self._waiting if not item[1])

    def close(self) -> None:
        """Offer no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _offer(self) -> None:
        self._timer = None
        while self._waiting:
            frame, token = self._waiting[0]
            if not self._intake.offer(frame, self if token else None, token):
                self._timer = asyncio.get_running_loop().call_later(RETRY_S, self._offer)
                return
            self._waiting.popleft()

    def _drop_one(self) -> None:
        place = next((place for place, item in enumerate(self._waiting) if not item[1]), None)
        if place is not None:
            del self._waiting[place]
            self._standing.dropped += 1
