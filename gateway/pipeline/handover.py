"""Hand-over: when the hours of work change, every open alert of those who leave is offered onward."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from msgspec.structs import replace

from gateway.model.alert import Alert, AlertState
from gateway.model.frame import Frame
from gateway.model.status import Timer
from gateway.pipeline import aside, history
from gateway.pipeline.duty import Crew
from gateway.pipeline.policy import policy_of
from gateway.pipeline.route import ANSWERED
from gateway.pipeline.state import POLICY_OWNER, State

SUBJECT, NAME = "hours", "change"
KEY = f"{POLICY_OWNER}\0{SUBJECT}\0{NAME}"


def change_of_hours(state: State, timer: Timer, frame: Frame) -> None:
    """Hand over at the end of a shift or a break's beginning, also one that passed while nobody watched."""
    state.people.forget_before(state.now)
    hand_on(state, timer.set_at, frame, "their shift has ended")
    _night_began_or_ended(state, timer.set_at, frame)
    expect(state)


def expect(state: State) -> None:
    """Look again when who works may next change; called whenever a plan has changed."""
    due_at = Crew(state.registry, state.people).next_moment(state.now)
    if due_at is None:
        state.disarm(KEY)
        return
    armed = state.timer(KEY)
    if armed is None or armed.due_at != due_at:
        timer = Timer(owner=POLICY_OWNER, subject=SUBJECT, name=NAME, due_at=due_at, set_at=state.now)
        state.arm(timer)


def hand_on(state: State, before: datetime, frame: Frame, why: str) -> None:
    """Offer onward what is held by, or was offered to, people who worked at `before` and do not now.

    What nobody has accepted then is triggered again (alert rules, 5.6, S9).
    """
    crew = Crew(state.registry, state.people)
    worked = {name for name in _named(state) if crew.works(name, before)}
    _hand_on_from(state, {name for name in worked if not crew.works(name, state.now)}, frame, why)


def at_work(state: State) -> dict[str, bool]:
    """Return the staff who hold an open alert or are asked about one, and whether they work now."""
    crew = Crew(state.registry, state.people)
    return {name: crew.works(name, state.now) for name in _named(state)}


def hand_on_changed(state: State, before: Mapping[str, bool], frame: Frame, why: str) -> None:
    """Do the same for people whom a change has just taken off the plan, or out of the house altogether.

    `before` is who was at work before it.
    """
    now, known = at_work(state), state.people.known
    left = {name for name, worked in before.items() if worked and not now.get(name)}
    gone = {name for name in before if known(state.registry, name) is None}
    _hand_on_from(state, left | gone, frame, why)


def _named(state: State) -> set[str]:
    named = {name for alert in state.alerts.values() for name in (*alert.asked, alert.assignee or "")}
    return {name for name in named if state.people.known(state.registry, name) is not None}


def _hand_on_from(state: State, left: set[str], frame: Frame, why: str) -> None:
    """Offer onward every open alert that these people hold or are asked about."""
    if not left:
        return
    for alert in list(state.alerts.values()):
        if alert.state in ANSWERED and alert.assignee in left:
            aside.back(state, alert, frame, "handed_on", f"{alert.assignee}: {why}")
        elif alert.state is AlertState.OFFERED and not left.isdisjoint(alert.asked):
            again = _asked_anew(state, alert)
            gone = ", ".join(sorted(left.intersection(alert.asked)))
            history.write(state, again, "handed_on", frame, detail=f"{gone}: {why}")
            state.offer(alert.id)


def _night_began_or_ended(state: State, before: datetime, frame: Frame) -> None:
    """Offer what was offered to the people of the day to those of the night, and the other way round."""
    crew = Crew(state.registry, state.people)
    for alert in list(state.alerts.values()):
        same = crew.is_night(alert.tenant, before) == crew.is_night(alert.tenant, state.now)
        if same or alert.id in state.offered:
            continue
        policy = policy_of(state.registry, alert)
        step = policy.steps[min(alert.step, len(policy.steps) - 1)]
        if alert.state is AlertState.OFFERED and step.at_night:
            night = crew.is_night(alert.tenant, state.now)
            detail = "the night has begun" if night else "the night has ended"
            history.write(state, _asked_anew(state, alert), "handed_on", frame, detail=detail)
            state.offer(alert.id)


def _asked_anew(state: State, alert: Alert) -> Alert:
    """Return the alert to be offered to whom its present step means now, in the time it has from now."""
    within = timedelta(seconds=alert.accept_within_s)
    until = min(alert.deadline or state.now + within, state.now + within)
    return replace(alert, wave=0, asked=(), deadline=until, version=alert.version + 1)
