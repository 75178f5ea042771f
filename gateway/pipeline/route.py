"""Route: who is offered an alert, and by when they must answer; steps that resolve to nobody are skipped."""

from datetime import timedelta

from msgspec.structs import replace

from gateway.model.alert import Alert, AlertState
from gateway.model.commissioning import MARK
from gateway.model.frame import Frame
from gateway.model.people import Policy, PolicyStep
from gateway.model.registry import WHOLE_TENANT
from gateway.pipeline import history
from gateway.pipeline.choice import Choice, choose, ring, unheard
from gateway.pipeline.delivering import deliver
from gateway.pipeline.policy import policy_of
from gateway.pipeline.state import State

ANSWERED = frozenset({AlertState.ACCEPTED, AlertState.ON_SITE})
MAX_DETAIL = 500
"""Characters of the reasons for skipping that one line of history keeps."""


def route(state: State, frame: Frame) -> None:
    """Turn every alert that this step offered into deliveries to the people of its present step.

    One that somebody has taken rings too when it was asked to: something new has happened.
    """
    for alert_id in state.offered:
        alert = state.alerts.get(alert_id)
        if alert is not None and (alert.state is AlertState.OFFERED or alert.state in ANSWERED):
            _offer(state, frame, alert)
    state.offered.clear()


def next_rung(state: State, alert: Alert) -> Alert:
    """Return the alert one wave wider, or else one step further; at the end of the last step as it is."""
    policy = policy_of(state.registry, alert)
    here = min(alert.step, len(policy.steps) - 1)
    choice = choose(state, alert, policy.steps[here], last=here == len(policy.steps) - 1)
    asked = ring(alert.severity, choice, alert.wave)
    if alert.asked and asked.more:
        return replace(alert, wave=alert.wave + 1)
    if not set(asked.recipients) <= set(alert.asked):
        return replace(alert, step=here)  # somebody came on duty, or within reach, and was not asked yet
    if here + 1 < len(policy.steps):
        return replace(alert, step=here + 1, wave=0, asked=())
    return replace(alert, step=here)


def at_the_end(state: State, alert: Alert) -> bool:
    """Tell whether silence can only ring the same people again: the failsafe's last wave."""
    rung = next_rung(state, alert)
    return (rung.step, rung.wave) == (alert.step, alert.wave)


def _offer(state: State, frame: Frame, alert: Alert) -> None:
    policy = policy_of(state.registry, alert)
    alert, choice = _resolved(state, frame, alert, policy)
    step = policy.steps[alert.step]
    asked = ring(alert.severity, choice, alert.wave)
    new = tuple(name for name in asked.recipients if name not in alert.asked)
    again = not new or alert.state in ANSWERED
    deadline = alert.deadline or state.now
    if alert.state is AlertState.OFFERED and not again:
        within_s = asked.within_s or min(step.within_s or alert.accept_within_s, alert.accept_within_s)
        deadline = min(deadline, state.now + timedelta(seconds=within_s))
    offered = replace(alert, deadline=deadline, asked=(*alert.asked, *new), version=alert.version + 1)
    to = _again(state, alert, asked.recipients) if again else new
    history.write(state, offered, "offered", frame, detail=", ".join(to))
    for recipient in (*to, *_copy(alert, to)):
        deliver(state, frame, offered, recipient, deadline)


def _copy(alert: Alert, to: tuple[str, ...]) -> tuple[str, ...]:
    """Return who tries the alert's device, when it is first offered to others: they may know what it is."""
    who = alert.values.get(MARK)
    new = isinstance(who, str) and not alert.asked and who not in to
    return (str(who),) if new else ()


def _again(state: State, alert: Alert, recipients: tuple[str, ...]) -> tuple[str, ...]:
    """Return who hears of what is new: also who has taken it, if they are of our staff."""
    holder = alert.assignee or ""
    if holder in recipients or state.people.known(state.registry, holder) is None:
        return recipients
    return (holder, *recipients)


def _resolved(state: State, frame: Frame, alert: Alert, policy: Policy) -> tuple[Alert, Choice]:
    """Skip, with the reason, every step that resolves to nobody; past the last one ask the whole tenant."""
    last = len(policy.steps) - 1
    step, skipped = min(alert.step, last), list[str]()
    choice = choose(state, alert, policy.steps[step], last=step == last)
    while not choice.anybody and step < last:
        skipped.append(f"step {step + 1}: {_why(choice)}")
        step += 1
        choice = choose(state, alert, policy.steps[step], last=step == last)
    if not choice.anybody:
        skipped.append(f"step {step + 1}: {_why(choice)}: the whole tenant is asked")
        choice = _everybody(state, alert, policy.steps[last])
    if skipped:
        wave, asked = (alert.wave, alert.asked) if step == alert.step else (0, ())
        alert = replace(alert, step=step, wave=wave, asked=asked, version=alert.version + 1)
        history.write(state, alert, "skipped", frame, detail="; ".join(skipped)[:MAX_DETAIL])
    return replace(alert, step=step), choice


def _why(choice: Choice) -> str:
    return ", ".join(choice.skipped) or "names nobody"


def _everybody(state: State, alert: Alert, step: PolicyStep) -> Choice:
    """Return all teams of the alert's tenant, or the tenant itself when it has none.

    And who is on duty out of reach: a channel at rest shows only by being tried that it is back.
    """
    registry = state.registry
    teams = [team.id for team in registry.teams.values() if registry.units[team.unit].tenant == alert.tenant]
    tenant = tuple(teams) or (f"{WHOLE_TENANT}{alert.tenant}",)
    return Choice(teams=(*unheard(state, alert, step), *tenant))
