"""The port for state: one transaction a batch, and the questions people ask."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

import msgspec

from gateway.model.alert import Alert, AlertEntry
from gateway.model.delivery import Delivery
from gateway.model.event import Event
from gateway.model.frame import Frame
from gateway.model.registry import RegistryDocument
from gateway.model.status import DeviceStatus, Discovered, Timer
from gateway.model.trace import Trace


class Changes(msgspec.Struct):
    """One batch of inputs and everything they changed; committed as one transaction with the cursor.

    `now` is the moment that the state has come to, `listening_since` when the gateway last began to
    hear again after it had been away.
    """

    now: datetime | None = None
    listening_since: datetime | None = None
    frames: list[Frame] = []
    events: list[Event] = []
    traces: list[Trace] = []
    quarantine: list[tuple[Frame, str, str, str]] = []  # frame, device, reason, clause
    statuses: dict[str, DeviceStatus] = {}
    discovered: dict[str, Discovered | None] = {}
    memories: dict[str, dict[str, Any] | None] = {}
    timers: dict[str, Timer | None] = {}
    alerts: dict[str, Alert] = {}
    entries: list[AlertEntry] = []
    deliveries: dict[str, Delivery] = {}
    registry: RegistryDocument | None = None
    records: dict[str, bytes | None] = {}  # small records as JSON, by kind\0name; None forgets
    refusals: dict[int, str] = {}  # journal position of a person's answer -> why it did not fit


class Snapshot(msgspec.Struct):
    """What the engine needs to go on after a restart."""

    cursor: int
    registry: RegistryDocument
    statuses: dict[str, DeviceStatus]
    discovered: dict[str, Discovered]
    memories: dict[str, dict[str, Any]]
    timers: dict[str, Timer]
    alerts: dict[str, Alert]
    deliveries: dict[str, Delivery]
    now: datetime | None = None
    listening_since: datetime | None = None
    records: dict[str, bytes] = {}


class Store(Protocol):
    """State that is committed with the cursor, and the questions people ask of it.

    Methods may be called from other threads than the engine's; every error is StoreUnavailableError.
    """

    def load(self) -> Snapshot:
        """Return the state as of the last commit: open alerts only, deliveries not yet settled."""
        ...

    def known(self, ids: Sequence[str]) -> frozenset[str]:
        """Return those event ids that the event log already has."""
        ...

    def commit(self, changes: Changes, cursor: int) -> None:
        """Write everything and the cursor in one durable transaction, or nothing."""
        ...

    def alert(self, alert_id: str) -> Alert | None:
        """Return an alert, open or closed."""
        ...

    def closed_alerts(self, limit: int, *, without: str = "") -> list[Alert]:
        """Return the alerts closed last, newest first; none of the tenant named in `without`."""
        ...

    def history(
        self, alert_id: str, *, after: int | None = None, limit: int | None = None
    ) -> list[AlertEntry]:
        """Return the course of events of an alert, oldest first.

        At most `limit` entries: the first ones after version `after`, without it the newest ones.
        """
        ...

    def deliveries(self, alert_id: str, *, limit: int | None = None) -> list[Delivery]:
        """Return the deliveries of an alert, oldest first; with a limit the newest of them."""
        ...

    def delivery(self, delivery_id: str) -> Delivery | None:
        """Return a delivery, settled or not."""
        ...

    def events(
        self, *, frame: int | None = None, device: str | None = None, after: int = 0, limit: int = 100
    ) -> list[tuple[int, Event]]:
        """Return events with their place in the log, oldest first.

        Of a device the newest first, looked for among the newest events only.
        """
        ...

    def traces(self, *, frame: int | None = None, limit: int = 100) -> list[Trace]:
        """Return the remarks on one frame, or the newest remarks."""
        ...

    def quarantined(self, *, limit: int = 100) -> list[tuple[Frame, str, str, str]]:
        """Return the newest quarantined frames with device, reason and clause."""
        ...

    def alerts_of_frame(self, frame: int) -> list[Alert]:
        """Return the alerts that a frame raised or changed."""
        ...

    def unwatched(self) -> list[str]:
        """Return the open alerts that have no deadline, or none that a timer keeps; there must not be any."""
        ...

    def close(self) -> None:
        """Release the storage."""
        ...
