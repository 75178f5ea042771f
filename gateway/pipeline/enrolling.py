"""Enrolling: a device gets its meaning, another takes its place, an enrolment ends; each as one input."""

from collections.abc import Collection, Mapping
from typing import Annotated

from msgspec import Meta
from msgspec.structs import replace

from gateway.contract import Manifest, Refused
from gateway.model.frame import Frame, Transport
from gateway.model.household import Device, Enrolment
from gateway.model.records import Id, Record
from gateway.model.registry import Registry, RegistryDocument
from gateway.model.trace import Trace, Verdict
from gateway.pipeline.coverage import refuse_hollow
from gateway.pipeline.owned import Former, Joined, Own
from gateway.pipeline.state import State

Words = Annotated[str, Meta(min_length=1, max_length=200)]
MAX_AT_ONCE = 2000
"""Devices enrolled by one input; a longer table is refused, and is brought in parts."""


class Entry(Record, frozen=True):
    """One device with its enrolment."""

    device: Device
    enrolment: Enrolment


class Adding(Record, frozen=True):
    """Devices to enrol together: all of them, or none."""

    devices: Annotated[tuple[Entry, ...], Meta(min_length=1, max_length=MAX_AT_ONCE)]


class Replacing(Record, frozen=True, kw_only=True):
    """Another device takes the place of `device`: its identity, enrolment, history and open alerts."""

    device: Id
    native_id: Annotated[str, Meta(min_length=1, max_length=256)]
    adapter: Id | None = None
    model: str = ""
    reason: Words


class Login(Record, frozen=True):
    """The salted digest of a password made for a device that was enrolled in the console."""

    device: Id
    secret: Annotated[str, Meta(min_length=1, max_length=200)]


class Ending(Record, frozen=True):
    """An enrolment made in the console ends."""

    device: Id
    reason: Words


def enrol(state: State, frame: Frame, manifests: Mapping[str, Manifest]) -> list[str]:
    """Take `enrol/{add,replace,login,end}`; return the devices whose meaning changed.

    All or nothing: one that is wrong is refused with its reason, and nothing has changed.
    """
    try:
        return _take(state, frame, manifests)
    except (ValueError, Refused) as refusal:
        state.changes.refusals[frame.position] = str(refusal)
        state.trace(Trace(frame.position, "registry", Verdict.REFUSED, str(refusal)))
        return []


def overrule(state: State, frame: Frame, joined: Joined) -> None:
    """Say in the trace which changes of the console a registry file took away; the lost ones are kept."""
    for name, why in (*joined.overruled.items(), *joined.lost.items()):
        reason = f"device {name!r} of the console is left out: {why}"
        state.trace(Trace(frame.position, "registry", Verdict.REFUSED, reason, "", name))
    for name, own in list(state.owned.own.items()):
        lost = joined.lost.get(name, "")
        if name in joined.overruled:
            state.owned.keep(name, None)
        elif own.lost != lost:
            state.owned.keep(name, replace(own, lost=lost))


def _take(state: State, frame: Frame, manifests: Mapping[str, Manifest]) -> list[str]:
    word = frame.channel.removeprefix("enrol/")
    if frame.transport is not Transport.PERSON or not frame.source:
        raise Refused("an enrolment is made by somebody")
    if word == "add":
        return _add(state, frame, Adding.from_json(frame.payload), manifests)
    if word == "replace":
        return _replace(state, frame, Replacing.from_json(frame.payload), manifests)
    if word == "login":
        return _login(state, frame, Login.from_json(frame.payload))
    if word == "end":
        return _end(state, Ending.from_json(frame.payload))
    raise Refused("allowed: enrol/add, enrol/replace, enrol/login, enrol/end")


