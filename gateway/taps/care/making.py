"""Making: care records from a page of the log; pure but for the questions it asks of the committed state."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from zoneinfo import ZoneInfo

from gateway.contract import Page
from gateway.model.alert import Alert, AlertEntry, AlertState, AlertType, Phase, Severity
from gateway.model.codes import CODE_MAP, codes_for
from gateway.model.event import Event
from gateway.model.registry import Registry
from gateway.model.vocabulary import MedicationValues
from gateway.service.tapping import Answers, Words
from gateway.taps.care.course import arrived_at, bounded, course_of, needed_since, step_of
from gateway.taps.care.records import FORM, CareRecord, Codes, Dose, Kind, Visit

DEVIATIONS = {
    "medication.missed": "missed",
    "medication.retracted": "retracted",
    "medication.early": "early",
    "medication.overdose_attempt": "overdose_attempt",
}
DOSE_MISSED = "dose_missed"
"""The text of an alert about a dose that nobody took and of which the device may have said nothing."""
VISIT_ACTIONS = frozenset({
    "accepted", "confirmed", "released", "handed_over", "on_site", "lease_expired", "arrival_missed",
    "on_site_expired", "closed",
})  # fmt: skip
WORSE = frozenset({Phase.START, Phase.ESCALATE})
RAISING = frozenset({"raised", "repeated", "changed"})


@dataclass(frozen=True)
class Asked:
    """Whom records are made with the help of."""

    answers: Answers
    registry: Callable[[], Registry]
    words: Words


def records_of(page: Page, asked: Asked) -> list[CareRecord]:
    """Return the records of a page in the order of the log, of each key the newest; blocking.

    Those about people: an alert has a record when it concerns a person, be it by its type or because
    it is known whose device it is. StoreUnavailableError when the state cannot be read.
    """
    found: dict[str, CareRecord] = {}
    for record in (*_of_events(page, asked), *_of_entries(page, asked)):
        held = found.get(record.key)
        if held is None or held.version < record.version:
            found.pop(record.key, None)
            found[record.key] = record
    return list(found.values())


def owed(page: Page, asked: Asked) -> dict[str, int]:
    """Return the key of each record that a page must have led to, with the least version of it; blocking."""
    found: dict[str, int] = {record.key: record.version for record in _of_events(page, asked)}
    for entry in page.entries:
        alert = page.alerts.get(entry.alert)
        if alert is None or not concerns(alert):
            continue
        for record in _of_entry(entry, alert, asked):
            version = entry.version if record.kind is Kind.VISIT else record.version
            found[record.key] = max(version, found.get(record.key, 0))
    return found


def concerns(alert: Alert) -> bool:
    """Tell whether an alert belongs in somebody's record."""
    return alert.person is not None or alert.type is AlertType.PERSON


def dose_key(tenant: str, device: str, deviation: str, occasion: str) -> str:
    """Return the key of what went otherwise with one dose, whoever told of it first."""
    named = blake2b(f"{tenant}\0{device}\0{occasion}".encode(), digest_size=12).hexdigest()
    return f"dose-{deviation.replace('_', '-')}-{named}"


def _of_entries(page: Page, asked: Asked) -> Iterator[CareRecord]:
    for entry in page.entries:
        alert = page.alerts.get(entry.alert)
        if alert is None or not concerns(alert):
            continue
        yield from _of_entry(entry, alert, asked)


def _of_entry(entry: AlertEntry, alert: Alert, asked: Asked) -> Iterator[CareRecord]:
    step = step_of(entry, alert, lambda action: asked.words.get(f"history.{action}", action))
    if entry.action == "raised":
        yield _told(Kind.OPENED, f"alert-{alert.id}-opened", entry, alert, asked)
        if alert.text == DOSE_MISSED and not _said_by_device(alert, asked):
            yield _dose_of_alert(entry, alert, asked)
    elif entry.action == "closed":
        outcome, _, note = entry.detail.partition(": ")
        yield _told(
            Kind.CLOSED,
            f"alert-{alert.id}-closed",
            entry,
            alert,
            asked,
            handled=step,
            outcome=outcome,
            outcome_text=asked.words.get(f"outcome.{outcome}", outcome),
            note=note,
            course=course_of(alert, entry.version, asked.answers, asked.words),
        )
    elif step.by == "person":
        key = f"alert-{alert.id}-handled-{entry.version}"
        yield _told(Kind.HANDLED, key, entry, alert, asked, handled=step)
    if entry.action in VISIT_ACTIONS or _urgent(entry, alert):
        yield from _visit(entry, alert, asked)


def _urgent(entry: AlertEntry, alert: Alert) -> bool:
    """Tell whether somebody is needed in the home because of what became known with this line."""
    person = (entry.type or alert.type) is AlertType.PERSON
    return person and entry.severity is Severity.HIGH and entry.phase in WORSE and entry.action in RAISING


