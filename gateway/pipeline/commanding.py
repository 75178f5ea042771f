"""Commanding: a command is an input, and so is every proof of how far it got; what must be sent is data.

Nothing is sent here: an order that is `requested` in a commit is carried out by the service that hears of it.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from gateway.contract import Manifest, Refused
from gateway.model.equipment import OPEN, Order, OrderState, Step
from gateway.model.frame import Frame, Transport
from gateway.model.reading import CommandResult
from gateway.model.registry import Device
from gateway.model.status import Timer
from gateway.model.trace import Trace, Verdict
from gateway.model.vocabulary import DeviceKind, Masking, Reference
from gateway.model.wire import CommandId, Do
from gateway.pipeline.state import ORDER_OWNER, State

LONGEST: Mapping[str, timedelta] = {
    "unlock": timedelta(minutes=10),
    "lock": timedelta(hours=1),
    "locate": timedelta(hours=1),
    "supervise": timedelta(minutes=15),
}
"""How long a command may wait for its device: an unlocking that comes late opens a door to nobody."""
LONGEST_LOOK = timedelta(hours=1)
MAX_OPEN = 8
"""Commands that one device may have open at once."""
MAX_DETAIL = 200
KINDS: Mapping[str, frozenset[DeviceKind]] = {
    "unlock": frozenset({DeviceKind.LOCK}),
    "lock": frozenset({DeviceKind.LOCK}),
    "locate": frozenset({DeviceKind.GPS_ALARM, DeviceKind.GPS_TRACKER}),
    "supervise": frozenset({DeviceKind.CAMERA}),
}
COMPETENCES: Mapping[str, str] = {"unlock": "keys", "supervise": "supervision"}
"""What somebody who is among the staff must have for a command that reaches into a home."""
TECHNICIAN = "technician"
_PROVED = {OrderState.SENT: 1, OrderState.DELIVERED: 2}
Manifests = Mapping[str, Manifest]


class Ordering(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A command as somebody gives it; `within_s` is how long it may wait for the device, in seconds."""

    actor: str
    do: Do
    device: str
    reason: str
    within_s: float = 60
    right: str = ""
    visit: Reference | None = None
    until: datetime | None = None
    masking: Masking | None = None
    slot: Reference | None = None


_read = msgspec.json.Decoder(Ordering)
_id = msgspec.json.Decoder(CommandId)


def command(state: State, frame: Frame, manifests: Manifests) -> None:
    """Take `command/<id>/order` from a person, or `command/<id>/sent|delivered|failed` as a proof."""
    parts = frame.channel.split("/")
    if len(parts) != 3:
        _ignore(state, frame, "not command/<id>/<word>")
    elif frame.transport is Transport.PERSON and parts[2] == "order":
        try:
            _order(state, frame, parts[1], manifests)
        except (Refused, msgspec.DecodeError, UnicodeDecodeError) as refusal:
            state.changes.refusals[frame.position] = str(refusal)
            state.trace(Trace(frame.position, "command", Verdict.REFUSED, str(refusal)))
    elif frame.transport is Transport.RECEIPT:
        _proof(state, frame, parts[1], parts[2])
    else:
        _ignore(state, frame, f"{parts[2][:40]!r} is no word of a command")


def outcome(state: State, frame: Frame, device: Device, told: CommandResult) -> str:
    """Match a device's result with its command; return why it changes nothing, "" when it does.

    A result that overtakes the expiry holds: the device did, or refused, in time, and said so late.
    """
    order = state.equipment.orders.get(told.id)
    if order is None or order.device != device.id:
        return f"result of a command that was not given to this device: {told.outcome}"
    if order.state not in OPEN and order.state is not OrderState.EXPIRED:
        return f"result {told.outcome} of a command that is {order.state} already"
    reached = OrderState(told.outcome)
    if reached is order.state:
        return f"result {told.outcome} of a command that is {order.state} already"
    late = "told after the expiry" if order.state is OrderState.EXPIRED else ""
    _advance(state, frame, order, reached, "; ".join(part for part in (told.told, late) if part))
    return ""


def expire(state: State, timer: Timer, frame: Frame) -> None:
    """End a command whose time is over; nothing sends it again after that."""
    order = state.equipment.orders.get(timer.subject)
    if order is not None and order.state in OPEN:
        detail = f"no result in time; it was {order.state}"
        _advance(state, frame, order, OrderState.EXPIRED, detail)


