"""The bridge's own topics: which devices it has, by what they expose, and who joined or left."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any
from zlib import crc32

import msgspec

from gateway.contract import Undecodable
from gateway.model.reading import Ignored, Reading
from gateway.model.vocabulary import DeviceKind, HealthValues, Reference

MAX_DEVICES = 1000
_DEPTH = 4
_KINDS: tuple[tuple[DeviceKind, frozenset[str]], ...] = (
    (DeviceKind.LOCK, frozenset({"lock", "lock_state"})),
    (DeviceKind.SMOKE_DETECTOR, frozenset({"smoke", "carbon_monoxide", "gas"})),
    (DeviceKind.LEAK_DETECTOR, frozenset({"water_leak"})),
    (DeviceKind.DOOR_CONTACT, frozenset({"contact"})),
    (DeviceKind.MOTION_SENSOR, frozenset({"occupancy", "presence", "vibration"})),
    (DeviceKind.BUTTON, frozenset({"action", "sos"})),
)
"""What a device is by what it exposes; a lock with a contact in it is a lock."""


class Definition(msgspec.Struct, frozen=True, gc=False):
    """The bridge's description of a model; null where the device is not supported."""

    model: Reference | None = None
    vendor: Reference | None = None
    exposes: Any = None


class Device(msgspec.Struct, frozen=True, gc=False):
    """One entry of bridge/devices."""

    friendly_name: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
    ieee_address: Reference | None = None
    type: Reference | None = None
    supported: bool | None = None
    disabled: bool | None = None
    interview_completed: bool | None = None
    power_source: Reference | None = None
    software_build_id: Reference | None = None
    definition: Definition | None = None


class Told(msgspec.Struct, frozen=True, gc=False):
    """What an event is about."""

    friendly_name: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
    ieee_address: Reference | None = None
    status: Reference | None = None
    definition: Definition | None = None


class Event(msgspec.Struct, frozen=True, gc=False):
    """One message of bridge/event."""

    type: Reference
    data: Told


_devices = msgspec.json.Decoder(Annotated[list[Device], msgspec.Meta(max_length=MAX_DEVICES)]).decode
_event = msgspec.json.Decoder(Event).decode


def devices(payload: bytes, base: str) -> Sequence[Reading | Ignored]:
    """Read the list of devices, the bridge's own radio left out; raises Undecodable."""
    found = _refused(payload, base, _devices)
    readings = [_found(one) for one in found if one.type != "Coordinator"]
    return readings or [Ignored(base, "the bridge has no devices")]


def event(payload: bytes, base: str, *, old: bool) -> Reading | Ignored:
    """Read who joined, came back or left; raises Undecodable."""
    said: Event = _refused(payload, base, _event)
    name = said.data.friendly_name
    if old:
        return Ignored(name, "the broker kept an old event of the bridge")
    if said.type == "device_joined" or (said.type == "device_interview" and said.data.status == "successful"):
        return _discovered(said.data, said.type, {})
    if said.type == "device_leave":
        return _level(name, "device.offline", HealthValues(code="left the network"))
    if said.type == "device_announce":
        return _level(name, "device.online", HealthValues())
    return Ignored(name, f"an event of the kind {said.type[:40]!r} says nothing of the vocabulary")


def kind_of(definition: Definition | None) -> DeviceKind:
    """Return what a device is by what it exposes."""
    names = set(_names(definition.exposes, _DEPTH)) if definition is not None else set()
    return next((kind for kind, exposed in _KINDS if names & exposed), DeviceKind.UNKNOWN)


def _names(exposes: Any, depth: int) -> Iterator[str]:
    """Yield types and names of exposes, which nest in `features`."""
    if depth == 0 or not isinstance(exposes, list):
        return
    for one in exposes[:200]:
        if isinstance(one, dict):
            yield from (found for key in ("type", "name") if isinstance(found := one.get(key), str))
            yield from _names(one.get("features"), depth - 1)


def _found(one: Device) -> Reading:
    more: dict[str, str | int | float | bool] = {
        name: value
        for name in ("supported", "disabled", "interview_completed", "power_source")
        if (value := getattr(one, name)) is not None
    }
    return _discovered(one, "listed", more, one.software_build_id)


def _discovered(
    one: Device | Told,
    code: str,
    more: dict[str, str | int | float | bool],
    firmware: str | None = None,
) -> Reading:
    """Return a discovered device; its key is what is told of it, so that a list told again is no news."""
    details, definition = dict(more), one.definition
    if one.ieee_address is not None:
        details["ieee_address"] = one.ieee_address
    if definition is not None:
        details |= {key: value for key in ("model", "vendor") if (value := getattr(definition, key))}
    told = crc32(msgspec.json.encode([one.friendly_name, firmware, details]))
    return Reading(
        native_id=one.friendly_name,
        kind=kind_of(definition),
        type="device.discovered",
        values=HealthValues(code=code, firmware=firmware, details=details),
        key=f"{code}:{told:08x}",
    )


def _level(name: str, word: str, values: HealthValues) -> Reading:
    return Reading(native_id=name, kind=DeviceKind.UNKNOWN, type=word, values=values, happened=False)


def _refused(payload: bytes, base: str, decode: Any) -> Any:
    """Decode, or raise Undecodable with the clause."""
    try:
        return decode(payload.decode("utf-8", "replace"))
    except (msgspec.DecodeError, RecursionError) as error:
        words = "nested too deep" if isinstance(error, RecursionError) else str(error)
        raise Undecodable(words, clause="Z2M-BRIDGE", native_id=base) from None
