"""Told: an alert as DetectedIssue, its handling as Task, each delivery as Communication.

A DetectedIssue keeps what IHE ACM tells of an alert (priority, type, state) as codings of its own, so that
an R6 DeviceAlert can be made of it without asking us again.
"""

from collections.abc import Sequence

from gateway.fhir.names import logical_id
from gateway.fhir.terms import (
    ALERT_ID,
    DELIVERY_ID,
    OUTCOME,
    RULE,
    SEVERITY,
    STAFF_REF,
    STATE,
    Resource,
    acm_codings,
    coding,
    concept,
    identifier,
    meta,
    moment,
    reference,
    without_none,
    word_codings,
)
from gateway.model.alert import Alert, AlertEntry, AlertState, Outcome
from gateway.model.delivery import Delivery, DeliveryState

CATEGORY = "http://terminology.hl7.org/CodeSystem/communication-category"
TASK_STATUS = {
    AlertState.OFFERED: "requested",
    AlertState.ACCEPTED: "accepted",
    AlertState.ON_SITE: "in-progress",
    AlertState.SHELVED: "on-hold",
    AlertState.SUPPRESSED: "on-hold",
    AlertState.OUT_OF_SERVICE: "on-hold",
    AlertState.CLOSED: "completed",
}
SENT_STATUS = {
    DeliveryState.QUEUED: "preparation",
    DeliveryState.SENT: "in-progress",
    DeliveryState.DELIVERED: "in-progress",
    DeliveryState.DISPLAYED: "completed",
    DeliveryState.ACCEPTED: "completed",
    DeliveryState.FAILED: "stopped",
    DeliveryState.SKIPPED: "not-done",
}
PRIORITY = {"high": "stat", "medium": "urgent", "low": "routine", "info": "routine"}


def detected_issue(alert: Alert, changed: AlertEntry | None = None, word: str = "") -> Resource:
    """Return an alert as it stands; `changed` is the newest line of its history, `word` that of its cause."""
    status = "final" if alert.state is AlertState.CLOSED else "preliminary"
    if alert.outcome in {Outcome.FALSE, Outcome.TEST}:
        status = "entered-in-error" if alert.outcome is Outcome.FALSE else "cancelled"
    updated = changed.at if changed else alert.raised_at
    return without_none(
        {
            "resourceType": "DetectedIssue",
            "id": logical_id(alert.id),
            "meta": meta(updated, version=alert.version, tags=acm_codings(alert.severity, alert.type)),
            "identifier": [identifier(ALERT_ID, alert.id)],
            "status": status,
            "code": concept(coding(RULE, alert.rule), *(word_codings(word) if word else ()), text=alert.text),
            "severity": SEVERITY[alert.severity.value],
            "patient": reference("Patient", logical_id(alert.person)) if alert.person else None,
            "identifiedDateTime": moment(alert.occurred_at),
            "author": reference("Device", logical_id(alert.device)) if alert.device else None,
            "implicated": [reference("Location", logical_id(alert.home))] if alert.home else None,
            "evidence": [{"detail": [reference("Observation", alert.cause)]}] if alert.cause else None,
            "mitigation": _mitigation(alert, changed),
        }
    )


def task(alert: Alert, changed: AlertEntry | None = None) -> Resource:
    """Return how an alert is handled: by whom, until when, with what outcome."""
    updated = changed.at if changed else alert.raised_at
    outcome = (
        [{"type": concept(coding(OUTCOME, "outcome")), "valueCode": alert.outcome.value}]
        if alert.outcome
        else None
    )
    return without_none(
        {
            "resourceType": "Task",
            "id": logical_id(alert.id),
            "meta": meta(updated, version=alert.version),
            "identifier": [identifier(ALERT_ID, alert.id)],
            "status": TASK_STATUS[alert.state],
            "businessStatus": concept(coding(STATE, alert.state.value)),
            "intent": "order",
            "priority": PRIORITY[alert.severity.value],
            "code": concept(coding("http://hl7.org/fhir/CodeSystem/task-code", "fulfill")),
            "focus": reference("DetectedIssue", logical_id(alert.id)),
            "for": reference("Patient", logical_id(alert.person)) if alert.person else None,
            "authoredOn": moment(alert.raised_at),
            "lastModified": moment(updated),
            "owner": {"identifier": identifier(STAFF_REF, alert.assignee)} if alert.assignee else None,
            "restriction": {"period": {"end": moment(alert.deadline)}} if alert.deadline else None,
            "output": outcome,
        }
    )


def communication(delivery: Delivery, alert: Alert) -> Resource:
    """Return one attempt to reach somebody, with how far it is proved to have come."""
    status = SENT_STATUS[delivery.state]
    sent = delivery.state not in {DeliveryState.QUEUED, DeliveryState.FAILED, DeliveryState.SKIPPED}
    return without_none(
        {
            "resourceType": "Communication",
            "id": logical_id(delivery.id),
            "meta": meta(delivery.queued_at),
            "identifier": [identifier(DELIVERY_ID, delivery.id)],
            "status": status,
            "statusReason": concept(text=delivery.reason[:200]) if delivery.reason else None,
            "category": [concept(coding(CATEGORY, "alert"))],
            "priority": PRIORITY[alert.severity.value],
            "medium": [concept(text=delivery.channel)],
            "subject": reference("Patient", logical_id(alert.person)) if alert.person else None,
            "about": [reference("DetectedIssue", logical_id(alert.id))],
            "sent": moment(delivery.queued_at) if sent else None,
            "recipient": [{"identifier": identifier(STAFF_REF, delivery.recipient)}],
            "payload": [{"contentReference": reference("DetectedIssue", logical_id(alert.id))}],
        }
    )


def care_course(alert: Alert, history: Sequence[AlertEntry]) -> Resource:
    """Return the note on an alert that is closed: the whole course of it, so that nobody writes it again."""
    at = history[-1].at if history else alert.raised_at
    rows = "".join(f"<li>{moment(one.at)} {one.action} {_plain(one.actor)}</li>" for one in history)
    div = f'<div xmlns="http://www.w3.org/1999/xhtml"><ol>{rows}</ol></div>'
    return without_none(
        {
            "resourceType": "Composition",
            "id": f"alert-{logical_id(alert.id)}",
            "meta": meta(at, version=alert.version),
            "identifier": identifier(ALERT_ID, alert.id),
            "status": "final",
            "type": concept(coding("http://loinc.org", "34109-9", "Note")),
            "subject": reference("Patient", logical_id(alert.person)) if alert.person else None,
            "date": moment(at),
            "author": [{"display": "Vaka"}],
            "title": f"Alert {alert.rule}",
            "section": [
                without_none(
                    {
                        "title": "Course of events",
                        "text": {"status": "generated", "div": div} if rows else None,
                        "entry": [reference("DetectedIssue", logical_id(alert.id))],
                    }
                )
            ],
        }
    )


def _plain(text: str) -> str:
    return "".join(one if one not in "<>&\"'" else " " for one in text)


def _mitigation(alert: Alert, changed: AlertEntry | None) -> list[Resource] | None:
    if alert.outcome is None or changed is None:
        return None
    return [{"action": concept(coding(OUTCOME, alert.outcome.value)), "date": moment(changed.at)}]
