"""Watch: what the gateway finds wrong with itself becomes alerts like any other (alert rules, 5.6).

Findings come from the service as frames; what the state alone can tell is looked at on timers.
"""

from collections.abc import Mapping
from datetime import timedelta
from hashlib import blake2b

import msgspec
from msgspec.structs import replace

from gateway.model.alert import Alert, AlertType, Outcome, Route, Severity
from gateway.model.frame import Frame
from gateway.model.status import Timer
from gateway.model.synthetic import SYNTHETIC
from gateway.model.trace import Trace, Verdict
from gateway.pipeline import history
from gateway.pipeline.findings import LOOKED, Finding, Values, looked
from gateway.pipeline.policy import ladder_of_tenant, snapshot
from gateway.pipeline.state import State

OWNER = "watch"
ID_BYTES = 10
EVERY = timedelta(hours=1)
SOON = timedelta(seconds=5)
"""So long after a change of people or plans the state is looked at: changes come in crowds."""
WEEK = timedelta(days=7)
FALSE_A_WEEK = 1
"""False alarms of one rule about one person in a week that are not too many (alert rules, 5.6, S14)."""
MAX_DETAIL = 300


class Report(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that is wrong now of the kinds that were looked at; what is not among it is well again."""

    kinds: tuple[str, ...]
    findings: tuple[Finding, ...] = ()


class Kind(msgspec.Struct, frozen=True):
    """How a kind of finding is told: its place in the catalogue, how severe, to whom, by when."""

    catalogue: str
    severity: Severity
    route: Route
    accept_within_s: float


_H, _M, _L = Severity.HIGH, Severity.MEDIUM, Severity.LOW
KINDS: Mapping[str, Kind] = {
    "unwatched_alert": Kind("S7", _H, Route.OPERATIONS, 120),
    "auditor_fault": Kind("S7", _H, Route.OPERATIONS, 120),
    "timer_overdue": Kind("S7", _H, Route.OPERATIONS, 120),
    "outbox_old": Kind("S7", _H, Route.OPERATIONS, 120),
    "store_failing": Kind("S7", _H, Route.OPERATIONS, 120),
    "way_in_lost": Kind("S2", _H, Route.OPERATIONS, 300),
    "dead_man": Kind("S3", _H, Route.OPERATIONS, 120),
    "staff_unreachable": Kind("S5", _L, Route.MANAGEMENT, 900),
    "nobody_reachable": Kind("S5", _H, Route.ALARM_CENTRE, 60),
    "coverage_now": Kind("S6", _H, Route.MANAGEMENT, 60),
    "coverage_gap": Kind("S6", _M, Route.MANAGEMENT, 4 * 3600),
    "standing_alarms": Kind("S11", _L, Route.MANAGEMENT, 4 * 3600),
    "config_stuck": Kind("", _L, Route.TECHNICAL, 24 * 3600),
    "enrolment_lost": Kind("", _M, Route.MANAGEMENT, 3600),
    "nuisance": Kind("S14", _L, Route.MANAGEMENT, 24 * 3600),
}
"""Alert rules, section 5.6; the low class answers in its usual time. two are of our own making: a
device that does not take up its configuration is a matter for technicians, one that nobody is told of since
a registry file came is a matter for whoever wrote the file."""

_DECODER = msgspec.json.Decoder(Report)


def report(state: State, frame: Frame) -> None:
    """Take what the service found; a report that cannot be read is told in the trace and changes nothing."""
    try:
        found = _DECODER.decode(frame.payload)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        state.trace(Trace(frame.position, OWNER, Verdict.REFUSED, f"the report cannot be read: {error}"))
        return
    for kind in found.kinds:
        if kind in KINDS:
            tell(state, frame, kind, [one for one in found.findings if one.kind == kind])


def begin(state: State) -> None:
    """Start to look at the state every hour, and now: its registry is new."""
    state.arm(Timer(owner=OWNER, subject="state", name="look", due_at=state.now, set_at=state.now))


def soon(state: State) -> None:
    """Look again in a moment: who works, or who can be reached, has changed."""
    timer = Timer(owner=OWNER, subject="state", name="look", due_at=state.now + SOON, set_at=state.now)
    armed = state.timer(timer.key)
    if armed is None or armed.due_at > timer.due_at:
        state.arm(timer)


def look(state: State, timer: Timer, frame: Frame) -> None:
    """Look at what the state alone can tell, and again in an hour."""
    state.arm(msgspec.structs.replace(timer, due_at=state.now + EVERY, set_at=state.now))
    findings = looked(state)
    for kind in LOOKED:
        tell(state, frame, kind, [one for one in findings if one.kind == kind])


def learn(state: State, frame: Frame) -> None:
    """Count what this step closed as false against its rule's budget."""
    for alert in state.closed:
        if alert.outcome is Outcome.FALSE and alert.rule not in KINDS:
            _count_false(state, frame, alert)


def tell(state: State, frame: Frame, kind: str, findings: list[Finding]) -> None:
    """Raise what is found anew, keep what is known, and note of what is gone that its cause is over."""
    tenants = state.registry.tenants
    wanted = {
        (tenant, one.subject): one
        for one in findings
        for tenant in ((one.tenant,) if one.tenant else tenants)
        if tenant in tenants and tenant != SYNTHETIC
    }
    known = {(one.tenant, one.subject): one for one in state.alerts.values() if one.rule == kind}
    for key, finding in wanted.items():
        alert = known.get(key)
        if alert is None:
            _raise(state, frame, key[0], finding)
        elif not alert.active:
            again = replace(alert, active=True, count=alert.count + 1, values=finding.values)
            _keep(state, frame, again, "repeated", finding.reason)
            state.offer(alert.id)
    for key, alert in known.items():
        if key not in wanted and alert.active:
            _keep(state, frame, replace(alert, active=False), "cleared", "not found any more")


def _raise(state: State, frame: Frame, tenant: str, finding: Finding) -> None:
    kind = KINDS[finding.kind]
    ladder = ladder_of_tenant(state.registry, tenant, kind.route)
    name = f"{finding.kind}\0{tenant}\0{finding.subject}\0{frame.position}"
    alert = Alert(
        id=blake2b(name.encode(), digest_size=ID_BYTES).hexdigest(),
        rule=finding.kind,
        subject=finding.subject,
        severity=kind.severity,
        type=AlertType.TECHNICAL,
        text=finding.kind,
        values=finding.values,
        reason=finding.reason[:MAX_DETAIL],
        tenant=tenant,
        home="",
        frame=frame.position,
        occurred_at=state.now,
        raised_at=state.now,
        ladder=ladder,
        policy=snapshot(state.registry, ladder),
        deadline=state.now + timedelta(seconds=kind.accept_within_s),
        accept_within_s=kind.accept_within_s,
        route=kind.route,
        version=0,
    )
    _keep(state, frame, alert, "raised", finding.reason)
    state.offer(alert.id)


def _keep(state: State, frame: Frame, alert: Alert, action: str, detail: str) -> None:
    kept = replace(alert, version=alert.version + 1)
    history.write(state, kept, action, frame, detail=detail[:MAX_DETAIL])


def _count_false(state: State, frame: Frame, alert: Alert) -> None:
    """Count a false alarm; more than the budget in a week is told to who answers for the rule."""
    about = alert.person or alert.device or alert.home
    since = (state.now - WEEK).timestamp()
    facts = {
        who: kept
        for who, moments in state.recall(OWNER, f"~false/{alert.rule}").items()
        if (kept := [moment for moment in moments if moment > since])
    }
    facts[about] = [*facts.get(about, []), state.now.timestamp()][-(FALSE_A_WEEK + 9) :]
    state.remember(OWNER, f"~false/{alert.rule}", facts)
    many = len(facts[about])
    subject = f"{alert.rule}/{about}"
    known = any(
        one.rule == "nuisance" and one.subject == subject and one.tenant == alert.tenant
        for one in state.alerts.values()
    )
    if many > FALSE_A_WEEK and not known:
        reason = f"{many} false alarms of {alert.rule} in a week, the budget is {FALSE_A_WEEK}"
        values: Values = {"rule": alert.rule, "n": many, "budget": FALSE_A_WEEK}
        finding = Finding(kind="nuisance", subject=subject, tenant=alert.tenant, reason=reason, values=values)
        _raise(state, frame, alert.tenant, finding)
