"""Searches of the state file over a connection of their own: a long one holds up nobody else's question."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec

from gateway.contract import AlertPage, DeliveryPage, EventPage, Mark, Sought
from gateway.model.alert import Alert, AlertEntry
from gateway.model.delivery import Delivery
from gateway.model.event import MAX_MILLISECONDS, Event
from gateway.stores.events import event_of_body, first_place
from gateway.stores.sqlite import from_us, to_us
from gateway.stores.state_reader import StateReader

Item = TypeVar("Item")

SCANNED = 20_000
"""Rows one page looks at; at the bound it ends, and the next page goes on from there."""
STEP = 512
"""Rows a single statement returns at most."""
UNEVEN = timedelta(seconds=60)
"""Frames are numbered in the order in which they were taken in, about that of their receipt."""

LATEST_ENTRIES = """
SELECT e.frame, e.alert, e.body FROM entries e
WHERE e.frame >= ? AND e.frame < ? AND {after}
AND NOT EXISTS (SELECT 1 FROM entries l WHERE l.alert = e.alert AND l.version > e.version)
ORDER BY e.frame {way}, e.alert {way} LIMIT ?
"""
ENTRIES = """
SELECT frame, alert, version, body FROM entries
WHERE frame >= ? AND frame < ? AND {after}
ORDER BY frame {way}, alert {way}, version {way} LIMIT ?
"""
DELIVERIES = """
SELECT d.rowid, d.body, a.body FROM deliveries d JOIN alerts a ON a.id = d.alert
WHERE d.rowid {sign} ? ORDER BY d.rowid {way} LIMIT ?
"""
_alert = msgspec.json.Decoder(Alert).decode
_entry = msgspec.json.Decoder(AlertEntry).decode
_delivery = msgspec.json.Decoder(Delivery).decode


class SqliteSearch(StateReader):
    """Every page reads a bounded number of rows, whatever is asked: about `scanned`."""

    def __init__(self, path: Path, *, scanned: int = SCANNED) -> None:
        super().__init__(path)
        self._scanned = scanned

    def frame_at(self, at: datetime) -> int:
        """Return about the first frame received at that moment or later, never one after it."""
        wanted = to_us(at) - UNEVEN // timedelta(microseconds=1)
        (found,) = self._reader.ask("SELECT min(position), max(position) FROM frames")
        if found[1] is None:
            return 0
        low, high = found[0], found[1] + 1
        while low < high:
            middle = (low + high) // 2
            query = "SELECT received_us FROM frames WHERE position >= ? ORDER BY position LIMIT 1"
            ((received_us,),) = self._reader.ask(query, (middle,))
            low, high = (middle + 1, high) if received_us < wanted else (low, middle)
        return int(low)

    def newest(self) -> datetime | None:
        """Return when the last frame that is committed was received, None of an empty log."""
        found = self._reader.ask("SELECT received_us FROM frames ORDER BY position DESC LIMIT 1")
        return from_us(found[0][0]) if found else None

    def event(self, event_id: str) -> Event | None:
        """Return an event by its id."""
        found = self._reader.ask("SELECT body FROM events WHERE id = ?", (event_id,))
        return event_of_body(found[0][0]) if found else None

    def find_events(self, sought: Sought, mark: Mark, limit: int) -> EventPage:
        """Return the events after that place."""
        column = "id" if sought.by_time else "place"
        where, values = _narrowed(sought)
        if mark:
            where.append(f"{column} {'<' if sought.newest_first else '>'} ?")
            values.append(mark[0])
        ordered = f"ORDER BY {column} {'DESC' if sought.newest_first else 'ASC'}"
        within = " AND ".join(where)
        ends = f"SELECT {column} FROM events WHERE {within} {ordered} LIMIT 1 OFFSET ?"  # noqa: S608 - our own words
        end = self._reader.ask(ends, (*values, self._scanned - 1))
        if end:  # here this page stops looking
            within += f" AND {column} {'>=' if sought.newest_first else '<='} ?"
            values.append(end[0][0])
        fitting, fits = _fitting(sought)
        query = (
            f"SELECT {column}, body FROM events WHERE {' AND '.join([within, *fitting])} {ordered} LIMIT ?"  # noqa: S608
        )
        found: list[Event] = []
        last = mark
        for place, body in self._rows(query, (*values, *fits), limit + 1, _on(sought, column)):
            event = event_of_body(body)
            if sought.keep is not None and not sought.keep(event):
                continue
            if len(found) == limit:
                return EventPage(found, last)
            found.append(event)
            last = (place,)
        return EventPage(found, (end[0][0],) if end else None)

    def find_alerts(self, sought: Sought, mark: Mark, limit: int) -> AlertPage:
        """Return the alerts after that place."""
        after = f"(e.frame, e.alert) {'<' if sought.newest_first else '>'} (?, ?)"
        return self._alerts(LATEST_ENTRIES, after, sought, mark, limit)

    def find_entries(self, sought: Sought, mark: Mark, limit: int) -> AlertPage:
        """Return the lines of history after that place, each with its alert."""
        after = f"(frame, alert, version) {'<' if sought.newest_first else '>'} (?, ?, ?)"
        return self._alerts(ENTRIES, after, sought, mark, limit)

    def find_deliveries(self, sought: Sought, mark: Mark, limit: int) -> DeliveryPage:
        """Return the deliveries after that place."""
        sign, way = ("<", "DESC") if sought.newest_first else (">", "ASC")
        start = mark or ((2**62,) if sought.newest_first else (0,))

        def asked(place: Mark, most: int) -> list[Any]:
            return self._reader.ask(DELIVERIES.format(sign=sign, way=way), (*place, most))

        def read(row: Any) -> tuple[Delivery, Alert] | None:
            delivery, alert = _delivery(row[1]), _alert(row[2])
            kept = sought.keep_delivery is None or sought.keep_delivery(delivery, alert)
            return (delivery, alert) if _meant(sought, alert) and kept else None

        return DeliveryPage(*_page(_Rows(asked, start, lambda row: row[:1]), read, limit, self._scanned))

    def _alerts(self, query: str, after: str, sought: Sought, mark: Mark, limit: int) -> AlertPage:
        way = "DESC" if sought.newest_first else "ASC"
        parts = after.count("?")
        least: Mark = (-1, "", -1)[:parts]
        most: Mark = (2**62, "", 0)[:parts]
        asked_for = query.format(after=after, way=way)

        def asked(place: Mark, number: int) -> list[Any]:
            return self._reader.ask(asked_for, (sought.first_frame, sought.end_frame, *place, number))

        def read(row: Any) -> tuple[Alert, AlertEntry] | None:
            alert = self.alert(row[1])
            if alert is None or not _meant(sought, alert):
                return None
            entry = _entry(row[-1])
            kept = sought.keep_entry is None or sought.keep_entry(alert, entry)
            return (alert, entry) if kept else None

        start = mark or (most if sought.newest_first else least)
        return AlertPage(*_page(_Rows(asked, start, lambda row: row[:-1]), read, limit, self._scanned))

    def _rows(
        self, query: str, values: Sequence[object], limit: int, going_on: str
    ) -> Iterator[tuple[Any, bytes]]:
        """Yield rows a step at a time, so that a search that keeps few never holds many."""
        step = min(STEP, limit)
        rows = self._reader.ask(query, (*values, step))
        while rows:
            yield from rows
            if len(rows) < step:
                return
            step = STEP
            rows = self._reader.ask(query.replace(" ORDER BY", going_on), (*values, rows[-1][0], step))


class _Rows(NamedTuple):
    """Rows in order: how to ask for those after a place, where to begin, and the place of a row."""

    asked: Callable[[Mark, int], list[Any]]
    start: Mark
    place_of: Callable[[Any], Mark]


def _page(
    rows: _Rows, read: Callable[[Any], Item | None], limit: int, most: int
) -> tuple[list[Item], Mark | None]:
    """Return so many items that are wanted, looking at about `most` rows."""
    found: list[Item] = []
    at, looked, step = rows.start, 0, max(32, min(STEP, limit + 1))
    while looked < most:
        part = rows.asked(at, step)
        for row in part:
            item = read(row)
            if item is not None and len(found) == limit:
                return found, at
            if item is not None:
                found.append(item)
            at = rows.place_of(row)
        looked += len(part)
        if len(part) < step:
            return found, None
    return found, at


def _narrowed(sought: Sought) -> tuple[list[str], list[object]]:
    """Return what bounds the rows that are looked at."""
    first, end = first_place(sought.first_frame), first_place(sought.end_frame)
    by_place, by_id = ("+", "") if sought.by_time else ("", "+")  # + keeps the other index out of it
    where = [f"{by_place}place >= ?", f"{by_place}place < ?"]
    bounds: list[object] = [first, end]
    for sign, at in ((">=", sought.since), ("<", sought.until)):
        if at is not None:
            where.append(f"{by_id}id {sign} ?")
            within = sign == "<" and at.microsecond % 1000 > 0  # an id tells no more than the millisecond
            bounds.append(f"{max(0, min(MAX_MILLISECONDS, int(at.timestamp() * 1000) + within)):012x}")
    return where, bounds


def _fitting(sought: Sought) -> tuple[list[str], list[object]]:
    """Return what the rows that are looked at must be."""
    where: list[str] = []
    values: list[object] = []
    for column, wanted in (
        ("type", sought.types),
        ("device", sought.devices),
        ("json_extract(body, '$.home')", sought.homes),
        ("json_extract(body, '$.person')", sought.persons),
    ):
        if wanted:
            where.append(f"{column} IN ({','.join('?' * len(wanted))})")
            values.extend(sorted(wanted))
    return where, values


def _on(sought: Sought, column: str) -> str:
    return f" AND {column} {'<' if sought.newest_first else '>'} ? ORDER BY"


def _meant(sought: Sought, alert: Alert) -> bool:
    named = ((sought.devices, alert.device), (sought.homes, alert.home), (sought.persons, alert.person))
    return all(not wanted or value in wanted for wanted, value in named)
