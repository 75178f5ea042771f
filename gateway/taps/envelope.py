"""Envelopes: the log as CloudEvents 1.0; pure, and the same bytes however often they are made."""

from collections.abc import Iterator

import msgspec
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from gateway.contract import Page
from gateway.model.alert import Alert, AlertEntry
from gateway.model.event import Event
from gateway.model.outward import PREFIX, alert_data, alert_type, event_data, event_type
from gateway.model.registry import Registry
from gateway.tap_settings import CloudEventsSettings

SCHEMA = "urn:vaka:outward:v1"
_FORMAT = JSONFormat()


class Message(msgspec.Struct, frozen=True, gc=False):
    """One CloudEvent in structured mode: its id, its type and its bytes."""

    item: str
    type: str
    body: bytes


def messages(page: Page, registry: Registry, wanted: CloudEventsSettings) -> Iterator[Message]:
    """Yield what of a page is to be sent: events and lines of history in the order of the log."""
    told = [(event.frame, 0, index) for index, (_, event) in enumerate(page.events)]
    told += [(entry.frame, 1, index) for index, entry in enumerate(page.entries)]
    for _, is_entry, index in sorted(told):
        if not is_entry:
            event = page.events[index][1]
            if _asked(event_type(event.type), wanted):
                yield _of_event(event, registry)
        else:
            entry = page.entries[index]
            alert = page.alerts.get(entry.alert)
            if alert is not None and _asked(alert_type(entry.action), wanted) and _severe(entry, wanted):
                yield _of_entry(entry, alert)


def _asked(kind: str, wanted: CloudEventsSettings) -> bool:
    return not wanted.types or kind.removeprefix(PREFIX).startswith(wanted.types)


def _severe(entry: AlertEntry, wanted: CloudEventsSettings) -> bool:
    return not wanted.severities or (entry.severity is not None and entry.severity.value in wanted.severities)


def _of_event(event: Event, registry: Registry) -> Message:
    home = registry.homes.get(event.home)
    attributes = {
        "specversion": "1.0",
        "id": event.id,
        "source": source(home.tenant if home else ""),
        "type": event_type(event.type),
        "subject": event.device,
        "time": event.occurred_at,
        "datacontenttype": "application/json",
        "dataschema": f"{SCHEMA}:event:{event.type}",
    }
    return _message(CloudEvent(attributes, event_data(event)))


def _of_entry(entry: AlertEntry, alert: Alert) -> Message:
    attributes = {
        "specversion": "1.0",
        "id": f"{entry.alert}:{entry.version}",
        "source": source(alert.tenant),
        "type": alert_type(entry.action),
        "subject": entry.alert,
        "time": entry.at,
        "datacontenttype": "application/json",
        "dataschema": f"{SCHEMA}:alert",
    }
    if entry.severity is not None:
        attributes["severity"] = entry.severity.value
    return _message(CloudEvent(attributes, alert_data(entry, alert)))


def source(tenant: str) -> str:
    """Return what a CloudEvent names as its source: the municipality, as far as it is known."""
    return f"urn:vaka:tenant:{tenant}" if tenant else "urn:vaka"


def _message(event: CloudEvent) -> Message:
    return Message(event.get_id(), event.get_type(), _FORMAT.write(event))
