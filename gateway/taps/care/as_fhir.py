"""As FHIR: a care record as resources of a transaction: a Task by its key, and what belongs to it."""

from collections.abc import Iterator
from html import escape

from gateway.fhir.terms import (
    ACTION,
    ALERT_ID,
    BASE,
    DEVICE_ID,
    HOME_ID,
    OUTCOME,
    PERSON_REF,
    SEVERITY,
    STAFF_REF,
    Resource,
    coding,
    concept,
    due,
    identifier,
    moment,
    without_none,
    word_codings,
)
from gateway.fhir.told import PRIORITY
from gateway.taps.care.records import CareRecord, Course, Kind
from gateway.taps.transaction import created, updated

RECORD = f"{BASE}/identifier/care-record"
KIND = f"{BASE}/CodeSystem/care-record-kind"
INPUT = f"{BASE}/CodeSystem/care-record-input"
DOSE = f"{BASE}/identifier/dose"
VERSION, WHOLE = "version", "record"
NOTE = coding("http://loinc.org", "34109-9", "Note")
VISIT_STATUS = {
    "requested": "requested",
    "on_the_way": "accepted",
    "arrived": "in-progress",
    "done": "completed",
    "cancelled": "cancelled",
}


def entries_of_record(record: CareRecord) -> list[Resource]:
    """Return the entries of a record's transaction; the first is the Task, by which it is known."""
    return [updated(_task(record), RECORD, record.key), *_besides(record)]


def version_in(task: Resource) -> int:
    """Return the version of the record that a Task is of, 0 where it tells none."""
    for one in task.get("input", []):
        if any(code.get("code") == VERSION for code in one.get("type", {}).get("coding", [])):
            return int(one.get("valuePositiveInt", 0))
    return 0


def _task(record: CareRecord) -> Resource:
    visit = record.visit
    told = "requested" if record.kind is Kind.OPENED else "completed"
    owner = visit.by if visit else record.handled.actor if record.handled else ""
    given = [{"type": concept(coding(INPUT, VERSION)), "valuePositiveInt": record.version}]
    if visit and visit.eta:
        given.append({"type": concept(coding(INPUT, "eta")), "valueDateTime": moment(visit.eta)})
    period = {
        "start": moment(visit.arrived_at) if visit and visit.arrived_at else None,
        "end": moment(visit.ended_at) if visit and visit.ended_at else None,
    }
    return without_none(
        {
            "resourceType": "Task",
            "identifier": [identifier(RECORD, record.key)],
            "status": VISIT_STATUS[visit.state] if visit else told,
            "intent": "order",
            "priority": PRIORITY[record.severity or "info"],
            "code": concept(coding(KIND, record.kind.value), text=record.text),
            "description": _sentence(record),
            "focus": _by("DetectedIssue", ALERT_ID, record.alert),
            "for": _by("Patient", PERSON_REF, record.person),
            "location": _by("Location", HOME_ID, record.home),
            "executionPeriod": without_none(period) if visit and visit.arrived_at else None,
            "authoredOn": moment(record.at),
            "owner": {"identifier": identifier(STAFF_REF, owner)} if owner else None,
            "reasonCode": concept(*word_codings(record.codes.word)) if record.codes else None,
            "note": [{"text": said}] if (said := _note(record)) else None,
            "input": given,
            "output": _output(record),
        }
    )


def _output(record: CareRecord) -> list[Resource] | None:
    if record.outcome:
        return [{"type": concept(coding(OUTCOME, "outcome")), "valueCode": record.outcome}]
    if record.handled:
        return [{"type": concept(coding(ACTION, "action")), "valueCode": record.handled.action}]
    return None


def _note(record: CareRecord) -> str:
    return record.note or (record.handled.detail if record.handled else "")


def _sentence(record: CareRecord) -> str:
    """Return the sentence of a record, with what was done and by whom."""
    done = record.handled
    if done is None:
        return record.text
    what = f"{done.text} {done.actor}" if record.kind is Kind.HANDLED else f"{record.outcome_text}"
    return f"{record.text}. {what}".strip()


def _besides(record: CareRecord) -> Iterator[Resource]:
    if record.kind is Kind.OPENED and record.alert:
        yield created(_issue(record, "preliminary"), ALERT_ID, record.alert)
    elif record.kind is Kind.CLOSED and record.alert:
        yield updated(_issue(record, "final"), ALERT_ID, record.alert)
        yield updated(_note_of(record, record.course or Course()), RECORD, record.key)
    elif record.kind is Kind.DOSE:
        yield updated(_dispense(record), RECORD, record.key)


def _issue(record: CareRecord, status: str) -> Resource:
    """Return the alert; `status` is only set back by nobody, since opening creates and closing replaces."""
    severity = record.severity or "info"
    return without_none(
        {
            "resourceType": "DetectedIssue",
            "identifier": [identifier(ALERT_ID, record.alert or "")],
            "status": status,
            "code": concept(*(word_codings(record.codes.word) if record.codes else ()), text=record.text),
            "severity": SEVERITY[severity],
            "patient": _by("Patient", PERSON_REF, record.person),
            "identifiedDateTime": moment(record.occurred_at) if record.occurred_at else None,
            "author": _by("Device", DEVICE_ID, record.device),
        }
    )


def _note_of(record: CareRecord, course: Course) -> Resource:
    """Return the note with the whole course, as staff would have had to write it."""
    rows = "".join(
        f"<li>{moment(one.at)} {escape(one.text)} {escape(one.actor)} {escape(one.detail)}</li>"
        for one in course.steps
    )
    told = f"<p>{escape(record.outcome_text)} {escape(record.note)}</p><ol>{rows}</ol>"
    div = f'<div xmlns="http://www.w3.org/1999/xhtml">{told}</div>'
    return without_none(
        {
            "resourceType": "Composition",
            "identifier": identifier(RECORD, record.key),
            "status": "final",
            "type": concept(NOTE),
            "subject": _by("Patient", PERSON_REF, record.person),
            "date": moment(record.at),
            "author": [{"identifier": identifier(STAFF_REF, record.handled.actor)}]
            if record.handled
            else [{"display": "Vaka"}],
            "title": record.text,
            "section": [{"title": "Förlopp", "text": {"status": "generated", "div": div}}],
        }
    )


def _dispense(record: CareRecord) -> Resource:
    """Return a dose that went otherwise than planned: declined, but for one that was taken early."""
    dose = record.dose
    early = dose is not None and dose.deviation == "early"
    reason = concept(*(word_codings(record.codes.word) if record.codes else ()), text=record.text)
    return without_none(
        {
            "resourceType": "MedicationDispense",
            "identifier": [
                identifier(RECORD, record.key),
                *([identifier(DOSE, dose.dose)] if dose and dose.dose else []),
            ],
            "status": "completed" if early else "declined",
            "statusReasonCodeableConcept": None if early else reason,
            "category": reason if early else None,
            "medicationCodeableConcept": concept(text="not told: Vaka never holds what a medicine is"),
            "subject": _by("Patient", PERSON_REF, record.person),
            "location": _by("Location", HOME_ID, record.home),
            "dosageInstruction": due(dose.due_at) if dose and dose.due_at else None,
            "whenHandedOver": moment(record.at) if early else None,
        }
    )


def _by(kind: str, system: str, name: str | None) -> Resource | None:
    """Return a reference by our identifier: whose it is, the care system knows."""
    return {"type": kind, "identifier": identifier(system, name)} if name else None