def _add(state: State, frame: Frame, told: Adding, manifests: Mapping[str, Manifest]) -> list[str]:
    document, names = state.registry.document, [one.device.id for one in told.devices]
    for one in told.devices:
        name = one.device.id
        if one.enrolment.device != name:
            raise Refused(f"enrolment {name}: device: found {one.enrolment.device!r}; allowed: {name!r}")
        if name in state.registry.devices:
            raise Refused(f"device {name}: id: found one that is registered already; allowed: a new one")
        if (via := one.device.via) is not None and (via in names or _of_console(state, via)):
            raise Refused(f"device {name}: via: found {via!r}; allowed: a bridge of the registry file")
        _known_adapter(name, one.device.adapter, manifests)
    _set(
        state,
        replace(
            document,
            device=(*document.device, *(one.device for one in told.devices)),
            enrolment=(*document.enrolment, *(one.enrolment for one in told.devices)),
        ),
    )
    for one in told.devices:
        own = Own(
            device=one.device,
            enrolment=one.enrolment,
            actor=frame.source,
            at=frame.received_at,
            frame=frame.position,
        )
        state.owned.keep(one.device.id, own)
    return names


def _replace(state: State, frame: Frame, told: Replacing, manifests: Mapping[str, Manifest]) -> list[str]:
    name, registry = told.device, state.registry
    old, enrolment = registry.devices.get(name), registry.enrolments.get(name)
    if old is None or enrolment is None:
        raise Refused(f"device: found {name!r}; allowed: an enrolled device")
    own = state.owned.own.get(name)
    if (old.secret or old.certificate) and _of_console(state, name) is None:
        raise Refused(f"device {name} signs in with a login of its own: give its successor's in the file")
    adapter = told.adapter or old.adapter
    _known_adapter(name, adapter, manifests)
    if registry.device_named(adapter, told.native_id) is not None:
        raise Refused(f"native_id: found {told.native_id!r}, registered already; allowed: a new device")
    new = replace(old, adapter=adapter, native_id=told.native_id, model=told.model or old.model)
    new = replace(new, secret=None)  # the successor has not been given the login of the one before
    _change(state, new)
    ended = Former(
        adapter=old.adapter,
        native_id=old.native_id,
        until=frame.received_at,
        actor=frame.source,
        reason=told.reason,
        frame=frame.position,
    )
    kept = Own(
        device=new,
        enrolment=enrolment,
        actor=own.actor if own else frame.source,
        at=own.at if own else frame.received_at,
        frame=frame.position,
        was=own.was if own else old,
        former=(*own.former, ended) if own else (ended,),
    )
    state.owned.keep(name, kept)
    status = state.status(name)
    status.battery_percent, status.firmware, status.link_quality = None, "", None
    state.touched(status)
    return [name]


def _login(state: State, frame: Frame, told: Login) -> list[str]:
    own = _of_console(state, told.device)
    if own is None:
        raise Refused(
            f"device: found {told.device!r}; allowed: one that was enrolled in the console (the login of "
            "another stands in the registry file)"
        )
    new = replace(own.device, secret=told.secret)
    _change(state, new)
    state.owned.keep(told.device, replace(own, device=new, actor=frame.source, frame=frame.position))
    return []


def _end(state: State, told: Ending) -> list[str]:
    if _of_console(state, told.device) is None:
        raise Refused(f"device: found {told.device!r}; allowed: one that was enrolled in the console")
    if any(alert.device == told.device for alert in state.alerts.values()):
        raise Refused(f"device {told.device} has an open alert: close that first")
    document = state.registry.document
    _set(
        state,
        replace(
            document,
            device=tuple(one for one in document.device if one.id != told.device),
            enrolment=tuple(one for one in document.enrolment if one.device != told.device),
        ),
    )
    state.owned.keep(told.device, None)
    return []


def _of_console(state: State, name: str) -> Own | None:
    """Return a device's enrolment if it was made in the console, None where it stands in the file."""
    own = state.owned.own.get(name)
    return own if own is not None and own.was is None else None


def _known_adapter(name: str, adapter: str, manifests: Collection[str]) -> None:
    if adapter not in manifests:
        allowed = ", ".join(sorted(manifests))
        raise Refused(f"device {name}: adapter: found {adapter!r}; allowed: {allowed}")


def _change(state: State, new: Device) -> None:
    """Put a device in the place of the one with its identity."""
    document = state.registry.document
    devices = tuple(new if one.id == new.id else one for one in document.device)
    _set(state, replace(document, device=devices))


def _set(state: State, document: RegistryDocument) -> None:
    """Take the registry, unless it does not hold together or leaves alerts to nobody."""
    refuse_hollow(state, Registry.of(document))
    state.set_registry(document)
