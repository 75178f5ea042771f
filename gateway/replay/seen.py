"""Seen: the ids of the events of a run, on disk in a file without a name, so that memory does not grow."""

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from types import TracebackType
from typing import Self

from gateway.model.event import Event

KEPT = 20_000
"""Newest ids that are held in memory before they are written."""


class Seen:
    """What the event log is to a running gateway: it knows whether an event was accepted before."""

    def __init__(self) -> None:
        self._file = sqlite3.connect("", isolation_level=None)  # SQLite removes it when it is closed
        self._file.execute("PRAGMA journal_mode=OFF")
        self._file.execute("CREATE TABLE ids (id BLOB PRIMARY KEY) WITHOUT ROWID")
        self._newest: set[bytes] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, events: Iterable[Event]) -> None:
        """Remember events."""
        self._newest.update([bytes.fromhex(event.id) for event in events])
        if len(self._newest) >= KEPT:
            self._file.execute("BEGIN")
            rows = ((name,) for name in sorted(self._newest))
            self._file.executemany("INSERT OR IGNORE INTO ids VALUES (?)", rows)
            self._file.execute("COMMIT")
            self._newest.clear()

    def known(self, ids: Sequence[str]) -> frozenset[str]:
        """Return those that were accepted before."""
        return frozenset(name for name in ids if self._has(bytes.fromhex(name)))

    def _has(self, name: bytes) -> bool:
        if name in self._newest:
            return True
        with closing(self._file.execute("SELECT 1 FROM ids WHERE id = ?", (name,))) as found:
            return found.fetchone() is not None
