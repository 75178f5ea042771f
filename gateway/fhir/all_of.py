"""All of: every resource that an event, or an alert with its history, is told as."""

from collections.abc import Iterator, Sequence

from gateway.fhir.audited import answer_audit, door_audit, is_door, provenance
from gateway.fhir.given import dispense, is_dispense
from gateway.fhir.looks import care_note, encounter, is_look
from gateway.fhir.measured import observation
from gateway.fhir.terms import Resource
from gateway.fhir.told import care_course, communication, detected_issue, task
from gateway.model.alert import Alert, AlertEntry, AlertState
from gateway.model.delivery import Delivery
from gateway.model.event import Event

UNTOLD = frozenset({"heartbeat", "device.discovered"})
"""Words that no receiver outside needs: a healthy device is told by its Device."""


def of_event(event: Event) -> Iterator[Resource]:
    """Yield what an event is told as: an Observation always, and what it means besides."""
    if event.type in UNTOLD:
        return
    yield observation(event)
    if is_dispense(event):
        yield dispense(event)
    if is_look(event):
        yield encounter(event)
        yield care_note(event)
    if is_door(event):
        yield door_audit(event)


def of_alert(
    alert: Alert, history: Sequence[AlertEntry], deliveries: Sequence[Delivery] = (), word: str = ""
) -> Iterator[Resource]:
    """Yield an alert as it stands, how it is handled, who was told, and the note once it is closed.

    `word` is that of the event which caused it.
    """
    newest = history[-1] if history else None
    yield detected_issue(alert, newest, word)
    yield task(alert, newest)
    for delivery in deliveries:
        yield communication(delivery, alert)
    if alert.state is AlertState.CLOSED:
        yield care_course(alert, history)


def of_entry(entry: AlertEntry) -> Iterator[Resource]:
    """Yield what one line of an alert's history is told as."""
    yield answer_audit(entry)
    yield provenance(entry)
