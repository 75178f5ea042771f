"""Delivering: one recipient's way through the channels, from the first ring to the proof."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import NamedTuple

from msgspec.structs import replace

from gateway.model.alert import Alert, AlertState, Severity
from gateway.model.delivery import Delivery, DeliveryState
from gateway.model.frame import Frame
from gateway.model.status import Timer
from gateway.pipeline.state import DELIVERY_OWNER, State

ID_BYTES = 10
PAGE = "page"
LATER = frozenset({"sms", "voice", "email"})
"""Channels that cost money or disturb whoever is off the page; every other one rings at once."""
SILENT = frozenset({"console", "webhook"})
"""Channels that never show a person anything, so that nothing is waited for on their account."""
KEEP_ROUND = timedelta(minutes=5)
"""How long a proof of an earlier ring still counts for the recipient."""
MAX_ATTEMPTS = 4
RETRY_FIRST = timedelta(seconds=2)
"""Pause before the second attempt by a channel that is disturbed; doubled for each further one."""


class Climb(NamedTuple):
    """What follows when nothing shows that the recipient saw it: after how long (None: on failure only)."""

    wait: timedelta | None
    channels: tuple[str, ...]


CLIMBS: Mapping[Severity, Climb] = {
    Severity.HIGH: Climb(timedelta(seconds=15), ("sms", "voice", "email")),
    Severity.MEDIUM: Climb(timedelta(seconds=60), ("sms", "email")),
    Severity.LOW: Climb(None, ("email",)),
    Severity.INFO: Climb(None, ()),
}
"""Alert rules, section 5.0 (receipt on phone) and section 6, decision 8."""


def deliver(state: State, frame: Frame, alert: Alert, recipient: str, deadline: datetime) -> None:
    """Ring one recipient (a team or a person on duty) for an alert that must be answered by `deadline`.

    Where an earlier ring had to go on to the later channels unseen, the next one does not wait as long; nor
    where a High alert was shown, and nobody answered in its time: a page that is open is no person.
    """
    before = _of(state, alert.id, recipient)
    for one in before:
        if state.now - one.queued_at > KEEP_ROUND:
            state.put_delivery(replace(one, settled=True))
    first = tuple(channel for channel in state.channels if channel not in LATER)
    ring = _Ring(alert, recipient, deadline, alert.step, alert.version, frame.position)
    _send(state, ring, first, rung=0)
    if _unheeded(state, alert, before) or not _hopeful(_of(state, alert.id, recipient), ring.round):
        _climb(state, ring, after="")
    else:
        _wait(state, ring, _climbed_at(before))


def overdue(state: State, timer: Timer, frame: Frame) -> None:
    """Nothing has shown in time that the recipient saw it: ring by the later channels."""
    alert = state.alerts.get(timer.subject)
    sent = [one for one in _of(state, timer.subject, timer.name) if one.rung == 0]
    if alert is None or not sent or any(one.state is DeliveryState.DISPLAYED for one in sent):
        return
    last = max(sent, key=_last)
    moved_on = alert.state is AlertState.OFFERED and alert.step != last.step
    if not moved_on:
        _climb(state, _ring_of(alert, last, frame), after=last.id)


def failed(state: State, delivery: Delivery, frame: Frame, *, again: bool) -> None:
    """Try the same channel again if it is only disturbed, and go on at once if it was the last hope."""
    alert = state.alerts.get(delivery.alert)
    if alert is None:
        return
    if again:
        _retry(state, delivery, frame)
    others = _of(state, delivery.alert, delivery.recipient)
    seen = any(one.state is DeliveryState.DISPLAYED for one in others)
    if delivery.rung == 0 and not seen and not _hopeful(others, delivery.round):
        _climb(state, _ring_of(alert, delivery, frame), after=delivery.id)


def displayed(state: State, delivery: Delivery) -> None:
    """The recipient has seen it: nothing further goes out to them for this ring."""
    state.disarm(_timer_key(delivery.alert, delivery.recipient))
    for one in _of(state, delivery.alert, delivery.recipient):
        if one.rung > 0 and one.state is DeliveryState.QUEUED:
            state.put_delivery(replace(one, state=DeliveryState.SKIPPED, reason="seen before it was sent"))


def shown(state: State, alert_id: str, recipient: str, frame: Frame) -> bool:
    """A page shows the alert to the recipient; False when nothing to them is outstanding.

    A page that was opened only after the ring is a delivery of its own: the one of then has failed.
    """
    theirs = _of(state, alert_id, recipient)
    if not theirs:
        return False
    newest = max(theirs, key=_last)
    page = next((one for one in theirs if one.channel == PAGE and one.round == newest.round), None)
    if page is None:
        page = replace(
            newest,
            id=_id(f"{newest.id}\0shown"),
            channel=PAGE,
            reason="",
            rung=0,
            after=newest.id,
            queued_at=state.now,
            due_at=None,
            frame=frame.position,
        )
    state.put_delivery(replace(page, state=DeliveryState.DISPLAYED))
    displayed(state, page)
    return True


def settle(state: State) -> None:
    """Settle what is outstanding for alerts that this step let somebody take, or closed."""
    for alert_id, taken_by in state.answered.items():
        for one in state.deliveries_of(alert_id):
            state.disarm(_timer_key(alert_id, one.recipient))
            state.put_delivery(_settled(one, taken_by, theirs=_stands_for(state, taken_by, one.recipient)))
    state.answered.clear()


class _Ring(NamedTuple):
    """One ring of one recipient: what all its deliveries have in common."""

    alert: Alert
    recipient: str
    deadline: datetime
    step: int
    round: int
    frame: int


def _ring_of(alert: Alert, one: Delivery, frame: Frame) -> _Ring:
    return _Ring(alert, one.recipient, one.deadline, one.step, one.round, frame.position)


def _send(state: State, ring: _Ring, channels: Sequence[str], rung: int, after: str = "") -> None:
    """Queue a delivery by each channel; one that still waits to be sent is brought up to date instead."""
    waiting = {
        one.channel: one
        for one in _of(state, ring.alert.id, ring.recipient)
        if one.state is DeliveryState.QUEUED and one.attempt == 1
    }
    for channel in channels:
        known = waiting.get(channel)
        parts = f"{ring.alert.id}\0{ring.round}\0{ring.recipient}\0{channel}"
        state.put_delivery(
            Delivery(
                id=known.id if known else _id(parts),
                alert=ring.alert.id,
                recipient=ring.recipient,
                channel=channel,
                step=ring.step,
                round=ring.round,
                queued_at=known.queued_at if known else state.now,
                deadline=ring.deadline,
                rung=rung,
                after=after,
                frame=ring.frame,
            )
        )


def _climb(state: State, ring: _Ring, after: str) -> None:
    state.disarm(_timer_key(ring.alert.id, ring.recipient))
    channels = CLIMBS[ring.alert.severity].channels
    _send(state, ring, [one for one in channels if one in state.channels], rung=1, after=after)


def _unheeded(state: State, alert: Alert, before: Sequence[Delivery]) -> bool:
    """Tell whether a High alert was shown to the recipient before, and its time ran out all the same."""
    if alert.severity is not Severity.HIGH or alert.state is not AlertState.OFFERED:
        return False
    return any(one.state is DeliveryState.DISPLAYED and one.deadline <= state.now for one in before)


def _climbed_at(before: Sequence[Delivery]) -> datetime | None:
    """Return when an earlier ring last had to go on to the later channels, None if it was seen after all."""
    if any(one.state is DeliveryState.DISPLAYED for one in before):
        return None
    return max((one.queued_at for one in before if one.rung > 0), default=None)


def _wait(state: State, ring: _Ring, climbed_at: datetime | None) -> None:
    """Look again when the proof is due; one that is waited for already comes no later for a new ring."""
    wait, channels = CLIMBS[ring.alert.severity]
    if wait is None or not set(channels).intersection(state.channels):
        return
    due_at = (climbed_at or state.now) + wait
    if due_at <= state.now:
        _climb(state, ring, after="")
        return
    armed = state.timer(_timer_key(ring.alert.id, ring.recipient))
    if armed is None or armed.due_at > due_at:
        timer = Timer(
            owner=DELIVERY_OWNER, subject=ring.alert.id, name=ring.recipient, due_at=due_at, set_at=state.now
        )
        state.arm(timer)


def _retry(state: State, delivery: Delivery, frame: Frame) -> None:
    """Queue a further attempt, linked to the one that failed; never one past the deadline."""
    due_at = state.now + RETRY_FIRST * 2 ** (delivery.attempt - 1)
    if delivery.attempt >= MAX_ATTEMPTS or due_at >= delivery.deadline:
        return
    state.put_delivery(
        replace(
            delivery,
            id=_id(f"{delivery.id}\0again"),
            state=DeliveryState.QUEUED,
            reason="",
            settled=False,
            attempt=delivery.attempt + 1,
            after=delivery.id,
            queued_at=state.now,
            due_at=due_at,
            frame=frame.position,
        )
    )


def _stands_for(state: State, taken_by: str | None, recipient: str) -> bool:
    """Tell whether who took it is the recipient, or one of the team that was asked."""
    staff = state.people.known(state.registry, taken_by) if taken_by else None
    return taken_by == recipient or (staff is not None and recipient in staff.teams)


def _settled(one: Delivery, taken_by: str | None, *, theirs: bool) -> Delivery:
    if one.state is DeliveryState.QUEUED:
        reason = "taken before it was sent" if taken_by else "closed before it was sent"
        return replace(one, state=DeliveryState.SKIPPED, reason=reason)
    if theirs:
        return replace(one, state=DeliveryState.ACCEPTED, settled=True)
    return replace(one, settled=True)


def _hopeful(deliveries: Sequence[Delivery], ring: int) -> bool:
    """Tell whether something of this ring may still be seen: a further attempt counts once it is sent."""
    return any(
        one.round == ring
        and one.channel not in SILENT
        and (one.state is not DeliveryState.QUEUED or one.attempt == 1)
        for one in deliveries
    )


def _last(one: Delivery) -> tuple[int, bool]:
    """Of the newest ring, rather a delivery that somebody could have seen."""
    return one.round, one.channel not in SILENT


def _of(state: State, alert_id: str, recipient: str) -> list[Delivery]:
    return [one for one in state.deliveries_of(alert_id) if one.recipient == recipient]


def _timer_key(alert_id: str, recipient: str) -> str:
    return f"{DELIVERY_OWNER}\0{alert_id}\0{recipient}"


def _id(parts: str) -> str:
    return blake2b(parts.encode(), digest_size=ID_BYTES).hexdigest()
