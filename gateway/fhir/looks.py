"""Looks: a digital supervision as Encounter and Composition, in the shape of the Norwegian VKP profiles."""

from datetime import timedelta

from gateway.fhir.measured import subject
from gateway.fhir.names import logical_id
from gateway.fhir.terms import (
    ACT_CODE,
    EVENT_ID,
    VKP_ALERT,
    VKP_SUPERVISION,
    Resource,
    coding,
    concept,
    identifier,
    meta,
    moment,
    reference,
    without_none,
    word_codings,
)
from gateway.model.event import Event
from gateway.model.vocabulary import SupervisionValues

LOOKS = frozenset({"supervision.performed", "supervision.declined"})
CLASSES = ("anonymised image", "image", "two-way speech", "anonymised listening", "listening")
"""Supervision classes of VKP by their code, 0 to 4."""
PLANNED, BY_EVENT = ("4.26", "planned camera supervision"), ("4.25", "event-based camera supervision")
LOINC = "http://loinc.org"
OUTCOMES = {
    "seen": "The person was seen.",
    "not_visible": "The person could not be seen.",
    "abnormal": "Something was not as it should be.",
    "": "What was seen is not told.",
}


def is_look(event: Event) -> bool:
    """Tell whether an event says that somebody looked, or was refused."""
    return event.type in LOOKS


def encounter(event: Event) -> Resource:
    """Return a look: class and reason of VKP, when and for how long; a refused one is cancelled."""
    values = _values(event)
    done = event.type == "supervision.performed"
    start = event.occurred_at - timedelta(seconds=values.duration_s or 0)
    kind = str(values.masking) if values.masking is not None else ""
    reason = PLANNED if values.slot else BY_EVENT
    return without_none(
        {
            "resourceType": "Encounter",
            "id": event.id,
            "meta": meta(event.received_at),
            "identifier": [identifier(EVENT_ID, event.id)],
            "status": "finished" if done else "cancelled",
            "class": coding(ACT_CODE, "VR", "virtual"),
            "type": [concept(coding(VKP_SUPERVISION, kind, CLASSES[int(kind)]))] if kind else None,
            "subject": subject(event) if event.person else None,
            "period": {"start": moment(start), "end": moment(event.occurred_at)},
            "reasonCode": [concept(coding(VKP_ALERT, *reason))],
            "location": [{"location": reference("Location", logical_id(event.home))}],
        }
    )


def care_note(event: Event) -> Resource:
    """Return the note on a look, so that nobody need write it a second time."""
    outcome = _values(event).outcome
    said = OUTCOMES[outcome.value if outcome else ""]
    if event.type != "supervision.performed":
        said = "The look was declined."
    return without_none(
        {
            "resourceType": "Composition",
            "id": event.id,
            "meta": meta(event.received_at),
            "identifier": identifier(EVENT_ID, event.id),
            "status": "final",
            "type": concept(coding(LOINC, "34109-9", "Note")),
            "subject": subject(event) if event.person else None,
            "encounter": reference("Encounter", event.id),
            "date": moment(event.received_at),
            "author": [reference("Device", logical_id(event.device))],
            "title": "Digital supervision",
            "section": [
                {
                    "title": "What was seen",
                    "code": concept(*word_codings(event.type)),
                    "text": narrative(said),
                }
            ],
        }
    )


def narrative(said: str) -> Resource:
    """Return a text as FHIR's XHTML; `said` is our own, so that nothing in it needs escaping."""
    return {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml"><p>{said}</p></div>'}


def _values(event: Event) -> SupervisionValues:
    return event.values if isinstance(event.values, SupervisionValues) else SupervisionValues()
