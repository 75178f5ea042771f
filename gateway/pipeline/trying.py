"""Trying: what a device says fulfils the steps of its check; only what it says after it was asked."""

from collections.abc import Callable
from datetime import datetime, timedelta

from msgspec.structs import replace

from gateway.model.commissioning import (
    BATTERY,
    CLOCK,
    FIRMWARE,
    HEARD,
    HEARTBEAT,
    SIGNAL,
    TRIED,
    Check,
    Item,
    Outcome,
)
from gateway.model.event import Event
from gateway.model.frame import Frame
from gateway.model.status import DeviceStatus
from gateway.model.vocabulary import ClockQuality
from gateway.pipeline.health import GRACE

CLOCKS_DIFFER = timedelta(seconds=10)
"""So much earlier than it was asked for may a device say that it happened: clocks are never quite equal."""
OFFSET_S = 30.0
"""A clock that differs by more is wrong."""
EARLY = 0.5
"""Of its promised interval a heartbeat must leave out so much at least, or it is another message."""
BEFORE_ASKED, CLOCK_WRONG = "before_asked", "clock_wrong"


def put(check: Check, item: Item) -> Check:
    """Return the check with a step's new value."""
    return replace(check, items=tuple(item if one.key == item.key else one for one in check.items))


def asked(item: Item, now: datetime) -> Item:
    """Return a step as it is when it is asked for, the first time or again."""
    return Item(
        key=item.key,
        must=item.must,
        passive=item.passive,
        outcome=Outcome.ASKED,
        asked_at=now,
        tries=item.tries + 1,
    )


def onward(check: Check, now: datetime) -> Check:
    """Ask for the first step that was not asked for yet, unless one is asked for now."""
    if check.current is not None:
        return check
    following = next((one for one in check.items if one.outcome is Outcome.WAITING), None)
    return check if following is None else put(check, asked(following, now))


def within_s(check: Check, item: Item) -> float:
    """Return how long a step waits for its event, seconds."""
    return next(one.within_s for one in TRIED[check.kind] if one.key == item.key)


def with_event(check: Check, event: Event, frame: Frame) -> Check:
    """Return the check with what an event fulfils: the step that is asked for, and the clock."""
    return _clock(_current(check, event, frame), event)


def with_status(check: Check, status: DeviceStatus, heartbeat_s: float | None, frame: Frame) -> Check:
    """Return the check with what the device's latest word shows of the device itself."""
    for item in check.items:
        if item.passive and item.outcome is Outcome.ASKED:
            if item.key == HEARTBEAT and heartbeat_s is not None:
                check = put(check, _beat(item, heartbeat_s, frame))
            elif evidence := _EVIDENCE.get(item.key, _nothing)(status):
                check = put(check, _fulfilled(item, frame, evidence))
    return check


def _current(check: Check, event: Event, frame: Frame) -> Check:
    item = check.current
    if item is None or item.asked_at is None or frame.retained:
        return check
    wanted = next(one.events for one in TRIED[check.kind] if one.key == item.key)
    if (wanted and event.type not in wanted) or event.received_at < item.asked_at:
        return check
    if event.occurred_at < item.asked_at - CLOCKS_DIFFER:
        return put(check, replace(_told(item, event), why=BEFORE_ASKED))
    return onward(put(check, _told(_fulfilled(item, frame, ""), event)), frame.received_at)


def _clock(check: Check, event: Event) -> Check:
    item = next((one for one in check.items if one.key == CLOCK), None)
    if item is None or item.outcome is not Outcome.ASKED:
        return check
    told = _told(item, event)
    right = abs(event.late_s) <= OFFSET_S and event.clock is not ClockQuality.UNSYNCED
    if not right:
        return put(check, replace(told, why=CLOCK_WRONG))
    return put(check, replace(told, outcome=Outcome.FULFILLED, done_at=event.received_at, why=""))


def _fulfilled(item: Item, frame: Frame, evidence: str) -> Item:
    return replace(
        item,
        outcome=Outcome.FULFILLED,
        done_at=frame.received_at,
        received_at=frame.received_at,
        frame=frame.position,
        evidence=evidence,
        why="",
    )


def _told(item: Item, event: Event) -> Item:
    """Return a step with the event that was heard for it."""
    return replace(
        item,
        event=event.id,
        type=event.type,
        occurred_at=event.occurred_at,
        received_at=event.received_at,
        clock=event.clock,
        offset_s=event.late_s,
        frame=event.frame,
    )


def _beat(item: Item, heartbeat_s: float, frame: Frame) -> Item:
    before = item.received_at
    gap_s = (frame.received_at - before).total_seconds() if before else 0.0
    if EARLY * heartbeat_s <= gap_s <= GRACE * heartbeat_s:
        return _fulfilled(item, frame, f"interval_s={gap_s:.0f} promised_s={heartbeat_s:.0f}")
    return replace(item, received_at=frame.received_at)


def _nothing(_: DeviceStatus) -> str:
    return ""


def _battery(status: DeviceStatus) -> str:
    return "" if status.battery_percent is None else f"battery_percent={status.battery_percent:.0f}"


def _signal(status: DeviceStatus) -> str:
    return "" if status.link_quality is None else f"link_quality={status.link_quality:g}"


_EVIDENCE: dict[str, Callable[[DeviceStatus], str]] = {
    HEARD: lambda status: f"ingress={status.ingress}" if status.ingress else "heard=1",
    BATTERY: _battery,
    FIRMWARE: lambda status: f"firmware={status.firmware}" if status.firmware else "",
    SIGNAL: _signal,
}
