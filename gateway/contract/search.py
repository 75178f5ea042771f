"""The port for searching the log: pages in a fixed order, each of them bounded in what it reads."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from gateway.model.alert import Alert, AlertEntry
from gateway.model.delivery import Delivery
from gateway.model.event import Event

Mark = tuple[str | int, ...]
"""A place between two items of an order, () for before the first; its parts are the order's own."""


class Sought(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked for, and in which order.

    `types`, `devices`, `homes` and `persons` empty means any; home and person are those that the event or
    alert names itself. Frames are counted from `first_frame` to before `end_frame`; events happened from
    `since` to before `until`. `by_time` orders events by when they happened, not by when they were committed.
    `keep` has the last word on an event, `keep_entry` on an alert with a line of its history, `keep_delivery`
    on a delivery with its alert.
    """

    types: frozenset[str] = frozenset()
    devices: frozenset[str] = frozenset()
    homes: frozenset[str] = frozenset()
    persons: frozenset[str] = frozenset()
    first_frame: int = 0
    end_frame: int = 2**48
    since: datetime | None = None
    until: datetime | None = None
    by_time: bool = False
    newest_first: bool = False
    keep: Callable[[Event], bool] | None = None
    keep_entry: Callable[[Alert, AlertEntry], bool] | None = None
    keep_delivery: Callable[[Delivery, Alert], bool] | None = None


class EventPage(msgspec.Struct, frozen=True):
    """Events in order; `more` is where the next page begins, None at the end.

    A page may hold fewer than were asked for, even none, and still have more after it: reading is bounded.
    """

    items: Sequence[Event]
    more: Mark | None


class AlertPage(msgspec.Struct, frozen=True):
    """Alerts in the order of their newest line of history, with that line; one that changes comes again."""

    items: Sequence[tuple[Alert, AlertEntry]]
    more: Mark | None


class DeliveryPage(msgspec.Struct, frozen=True):
    """Deliveries in the order of their last change, with their alerts."""

    items: Sequence[tuple[Delivery, Alert]]
    more: Mark | None


class LogSearch(Protocol):
    """Searches of the committed log, from any thread; every error is StoreUnavailableError."""

    def frame_at(self, at: datetime) -> int:
        """Return about the first frame received at that moment or later, never one after it."""
        ...

    def newest(self) -> datetime | None:
        """Return when the last frame that is committed was received, None of an empty log."""
        ...

    def event(self, event_id: str) -> Event | None:
        """Return an event by its id."""
        ...

    def alert(self, alert_id: str) -> Alert | None:
        """Return an alert, open or closed."""
        ...

    def history(
        self, alert_id: str, *, after: int | None = None, limit: int | None = None
    ) -> list[AlertEntry]:
        """Return the course of an alert, oldest first; with a limit the newest or the first after `after`."""
        ...

    def delivery(self, delivery_id: str) -> Delivery | None:
        """Return a delivery, settled or not."""
        ...

    def find_events(self, sought: Sought, mark: Mark, limit: int) -> EventPage:
        """Return the events after that place."""
        ...

    def find_alerts(self, sought: Sought, mark: Mark, limit: int) -> AlertPage:
        """Return the alerts after that place."""
        ...

    def find_entries(self, sought: Sought, mark: Mark, limit: int) -> AlertPage:
        """Return the lines of history after that place, each with its alert."""
        ...

    def find_deliveries(self, sought: Sought, mark: Mark, limit: int) -> DeliveryPage:
        """Return the deliveries after that place."""
        ...
