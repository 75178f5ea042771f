"""Incident: many technical alerts of one cause become one that a person answers; none of them is lost.

A child is suppressed with a link to its incident and keeps its own deadline, so that it would be
offered if the incident ever failed to speak for it (ADR 7).
"""

from collections import Counter
from datetime import timedelta
from hashlib import blake2b

import msgspec
from msgspec.structs import replace

from gateway.model.alert import Alert, AlertState, AlertType, Route, Severity
from gateway.model.people import ContextKind
from gateway.model.status import Timer
from gateway.pipeline import aside, flood, history
from gateway.pipeline.cause import Cause
from gateway.pipeline.chatter import FORGET
from gateway.pipeline.policy import for_staff, ladder_of_tenant, snapshot
from gateway.pipeline.protection import cause_of, unprotected
from gateway.pipeline.state import State

FLOOD, OUTAGE = "flood", "vendor_outage"
INCIDENTS = frozenset({FLOOD, OUTAGE})
"""Rules of the alerts that stand for others (alert rules, 5.6: S4, S2)."""
ACCEPT_S = {FLOOD: 600.0, OUTAGE: 300.0}
CAUSES_TOLD = 32
"""Different causes that are counted by name; further ones are counted together."""
ID_BYTES = 10
COLLAPSIBLE = frozenset({AlertState.OFFERED, AlertState.SUPPRESSED})


class Matter(msgspec.Struct, frozen=True):
    """What an incident is about: its rule, and the responder or the vendor as the memory names it."""

    rule: str
    subject: str

    def open_in(self, state: State) -> Alert | None:
        """Return the incident that nobody has closed yet."""
        return state.open_alert(self.rule, self.subject, "", None)


def absorb(state: State, alert: Alert, cause: Cause) -> bool:
    """Take a new alert into the incident it belongs to; True when it must not be offered by itself.

    Called once an alert, after it was kept and before it is offered. What is gathered has been kept
    again with its link, and its incident offered if it is new. A High alert is never gathered, only
    marked as real while a disturbance goes on.
    """
    if alert.severity is Severity.HIGH:
        _mark(state, alert, cause.frame)
        return False
    return _gathered(state, alert, cause.frame)


def settle(state: State, frame: int) -> None:
    """Finish what one input did: children of a closed incident, what closed ones spoke for, misfits.

    Called once a step, before what was offered is routed.
    """
    for ended in [one for one in state.closed if one.rule in INCIDENTS]:
        _end(state, ended, frame)
    if state.closed:
        aside.release_suppressed(state, {one.id for one in state.closed}, frame)
    state.closed.clear()
    offered, state.offered = state.offered, []
    for alert_id in offered:
        alert = state.alerts.get(alert_id)
        if alert is None or not _held(state, alert, frame):
            state.offer(alert_id)


def carried(state: State, timer: Timer, frame: int) -> bool:
    """Move a child's own deadline on while its incident speaks for it; False when it must be offered."""
    alert = state.alerts.get(timer.subject)
    if alert is None or alert.state is not AlertState.SUPPRESSED or alert.incident not in state.alerts:
        return False
    moved = replace(alert, deadline=state.now + timedelta(seconds=alert.accept_within_s))
    _keep(state, moved, "carried", frame, f"incident {alert.incident} is open")
    return True


def look_again(state: State, timer: Timer, frame: int) -> None:
    """See whether a disturbance is over; its alert stays until a person closes it."""
    if timer.name == FORGET:
        state.remember(flood.OWNER, timer.subject, None)
        return
    if timer.name == flood.CALM:
        if flood.calm(state, timer.subject):
            _over(state, Matter(FLOOD, timer.subject), frame, "fewer than 5 in 10 min")
        return
    incident = Matter(OUTAGE, timer.subject).open_in(state)
    lost = sum(child.active for child in children(state, incident.id)) if incident else 0
    if flood.recovered(state, timer.subject, lost):
        _over(state, Matter(OUTAGE, timer.subject), frame, f"{lost} devices are still lost")


def children(state: State, incident: str) -> list[Alert]:
    """Return the open alerts that an incident speaks for."""
    return [alert for alert in state.alerts.values() if alert.incident == incident]


def _gathered(state: State, alert: Alert, frame: int) -> bool:
    if alert.severity is Severity.INFO or alert.rule in INCIDENTS:
        return False
    full = flood.overwhelmed(state, alert)
    if flood.outage(state, alert):
        return _gather(state, Matter(OUTAGE, flood.vendor_of(state, alert)), alert, frame)
    if full and alert.type is AlertType.TECHNICAL:
        return _gather(state, Matter(FLOOD, flood.responder_of(alert)), alert, frame)
    return False