def cannot(device: Device, do: str, manifests: Manifests) -> str:
    """Say why a device can never be given a command, "" when it can."""
    manifest = manifests.get(device.adapter)
    if manifest is None:
        return f"the adapter {device.adapter} is not loaded"
    if do not in manifest.commands:
        known = ", ".join(manifest.commands) or "none"
        return f"the adapter {device.adapter} cannot send {do!r}; it can send: {known}"
    if device.kind not in KINDS[do]:
        return f"a device of kind {device.kind} cannot {do}; only {', '.join(sorted(KINDS[do]))}"
    return ""


def _order(state: State, frame: Frame, order_id: str, manifests: Manifests) -> None:
    told = _read.decode(frame.payload)
    _id.decode(msgspec.json.encode(order_id))
    known = state.equipment.orders.get(order_id)
    if known is not None:
        if (known.device, known.do, known.actor) != (told.device, told.do, told.actor):
            raise Refused(f"id: {order_id!r} is another command already")
        return  # asked again: it was given once
    device = state.registry.devices.get(told.device)
    if device is None or device.id not in state.registry.enrolments:
        raise Refused(f"device: found {told.device!r}; allowed: an enrolled device")
    if reason := cannot(device, told.do, manifests):
        raise Refused(reason)
    if not told.reason.strip():
        raise Refused("a command needs a reason")
    if len(state.equipment.open_orders(device.id)) >= MAX_OPEN:
        raise Refused(f"{MAX_OPEN} commands of the device wait already: the limit")
    right = _right(state, device, told)
    expires_at = frame.received_at + _span(frame, told)
    order = Order(
        id=order_id,
        device=device.id,
        do=told.do,
        actor=told.actor,
        right=right,
        reason=told.reason.strip()[:MAX_DETAIL],
        requested_at=frame.received_at,
        expires_at=expires_at,
        visit=told.visit,
        until=told.until,
        masking=told.masking,
        slot=told.slot,
    )
    _advance(state, frame, order, OrderState.REQUESTED, "")
    state.arm(Timer(owner=ORDER_OWNER, subject=order_id, name="expiry", due_at=expires_at, set_at=state.now))


def _span(frame: Frame, told: Ordering) -> timedelta:
    """Return how long the command may wait; refuses what is longer than its kind may, and endless looks."""
    longest = LONGEST[told.do]
    if not 1 <= told.within_s <= longest.total_seconds():
        raise Refused(f"within_s: found {told.within_s:g}; allowed: 1 to {longest.total_seconds():g} seconds")
    if told.do == "supervise":
        ends = told.until
        if ends is None or ends.tzinfo is None or told.masking is None:
            raise Refused("supervise needs until (with offset) and masking (0 to 4)")
        if not frame.received_at < ends <= frame.received_at + LONGEST_LOOK:
            raise Refused("until: allowed: within the next hour")
    return timedelta(seconds=told.within_s)


def _right(state: State, device: Device, told: Ordering) -> str:
    """Return what lets the actor give the command; Refused for staff of others, or without the competence."""
    staff = state.people.known(state.registry, told.actor)
    if staff is None:
        return told.right or "api"
    if staff.tenant != device.tenant:
        raise Refused("the device belongs to another tenant")
    needed = COMPETENCES.get(told.do)
    if needed is None:
        return told.right or "staff"
    if needed in staff.competences:
        return f"competence {needed}"
    if TECHNICIAN in staff.roles and told.do != "supervise":
        return f"role {TECHNICIAN}"
    raise Refused(f"{told.do} needs the competence {needed!r}")


def _proof(state: State, frame: Frame, order_id: str, word: str) -> None:
    order = state.equipment.orders.get(order_id)
    reached = {one.value: one for one in (*_PROVED, OrderState.FAILED)}.get(word)
    if order is None or reached is None or order.state not in OPEN:
        _ignore(state, frame, "no such command waits for a proof")
        return
    if reached is not OrderState.FAILED and _PROVED[reached] <= _PROVED.get(order.state, 0):
        _ignore(state, frame, f"{reached} says no more than {order.state}, which is known")
        return
    _advance(state, frame, order, reached, frame.payload.decode(errors="replace"))


def _advance(state: State, frame: Frame, order: Order, reached: OrderState, detail: str) -> None:
    step = Step(frame.received_at, reached, frame.position, detail[:MAX_DETAIL])
    state.equipment.keep_order(replace(order, state=reached, steps=(*order.steps, step)))
    if reached not in OPEN:
        state.disarm(f"{ORDER_OWNER}\0{order.id}\0expiry")


def _ignore(state: State, frame: Frame, reason: str) -> None:
    state.trace(Trace(frame.position, "command", Verdict.IGNORED, reason))
