"""Decide: which rules look at an event, a due timer or a new registry, and what their decisions become."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import assert_never

import msgspec

from gateway.contract import Arm, Change, Clear, Decision, Disarm, Raise, Remember, Rule, RuleState, Say
from gateway.model.alert import AlertType, Severity
from gateway.model.event import Event
from gateway.model.frame import Frame
from gateway.model.people import ContextKind
from gateway.model.status import Timer
from gateway.model.trace import Trace, Verdict
from gateway.model.vocabulary import VOCABULARY
from gateway.pipeline import episode
from gateway.pipeline.cause import Cause
from gateway.pipeline.situation import View, device_of, view
from gateway.pipeline.state import State

STEP = "decide"
EVERY_TYPE = "*"
RULE_FAULT = "rule_fault"
RULE_FAULT_ACCEPT_S = 15 * 60
"""Alert rules, section 5.6, S13."""
NOT_THIS_TICK = timedelta(seconds=1)
"""A tick's own timers are due in a later tick, so that no rule can hold the watch by arming for ever."""
SLOTS_OF_THE_THING = frozenset({"link", "battery", "fault", "life"})
"""States of a device itself: they stay true when it is moved to another home or person."""
PANIC = "PanicException"
"""What a fault inside an extension written in Rust is raised as: it is no Exception."""

IN_FORCE = frozenset({RuleState.ACTIVE, RuleState.SHADOW})
"""States in which a rule is asked at all."""
CONTEXT_PREFIX = "context."
"""Before a kind of context in what a rule listens to."""
SHADOW = "#shadow"
"""Behind a rule's id: whose memory counts what a shadow rule would have raised."""
LATE_TIMER = timedelta(seconds=60)
"""A rule's timer that fires later than this had waited for a standstill to end, and is told as late."""

Source = Event | Frame | tuple[Timer, Frame]
"""What was judged: an event, a frame from inside the house, or a timer and the tick it fired in."""


class RuleBook:
    """The rules in force or in shadow, by what they listen to. Raises ValueError when two share an id."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = tuple(rule for rule in rules if rule.state in IN_FORCE or rule.safety)
        self.by_id = {rule.id: rule for rule in self.rules}
        if len(self.by_id) != len(self.rules):
            raise ValueError("two rules share one id; allowed: an id of its own for each")
        # Most rules arm nothing: to ask them all of every device of a large municipality takes long.
        self.arming = tuple(rule for rule in self.rules if getattr(rule, "arms", True))
        self.by_type: dict[str, tuple[Rule, ...]] = {
            name: found for name in VOCABULARY if (found := self._listening(name))
        }

        self.by_context: dict[str, tuple[Rule, ...]] = {
            kind: tuple(rule for rule in self.rules if CONTEXT_PREFIX + kind in rule.listens)
            for kind in ContextKind
        }

    def _listening(self, name: str) -> tuple[Rule, ...]:
        return tuple(rule for rule in self.rules if name in rule.listens or EVERY_TYPE in rule.listens)


def judge_event(state: State, book: RuleBook, event: Event) -> None:
    """Let every rule that listens to the event's type look at it."""
    rules = book.by_type.get(event.type)
    if rules is None:
        return
    at = view(state, event.device)
    if at is None:
        return
    for rule in rules:
        _consult(state, rule, at, event, rule.on_event, event)


def judge_timer(state: State, book: RuleBook, timer: Timer, frame: Frame) -> None:
    """Let the rule that armed a timer look again; one whose rule or device is gone is told and dropped."""
    rule = book.by_id.get(timer.owner)
    device = device_of(state.registry, timer.subject)
    at = None if device is None else view(state, device)
    if rule is None or at is None:
        gone = (
            f"rule {timer.owner!r} is not in force" if rule is None else "its device is not enrolled any more"
        )
        state.trace(Trace(frame.position, STEP, Verdict.IGNORED, f"timer {timer.name!r}: {gone}"))
        return
    if state.now - timer.due_at > LATE_TIMER:
        minutes = (state.now - timer.due_at).total_seconds() / 60
        late = f"timer {timer.name!r} of rule {rule.id!r}, set {timer.set_at.isoformat()}"
        told = f"{late}: evaluated late, by {minutes:.0f} min"
        state.trace(Trace(frame.position, STEP, Verdict.JUDGED, told, rule.catalogue, at.device.id))
    _consult(state, rule, at, (timer, frame), rule.on_timer, timer)


