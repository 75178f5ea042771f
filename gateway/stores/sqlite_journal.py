"""The journal in SQLite: the frames of the state file, one after the other, to read."""

from collections.abc import Iterator
from pathlib import Path

from gateway.model.frame import Frame, Transport
from gateway.stores.schema import VERSION
from gateway.stores.sqlite import Reader, from_us, to_us

RETAINED, DUPLICATE = 1, 2


class SqliteJournal:
    """Reads may come from any thread, also while a gateway writes."""

    def __init__(self, path: Path) -> None:
        self._file = Reader(path, VERSION)

    def read(self, after: int, limit: int) -> list[Frame]:
        """Return at most `limit` frames with positions above `after`, in order."""
        query = "SELECT * FROM frames WHERE position > ? ORDER BY position LIMIT ?"
        return [_frame(row) for row in self._file.ask(query, (after, limit))]

    def read_inside(self, before: int) -> Iterator[Frame]:
        """Yield the registries, answers, plans and proofs with positions under `before`, a page at a time."""
        query = (
            "SELECT * FROM frames WHERE position > ? AND position < ? "
            "AND transport IN ('registry', 'person', 'receipt') ORDER BY position LIMIT 1000"
        )
        after = 0
        while rows := self._file.ask(query, (after, before)):
            yield from map(_frame, rows)
            after = rows[-1][0]

    def last(self) -> int:
        """Return the last position, 0 for an empty journal."""
        ((last,),) = self._file.ask("SELECT coalesce(max(position), 0) FROM frames")
        return int(last)

    def close(self) -> None:
        """Release the storage."""
        self._file.close()


Row = tuple[int, int, str, str, bytes, str, str, int, str]


def row_of_frame(frame: Frame) -> Row:
    """Return a frame as the journal keeps it."""
    flags = RETAINED * frame.retained + DUPLICATE * frame.duplicate
    return (
        frame.position,
        to_us(frame.received_at),
        frame.transport.value,
        frame.channel,
        frame.payload,
        frame.ingress,
        frame.source,
        flags,
        frame.fault,
    )


def _frame(row: Row) -> Frame:
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
