"""Where a simulated gateway keeps its commits: nowhere but in a digest, or in a real store."""

import hashlib
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from typing import Protocol

import msgspec

from gateway.contract import Changes, Snapshot
from gateway.model.registry import RegistryDocument

encode = msgspec.json.encode
OPEN_HOURS = 2
"""Hours before the newest that are kept ready for more."""


class Keep(Protocol):
    """The part of the port for state that the core alone needs; `gateway.stores` has it too."""

    def load(self) -> Snapshot:
        """Return the state as of the last commit."""
        ...

    def known(self, ids: Sequence[str]) -> frozenset[str]:
        """Return those event ids that were committed before."""
        ...

    def commit(self, changes: Changes, cursor: int) -> None:
        """Keep one commit, all of it or nothing."""
        ...

    def close(self) -> None:
        """Release what it holds."""
        ...


class Seen:
    """Event ids in eight bytes each: those of an hour long past are one sorted array.

    An id is the hour it belongs to and eighty bits of identity, of which sixty-four are kept.
    """

    def __init__(self) -> None:
        self._open: dict[int, set[int]] = {}
        self._shut: dict[int, array[int]] = {}
        self._newest = 0

    def add(self, name: str) -> None:
        """Remember an id."""
        hour, identity = _parts(name)
        found = self._open.get(hour)
        if found is None:
            found = self._open[hour] = set()
            if hour > self._newest:
                self._newest = hour
                self._shut_old()
        found.add(identity)

    def __contains__(self, name: str) -> bool:
        hour, identity = _parts(name)
        if identity in self._open.get(hour, ()):
            return True
        shut = self._shut.get(hour)
        if shut is None:
            return False
        place = bisect_left(shut, identity)
        return place < len(shut) and shut[place] == identity

    def _shut_old(self) -> None:
        """Pack the hours that only backlogs can still belong to; what comes later is packed with the next."""
        for hour in [hour for hour in self._open if hour < self._newest - OPEN_HOURS]:
            both = [*self._open.pop(hour), *self._shut.get(hour, ())]
            self._shut[hour] = array("Q", sorted(both))


def _parts(name: str) -> tuple[int, int]:
    return int(name[:12], 16) // 3_600_000, int(name[12:28], 16)


class Digest:
    """Keeps of a run only what tells it from another: a SHA-256 of its log, counts, and the event ids seen.

    The log is what was decided: events, alerts' history, deliveries, in the order of their making.
    """

    def __init__(self) -> None:
        self._sha = hashlib.sha256()
        self._seen = Seen()
        self.events = 0
        self.entries = 0

    def load(self) -> Snapshot:
        """Return an empty state: nothing that could be gone on from is kept."""
        return Snapshot(0, RegistryDocument(), {}, {}, {}, {}, {}, {})

    def known(self, ids: Sequence[str]) -> frozenset[str]:
        """Return those event ids that were committed before."""
        return frozenset(name for name in ids if name in self._seen)

    def commit(self, changes: Changes, cursor: int) -> None:
        """Take the commit into the digest."""
        for event in changes.events:
            self._sha.update(encode(event))
            self._seen.add(event.id)
        for entry in changes.entries:
            self._sha.update(encode(entry))
        for delivery in changes.deliveries.values():
            self._sha.update(encode(delivery))
        self.events += len(changes.events)
        self.entries += len(changes.entries)
        self.cursor = cursor

    def close(self) -> None:
        """Nothing to release."""

    def hexdigest(self) -> str:
        """Return the digest of all commits so far."""
        return self._sha.hexdigest()
