"""The port for reading the log at leisure: page by page, and one by one, beside the traffic."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Protocol

from gateway.model.alert import Alert, AlertEntry
from gateway.model.delivery import Delivery
from gateway.model.event import Event

EntryKey = tuple[int, str, int]
"""Frame, alert and version: the order of the lines of all histories."""


class Search(Protocol):
    """Reads in bounded steps; methods may be called from any thread, every error is StoreUnavailableError."""

    def event(self, event_id: str) -> tuple[int, Event] | None:
        """Return an event with its place in the log."""
        ...

    def events_after(
        self, place: int, scanned: int, *, types: Collection[str] = (), device: str = ""
    ) -> tuple[Sequence[tuple[int, Event]], int | None]:
        """Return what fits of the next `scanned` events, and the place to go on from; None at the end."""
        ...

    def alert(self, alert_id: str) -> Alert | None:
        """Return an alert, open or closed."""
        ...

    def alerts_after(self, alert_id: str, limit: int) -> Sequence[Alert]:
        """Return the next alerts in the order of their ids."""
        ...

    def history(
        self, alert_id: str, *, after: int | None = None, limit: int | None = None
    ) -> list[AlertEntry]:
        """Return the course of events of an alert, oldest first."""
        ...

    def deliveries_after(self, number: int, limit: int) -> Sequence[tuple[int, Delivery]]:
        """Return the next deliveries with their numbers, in the order in which they were made."""
        ...

    def deliveries(self, alert_id: str, *, limit: int | None = None) -> list[Delivery]:
        """Return the deliveries of an alert."""
        ...

    def delivery(self, delivery_id: str) -> Delivery | None:
        """Return a delivery."""
        ...

    def entries_after(self, key: EntryKey, limit: int) -> Sequence[AlertEntry]:
        """Return the next lines of all histories."""
        ...

    def frame_at(self, at: datetime) -> int:
        """Return the first frame that came at that moment or later, or one behind the last."""
        ...

    def close(self) -> None:
        """Release the file."""
        ...
