"""File: the queue on disk: one SQLite file in which a commit means "on disk"."""

import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.contract import StoreUnavailableError
from gateway.edge.order import Entry
from gateway.stores.sqlite import Statement, carry_out, open_durable

VERSION = 1
SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS frames (
  place INTEGER PRIMARY KEY,
  number INTEGER NOT NULL,
  device TEXT NOT NULL,
  high INTEGER NOT NULL,
  size INTEGER NOT NULL,
  heard_us INTEGER,
  body BLOB NOT NULL
)
"""
EPOCH_BYTES = 8
BROKEN = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
PAGES_A_CHECKPOINT = 1000
ASKED_AT_ONCE = 500


@dataclass
class Work:
    """What one commit writes."""

    added: list[tuple[Entry, bytes]] = field(default_factory=list)
    numbered: list[Entry] = field(default_factory=list)
    removed: list[int] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Tell whether there is anything to write."""
        return bool(self.added or self.numbered or self.removed or self.facts)


def open_queue(path: Path) -> tuple["QueueFile", bool]:
    """Open the queue; True when the old file was broken, and lies beside the new one to be looked at.

    An edge that cannot read its queue must not be deaf from then on.
    """
    try:
        return QueueFile(path), False
    except StoreUnavailableError as error:
        if getattr(error.__cause__, "sqlite_errorcode", 0) & 0xFF not in BROKEN:
            raise
    mark = secrets.token_hex(2)
    for suffix in ("", "-wal", "-shm"):
        old = path.with_name(path.name + suffix)
        if old.exists():
            old.rename(path.with_name(f"{path.name}.broken-{mark}{suffix}"))
    return QueueFile(path), True


class QueueFile:
    """Commits come one at a time, from any thread; every error is StoreUnavailableError."""

    def __init__(self, path: Path) -> None:
        self._connection = _open(path)
        self._ask("SELECT count(*), sum(length(body)) FROM frames")  # a broken page is found now, not later
        found = self._facts()
        if "epoch" not in found:
            found["epoch"] = secrets.token_hex(EPOCH_BYTES)
            self.commit(Work(facts=found))
        self.facts = found
        self.epoch = found["epoch"]

    def entries(self) -> Iterator[Entry]:
        """Yield what was kept, in the order in which it was heard."""
        asked = "SELECT place, device, high, size, heard_us, number FROM frames ORDER BY place"
        for place, device, high, size, heard_us, number in self._ask(asked):
            yield Entry(place, device, bool(high), size, heard_us, number)

    def bodies(self, places: Sequence[int]) -> dict[int, bytes]:
        """Return the frames at these places."""
        found: dict[int, bytes] = {}
        for start in range(0, len(places), ASKED_AT_ONCE):
            part = places[start : start + ASKED_AT_ONCE]
            marks = ",".join("?" * len(part))
            asked = f"SELECT place, body FROM frames WHERE place IN ({marks})"  # noqa: S608 - marks alone
            found.update(self._ask(asked, part))
        return found

    def commit(self, work: Work) -> None:
        """Write all of it durably, or nothing."""
        statements: list[Statement] = [
            (
                "INSERT OR REPLACE INTO frames",
                [
                    (one.place, one.number, one.device, one.high, one.size, one.heard_us, body)
                    for one, body in work.added
                ],
            ),
            (
                "UPDATE frames SET number = ? WHERE place = ?",
                [(one.number, one.place) for one in work.numbered],
            ),
            ("DELETE FROM frames WHERE place = ?", [(place,) for place in work.removed]),
            ("INSERT OR REPLACE INTO meta", list(work.facts.items())),
        ]
        carry_out(self._connection, [(sql, rows) for sql, rows in statements if rows])

    def close(self) -> None:
        """Release the file."""
        self._connection.close()

    def _facts(self) -> dict[str, str]:
        return dict(self._ask("SELECT key, value FROM meta"))

    def _ask(self, query: str, values: Sequence[int] = ()) -> list[Any]:
        try:
            return self._connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise StoreUnavailableError(f"the queue cannot be read: {error}") from error


def _open(path: Path) -> sqlite3.Connection:
    connection = open_durable(path, SCHEMA, VERSION)
    connection.execute(f"PRAGMA wal_autocheckpoint={PAGES_A_CHECKPOINT}")
    return connection
