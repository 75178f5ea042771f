"""Answer: what a person did with an alert, and what happens when nobody does; the alert's state machine."""

from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from gateway.contract import Refused
from gateway.model.alert import Alert, AlertState, Outcome, Severity
from gateway.model.frame import Frame
from gateway.model.status import Timer
from gateway.model.trace import Trace, Verdict
from gateway.pipeline import aside, history, passing
from gateway.pipeline.arrival import ETA_MISSED_AFTER, arrived
from gateway.pipeline.policy import no_longer, policy_of
from gateway.pipeline.route import at_the_end, next_rung
from gateway.pipeline.state import State

ACCEPT_LEASE = {
    Severity.HIGH: timedelta(minutes=45),
    Severity.MEDIUM: timedelta(hours=2),
    Severity.LOW: timedelta(hours=24),
    Severity.INFO: timedelta(hours=24),
}
"""How long an acceptance holds before the alert is offered again (alert rules, 1: on site 20-60 min)."""
STILL_ON_THE_WAY = timedelta(minutes=15)
"""The new time of arrival of who says only that they are still coming."""
MAX_NOTE = 500
MAX_ETA_S = 4 * 3600.0


class Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A person's answer as it is journalled: an opaque actor, and for `close` the outcome.

    `seen` and `seen_severity` are the alert's `count` and severity as the person saw them when they
    closed it; None when they do not say. `eta_s` is how soon who accepts will be there, `to` the team
    it is handed over to, `for_s` how long it is shelved, `by` the alert that speaks for it.
    """

    actor: str
    outcome: Outcome | None = None
    note: str = ""
    seen: int | None = None
    seen_severity: Severity | None = None
    eta_s: float | None = None
    to: str = ""
    for_s: float | None = None
    by: str = ""


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
    """Nobody answered in time: more people or the next step; at the end the failsafe again, for ever."""
    alert = state.alerts.get(timer.subject)
    if alert is None or alert.deadline is None or alert.deadline > state.now:
        return
    late = _overdue(timer, state.now)
    if alert.state in aside.ASIDE:
        aside.back(state, alert, frame, "back", f"{alert.state.value} until now {late}".rstrip())
        return
    again = at_the_end(state, alert)
    within = _again_after_s(state, alert) if again else alert.accept_within_s
    rung = next_rung(state, passing.gone(alert))
    changed = replace(
        rung,
        state=AlertState.OFFERED,
        assignee=None,
        eta=None,
        deadline=state.now + timedelta(seconds=within),
        version=alert.version + 1,
    )
    action = _expiry(alert, rung)
    if alert.state is AlertState.OFFERED:
        steps = len(policy_of(state.registry, rung).steps)
        late = f"step {rung.step + 1} of {steps}{', the last, again' if again else ''} {late}".rstrip()
    if action == "arrival_missed":
        late = f"X6: no sign of {alert.assignee} at the home by the time of arrival {late}".rstrip()
    history.write(state, changed, action, frame, detail=late)
    state.offer(alert.id)


def _expiry(alert: Alert, rung: Alert) -> str:
    if alert.state is AlertState.OFFERED:
        return "widened" if rung.wave > alert.wave else "escalated"
    if alert.state is AlertState.ACCEPTED and alert.eta is not None:
        return "arrival_missed"
    return "lease_expired" if alert.state is AlertState.ACCEPTED else "on_site_expired"


def _again_after_s(state: State, alert: Alert) -> float:
    """Return how long the last step waits: a High alert rings at the policy's pace, others at their own."""
    repeat_s = policy_of(state.registry, alert).repeat_s
    return repeat_s if alert.severity is Severity.HIGH else max(repeat_s, alert.accept_within_s)


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
    if words.eta_s is not None and not 0 <= words.eta_s <= MAX_ETA_S:
        raise Refused(f"eta_s: found {words.eta_s}; allowed: 0 to {MAX_ETA_S:.0f}")
    eta = None if words.eta_s is None else state.now + timedelta(seconds=words.eta_s)
    if alert.assignee == words.actor:
        _renew(state, alert, words, frame, eta)
        return
    if alert.assignee is not None:
        raise Refused(f"taken by {alert.assignee}")
    taken = _taken(state, alert, words.actor, eta)
    history.write(state, taken, "accepted", frame, actor=words.actor, detail=_eta(eta, words.note))


