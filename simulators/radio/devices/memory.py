"""What a device keeps in flash memory: unacknowledged events, its sequence, its configuration."""

from collections import deque
from typing import Any

import msgspec
from cbor2 import dumps

QUEUE_LIMIT = 10_000
"""Events that a device keeps; beyond it the oldest is lost, and counted."""

RESULTS = 256
"""Command ids that a device remembers with what came of them, and grants with the command they were for."""

Fields = dict[str, Any]


class Kept(msgspec.Struct, frozen=True):
    """One event as it will be sent, however often."""

    sequence: int
    value: bytes


class Memory:
    """Outlives power cuts. `first` is the number before the first event's."""

    def __init__(self, first: int = 0) -> None:
        self.sequence = first
        self.lost = 0
        self.config: Fields = {"revision": 0}
        self.done: dict[str, Fields] = {}
        self.grants: dict[str, str] = {}
        self._queue: deque[Kept] = deque()

    def __len__(self) -> int:
        return len(self._queue)

    def keep(self, event: Fields) -> int:
        """Give an event the next sequence and keep it; returns the sequence."""
        self.sequence += 1
        self._queue.append(Kept(self.sequence, dumps(event | {"sequence": self.sequence})))
        if len(self._queue) > QUEUE_LIMIT:
            self._queue.popleft()
            self.lost += 1
        return self.sequence

    def after(self, sequence: int) -> Kept | None:
        """Return the oldest kept event with a higher sequence."""
        return next((one for one in self._queue if one.sequence > sequence), None)

    def oldest(self) -> int | None:
        """Return the sequence of the oldest that is kept."""
        return self._queue[0].sequence if self._queue else None

    def forget(self, sequence: int) -> int:
        """Forget everything up to that sequence, which is on disk elsewhere; returns how many."""
        before = len(self._queue)
        while self._queue and self._queue[0].sequence <= sequence:
            self._queue.popleft()
        return before - len(self._queue)

    def remember(self, command: str, result: Fields) -> None:
        """Keep what came of a command, so that the same id is never carried out twice."""
        self.done[command] = result
        for kept in (self.done, self.grants):
            while len(kept) > RESULTS:
                del kept[next(iter(kept))]