def _gather(state: State, matter: Matter, alert: Alert, frame: int) -> bool:
    incident = matter.open_in(state)
    if incident is not None and incident.active:
        _join(state, incident, [alert], frame)
        return True
    begun = _begin(state, matter, alert, frame)
    before = [one for one in _recent_like(state, matter) if one.id != alert.id]
    state.offer(_join(state, begun, [*before, alert], frame).id)
    return True


def _recent_like(state: State, matter: Matter) -> list[Alert]:
    """Return the alerts that came before it was known that they were the beginning of this."""
    since = state.now - flood.WINDOW
    fresh = [
        one
        for one in state.alerts.values()
        if one.raised_at >= since
        and one.state in COLLAPSIBLE
        and one.severity in {Severity.MEDIUM, Severity.LOW}
        and one.rule not in INCIDENTS
    ]
    if matter.rule == OUTAGE:  # a flood may have gathered them before it was known what it was
        lost = [one for one in fresh if one.rule in flood.LOSSES]
        return [one for one in lost if flood.vendor_of(state, one) == matter.subject]
    free = [one for one in fresh if one.state is AlertState.OFFERED and one.type is _TECHNICAL]
    return [one for one in free if flood.responder_of(one) == matter.subject]


def _begin(state: State, matter: Matter, alert: Alert, frame: int) -> Alert:
    """Raise an incident, or wake the one that nobody has closed yet."""
    rule, subject, old = matter.rule, matter.subject, matter.open_in(state)
    _disturbed(state, alert.tenant, subject, on=True)
    if old is not None:
        again = replace(_anew(old), active=True, assignee=None)
        return _keep(state, again, "repeated", frame, "it has begun again")
    planned = rule == OUTAGE and _planned(state, subject)
    route = Route.OPERATIONS if rule == OUTAGE else alert.route
    ladder = ladder_of_tenant(state.registry, alert.tenant, route) if rule == OUTAGE else alert.ladder
    incident = Alert(
        id=blake2b(f"{rule}\0{subject}\0{frame}".encode(), digest_size=ID_BYTES).hexdigest(),
        rule=rule,
        subject=subject,
        severity=Severity.HIGH if rule == OUTAGE and not planned else Severity.MEDIUM,
        type=_TECHNICAL,
        text=rule,
        values={"vendor": subject.rpartition("/")[2]} if rule == OUTAGE else {},
        reason=_REASONS[rule] + (", during planned maintenance" if planned else ""),
        tenant=alert.tenant,
        home="",
        frame=frame,
        occurred_at=state.now,
        raised_at=state.now,
        count=0,
        ladder=ladder,
        policy=snapshot(state.registry, ladder),
        deadline=state.now + timedelta(seconds=ACCEPT_S[rule]),
        accept_within_s=ACCEPT_S[rule],
        route=route,
        version=0,
    )
    return _keep(state, incident, "raised", frame, incident.reason)


_TECHNICAL = AlertType.TECHNICAL
_REASONS = {
    FLOOD: "more new alerts than people can take one by one",
    OUTAGE: "more than 30 % of a vendor's devices were lost within 10 min",
}


def _join(state: State, incident: Alert, alerts: list[Alert], frame: int) -> Alert:
    """Suppress alerts with a link to the incident, and count them on it."""
    causes = dict(state.recall(flood.OWNER, incident.id))
    for before, moved in Counter(alert.incident for alert in alerts if alert.incident).items():
        _lend(state, before, moved, incident.id, frame)
    for alert in alerts:
        child = replace(alert, state=AlertState.SUPPRESSED, suppressed_by=incident.id, incident=incident.id)
        _keep(state, child, "collapsed", frame, f"incident {incident.id} speaks for it")
        name = cause_of(state.registry, alert)
        name = name if name in causes or len(causes) < CAUSES_TOLD else "other"
        causes[name] = causes.get(name, 0) + 1
    state.remember(flood.OWNER, incident.id, causes)
    count = incident.count + len(alerts)
    top, most = max(causes.items(), key=lambda item: item[1])
    values = {**incident.values, "hidden": count, "cause": top, "cause_count": most}
    if incident.count.bit_length() != count.bit_length():  # each doubling: it looks at every child
        lost = [one for one in state.alerts.values() if one.incident == incident.id]
        values["unprotected"] = len(unprotected(state.registry, lost))
    told = replace(incident, count=count, values=values)
    return _keep(state, told, "joined", frame, f"{len(alerts)} more, {count} in all")


