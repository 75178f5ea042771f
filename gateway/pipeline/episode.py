"""Episode: the one open alert of a rule and subject is raised, counted, changed, cleared; never closed."""

from datetime import timedelta
from hashlib import blake2b

from msgspec.structs import replace

from gateway.contract import Change, Clear, Raise
from gateway.model.alert import Alert, AlertState, Severity
from gateway.model.registry import Home, Registry
from gateway.pipeline import history
from gateway.pipeline.aside import ASIDE, maintained, offered_from_the_start
from gateway.pipeline.cause import Cause
from gateway.pipeline.chatter import steadied
from gateway.pipeline.holding import asked_first
from gateway.pipeline.incident import absorb
from gateway.pipeline.policy import ladder_of, route_of, snapshot
from gateway.pipeline.situation import View
from gateway.pipeline.state import State

ID_BYTES = 10
MAX_DETAIL = 300
"""Characters of a reason that history keeps: a rule's sentence, never a payload."""
SHORTEST_S, LONGEST_S, LONGEST_HIGH_S = 1.0, 31 * 86400.0, 600.0
"""Bounds of the time to answer, whatever a rule says: none would be over when it is set, and a High alert
waits ten minutes at most (the longest of the catalogue is five)."""


def put(state: State, rule: str, at: View, cause: Cause, decision: Raise) -> None:
    """Make a new alert, or count it on the open one of the same rule, subject, home and person.

    A device that watches for somebody else since it was raised makes a new alert; the old one stays
    with those it was raised for, until a person closes it.
    """
    subject = decision.subject or at.device.id
    within_s = _bounded(decision.accept_within_s, decision.severity)
    decision = replace(decision, accept_within_s=within_s)
    about = at.about(subject)
    found = about.own_alert(rule, subject)
    if found is None:
        _raise(state, rule, about, cause, replace(decision, subject=subject))
    else:
        _repeat(state, found, cause, decision)


def change(state: State, alert: Alert, home: Home | None, cause: Cause, decision: Change) -> None:
    """Give an open alert another severity, text or ladder; what became more severe is offered anew.

    On another ladder it climbs that one's policy from now on, as it stands now.
    """
    severity = decision.severity or alert.severity
    kind = decision.type or alert.type
    changed = replace(
        alert,
        severity=severity,
        type=kind,
        text=decision.text or alert.text,
        accept_within_s=_bounded(decision.accept_within_s or alert.accept_within_s, severity),
        version=alert.version + 1,
    )
    if home is not None and (kind is not alert.type or decision.route is not None):
        changed = _on_route(state.registry, changed, home, decision.route or "")
    worse = severity.rank < alert.severity.rank
    anew = worse or changed.ladder != alert.ladder
    changed = _worse(changed) if worse else changed
    _keep(state, _ring(state, _offered_anew(changed)) if anew else changed, "changed", cause, decision.reason)


def clear(state: State, alert: Alert, cause: Cause, decision: Clear) -> None:
    """Note that the cause is gone. The alert stays open, and a latched one stays active too."""
    cleared = steadied(state, alert, replace(alert, active=alert.latched, version=alert.version + 1))
    _keep(state, cleared, "cleared", cause, decision.reason)


def _bounded(within_s: float, severity: Severity) -> float:
    return min(max(within_s, SHORTEST_S), LONGEST_HIGH_S if severity is Severity.HIGH else LONGEST_S)


def _on_route(registry: Registry, alert: Alert, home: Home, said: str) -> Alert:
    """Return the alert with the people it is for, and with their policy as it stands now."""
    route = route_of(said, alert.type)
    ladder = ladder_of(registry, home, route, alert.type)
    return replace(alert, route=route, ladder=ladder, policy=snapshot(registry, ladder))


def _raise(state: State, rule: str, at: View, cause: Cause, decision: Raise) -> None:
    subject = decision.subject
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
        device=at.device.id,
        cause=cause.event,
        frame=cause.frame,
        occurred_at=occurred_at,
        raised_at=state.now,
        late_s=cause.late_s(occurred_at, state.now),
        latched=decision.latched,
        ladder="",
        deadline=state.now + timedelta(seconds=decision.accept_within_s),
        accept_within_s=decision.accept_within_s,
    )
    alert = asked_first(state, _on_route(state.registry, alert, at.home, decision.route))
    _keep(state, alert, "raised", cause, decision.reason)
    if maintained(state, alert, cause.frame):
        return
    if not absorb(state, alert, cause):
        state.offer(alert.id)


def _repeat(state: State, alert: Alert, cause: Cause, decision: Raise) -> None:
    """Count it, and ring when it is a new happening: worse, High, or begun again after it was over."""
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
    repeated = steadied(state, alert, repeated)
    if worse:
        repeated = _offered_anew(_worse(repeated))
    again = repeated.severity is Severity.HIGH or (not alert.active and alert.state not in ASIDE)
    if worse or again:
        repeated = _ring(state, repeated)
    _keep(state, repeated, "repeated", cause, decision.reason)


def _worse(alert: Alert) -> Alert:
    """Note that it became more severe with this version: nobody may close it who has not seen that."""
    return replace(alert, worse_at=alert.version)


def _offered_anew(alert: Alert) -> Alert:
    """Ask again from the first step: whoever took the milder alert did not take this one.

    Somebody who is on site stays the one who answers for it.
    """
    if alert.state is AlertState.ON_SITE:
        return alert
    return offered_from_the_start(alert)


def _ring(state: State, alert: Alert) -> Alert:
    """Ask for deliveries to the alert's present step, also when somebody has taken it.

    They stay the one who has it. But what nobody has taken must be answered in its time from now, and
    a High one also by who has it: they may be finished with what they came for, and not know of this.
    """
    state.offer(alert.id)
    if alert.state is not AlertState.OFFERED and alert.severity is not Severity.HIGH:
        return alert
    within = state.now + timedelta(seconds=alert.accept_within_s)
    return replace(alert, deadline=min(alert.deadline or within, within))


def _keep(state: State, alert: Alert, action: str, cause: Cause, detail: str) -> None:
    history.write(state, alert, action, cause.frame, actor=alert.rule, detail=detail[:MAX_DETAIL])
