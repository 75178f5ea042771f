"""Audited: who opened which door, and what people did about alerts, as AuditEvent and Provenance."""

from gateway.fhir.names import logical_id
from gateway.fhir.terms import (
    ACTION,
    AUDIT_TYPE,
    ENTRY_ID,
    EVENT_ID,
    FIELD,
    PARTICIPATION,
    STAFF_REF,
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
from gateway.model.alert import AlertEntry
from gateway.model.event import Event
from gateway.model.vocabulary import LockValues

DOORS = frozenset({"lock.locked", "lock.unlocked", "lock.unlatched", "lock.denied", "lock.jammed"})
FAILED = frozenset({"lock.denied", "lock.jammed"})
SUCCESS, MINOR_FAILURE = "0", "4"
MAX_DIGITS = 15
"""Of a version: one more and it is no number that a store could have."""


def is_door(event: Event) -> bool:
    """Tell whether an event is somebody at a lock."""
    return event.type in DOORS


def door_audit(event: Event) -> Resource:
    """Return who was at which lock, by what means, for which visit, with what outcome."""
    values = event.values if isinstance(event.values, LockValues) else LockValues()
    agent: Resource = {"requestor": True, "type": concept(coding(FIELD, values.means.value))}
    if values.credential:
        agent["who"] = {"identifier": identifier(f"{FIELD}/credential", values.credential)}
    visit = [{"type": "visit", "valueString": values.visit}] if values.visit else []
    return without_none(
        {
            "resourceType": "AuditEvent",
            "id": event.id,
            "meta": meta(event.received_at),
            "type": coding(AUDIT_TYPE, "110100", "Application Activity"),
            "subtype": word_codings(event.type),
            "action": "E",
            "recorded": moment(event.occurred_at),
            "outcome": MINOR_FAILURE if event.type in FAILED else SUCCESS,
            "agent": [agent],
            "source": {
                "observer": reference("Device", logical_id(event.device)),
            },
            "entity": [
                without_none(
                    {
                        "what": reference("Location", logical_id(event.home)),
                        "detail": visit,
                    }
                )
            ],
        }
    )


def answer_audit(entry: AlertEntry) -> Resource:
    """Return one line of an alert's history: who or what did what, when."""
    return {
        "resourceType": "AuditEvent",
        "id": entry_id(entry),
        "meta": meta(entry.at),
        "type": coding(AUDIT_TYPE, "110100", "Application Activity"),
        "subtype": [coding(ACTION, entry.action), coding(f"{ACTION}/phase", entry.phase.value)],
        "action": "C" if entry.version == 1 else "U",
        "recorded": moment(entry.at),
        "outcome": SUCCESS,
        "agent": [
            {
                "requestor": True,
                "type": concept(coding(PARTICIPATION, "AUT")),
                "who": {"identifier": identifier(STAFF_REF, entry.actor or "engine")},
            }
        ],
        "source": {"observer": {"display": "Vaka"}},
        "entity": [{"what": reference("DetectedIssue", logical_id(entry.alert))}],
    }


def provenance(entry: AlertEntry) -> Resource:
    """Return where a version of an alert comes from: the frame of the journal, and who acted."""
    return {
        "resourceType": "Provenance",
        "id": entry_id(entry),
        "meta": meta(entry.at),
        "target": [reference("DetectedIssue", logical_id(entry.alert))],
        "occurredDateTime": moment(entry.at),
        "recorded": moment(entry.at),
        "activity": concept(coding(ACTION, entry.action)),
        "agent": [{"who": {"identifier": identifier(STAFF_REF, entry.actor or "engine")}}],
        "entity": [
            {"role": "source", "what": {"identifier": identifier(f"{EVENT_ID}/frame", str(entry.frame))}}
        ],
    }


def entry_id(entry: AlertEntry) -> str:
    """Return the logical id of one line of history."""
    return f"{logical_id(entry.alert)}-{entry.version}"


def entry_of(written: str) -> tuple[str, int] | None:
    """Return alert and version of such an id, None when it is none."""
    alert, dash, version = written.rpartition("-")
    return (alert, int(version)) if dash and version.isdecimal() and len(version) <= MAX_DIGITS else None


__all__ = ["ENTRY_ID", "answer_audit", "door_audit", "entry_id", "entry_of", "is_door", "provenance"]
