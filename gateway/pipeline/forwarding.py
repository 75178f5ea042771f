"""Forwarding: what a home edge passed on becomes the frame that it heard, once, and for its own home only."""

from collections.abc import Iterator

import msgspec
from msgspec.structs import replace

from gateway.model.forwarded import ADAPTER
from gateway.model.frame import Frame
from gateway.model.registry import Device, Registry
from gateway.model.trace import Trace, Verdict
from gateway.model.vocabulary import DeviceKind
from gateway.pipeline.decode import Decoded
from gateway.pipeline.edges import Edges
from gateway.pipeline.health import spoke
from gateway.pipeline.news import AHEAD_AFTER, ANCIENT_AFTER
from gateway.pipeline.state import State

CLAUSE = "edge"
STEP = "forwarding"


def opened(registry: Registry, edges: Edges, outer: Frame, decoded: Decoded) -> tuple[Frame, Decoded] | None:
    """Return the frame that was heard and what it said; None when it came before.

    What an edge may not say comes back as a failure of the edge, whose message is kept.
    """
    told = decoded.forwarded
    if told is None:  # the envelope itself could not be read
        return outer, decoded
    edge = registry.device_named(ADAPTER, decoded.edge)
    if edge is None or edge.id not in registry.enrolments:
        return outer, _failed(decoded, "an edge that is not enrolled may not forward")
    if edge.kind is not DeviceKind.GATEWAY:
        return outer, _failed(decoded, f"{edge.id} is enrolled as {edge.kind}: no gateway")
    if not edges.first_time(edge.id, told.epoch, told.number):
        return None
    if reason := refusal(registry, edge, decoded):
        return outer, _failed(decoded, reason)
    return _believed(told.frame(outer, edge.id)), decoded


def repeat(outer: Frame, decoded: Decoded) -> Trace:
    """Return the remark on what an edge sent again, because it was not told that it had come."""
    told = decoded.forwarded
    which = f"{told.epoch}/{told.number}" if told else "?"
    reason = f"the edge {decoded.edge} sent its frame {which} before"
    return Trace(outer.position, STEP, Verdict.DUPLICATE, reason)


def alive(state: State, frame: Frame) -> None:
    """Note of the edge that brought a frame that it was heard now, however old the frame is."""
    enrolment = state.registry.enrolments.get(frame.heard_by)
    if enrolment is not None:
        status = state.status(frame.heard_by)
        spoke(status, frame.received_at, enrolment)
        state.touched(status)


def refusal(registry: Registry, edge: Device, decoded: Decoded) -> str:
    """Return why an edge may not say this, "" when it may: it speaks for its own home, and for its bridges.

    A device of another home passes where the registry says that it speaks through the edge (`via`).
    """
    home = registry.enrolments[edge.id].home
    for device in _named(registry, decoded):
        enrolment = registry.enrolments.get(device.id)
        if device.id == edge.id or _speaks_through(registry, device, edge):
            continue
        if device.tenant != edge.tenant or (enrolment is not None and enrolment.home != home):
            return f"{edge.id} may not speak for {device.id}, a device of another home"
    return ""


def _named(registry: Registry, decoded: Decoded) -> Iterator[Device]:
    """Yield the known devices that a forwarded frame says it is of."""
    source = decoded.forwarded.source if decoded.forwarded else ""
    names = {item.native_id for item in decoded.items} | {decoded.native_id}
    found = [registry.device_named(decoded.adapter, name) for name in sorted(names)]
    yield from (device for device in (*found, registry.devices.get(source)) if device is not None)


def _speaks_through(registry: Registry, device: Device, edge: Device) -> bool:
    via = device.via
    while via is not None and via != edge.id:
        via = registry.devices[via].via
    return via == edge.id


def _believed(inner: Frame) -> Frame:
    """Take an edge's word for the time only where that can be: not ahead of ours, not years back."""
    if inner.heard_at is None or not inner.heard_synced:
        return inner
    behind = inner.received_at - inner.heard_at
    if -AHEAD_AFTER <= behind <= ANCIENT_AFTER:
        return inner if behind.total_seconds() >= 0 else replace(inner, heard_at=inner.received_at)
    return replace(inner, heard_synced=False)


def _failed(decoded: Decoded, reason: str) -> Decoded:
    return msgspec.structs.replace(
        decoded, adapter=ADAPTER, items=(), failure=reason, clause=CLAUSE, native_id=decoded.edge
    )