def judge_context(state: State, book: RuleBook, home: str, kind: str, frame: Frame) -> None:
    """Let the rules that follow the plans of a home arm what a new, moved or ended one needs."""
    rules = book.by_context.get(kind, ())
    if not rules:
        return
    for device in state.registry.devices_of(home):
        at = view(state, device.id)
        if at is not None:
            for rule in rules:
                _consult(state, rule, at, frame, rule.on_enrolled)


def judge_enrolled(state: State, book: RuleBook, device: str, frame: Frame) -> None:
    """Let every rule arm what it must for a device that was enrolled, or whose registry was read again."""
    if state.moved:
        moved, state.moved = state.moved, set()
        forget(state, moved, frame)
    at = view(state, device)
    if at is None:
        return
    for rule in book.arming:
        _consult(state, rule, at, frame, rule.on_enrolled)


def forget(state: State, devices: Collection[str], frame: Frame) -> None:
    """Drop what the rules knew of devices that watch for another home or person now.

    Their timers too, each told in the trace, and the states that they were heard in, except those
    that are true of the thing wherever it is. An open alert stays, for those it was raised for.
    """
    told = {s: device for s in state.subjects() if (device := device_of(state.registry, s)) in devices}
    for timer in state.forget({subject for subject in told if subject not in state.registry.homes}):
        reason = f"timer {timer.name!r} of rule {timer.owner!r} dropped: its device was moved"
        state.trace(Trace(frame.position, STEP, Verdict.JUDGED, reason, device=told[timer.subject] or ""))
    for device in devices:
        status = state.statuses.get(device)
        if status is not None and not status.slots.keys() <= SLOTS_OF_THE_THING:
            status.slots = {slot: word for slot, word in status.slots.items() if slot in SLOTS_OF_THE_THING}
            status.since = {slot: at for slot, at in status.since.items() if slot in SLOTS_OF_THE_THING}
            status.uncertain = [slot for slot in status.uncertain if slot in SLOTS_OF_THE_THING]
            state.touched(status)


def _cause(source: Source, now: datetime) -> Cause:
    if isinstance(source, Event):
        return Cause(
            name=source.id,
            event=source.id,
            frame=source.frame,
            occurred_at=source.occurred_at,
            heard_at=source.received_at,
        )
    if isinstance(source, Frame):
        return Cause.of_frame(source, now)
    timer, frame = source
    return Cause(
        name=f"tick {timer.name} {timer.due_at.isoformat()}",
        event=timer.cause,
        frame=frame.position,
        occurred_at=timer.due_at,
        heard_at=timer.set_at,
        due_at=timer.due_at,
    )


def _consult(
    state: State,
    rule: Rule,
    at: View,
    source: Source,
    ask: Callable[..., Sequence[Decision]],
    *about: object,
) -> None:
    at.rule = rule.id
    try:
        decisions = ask(*about, at)
        if decisions == ():  # most often: no cause need be made
            return
        cause = _cause(source, state.now)
        for decision in [_as_kept(decision) for decision in decisions]:
            _apply(state, rule, at, cause, decision)
    except BaseException as error:  # a rule may be a stranger's: its fault or panic is an alert, not a stop
        if not isinstance(error, Exception) and type(error).__name__ != PANIC:
            raise
        _fault(state, rule, at, _cause(source, state.now), type(error).__name__)


def _as_kept(decision: Decision) -> Decision:
    """Return the decision as the store will give it back after a restart; ValueError if that is another.

    So nothing that cannot be kept gets further than the rule that decided it: an object that is no
    JSON, a number without end, half a character, a wrong type, a time without its zone.
    """
    kept = msgspec.json.decode(msgspec.json.encode(decision), type=type(decision))
    if kept != decision:
        raise ValueError("the decision cannot be kept as it is")
    moment = getattr(kept, "due_at", None) or getattr(kept, "occurred_at", None)
    if moment is not None and moment.tzinfo is None:
        raise ValueError("a time without its zone")
    return kept


