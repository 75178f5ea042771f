"""Window: which events of one connection are heard and not yet on disk, and what may be acknowledged."""

from collections.abc import Collection

MAX_WAITING = 16
"""Twice what the profile lets a device send unacknowledged; one that sends more obeys no limit."""


class Event:
    """One event that was heard: its bytes, its sequence (None where it says none), and whether it is safe."""

    __slots__ = ("payload", "sequence", "stored", "token")

    def __init__(self, token: int, sequence: int | None, payload: bytes) -> None:
        self.token = token
        self.sequence = sequence
        self.payload = payload
        self.stored = False


class Window:
    """Events in the order in which they were heard: acknowledged is what has nothing unstored before it."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._token = 0

    def __len__(self) -> int:
        return len(self._events)

    @property
    def full(self) -> bool:
        """True when no more may wait."""
        return len(self._events) >= MAX_WAITING

    def holds(self, payload: bytes) -> bool:
        """Tell whether the same bytes wait already: a repeat that need not wait twice."""
        return any(event.payload == payload for event in self._events)

    def add(self, sequence: int | None, payload: bytes) -> int:
        """Take an event; returns its token, which no other has had."""
        self._token += 1
        self._events.append(Event(self._token, sequence, payload))
        return self._token

    def stored(self, tokens: Collection[int]) -> int | None:
        """Note what is on disk; returns the highest sequence that may be acknowledged now, None for none."""
        for event in self._events:
            event.stored = event.stored or event.token in tokens
        highest: int | None = None
        while self._events and self._events[0].stored:
            event = self._events.pop(0)
            if event.sequence is not None:
                highest = event.sequence if highest is None else max(highest, event.sequence)
        return highest

    def clear(self) -> None:
        """Forget all: the device sends again what was not acknowledged."""
        self._events.clear()