def _renew(state: State, alert: Alert, words: Answer, frame: Frame, eta: datetime | None) -> None:
    """Let who has it say that they are still coming; said twice in a row, it changes nothing."""
    lease = ACCEPT_LEASE[alert.severity]
    if alert.state is not AlertState.ACCEPTED or alert.deadline is None:
        return
    if eta is None and alert.eta is not None:
        eta = max(alert.eta, state.now + STILL_ON_THE_WAY)
    if eta is None and alert.deadline - state.now >= lease / 2:
        return
    cut = alert.eta is not None and alert.deadline < alert.eta  # it came again: they are asked, and answer
    if eta is not None and alert.eta is not None and eta <= alert.eta and words.eta_s is None and not cut:
        return
    renewed = _taken(state, alert, words.actor, eta)
    history.write(state, renewed, "confirmed", frame, actor=words.actor, detail=_eta(eta, words.note))


def _taken(state: State, alert: Alert, actor: str, eta: datetime | None) -> Alert:
    """Return the alert as theirs: a High one until its time of arrival, if they gave one, and a little."""
    until = state.now + ACCEPT_LEASE[alert.severity]
    if eta is not None and alert.severity is Severity.HIGH:
        until = min(until, eta + ETA_MISSED_AFTER)
    until = no_longer(alert, actor, until)
    return replace(_next(alert, AlertState.ACCEPTED, actor, until), eta=eta, suppressed_by="")


def _eta(eta: datetime | None, note: str) -> str:
    said = "" if eta is None else f"there by {eta.isoformat(timespec='seconds')}"
    return f"{said}: {note}" if said and note else said or note


def _on_site(state: State, alert: Alert, words: Answer, frame: Frame) -> None:
    if alert.assignee not in (None, words.actor):
        raise Refused(f"taken by {alert.assignee}")
    arrived(state, alert, words.actor, frame, words.note)


def _release(state: State, alert: Alert, words: Answer, frame: Frame) -> None:
    if alert.assignee != words.actor:
        raise Refused(f"only {alert.assignee} can give it back" if alert.assignee else "nobody has taken it")
    passing.give_back(state, alert, words.actor, frame, words.note)


def close(state: State, alert: Alert, words: Answer, frame: Frame) -> None:
    """Close with what it was; Refused to who has not seen all of it."""
    if words.outcome is None:
        raise Refused(f"closing needs an outcome: {', '.join(Outcome)}")
    _refuse_unseen(alert, words)
    done = replace(_next(alert, AlertState.CLOSED, words.actor, None), outcome=words.outcome)
    detail = f"{words.outcome}: {words.note}" if words.note else words.outcome.value
    history.write(state, done, "closed", frame, actor=words.actor, detail=detail)


def _refuse_unseen(alert: Alert, words: Answer) -> None:
    """Let nobody close what they have not seen: it may have been raised again, or become worse, since."""
    seen, severity = words.seen, words.seen_severity
    if seen is None and alert.severity is Severity.HIGH:
        raise Refused("closing a high alert needs the count that was seen (seen_count)")
    if severity is None and alert.worse_at:
        raise Refused("it became more severe: closing it needs the severity that was seen (seen_severity)")
    if severity is not None and alert.severity.rank < severity.rank:
        raise Refused(f"more severe since you looked: {alert.severity} now, you saw {severity}")
    if seen is not None and seen < alert.count:
        raise Refused(f"raised again since you looked: {alert.count} times, you saw {seen}")
    if seen is not None and seen > alert.count:
        raise Refused(f"nobody can have seen it {seen} times: it was raised {alert.count} times")


def _decline(state: State, alert: Alert, words: Answer, frame: Frame) -> None:
    passing.decline(state, alert, words.actor, frame, words.note)


def _hand_over(state: State, alert: Alert, words: Answer, frame: Frame) -> None:
    passing.hand_over(state, alert, words.actor, frame, words.note, words.to)


def _shelve(state: State, alert: Alert, words: Answer, frame: Frame) -> None:
    aside.shelve(state, alert, words.actor, frame, words.note, words.for_s)


def _suppress(state: State, alert: Alert, words: Answer, frame: Frame) -> None:
    aside.suppress(state, alert, words.actor, frame, words.note, words.by)


def _unshelve(state: State, alert: Alert, words: Answer, frame: Frame) -> None:
    aside.unshelve(state, alert, words.actor, frame, words.note)


_ACTIONS: dict[str, Callable[[State, Alert, Answer, Frame], None]] = {
    "accept": _accept,
    "on_site": _on_site,
    "release": _release,
    "decline": _decline,
    "hand_over": _hand_over,
    "shelve": _shelve,
    "suppress": _suppress,
    "unshelve": _unshelve,
    "close": close,
}


def _next(alert: Alert, now_is: AlertState, assignee: str | None, deadline: datetime | None) -> Alert:
    return replace(alert, state=now_is, assignee=assignee, deadline=deadline, version=alert.version + 1)


def _overdue(timer: Timer, now: datetime) -> str:
    late_s = (now - timer.due_at).total_seconds()
    return f"{late_s:.0f} s overdue" if late_s >= 10 else ""  # alert rules, section 5.6, S7