def _visit(entry: AlertEntry, alert: Alert, asked: Asked) -> Iterator[CareRecord]:
    """Yield the visit as it stands, which may be later than the line: then a later one is the same again."""
    history = bounded(alert, alert.version, asked.answers)
    since = needed_since(history, alert, _urgent)
    if since is None:
        return
    there = arrived_at(history)
    closed = alert.state is AlertState.CLOSED
    states = {AlertState.ACCEPTED: "on_the_way", AlertState.ON_SITE: "arrived"}
    state = ("done" if there else "cancelled") if closed else states.get(alert.state, "requested")
    visit = Visit(
        state=state,  # type: ignore[arg-type] # one of those named above
        requested_at=since,
        by=alert.assignee or "",
        eta=alert.eta,
        arrived_at=there,
        ended_at=history[-1].at if closed else None,
    )
    yield _told(
        Kind.VISIT, f"visit-{alert.id}", entry, alert, asked, version=max(alert.version, entry.version),
        at=since, visit=visit,
    )  # fmt: skip


def _told(kind: Kind, key: str, entry: AlertEntry, alert: Alert, asked: Asked, **more: object) -> CareRecord:
    severity = entry.severity or alert.severity
    device = asked.registry().devices.get(alert.device) if alert.device else None
    fields: dict[str, object] = {
        "form": FORM,
        "key": key,
        "version": entry.version,
        "kind": kind,
        "at": entry.at,
        "tenant": alert.tenant,
        "home": alert.home,
        "person": alert.person,
        "device": alert.device,
        "device_kind": device.kind.value if device else None,
        "text": asked.words.alert(alert),
        "codes": _codes_of(alert, asked),
        "alert": alert.id,
        "severity": severity.value,
        "priority": severity.acm,
        "occurred_at": alert.occurred_at,
        "raised_at": alert.raised_at,
    }
    return CareRecord(**(fields | more))  # type: ignore[arg-type] # the fields' own types, gathered


def _cause(alert: Alert, asked: Asked) -> Event | None:
    if not alert.cause:
        return None
    events: Sequence[tuple[int, Event]] = asked.answers.events(frame=alert.frame)
    return next((event for _, event in events if event.id == alert.cause), None)


def _said_by_device(alert: Alert, asked: Asked) -> bool:
    cause = _cause(alert, asked)
    return cause is not None and cause.type in DEVIATIONS


def _codes_of(alert: Alert, asked: Asked) -> Codes | None:
    cause = _cause(alert, asked)
    word = cause.type if cause else "medication.missed" if alert.text == DOSE_MISSED else ""
    return codes_of(word) if word else None


def codes_of(word: str) -> Codes:
    """Return a word of the vocabulary with its codes."""
    codes = codes_for(word)
    return Codes(
        word=word,
        scaip=tuple("/".join(part for part in (c.dty, c.stc, c.lco) if part) for c in codes.scaip),
        mdc=tuple(CODE_MAP.mdc[name].code for name in codes.mdc),
        vkp=codes.vkp_alerts,
    )


def _of_events(page: Page, asked: Asked) -> Iterator[CareRecord]:
    for _, event in page.events:
        if event.type in DEVIATIONS and isinstance(event.values, MedicationValues):
            yield _dose_of_event(event, event.values, asked)


def _dose_of_event(event: Event, values: MedicationValues, asked: Asked) -> CareRecord:
    registry = asked.registry()
    device = registry.devices.get(event.device)
    tenant = device.tenant if device else ""
    deviation = DEVIATIONS[event.type]
    known = registry.tenants.get(tenant)
    day = (values.due_at or event.occurred_at).astimezone(ZoneInfo(known.time_zone if known else "UTC"))
    occasion = f"{values.dose}/{day.date().isoformat()}" if values.dose else event.id
    return CareRecord(
        form=FORM,  # type: ignore[arg-type] # the literal itself
        key=dose_key(tenant, event.device, deviation, occasion),
        version=1,
        kind=Kind.DOSE,
        at=event.occurred_at,
        tenant=tenant,
        home=event.home,
        person=event.person,
        device=event.device,
        device_kind=event.kind.value,
        text=asked.words.get(f"dose.{deviation}", deviation),
        codes=codes_of(event.type),
        occurred_at=event.occurred_at,
        dose=Dose(
            deviation=deviation,  # type: ignore[arg-type] # one of DEVIATIONS
            dose=values.dose or "",
            due_at=values.due_at,
            window_min=values.window_min,
        ),
    )


def _dose_of_alert(entry: AlertEntry, alert: Alert, asked: Asked) -> CareRecord:
    occasion = alert.subject.removeprefix(f"{alert.device}/")
    key = dose_key(alert.tenant, alert.device or "", "missed", occasion)
    dose = Dose(deviation="missed", dose=occasion.rpartition("/")[0])
    return _told(Kind.DOSE, key, entry, alert, asked, version=1, dose=dose)
