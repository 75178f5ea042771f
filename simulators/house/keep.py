"""Where a simulated gateway keeps its commits: nowhere but in a digest, or in a real store."""

import hashlib
from collections.abc import Sequence
from typing import Protocol

import msgspec

from gateway.contract import Changes, Snapshot
from gateway.model.registry import RegistryDocument

encode = msgspec.json.encode


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


class Digest:
    """Keeps of a run only what tells it from another: a SHA-256 of its log, counts, and the event ids seen.

    The log is what was decided: events, alerts' history, deliveries, in the order of their making.
    """

    def __init__(self) -> None:
        self._sha = hashlib.sha256()
        self._seen: set[int] = set()
        self.events = 0
        self.entries = 0

    def load(self) -> Snapshot:
        """Return an empty state: nothing that could be gone on from is kept."""
        return Snapshot(0, RegistryDocument(), {}, {}, {}, {}, {}, {})

    def known(self, ids: Sequence[str]) -> frozenset[str]:
        """Return those event ids that were committed before."""
        return frozenset(name for name in ids if hash(name) in self._seen)

    def commit(self, changes: Changes, cursor: int) -> None:
        """Take the commit into the digest."""
        for event in changes.events:
            self._sha.update(encode(event))
        self._seen.update([hash(event.id) for event in changes.events])
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