def _apply(state: State, rule: Rule, at: View, cause: Cause, decision: Decision) -> None:
    """Carry out one decision; TypeError for what is none."""
    if isinstance(decision, Say):
        remark = Trace(cause.frame, STEP, Verdict.JUDGED, decision.reason, rule.catalogue, at.device.id)
        state.trace(remark)
        return
    subject = decision.subject or at.device.id
    if isinstance(decision, Raise | Change | Clear) and rule.state is RuleState.SHADOW and not rule.safety:
        _shadow(state, rule, at, cause, decision)
    elif isinstance(decision, Raise):
        if not _absent(state, rule, at, cause, decision):
            episode.put(state, rule.id, at, cause, decision)
    elif isinstance(decision, Arm):
        state.arm(_timer(state, rule, subject, cause, decision))
    elif isinstance(decision, Disarm):
        state.disarm(f"{rule.id}\0{subject}\0{decision.name}")
    elif isinstance(decision, Remember):
        state.remember(rule.id, subject, decision.facts)
    elif isinstance(decision, Change | Clear):
        _amend(state, rule, at, cause, decision)
    else:
        assert_never(decision)


def _shadow(state: State, rule: Rule, at: View, cause: Cause, decision: Raise | Change | Clear) -> None:
    """Count and tell what a shadow rule would have raised, once an episode; nobody is disturbed by it."""
    owner, subject = rule.id + SHADOW, decision.subject or at.device.id
    seen = state.recall(owner, subject)
    if isinstance(decision, Change):
        return
    if isinstance(decision, Clear):
        if seen.get("open"):
            state.remember(owner, subject, {**seen, "open": False})
        return
    if seen.get("open"):
        return
    count = int(seen.get("count", 0)) + 1
    state.remember(owner, subject, {"count": count, "open": True, "last": state.now.isoformat()})
    told = f"shadow: would have raised {rule.id} {decision.severity.value}: {decision.reason}"
    state.trace(Trace(cause.frame, STEP, Verdict.JUDGED, told, rule.catalogue, at.device.id))


def _absent(state: State, rule: Rule, at: View, cause: Cause, decision: Raise) -> bool:
    """Tell whether the person is known to be away: alerts about them wait then (alert rules, 5.5 X8).

    Never a High one, never a safety rule's, never one about a device; an absence ends by itself.
    """
    if rule.safety or decision.severity is Severity.HIGH or decision.type is not AlertType.PERSON:
        return False
    away = at.contexts(ContextKind.ABSENCE)
    if away:
        told = f"not raised, the person is away ({away[0].id}): {decision.reason}"
        state.trace(Trace(cause.frame, STEP, Verdict.JUDGED, told, "X8", at.device.id))
    return bool(away)


def _timer(state: State, rule: Rule, subject: str, cause: Cause, decision: Arm) -> Timer:
    soonest = decision.due_at if cause.due_at is None else state.now + NOT_THIS_TICK
    return Timer(
        owner=rule.id,
        subject=subject,
        name=decision.name,
        due_at=max(decision.due_at, soonest),
        set_at=state.now,
        note=decision.note,
        cause=cause.event,
    )


def _amend(state: State, rule: Rule, at: View, cause: Cause, decision: Change | Clear) -> None:
    subject = decision.subject or at.device.id
    alert = at.about(subject).own_alert(rule.id, subject)
    if alert is None:
        reason = f"no open alert to change: {decision.reason}"
        state.trace(Trace(cause.frame, STEP, Verdict.JUDGED, reason, rule.catalogue, at.device.id))
    elif isinstance(decision, Change):
        episode.change(state, alert, state.registry.homes.get(alert.home), cause, decision)
    else:
        episode.clear(state, alert, cause, decision)


def _fault(state: State, rule: Rule, at: View, cause: Cause, fault: str) -> None:
    """Say that a rule could not judge: never "no match". Care staff hear it of a safety rule.

    Only the fault's type is told: its text may quote what the device sent.
    """
    reason = f"rule {rule.id!r} could not judge: {fault}"
    state.trace(Trace(cause.frame, STEP, Verdict.JUDGED, reason, "S13", at.device.id))
    could_not = Raise(
        severity=Severity.MEDIUM,
        type=AlertType.PERSON if rule.safety else AlertType.TECHNICAL,
        text=RULE_FAULT,
        reason=reason,
        accept_within_s=RULE_FAULT_ACCEPT_S,
        values={"rule": rule.id, "fault": fault},
        subject=f"{at.device.id}/{rule.id}",
    )
    episode.put(state, RULE_FAULT, at, cause, could_not)
