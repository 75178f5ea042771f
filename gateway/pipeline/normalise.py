"""Normalise: whose device, when did it really happen, is it news: a reading becomes an event or status."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from gateway.model.event import Event, event_id
from gateway.model.frame import Frame
from gateway.model.reading import CommandResult, Ignored, Reading
from gateway.model.registry import Device, Enrolment
from gateway.model.status import DeviceStatus, Discovered
from gateway.model.trace import Trace, Verdict
from gateway.model.vocabulary import ClockQuality
from gateway.pipeline.commanding import outcome
from gateway.pipeline.decode import Decoded
from gateway.pipeline.health import hear, late, note
from gateway.pipeline.meaning import as_happening, as_level, repeated
from gateway.pipeline.news import AHEAD_AFTER, ANCIENT_AFTER, Hearing, sent_again, why_not_news
from gateway.pipeline.state import State, Watched

SENT_BEFORE = "the same event was received before"
ANCIENT_AFTER_S = ANCIENT_AFTER.total_seconds()
NO_TIME = datetime.fromtimestamp(0, UTC)
MAX_DISCOVERED = 10_000
"""Discovered devices kept by name; past it new ones are only traced, so that noise cannot fill memory."""
FUTURE_AFTER_S = AHEAD_AFTER.total_seconds()
"""A device time further ahead than this says that the clock is wrong, not that the event is."""


def doubtful(state: State, decoded: Iterable[Decoded]) -> list[str]:
    """Return the event ids that only the event log can judge, for one look-up before the batch is walked.

    An id contains the device's time, so an event newer than everything its device has sent is
    certainly new; only the others can be duplicates.
    """
    asked: list[str] = []
    for result in decoded:
        for reading in result.items:
            if not isinstance(reading, Reading) or not reading.key:
                continue
            watched = state.watched(result.adapter, reading.native_id)
            if watched is not None and not _newer(watched.status, reading):
                asked.append(_identity(watched.device, reading))
    return asked


def normalise(
    state: State, frame: Frame, decoded: Decoded, known: frozenset[str], now: datetime
) -> Iterator[Event]:
    """Yield the events of one frame; what is no event leaves status, a discovered device or a trace."""
    remarks: list[Trace] = []
    told = False
    acted: dict[str, str] = {}
    for index, said in enumerate(decoded.items):
        if isinstance(said, Ignored) and not isinstance(said, CommandResult):
            remarks.append(Trace(frame.position, "decode", Verdict.IGNORED, said.reason))
            continue
        watched = state.watched(decoded.adapter, said.native_id)
        if isinstance(said, CommandResult):
            remarks += _result(state, frame, watched, said)
            continue
        if watched is None:
            remarks.append(_discover(state, frame, decoded.adapter, said))
            continue
        device, status = watched.device, watched.status
        item = as_level(said, device.kind, watched.enrolment.role)
        if not frame.retained and item.type != "device.offline":
            hear(status, frame, watched.enrolment)
        note(state, watched, item, frame)
        state.touched(status)
        identity = _identity(device, item) if item.key else _frame_identity(device, frame, index)
        hearing = Hearing(status, frame, item)
        if identity in known or state.uncommitted(identity) or sent_again(hearing):
            remarks.append(_remark(frame, Verdict.DUPLICATE, SENT_BEFORE, device))
            continue
        reason = _note(hearing, acted) or repeated(item, status)
        if reason is not None:
            remarks.append(_remark(frame, Verdict.NOT_NEWS, reason, device))
            continue
        told = True
        status.late += late(hearing.said_at, frame)
        yield _event(hearing, device, watched.enrolment, identity, now)
    if not told:
        for remark in remarks:
            state.trace(remark)


def _identity(device: Device, reading: Reading) -> str:
    return event_id(device.id, f"{reading.key}\0{reading.type}", reading.occurred_at or NO_TIME)


def _frame_identity(device: Device, frame: Frame, index: int) -> str:
    """Give an event without a key of its own the identity of its place in the journal."""
    return event_id(device.id, f"frame {frame.position} {index}", frame.received_at)


def _newer(status: DeviceStatus, reading: Reading) -> bool:
    newest_at, occurred_at = status.newest_at, reading.occurred_at
    return newest_at is not None and occurred_at is not None and occurred_at > newest_at


def _note(hearing: Hearing, acted: dict[str, str]) -> str | None:
    """Bring the status up to date; say why the reading is not news, None when it is."""
    status, said_at = hearing.status, hearing.said_at
    if hearing.reading.values.battery_percent is not None:
        status.battery_percent = hearing.reading.values.battery_percent
    reason = why_not_news(hearing, acted)
    if status.newest_at is None or said_at > status.newest_at:
        status.newest_at = said_at
    return reason


def _remark(frame: Frame, verdict: Verdict, reason: str, device: Device) -> Trace:
    return Trace(frame.position, "normalise", verdict, reason, device=device.id)


def _event(hearing: Hearing, device: Device, enrolment: Enrolment, identity: str, now: datetime) -> Event:
    frame, reading = hearing.frame, as_happening(hearing.reading, device.kind, enrolment.role)
    late_s = (frame.received_at - hearing.said_at).total_seconds()
    wrong = not -FUTURE_AFTER_S <= late_s <= ANCIENT_AFTER_S
    return Event(
        id=identity,
        type=reading.type,
        device=device.id,
        kind=device.kind,
        home=enrolment.home,
        person=enrolment.person,
        occurred_at=hearing.said_at,
        received_at=frame.received_at,
        processed_at=now,
        clock=ClockQuality.UNSYNCED if wrong else reading.clock,
        late_s=late_s,
        frame=frame.position,
        values=reading.values,
        sequence=reading.sequence,
    )


def _result(state: State, frame: Frame, watched: Watched | None, item: CommandResult) -> Iterator[Trace]:
    """Match the result of a command; yields what is wrong with it, if something is."""
    if watched is None:
        yield Trace(frame.position, "normalise", Verdict.IGNORED, "a command's result of an unknown device")
    elif reason := outcome(state, frame, watched.device, item):
        yield _remark(frame, Verdict.NOT_NEWS, reason, watched.device)


def _discover(state: State, frame: Frame, adapter: str, reading: Reading) -> Trace:
    """Show a device that is not enrolled to engineers; staff hear nothing of it."""
    key = f"{adapter}\0{reading.native_id}"
    found = state.discovered.get(key)
    if found is None and len(state.discovered) >= MAX_DISCOVERED:
        return Trace(frame.position, "normalise", Verdict.UNKNOWN_DEVICE, f"{MAX_DISCOVERED} unknown already")
    if found is None:
        found = Discovered(
            adapter=adapter,
            native_id=reading.native_id,
            kind=reading.kind,
            first_seen_at=frame.received_at,
            last_seen_at=frame.received_at,
            frames=0,
            ingress=frame.ingress,
        )
    found.frames += 1
    found.last_seen_at, found.last_frame, found.last_type = frame.received_at, frame.position, reading.type
    state.discover(key, found)
    reason = f"{adapter} device {reading.native_id!r} is not enrolled: shown, and silent"
    return Trace(frame.position, "normalise", Verdict.UNKNOWN_DEVICE, reason)
