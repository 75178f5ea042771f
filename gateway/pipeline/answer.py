"""Answer: what a person did with an alert, and what happens when nobody does; the alert's state machine."""

from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from gateway.contract import Refused
from gateway.model.alert import Alert, AlertEntry, AlertState, Outcome, Severity
from gateway.model.frame import Frame
from gateway.model.registry import Ladder
from gateway.model.status import Timer
from gateway.model.trace import Trace, Verdict
from gateway.pipeline.state import State

ACCEPT_LEASE = {
    Severity.HIGH: timedelta(minutes=45),
    Severity.MEDIUM: timedelta(hours=2),
    Severity.LOW: timedelta(hours=24),
    Severity.INFO: timedelta(hours=24),
}
"""How long an acceptance holds before the alert is offered again (alert rules, 1: on site 20-60 min)."""
ON_SITE_LEASE = timedelta(hours=2)
"""How long being on site holds before somebody must ask how it went."""
MAX_NOTE = 500


class Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A person's answer as it is journalled: an opaque actor, and for `close` the outcome.

    `seen` is the alert's `count` as the person saw it when they closed it; None when they do not say.
    """

    actor: str
    outcome: Outcome | None = None
    note: str = ""
    seen: int | None = None


_DECODER = msgspec.json.Decoder(Answer)


def answer(state: State, frame: Frame) -> None:
    """Apply one journalled answer (`alert/<id>/<action>`), or refuse it with a reason, changing nothing."""
    try:
        alert, action, words = _read(state, frame)
        _ACTIONS[action](state, alert, words, frame)
    except Refused as refusal:
        state.changes.refusals[frame.position] = str(refusal)
        state.trace(Trace(frame.position, "answer", Verdict.REFUSED, str(refusal)))


def expired(state: State, timer: Timer, frame: Frame) -> None:
    """Nobody answered in time: the next step of the ladder, or the last step again, for ever."""
    alert = state.alerts.get(timer.subject)
    if alert is None or alert.deadline is None or alert.deadline > state.now:
        return
    ladder = state.registry.ladders.get(alert.ladder)
    last = len(ladder.steps) - 1 if ladder else 0
    within = _again_after_s(alert, ladder) if ladder and alert.step >= last else alert.accept_within_s
    changed = replace(
        alert,
        state=AlertState.OFFERED,
        assignee=None,
        step=min(alert.step + 1, last),
        deadline=state.now + timedelta(seconds=within),
        version=alert.version + 1,
    )
    state.put_alert(
        changed, _entry(changed, _EXPIRED[alert.state], "vaka", frame, _overdue(timer, state.now))
    )
    state.offer(alert.id)


def _again_after_s(alert: Alert, ladder: Ladder) -> float:
    """Return how long the last step waits: a High alert rings at the ladder's pace, others at their own."""
    if alert.severity is Severity.HIGH:
        return ladder.repeat_s
    return max(ladder.repeat_s, alert.accept_within_s)


def _read(state: State, frame: Frame) -> tuple[Alert, str, Answer]:
    parts = frame.channel.split("/")
    if len(parts) != 3 or parts[0] != "alert" or parts[2] not in _ACTIONS:
        raise Refused(f"{frame.channel!r} is no answer; allowed: alert/<id>/{'|'.join(_ACTIONS)}")
    try:
        words = _DECODER.decode(frame.payload)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused(f"the answer cannot be read: {error}") from error
    if len(words.note) > MAX_NOTE:
        raise Refused(f"the note has {len(words.note)} characters, allowed {MAX_NOTE}")
    alert = state.alerts.get(parts[1])
    if alert is None:
        raise Refused("the alert is closed already, or never was")
    return alert, parts[2], words


def _accept(state: State, alert: Alert, words: Answer, frame: Frame) -> None:
    lease = ACCEPT_LEASE[alert.severity]
    if alert.assignee == words.actor:
        if alert.state is AlertState.ACCEPTED and alert.deadline and alert.deadline - state.now < lease / 2:
            renewed = _next(alert, AlertState.ACCEPTED, words.actor, state.now + lease)
            state.put_alert(renewed, _entry(renewed, "confirmed", words.actor, frame, words.note))
        return
    if alert.assignee is not None:
        raise Refused(f"taken by {alert.assignee}")
    taken = _next(alert, AlertState.ACCEPTED, words.actor, state.now + lease)
    state.put_alert(taken, _entry(taken, "accepted", words.actor, frame, words.note))


def _on_site(state: State, alert: Alert, words: Answer, frame: Frame) -> None:
    if alert.assignee not in (None, words.actor):
        raise Refused(f"taken by {alert.assignee}")
    there = _next(alert, AlertState.ON_SITE, words.actor, state.now + ON_SITE_LEASE)
    state.put_alert(there, _entry(there, "on_site", words.actor, frame, words.note))


def _release(state: State, alert: Alert, words: Answer, frame: Frame) -> None:
    if alert.assignee != words.actor:
        raise Refused(f"only {alert.assignee} can give it back" if alert.assignee else "nobody has taken it")
    until = state.now + timedelta(seconds=alert.accept_within_s)
    free = _next(alert, AlertState.OFFERED, None, until)
    state.put_alert(free, _entry(free, "released", words.actor, frame, words.note))
    state.offer(alert.id)


def _close(state: State, alert: Alert, words: Answer, frame: Frame) -> None:
    if words.outcome is None:
        raise Refused(f"closing needs an outcome: {', '.join(Outcome)}")
    _refuse_unseen(alert, words.seen)
    done = replace(_next(alert, AlertState.CLOSED, words.actor, None), outcome=words.outcome)
    detail = f"{words.outcome}: {words.note}" if words.note else words.outcome.value
    state.put_alert(done, _entry(done, "closed", words.actor, frame, detail))


def _refuse_unseen(alert: Alert, seen: int | None) -> None:
    """Let nobody close what they have not seen: the alert may have been raised again on their way here."""
    if seen is None and alert.severity is Severity.HIGH:
        raise Refused("closing a high alert needs the count that was seen (seen_count)")
    if seen is not None and seen < alert.count:
        raise Refused(f"raised again since you looked: {alert.count} times, you saw {seen}")
    if seen is not None and seen > alert.count:
        raise Refused(f"nobody can have seen it {seen} times: it was raised {alert.count} times")


_ACTIONS = {"accept": _accept, "on_site": _on_site, "release": _release, "close": _close}
_EXPIRED = {
    AlertState.OFFERED: "escalated",
    AlertState.ACCEPTED: "lease_expired",
    AlertState.ON_SITE: "on_site_expired",
}


def _next(alert: Alert, now_is: AlertState, assignee: str | None, deadline: datetime | None) -> Alert:
    return replace(alert, state=now_is, assignee=assignee, deadline=deadline, version=alert.version + 1)


def _entry(alert: Alert, action: str, actor: str, frame: Frame, detail: str) -> AlertEntry:
    return AlertEntry(
        alert=alert.id,
        version=alert.version,
        at=frame.received_at,
        action=action,
        actor=actor,
        frame=frame.position,
        detail=detail,
    )


def _overdue(timer: Timer, now: datetime) -> str:
    late_s = (now - timer.due_at).total_seconds()
    return f"{late_s:.0f} s overdue" if late_s >= 10 else ""  # alert rules, section 5.6, S7
