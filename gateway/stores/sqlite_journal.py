"""The journal in SQLite: frames appended in groups, each group one fsync."""

import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path

from gateway.contract import StoreUnavailableError
from gateway.model.frame import Frame, Transport
from gateway.stores.sqlite import (
    Checkpointer,
    from_us,
    insert,
    open_durable,
    open_read_only,
    to_us,
    transaction,
)

SCHEMA = """
CREATE TABLE IF NOT EXISTS frames (
  position INTEGER PRIMARY KEY,
  received_us INTEGER NOT NULL,
  transport TEXT NOT NULL,
  channel TEXT NOT NULL,
  payload BLOB NOT NULL,
  ingress TEXT NOT NULL,
  source TEXT NOT NULL,
  flags INTEGER NOT NULL,
  fault TEXT NOT NULL
);
"""
VERSION = 1
RETAINED, DUPLICATE = 1, 2


class SqliteJournal:
    """Appends come from one thread at a time; reads may come from any."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        if read_only:
            self._connection = self._reader = open_read_only(path, VERSION)
        else:
            self._connection = open_durable(path, SCHEMA, VERSION)
            self._reader = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._reading = threading.Lock()
        self._checkpointer = None if read_only else Checkpointer(path)
        (last,) = self._connection.execute("SELECT coalesce(max(position), 0) FROM frames").fetchone()
        self._last: int = last

    def append(self, frames: Sequence[Frame]) -> int:
        """Write the frames durably and return the first one's position."""
        first = self._last + 1
        rows = [_row(position, frame) for position, frame in enumerate(frames, first)]
        with transaction(self._connection):
            insert(self._connection, "INSERT INTO frames", rows)
        self._last += len(rows)
        return first

    def read(self, after: int, limit: int) -> list[Frame]:
        """Return at most `limit` frames with positions above `after`, in order."""
        query = "SELECT * FROM frames WHERE position > ? ORDER BY position LIMIT ?"
        try:
            with self._reading:
                return [_frame(row) for row in self._reader.execute(query, (after, limit))]
        except sqlite3.Error as error:
            raise StoreUnavailableError(f"the journal cannot be read: {error}") from error

    def last(self) -> int:
        """Return the last position, 0 for an empty journal."""
        return self._last

    def close(self) -> None:
        """Release the storage."""
        if self._checkpointer is not None:
            self._checkpointer.close()
        self._reader.close()
        self._connection.close()


_Row = tuple[int, int, str, str, bytes, str, str, int, str]


def _row(position: int, frame: Frame) -> _Row:
    flags = RETAINED * frame.retained + DUPLICATE * frame.duplicate
    return (
        position,
        to_us(frame.received_at),
        frame.transport.value,
        frame.channel,
        frame.payload,
        frame.ingress,
        frame.source,
        flags,
        frame.fault,
    )


def _frame(row: _Row) -> Frame:
    position, received_us, transport, channel, payload, ingress, source, flags, fault = row
    return Frame(
        transport=Transport(transport),
        channel=channel,
        payload=payload,
        received_at=from_us(received_us),
        ingress=ingress,
        source=source,
        retained=bool(flags & RETAINED),
        duplicate=bool(flags & DUPLICATE),
        fault=fault,
        position=position,
    )
