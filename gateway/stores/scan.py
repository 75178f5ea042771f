"""Reading at leisure: the log page by page, on a connection of its own, so that nobody's question waits."""

from collections.abc import Collection, Sequence
from datetime import datetime

from gateway.contract.search import EntryKey
from gateway.model.alert import Alert, AlertEntry
from gateway.model.delivery import Delivery
from gateway.model.event import Event
from gateway.stores.events import event_of_body
from gateway.stores.sqlite import to_us
from gateway.stores.state_reader import StateReader

BLOCK = "SELECT place, type, device, body FROM events WHERE place > ? ORDER BY place LIMIT ?"
RACE_S = 60.0
"""Frames are journalled a little out of the order of their arrival; so much earlier a search begins."""


class Scanner(StateReader):
    """All questions are bounded by what the caller says."""

    def event(self, event_id: str) -> tuple[int, Event] | None:
        """Return an event with its place in the log."""
        rows = self._reader.ask("SELECT place, body FROM events WHERE id = ?", (event_id,))
        return (rows[0][0], event_of_body(rows[0][1])) if rows else None

    def events_after(
        self, place: int, scanned: int, *, types: Collection[str] = (), device: str = ""
    ) -> tuple[Sequence[tuple[int, Event]], int | None]:
        """Return what fits of the next `scanned` events, and the place to go on from; None at the end."""
        rows = self._reader.ask(BLOCK, (place, scanned))
        found = [
            (at, event_of_body(body))
            for at, kind, who, body in rows
            if (not types or kind in types) and (not device or who == device)
        ]
        return found, rows[-1][0] if len(rows) == scanned else None

    def alerts_after(self, alert_id: str, limit: int) -> Sequence[Alert]:
        """Return the next alerts in the order of their ids."""
        return self._decoded(
            "SELECT body FROM alerts WHERE id > ? ORDER BY id LIMIT ?", (alert_id, limit), Alert
        )

    def deliveries_after(self, number: int, limit: int) -> Sequence[tuple[int, Delivery]]:
        """Return the next deliveries with their numbers, in the order in which they were made."""
        asked = "SELECT rowid, body FROM deliveries WHERE rowid > ? ORDER BY rowid LIMIT ?"
        rows = self._reader.ask(asked, (number, limit))
        bodies = self._decoded_rows([(body,) for _, body in rows], Delivery)
        return [(row[0], one) for row, one in zip(rows, bodies, strict=True)]

    def entries_after(self, key: EntryKey, limit: int) -> Sequence[AlertEntry]:
        """Return the next lines of all histories."""
        asked = (
            "SELECT body FROM entries WHERE (frame, alert, version) > (?, ?, ?) "
            "ORDER BY frame, alert, version LIMIT ?"
        )
        return self._decoded(asked, (*key, limit), AlertEntry)

    def frame_at(self, at: datetime) -> int:
        """Return the first frame that came at that moment or later, or one behind the last."""
        sought = to_us(at) - round(RACE_S * 1e6)
        low, high = 1, self.cursor() + 1
        while low < high:
            middle = (low + high) // 2
            rows = self._reader.ask("SELECT received_us FROM frames WHERE position = ?", (middle,))
            if rows and rows[0][0] < sought:
                low = middle + 1
            else:
                high = middle
        return low
