"""Checking: a new device is tried step by step, each fulfilled by what it really says; then it is signed for.

Every word of it is an input (`check/<word>/<device>`) or an event of the device; nothing here reads a clock.
"""

from collections.abc import Callable
from datetime import timedelta

import msgspec
from msgspec.structs import replace

from gateway.contract import Refused
from gateway.model.alert import Outcome as AlertOutcome
from gateway.model.alert import Severity
from gateway.model.commissioning import (
    TRIED,
    Check,
    End,
    Ended,
    Item,
    Outcome,
    Protocol,
    watched_of,
)
from gateway.model.event import Event
from gateway.model.frame import Frame, Transport
from gateway.model.status import Timer
from gateway.model.synthetic import SYNTHETIC
from gateway.model.trace import Trace, Verdict
from gateway.pipeline import answer, holding, trying
from gateway.pipeline.state import CHECK_OWNER, State

LASTS = timedelta(minutes=60)
"""A check that is forgotten ends so long after it was opened."""
KEPT_PROTOCOLS = 20
MAX_REASON = 200
EXPIRY, STEP = "expiry", "step"
NO_EVENT = "no_event"


class Said(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody says of a check: which step and why, or which alert was a test as they saw it."""

    step: str = ""
    reason: str = ""
    alert: str = ""
    seen: int | None = None
    seen_severity: Severity | None = None


_read = msgspec.json.Decoder(Said)


def check(state: State, frame: Frame) -> None:
    """Take `check/open|ask|skip|fail|confirm|give_up|sign/<device>` from a person, or refuse it."""
    try:
        _take(state, frame)
    except (Refused, msgspec.DecodeError, UnicodeDecodeError) as refusal:
        state.changes.refusals[frame.position] = str(refusal)
        state.trace(Trace(frame.position, "check", Verdict.REFUSED, str(refusal)))


def heard(state: State, event: Event, frame: Frame) -> None:
    """Hold an event against the open check of its device."""
    one = state.checks.open.get(event.device)
    if one is not None:
        _changed(state, event.device, one, trying.with_event(one, event, frame))


def look(state: State, frame: Frame) -> None:
    """Hold the latest word of the devices that a frame came from against their open checks."""
    for name, one in list(state.checks.open.items()):
        status, enrolment = state.statuses.get(name), state.registry.enrolments.get(name)
        if status is not None and enrolment is not None and status.last_seen_at == frame.received_at:
            _changed(state, name, one, trying.with_status(one, status, enrolment.heartbeat_s, frame))


def review(state: State, frame: Frame) -> None:
    """After the registry changed: end the checks of what is gone, and hold nothing back from a resident."""
    for name, one in list(state.checks.open.items()):
        device = state.registry.devices.get(name)
        if device is None or name not in state.registry.enrolments:
            _end(state, frame, name, Ended(at=state.now, how=End.UNENROLLED))
        elif (device.adapter, device.native_id, device.kind) != (one.adapter, one.native_id, one.kind):
            _end(state, frame, name, Ended(at=state.now, how=End.REPLACED))
        elif holding.lived_in(state, name):
            holding.release(state, name, frame, "somebody lives there now")


def expire(state: State, timer: Timer, frame: Frame) -> None:
    """A check that nobody ended, or a step that nothing fulfilled in its time."""
    one = state.checks.open.get(timer.subject)
    if one is None:
        return
    if timer.name == EXPIRY:
        _end(state, frame, timer.subject, Ended(at=state.now, how=End.EXPIRED))
    elif one.current is not None:
        failed = replace(one.current, outcome=Outcome.FAILED, done_at=state.now, why=NO_EVENT)
        _keep(state, timer.subject, trying.put(one, failed))


def _take(state: State, frame: Frame) -> None:
    _, word, device = (*frame.channel.split("/", 2), "", "")[:3]
    if frame.transport is not Transport.PERSON or not frame.source:
        raise Refused("a check is made by somebody")
    if word not in _WORDS:
        raise Refused(f"allowed: check/{'|'.join(_WORDS)}/<device>")
    _WORDS[word](state, frame, device, _read.decode(frame.payload or b"{}"))


def _open(state: State, frame: Frame, name: str, _: Said) -> None:
    device, enrolment = state.registry.devices.get(name), state.registry.enrolments.get(name)
    if device is None or enrolment is None or device.tenant == SYNTHETIC:
        raise Refused(f"device: found {name!r}; allowed: an enrolled device")
    known = state.checks.of(name)
    if known.open is not None:
        raise Refused(f"the device is being checked already, by {known.open.actor}")
    asked = tuple(
        Item(key=one.key, must=one.must, passive=True, outcome=Outcome.ASKED, asked_at=state.now, tries=1)
        for one in watched_of(device.kind, enrolment.heartbeat_s)
    )
    begun = Check(
        actor=frame.source,
        adapter=device.adapter,
        native_id=device.native_id,
        kind=device.kind,
        opened_at=state.now,
        expires_at=state.now + LASTS,
        frame=frame.position,
        items=(*(Item(key=one.key, must=one.must) for one in TRIED[device.kind]), *asked),
    )
    timer = Timer(owner=CHECK_OWNER, subject=name, name=EXPIRY, due_at=begun.expires_at, set_at=state.now)
    state.arm(timer)
    _keep(state, name, trying.onward(begun, state.now))


def _ask(state: State, _: Frame, name: str, said: Said) -> None:
    one, item = _step(state, name, said)
    if not item.passive and one.current is not None and one.current.key != item.key:
        waiting = replace(one.current, outcome=Outcome.WAITING)
        one = trying.put(one, waiting)
    _keep(state, name, trying.put(one, trying.asked(item, state.now)))


def _skip(state: State, frame: Frame, name: str, said: Said) -> None:
    _settle(state, frame, name, said, Outcome.SKIPPED)


def _fail(state: State, frame: Frame, name: str, said: Said) -> None:
    _settle(state, frame, name, said, Outcome.FAILED)


def _settle(state: State, frame: Frame, name: str, said: Said, outcome: Outcome) -> None:
    one, item = _step(state, name, said)
    reason = _reason(said)
    if item.outcome is Outcome.FULFILLED and outcome is Outcome.SKIPPED:
        raise Refused("the step is fulfilled: there is nothing to skip")
    settled = Item(
        key=item.key,
        must=item.must,
        passive=item.passive,
        outcome=outcome,
        asked_at=item.asked_at,
        tries=item.tries,
        done_at=state.now,
        actor=frame.source,
        frame=frame.position,
        why=reason,
    )
    _keep(state, name, trying.onward(trying.put(one, settled), state.now))


def _confirm(state: State, frame: Frame, name: str, said: Said) -> None:
    """Close an alert of the device that was a test; Refused if it came again since it was looked at."""
    one = _opened(state, name)
    alert = state.alerts.get(said.alert)
    if alert is None or alert.device != name:
        raise Refused("the alert is closed already, or is none of this device")
    if alert.frame < one.frame:
        raise Refused("the alert was raised before the check was opened: it is no test")
    if said.seen is None:
        raise Refused("confirming a test needs the count that was seen (seen)")
    words = answer.Answer(
        actor=frame.source,
        outcome=AlertOutcome.TEST,
        note="commissioning check",
        seen=said.seen,
        seen_severity=said.seen_severity,
    )
    answer.close(state, alert, words, frame)


def _give_up(state: State, frame: Frame, name: str, said: Said) -> None:
    _opened(state, name)
    told = Ended(at=state.now, how=End.GIVEN_UP, actor=frame.source, reason=_reason(said))
    _end(state, frame, name, told)


def _sign(state: State, frame: Frame, name: str, _: Said) -> None:
    one = _opened(state, name)
    if one.missing:
        raise Refused(f"not fulfilled, and not skipped with a reason: {', '.join(one.missing)}")
    device, status = state.registry.devices[name], state.statuses.get(name)
    protocol = Protocol(
        device=name,
        kind=one.kind,
        adapter=one.adapter,
        native_id=one.native_id,
        model=device.model,
        firmware=status.firmware if status else "",
        home=state.registry.enrolments[name].home,
        opened_at=one.opened_at,
        opened_by=one.actor,
        signed_at=state.now,
        signed_by=frame.source,
        frame=frame.position,
        items=tuple(_final(item) for item in one.items),
    )
    known = state.checks.of(name)
    kept = (*known.protocols, protocol)[-KEPT_PROTOCOLS:]
    state.checks.keep(replace(known, protocols=kept, signed=known.signed + 1))
    _end(state, frame, name, Ended(at=state.now, how=End.SIGNED, actor=frame.source))


def _final(item: Item) -> Item:
    """Return a step as a protocol has it: nothing waits any more."""
    waits = item.outcome in {Outcome.WAITING, Outcome.ASKED}
    return replace(item, outcome=Outcome.UNHEARD) if waits else item


def _end(state: State, frame: Frame, name: str, told: Ended) -> None:
    """End a check, and let the staff have at once what it held back."""
    for timer in (EXPIRY, STEP):
        state.disarm(f"{CHECK_OWNER}\0{name}\0{timer}")
    state.checks.keep(replace(state.checks.of(name), open=None, ended=told))
    holding.release(state, name, frame, f"the check has ended: {told.how}")


def _opened(state: State, name: str) -> Check:
    found = state.checks.open.get(name)
    if found is None:
        raise Refused(f"device {name}: no check is open")
    return found


def _step(state: State, name: str, said: Said) -> tuple[Check, Item]:
    one = _opened(state, name)
    found = next((item for item in one.items if item.key == said.step), None)
    if found is None:
        allowed = ", ".join(item.key for item in one.items)
        raise Refused(f"step: found {said.step!r}; allowed: {allowed}")
    return one, found


def _reason(said: Said) -> str:
    reason = said.reason.strip()
    if not reason:
        raise Refused("this needs a reason")
    return reason[:MAX_REASON]


def _changed(state: State, name: str, before: Check, now: Check) -> None:
    if now != before:
        _keep(state, name, now)


def _keep(state: State, name: str, one: Check) -> None:
    """Keep the check, and look again when the step that waits has waited long enough."""
    known = state.checks.of(name)
    state.checks.keep(replace(known, open=one))
    item, key = one.current, f"{CHECK_OWNER}\0{name}\0{STEP}"
    if item is None or item.asked_at is None:
        state.disarm(key)
        return
    due_at = item.asked_at + timedelta(seconds=trying.within_s(one, item))
    state.arm(Timer(owner=CHECK_OWNER, subject=name, name=STEP, due_at=due_at, set_at=state.now))


_WORDS: dict[str, Callable[[State, Frame, str, Said], None]] = {
    "open": _open,
    "ask": _ask,
    "skip": _skip,
    "fail": _fail,
    "confirm": _confirm,
    "give_up": _give_up,
    "sign": _sign,
}