def _lend(state: State, before: str, moved: int, to: str, frame: int) -> None:
    """Take off an incident what turned out to be another's."""
    lender = state.alerts.get(before)
    if lender is not None:
        count = max(0, lender.count - moved)
        left = replace(lender, count=count, values={**lender.values, "hidden": count}, active=count > 0)
        _keep(state, left, "left", frame, f"{moved} belong to incident {to}")


def _held(state: State, alert: Alert, frame: int) -> bool:
    """Keep a child that rings with its incident, unless it became more than an incident may speak for."""
    if not alert.incident:
        return False
    incident = state.alerts.get(alert.incident)
    fits = alert.severity is not Severity.HIGH and (
        alert.type is AlertType.TECHNICAL or (incident is not None and incident.rule == OUTAGE)
    )
    if incident is None or not fits:
        _release(state, alert, frame, "no incident speaks for it any more")
        return False
    if alert.state is AlertState.OFFERED:
        held = replace(alert, state=AlertState.SUPPRESSED, suppressed_by=incident.id)
        _keep(state, held, "collapsed", frame, f"incident {incident.id} speaks for it")
    return alert.state in COLLAPSIBLE


def _end(state: State, incident: Alert, frame: int) -> None:
    """Close with a closed incident what it spoke for, by the same outcome; offer again who is unprotected."""
    state.remember(flood.OWNER, incident.id, None)
    _disturbed(state, incident.tenant, incident.subject, on=False)
    ended = [one for one in children(state, incident.id) if one.state is AlertState.SUPPRESSED]
    still = [one for one in ended if one.active and unprotected(state.registry, [one])]
    stays = {one.id for one in still}
    for child in ended:
        if child.id not in stays:
            done = replace(child, state=AlertState.CLOSED, outcome=incident.outcome, deadline=None)
            told = replace(done, assignee=incident.assignee)
            _keep(state, told, "closed", frame, f"{incident.outcome}: with incident {incident.id}")
    freed = [_release(state, child, frame, "still without protection") for child in still]
    if len(freed) > flood.RESPONDER_MOST:
        again = _begin(state, Matter(incident.rule, incident.subject), freed[0], frame)
        state.offer(_join(state, again, freed, frame).id)
    else:
        for child in freed:
            state.offer(child.id)


def _release(state: State, alert: Alert, frame: int, why: str) -> Alert:
    state_now = AlertState.OFFERED if alert.state is AlertState.SUPPRESSED else alert.state
    deadline = state.now + timedelta(seconds=alert.accept_within_s)
    freed = replace(_anew(alert), state=state_now, suppressed_by="", incident="", deadline=deadline)
    return _keep(state, freed, "released_from_incident", frame, why)


def _anew(alert: Alert) -> Alert:
    """Offer it from the first step of its policy."""
    return replace(for_staff(alert), state=AlertState.OFFERED, step=0, wave=0, asked=())


def _over(state: State, matter: Matter, frame: int, why: str) -> None:
    incident = matter.open_in(state)
    if incident is not None and incident.active:
        _disturbed(state, incident.tenant, matter.subject, on=False)
        _keep(state, replace(incident, active=False), "cleared", frame, why)


def _mark(state: State, alert: Alert, frame: int) -> None:
    if state.recall(flood.OWNER, _marks(alert.tenant)).get("on") and alert.rule not in INCIDENTS:
        marked = replace(alert, values={**alert.values, "disturbance": True})
        _keep(state, marked, "marked", frame, "a real alarm during a disturbance")


def _disturbed(state: State, tenant: str, subject: str, *, on: bool) -> None:
    """Remember what goes on in a tenant, so that a High alert can be marked without a search."""
    known = set(state.recall(flood.OWNER, _marks(tenant)).get("on", ()))
    now = known | {subject} if on else known - {subject}
    state.remember(flood.OWNER, _marks(tenant), {"on": sorted(now)} if now else None)


def _marks(tenant: str) -> str:
    return f"~disturbance/{tenant}"


def _planned(state: State, vendor: str) -> bool:
    """Tell whether maintenance of that vendor, or of everything, is planned now; one home's says nothing."""
    adapter = vendor.rpartition("/")[2]
    return any(
        one.kind is ContextKind.MAINTENANCE
        and not one.home
        and one.ref in {"", adapter}
        and one.since <= state.now < one.until
        for one in state.contexts.values()
    )


def _keep(state: State, alert: Alert, action: str, frame: int, detail: str) -> Alert:
    kept = replace(alert, version=alert.version + 1)
    history.write(state, kept, action, frame, detail=detail)
    return kept
