"""Outward: what is told of an event and of an alert's change to systems outside, and what never is.

Only what stays as it was is told, so that the same id always has the same content: of an alert what it was
raised with, and what the line of its history says. Nobody's name, no staff, no free text, no position.
"""

from datetime import datetime
from typing import Any

import msgspec

from gateway.model.alert import Alert, AlertEntry, AlertType, Outcome, Phase, Severity
from gateway.model.event import Event
from gateway.model.vocabulary import ClockQuality, DeviceKind

PREFIX, SUFFIX = "se.vaka.", ".v1"
WITHHELD = frozenset(
    {
        "accuracy_m", "altitude_m", "credential", "details", "geofence", "grant",
        "latitude", "location", "longitude", "speed_kmh", "visit",
    }
)  # fmt: skip
"""Fields of events that stay in the house: where somebody was, who opened, and what others wrote."""


class EventData(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is told of an event: opaque references, times, and the values that say nothing of who and where.

    `late_s` is received minus occurred, in seconds.
    """

    device: str
    kind: DeviceKind
    home: str
    person: str | None = None
    occurred_at: datetime
    received_at: datetime
    clock: ClockQuality
    late_s: float
    sequence: int | None = None
    values: dict[str, Any] = {}


class AlertData(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is told of a line of an alert's history; `priority` is IHE ACM's, `cause` the event behind it."""

    alert: str
    version: int
    action: str
    phase: Phase
    severity: Severity | None = None
    priority: str | None = None
    type: AlertType | None = None
    rule: str
    home: str
    person: str | None = None
    device: str | None = None
    cause: str | None = None
    occurred_at: datetime
    raised_at: datetime
    late_s: float = 0
    outcome: Outcome | None = None


def event_type(word: str) -> str:
    """Return the CloudEvents type of a word of the vocabulary."""
    return f"{PREFIX}{word}{SUFFIX}"


def alert_type(action: str) -> str:
    """Return the CloudEvents type of a change of an alert."""
    return f"{PREFIX}alert.{action}{SUFFIX}"


def event_data(event: Event) -> dict[str, Any]:
    """Return what is told of an event, as JSON holds it."""
    values = {
        name: value for name, value in msgspec.to_builtins(event.values).items() if name not in WITHHELD
    }
    told = EventData(
        device=event.device,
        kind=event.kind,
        home=event.home,
        person=event.person,
        occurred_at=event.occurred_at,
        received_at=event.received_at,
        clock=event.clock,
        late_s=event.late_s,
        sequence=event.sequence,
        values=values,
    )
    return _json(told)


def alert_data(entry: AlertEntry, alert: Alert) -> dict[str, Any]:
    """Return what is told of a line of history, as JSON holds it."""
    told = AlertData(
        alert=entry.alert,
        version=entry.version,
        action=entry.action,
        phase=entry.phase,
        severity=entry.severity,
        priority=entry.severity.acm if entry.severity else None,
        type=entry.type,
        rule=alert.rule,
        home=alert.home,
        person=alert.person,
        device=alert.device,
        cause=alert.cause,
        occurred_at=alert.occurred_at,
        raised_at=alert.raised_at,
        late_s=alert.late_s,
        outcome=alert.outcome if entry.action == "closed" else None,
    )
    return _json(told)


def _json(told: msgspec.Struct) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(told)
    return found
