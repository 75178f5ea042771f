"""Passing: an alert goes from one person, team or shift to the next; it is never between two."""

from datetime import timedelta

from msgspec.structs import replace

from gateway.contract import Refused
from gateway.model.alert import Alert, AlertState
from gateway.model.frame import Frame
from gateway.model.people import PolicyStep
from gateway.pipeline import history
from gateway.pipeline.policy import for_staff, policy_of
from gateway.pipeline.route import ANSWERED, next_rung
from gateway.pipeline.state import State

MAX_STEPS = 24
"""Steps a policy may grow to by hand-overs; then the alert has been passed round enough."""


def gone(alert: Alert) -> Alert:
    """Return the alert with who took it and did not come among those who are not asked first again."""
    return _without(alert, alert.assignee) if alert.assignee else alert


def give_back(state: State, alert: Alert, actor: str, frame: Frame, note: str) -> None:
    """Offer what somebody had taken to the same step again."""
    until = state.now + timedelta(seconds=alert.accept_within_s)
    free = for_staff(_free(alert))
    free = replace(free, deadline=until, wave=0, asked=(), version=alert.version + 1)
    history.write(state, free, "released", frame, actor=actor, detail=note)
    state.offer(alert.id)


def decline(state: State, alert: Alert, actor: str, frame: Frame, note: str) -> None:
    """Say no, with the reason; when nobody who was asked is left, the next are asked at once."""
    if not note.strip():
        raise Refused("declining needs a reason (note)")
    if alert.assignee not in (None, actor):
        raise Refused(f"taken by {alert.assignee}")
    if alert.state not in ANSWERED and alert.state is not AlertState.OFFERED:
        raise Refused("nobody is asked now")
    declined = replace(_without(alert, actor), version=alert.version + 1)
    left = [name for name in declined.asked if name not in declined.declined]
    if alert.state is AlertState.OFFERED and left:
        history.write(state, declined, "declined", frame, actor=actor, detail=note)
        return
    until = state.now + timedelta(seconds=alert.accept_within_s)
    onward = replace(next_rung(state, _free(declined)), deadline=until)
    history.write(state, onward, "declined", frame, actor=actor, detail=note)
    state.offer(alert.id)


def hand_over(state: State, alert: Alert, actor: str, frame: Frame, note: str, to: str) -> None:  # noqa: PLR0917 - the words of one sentence
    """Ask another team of the same tenant next; after it the policy goes on where it was.

    Whoever said no before is asked again, for it was hours ago or another question; who hands over is not.
    """
    registry = state.registry
    team = registry.teams.get(to)
    if team is None or registry.units[team.unit].tenant != alert.tenant:
        raise Refused(f"to: found {to!r}; allowed: a team of the same tenant")
    if alert.assignee not in (None, actor):
        raise Refused(f"taken by {alert.assignee}")
    policy = policy_of(registry, alert)
    if len(policy.steps) >= MAX_STEPS:
        raise Refused("it has been handed over too often: take it, or let it climb")
    here = min(alert.step, len(policy.steps) - 1)
    steps = (*policy.steps[: here + 1], PolicyStep(to=(to,)), *policy.steps[here + 1 :])
    if here == len(policy.steps) - 1:  # the failsafe stays the last
        steps = (*policy.steps[:here], PolicyStep(to=(to,)), policy.steps[here])
        here -= 1
    handed = replace(
        _free(alert),
        policy=replace(policy, steps=steps),
        step=here + 1,
        wave=0,
        asked=(),
        declined=(actor,),
        deadline=state.now + timedelta(seconds=alert.accept_within_s),
        version=alert.version + 1,
    )
    history.write(state, handed, "handed_over", frame, actor=actor, detail=f"to {to}: {note}".rstrip(": "))
    state.offer(alert.id)


def _without(alert: Alert, actor: str) -> Alert:
    return alert if actor in alert.declined else replace(alert, declined=(*alert.declined, actor))


def _free(alert: Alert) -> Alert:
    return replace(alert, state=AlertState.OFFERED, assignee=None, eta=None, suppressed_by="")
