"""The journal in SQLite: frames appended in groups, each group one fsync."""

from collections.abc import Sequence
from pathlib import Path

from gateway.model.frame import Frame, Transport
from gateway.stores.sqlite import SqliteFile, from_us, insert, to_us, transaction

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

    _last: int

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self._file = SqliteFile(path, SCHEMA, VERSION, read_only=read_only)
        ((self._last,),) = self._file.ask("SELECT coalesce(max(position), 0) FROM frames")

    def append(self, frames: Sequence[Frame]) -> int:
        """Write the frames durably and return the first one's position."""
        first = self._last + 1
        rows = [_row(position, frame) for position, frame in enumerate(frames, first)]
        with transaction(self._file.writer):
            insert(self._file.writer, "INSERT INTO frames", rows)
        self._last += len(rows)
        return first

    def read(self, after: int, limit: int) -> list[Frame]:
        """Return at most `limit` frames with positions above `after`, in order."""
        query = "SELECT * FROM frames WHERE position > ? ORDER BY position LIMIT ?"
        return [_frame(row) for row in self._file.ask(query, (after, limit))]

    def last(self) -> int:
        """Return the last position, 0 for an empty journal."""
        return self._last

    def close(self) -> None:
        """Release the storage."""
        self._file.close()


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
