"""A medium without faults: everything arrives at once, and in order."""

from collections.abc import Sequence
from datetime import datetime

from simulators.house.port import Arrival
from simulators.outputs import Message


class Straight:
    """Carries each message to the gateway in the moment of its sending; keeps nothing."""

    def __init__(self) -> None:
        self._arrived: list[Arrival] = []

    def carry(self, at: datetime, device: str, message: Message) -> None:
        """Let it arrive."""
        self._arrived.append(Arrival(at, device, message))

    def link(self, at: datetime, device: str, *, up: bool) -> None:
        """A link that breaks takes nothing with it; its last will is not carried here."""

    def next_at(self) -> datetime | None:
        """Return the moment of what has arrived."""
        return self._arrived[0].at if self._arrived else None

    def arrivals(self, _now: datetime) -> Sequence[Arrival]:
        """Return what has arrived."""
        found, self._arrived = self._arrived, []
        return found

    def acknowledged(self, tokens: Sequence[int]) -> None:
        """Nothing waits for it."""
