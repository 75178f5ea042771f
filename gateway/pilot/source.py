"""Source: what a data directory's state file holds, page by page, so that the gateway never waits for us."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from gateway.contract import ConfigurationError
from gateway.model.frame import Transport
from gateway.model.registry import RegistryDocument
from gateway.stores.events import first_place
from gateway.stores.schema import VERSION
from gateway.stores.sqlite import Reader, from_us
from gateway.stores.state_reader import stored_registry

PAGE = 5_000
"""Rows of one question. Each is a statement of its own: none holds the write-ahead log for long."""
RECEIPTS = """
SELECT position, received_us, channel FROM frames
WHERE position > ? AND position <= ? AND transport = ? AND (channel LIKE 'delivery/displayed/%' OR
channel LIKE 'shown/%') ORDER BY position
"""
Page = list[Any]


class Source:
    """Rows as they lie, bodies as JSON bytes; up to a cursor, past which nothing is read."""

    def __init__(self, data_dir: Path) -> None:
        path = data_dir / "state.db"
        if not path.exists():
            raise ConfigurationError(
                f"{path}: there is no such file; name the data directory with --data or the configuration"
            )
        self._reader = Reader(path, VERSION)

    def close(self) -> None:
        """Release the file."""
        self._reader.close()

    def cursor(self) -> int:
        """Return the position up to which frames were walked."""
        return int(self._meta("cursor", b"0"))

    def now(self) -> datetime | None:
        """Return the moment that the gateway had come to; None before it heard anything."""
        found = self._meta("now", b"")
        return datetime.fromisoformat(found.decode()) if found else None

    def registry(self) -> RegistryDocument:
        """Return the registry as it stands now."""
        return stored_registry(self._reader)

    def events(self, after: int, until: int) -> Iterator[Page]:
        """Yield pages of (place, body) of the frames after one position, up to another."""
        query = "SELECT place, body FROM events WHERE place >= ? AND place < ? ORDER BY place LIMIT ?"
        start, end = first_place(after + 1), first_place(until + 1)
        while page := self._reader.ask(query, (start, end, PAGE)):
            yield page
            start = page[-1][0] + 1

    def entries(self, after: int, until: int) -> Page:
        """Return (frame, body) of the lines of alerts' histories that those frames wrote."""
        query = "SELECT frame, body FROM entries WHERE frame > ? AND frame <= ? ORDER BY frame"
        return self._reader.ask(query, (after, until))

    def alerts(self, after: int, until: int) -> Page:
        """Return (cursor, body) of the alerts that those frames raised or changed, as they stand now."""
        query = """SELECT ?, body FROM alerts WHERE id IN
        (SELECT alert FROM entries WHERE frame > ? AND frame <= ?) ORDER BY id"""
        return self._reader.ask(query, (until, after, until))

    def deliveries(self, after: int) -> Page:
        """Return (row, body) of the deliveries made or changed since a row: a change gives a new row."""
        return self._reader.ask("SELECT rowid, body FROM deliveries WHERE rowid > ? ORDER BY rowid", (after,))

    def receipts(self, after: int, until: int) -> Page:
        """Return (position, microseconds, channel) of the proofs that somebody was shown an alert."""
        return self._reader.ask(RECEIPTS, (after, until, Transport.RECEIPT.value))

    def quarantine(self, after: int, until: int) -> Page:
        """Return (position, received in microseconds, device) of the frames that could not be read."""
        query = """SELECT frame, received_us, device FROM quarantine
        WHERE frame > ? AND frame <= ? ORDER BY frame"""
        return self._reader.ask(query, (after, until))

    def received_at(self, position: int) -> datetime | None:
        """Return when a frame came in; None for a position without one."""
        found = self._reader.ask("SELECT received_us FROM frames WHERE position = ?", (position,))
        return from_us(found[0][0]) if found else None

    def statuses(self) -> Page:
        """Return the body of the latest word of every device."""
        return self._reader.ask("SELECT 0, body FROM statuses ORDER BY device")

    def _meta(self, key: str, otherwise: bytes) -> bytes:
        found = self._reader.ask("SELECT value FROM meta WHERE key = ?", (key,))
        return bytes(found[0][0]) if found else otherwise
