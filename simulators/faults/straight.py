"""A medium without faults: everything arrives at once and in order, as soon as its device has a link."""

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from simulators.house.port import Arrival
from simulators.outputs import Link, Message


class Straight:
    """Carries each message in the moment of its sending; a device without a link keeps its own for later."""

    def __init__(self) -> None:
        self._arrived: list[Arrival] = []
        self._up: set[str] = set()
        self._kept: dict[str, list[Arrival]] = {}

    def carry(self, at: datetime, device: str, message: Message) -> None:
        """Let it arrive, or keep it until there is a link; QoS 0 is not kept."""
        arrival = Arrival(at, device, message)
        if device in self._up:
            self._arrived.append(arrival)
        elif message.qos:
            self._kept.setdefault(device, []).append(arrival)

    def link(self, at: datetime, device: str, *, up: bool) -> None:
        """Let it be seen; what waited for a link goes first."""
        if up == (device in self._up):
            return
        self._arrived.append(Arrival(at, device, Link(up)))
        if up:
            self._up.add(device)
            self._arrived += [replace(kept, at=at) for kept in self._kept.pop(device, ())]
        else:
            self._up.discard(device)

    def next_at(self) -> datetime | None:
        """Return the moment of what has arrived."""
        return self._arrived[0].at if self._arrived else None

    def arrivals(self, _now: datetime) -> Sequence[Arrival]:
        """Return what has arrived."""
        found, self._arrived = self._arrived, []
        return found

    def acknowledged(self, tokens: Sequence[int]) -> None:
        """Nothing waits for it."""
