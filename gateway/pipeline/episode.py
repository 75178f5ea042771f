"""Episode: the one open alert of a rule and subject is raised, counted, changed, cleared; never closed."""

from datetime import datetime, timedelta
from hashlib import blake2b

import msgspec
from msgspec.structs import replace

from gateway.contract import Change, Clear, Raise
from gateway.model.alert import Alert, AlertEntry, AlertState, AlertType, Severity
from gateway.model.registry import Home
from gateway.pipeline.situation import View, device_of
from gateway.pipeline.state import State

ID_BYTES = 10
MAX_DETAIL = 300
"""Characters of a reason that history keeps: a rule's sentence, never a payload."""


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """What made the rule look: the event's id or a name of the tick, its frame and its times.

    `heard_at` is when the gateway first knew: the receipt of the event, or when the timer was set.
    `due_at` is when a tick should have been, None for an event.
    """

    name: str
    event: str | None
    frame: int
    occurred_at: datetime
    heard_at: datetime
    due_at: datetime | None = None

    def late_s(self, occurred_at: datetime, now: datetime) -> float:
        """Return how old the matter already was when we heard of it, or how overdue the tick was."""
        overdue = now - self.due_at if self.due_at else timedelta(0)
        return max((self.heard_at - occurred_at).total_seconds(), overdue.total_seconds(), 0.0)


def put(state: State, rule: str, at: View, cause: Cause, decision: Raise) -> None:
    """Make a new alert, or count it on the open one of the same rule and subject."""
    subject = decision.subject or at.device.id
    found = state.open_alert(rule, subject)
    if found is None:
        _raise(state, rule, at, cause, decision)
    else:
        _repeat(state, found, cause, decision)


def change(state: State, alert: Alert, home: Home | None, cause: Cause, decision: Change) -> None:
    """Give an open alert another severity, text or ladder; what became more severe is offered anew."""
    severity = decision.severity or alert.severity
    kind = decision.type or alert.type
    ladder = alert.ladder if home is None or kind is alert.type else ladder_of(home, kind)
    changed = replace(
        alert,
        severity=severity,
        type=kind,
        text=decision.text or alert.text,
        ladder=ladder,
        accept_within_s=decision.accept_within_s or alert.accept_within_s,
        version=alert.version + 1,
    )
    anew = severity.rank < alert.severity.rank or ladder != alert.ladder
    _keep(state, _offered_anew(state, changed) if anew else changed, "changed", cause, decision.reason)
    if anew:
        state.offer(alert.id)


def clear(state: State, alert: Alert, cause: Cause, decision: Clear) -> None:
    """Note that the cause is gone. The alert stays open, and a latched one stays active too."""
    cleared = replace(alert, active=alert.latched, version=alert.version + 1)
    _keep(state, cleared, "cleared", cause, decision.reason)


def ladder_of(home: Home, kind: AlertType) -> str:
    """Return the ladder that an alert of that type climbs in a home."""
    return home.care_ladder if kind is AlertType.PERSON else home.technical_ladder


def _raise(state: State, rule: str, at: View, cause: Cause, decision: Raise) -> None:
    subject = decision.subject or at.device.id
    device = device_of(state.registry, subject) if decision.subject not in {"", at.home.id} else None
    occurred_at = min(decision.occurred_at or cause.occurred_at, state.now)
    alert = Alert(
        id=blake2b(f"{rule}\0{subject}\0{cause.name}".encode(), digest_size=ID_BYTES).hexdigest(),
        rule=rule,
        subject=subject,
        severity=decision.severity,
        type=decision.type,
        text=decision.text,
        values=dict(decision.values),
        reason=decision.reason,
        tenant=at.device.tenant,
        home=at.enrolment.home,
        person=at.person.ref if at.person else None,
        device=device or at.device.id,
        cause=cause.event,
        frame=cause.frame,
        occurred_at=occurred_at,
        raised_at=state.now,
        late_s=cause.late_s(occurred_at, state.now),
        latched=decision.latched,
        ladder=ladder_of(at.home, decision.type),
        deadline=state.now + timedelta(seconds=decision.accept_within_s),
        accept_within_s=decision.accept_within_s,
    )
    _keep(state, alert, "raised", cause, decision.reason)
    state.offer(alert.id)


def _repeat(state: State, alert: Alert, cause: Cause, decision: Raise) -> None:
    """Count it; a High one rings again, and one that is worse than before is offered anew."""
    worse = decision.severity.rank < alert.severity.rank
    values = {**alert.values, **decision.values}
    before, now = alert.values.get("presses"), decision.values.get("presses")
    if isinstance(before, int) and isinstance(now, int):
        values["presses"] = before + now
    repeated = replace(
        alert,
        severity=decision.severity if worse else alert.severity,
        accept_within_s=min(alert.accept_within_s, decision.accept_within_s),
        values=values,
        active=True,
        latched=alert.latched or decision.latched,
        count=alert.count + 1,
        version=alert.version + 1,
    )
    if worse:
        repeated = _offered_anew(state, repeated)
    elif repeated.severity is Severity.HIGH and repeated.state is AlertState.OFFERED:
        repeated = replace(repeated, deadline=_sooner(state, repeated))
    _keep(state, repeated, "repeated", cause, decision.reason)
    if worse or repeated.severity is Severity.HIGH:
        state.offer(alert.id)  # routing passes over an alert that somebody has taken


def _offered_anew(state: State, alert: Alert) -> Alert:
    """Ask again from the first step: whoever took the milder alert did not take this one.

    Somebody who is on site stays the one who answers for it.
    """
    if alert.state is AlertState.ON_SITE:
        return alert
    return replace(alert, state=AlertState.OFFERED, assignee=None, step=0, deadline=_sooner(state, alert))


def _sooner(state: State, alert: Alert) -> datetime:
    within = state.now + timedelta(seconds=alert.accept_within_s)
    return min(alert.deadline or within, within)


def _keep(state: State, alert: Alert, action: str, cause: Cause, detail: str) -> None:
    entry = AlertEntry(
        alert=alert.id,
        version=alert.version,
        at=state.now,
        action=action,
        actor=alert.rule,
        frame=cause.frame,
        detail=detail[:MAX_DETAIL],
    )
    state.put_alert(alert, entry)
