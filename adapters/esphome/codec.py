"""The ESPHome codec: plain words on topics; what a binary sensor means is its enrolment's to say."""

from collections.abc import Callable, Sequence
from importlib.resources import files

import msgspec

from gateway.contract import Manifest, Undecodable
from gateway.contract.manifest import read_manifest
from gateway.model.frame import Frame
from gateway.model.reading import Ignored, Reading
from gateway.model.vocabulary import (
    DeviceKind,
    HealthValues,
    LockValues,
    Reference,
    SensorValues,
    Values,
    battery_word,
)

STATES = {"ON": "input.active", "OFF": "input.inactive"}
LOCKS = {"LOCKED": "lock.locked", "UNLOCKED": "lock.unlocked", "JAMMED": "lock.jammed"}
PASSING = frozenset({"LOCKING", "UNLOCKING", "NONE", "OPENING"})
_LINKS = {"online": "device.online", "offline": "device.offline"}
_HINTS: tuple[tuple[DeviceKind, tuple[str, ...]], ...] = (
    (DeviceKind.DOOR_CONTACT, ("door", "window", "contact", "reed")),
    (DeviceKind.MOTION_SENSOR, ("motion", "pir", "occupancy", "presence", "radar")),
    (DeviceKind.SMOKE_DETECTOR, ("smoke",)),
    (DeviceKind.LEAK_DETECTOR, ("leak", "water", "flood", "moisture")),
    (DeviceKind.BED_SENSOR, ("bed",)),
    (DeviceKind.BUTTON, ("button", "sos", "cord")),
)


class PressEvent(msgspec.Struct, frozen=True, gc=False):
    """An event entity's message."""

    event_type: Reference


_decode_event = msgspec.json.Decoder(PressEvent).decode


class EspHomeAdapter:
    """Reads ESPHome nodes by their topic prefix, which is the node's name unless it was changed."""

    def __init__(self) -> None:
        text = files("adapters.esphome").joinpath("manifest.toml").read_text("utf-8")
        self._manifest = read_manifest(text)

    @property
    def manifest(self) -> Manifest:
        """What it reads."""
        return self._manifest

    def decode(self, frame: Frame) -> Sequence[Reading | Ignored]:
        """Read one frame; raises Undecodable with the clause."""
        parts = frame.channel.split("/")
        entity = len(parts) == 4 and parts[3] == "state"
        if not all(parts) or len(frame.channel) > 256 or not (entity or parts[1:] == ["status"]):
            reason = "the topic is neither {prefix}/{component}/{object}/state nor {prefix}/status"
            raise Undecodable(reason, clause="ESP-TOPIC")
        text = frame.payload.decode("utf-8", "replace").strip()
        if not text:
            return (Ignored(parts[0], "a retained message was cleared"),)
        if not entity:
            return (_status(parts[0], text),)
        read = _COMPONENTS.get(parts[1])
        if read is None:
            return (Ignored(parts[0], f"a {parts[1][:40]} says nothing of the vocabulary"),)
        return (read(parts[0], parts[2], text, frame.retained),)


def hinted(name: str) -> DeviceKind:
    """Guess what an object is from its name: shown at enrolment, never a meaning by itself."""
    for kind, words in _HINTS:
        if any(word in name.lower() for word in words):
            return kind
    return DeviceKind.UNKNOWN


def _status(node: str, text: str) -> Reading:
    if text not in _LINKS:
        reason = f"expected online or offline, got {text[:40]!r}"
        raise Undecodable(reason, clause="ESP-STATUS", native_id=node)
    return _level(node, _LINKS[text], HealthValues())


def _binary(node: str, name: str, text: str, _old: bool) -> Reading | Ignored:  # noqa: FBT001 - one shape for all readers
    native_id = f"{node}/{name}"
    if text not in STATES:
        return _odd(native_id, text, "ON or OFF")
    return _level(native_id, STATES[text], SensorValues(details={"state": text}), hinted(name))


def _lock(node: str, name: str, text: str, _old: bool) -> Reading | Ignored:  # noqa: FBT001 - one shape for all readers
    native_id = f"{node}/{name}"
    if text in PASSING:
        return Ignored(native_id, f"the lock is on its way, or does not know: {text}")
    if text not in LOCKS:
        return _odd(native_id, text, "LOCKED, UNLOCKED or JAMMED")
    return _level(native_id, LOCKS[text], LockValues(), DeviceKind.LOCK)


def _sensor(node: str, name: str, text: str, _old: bool) -> Reading | Ignored:  # noqa: FBT001 - one shape for all readers
    if "battery" not in name.lower() or "voltage" in name.lower():
        return Ignored(node, "a measured number says nothing of the vocabulary")
    try:
        percent = float(text)
    except ValueError:
        return _odd(node, text, "a number")
    if not 0 <= percent <= 100:
        return Ignored(node, "a charge that is none, or not known")
    return _level(node, battery_word(percent), HealthValues(battery_percent=percent))


def _event(node: str, name: str, text: str, old: bool) -> Reading | Ignored:  # noqa: FBT001 - one shape for all readers
    native_id = f"{node}/{name}"
    if old:
        return Ignored(native_id, "the broker kept an old event")
    try:
        said = _decode_event(text)
    except (msgspec.DecodeError, RecursionError) as error:
        words = "nested too deep" if isinstance(error, RecursionError) else str(error)
        raise Undecodable(words, clause="ESP-EVENT", native_id=native_id) from None
    values = SensorValues(press=said.event_type, button=name[:128])
    return Reading(native_id=native_id, kind=DeviceKind.BUTTON, type="button.pressed", values=values)


_COMPONENTS: dict[str, Callable[[str, str, str, bool], Reading | Ignored]] = {
    "binary_sensor": _binary,
    "lock": _lock,
    "sensor": _sensor,
    "event": _event,
}


def _odd(native_id: str, text: str, expected: str) -> Ignored:
    if text.lower() in {"unknown", "unavailable", "nan", "none", "na"}:
        return Ignored(native_id, "the entity does not know its state")
    reason = f"expected {expected}, got {text[:40]!r}"
    raise Undecodable(reason, clause="ESP-STATE", native_id=native_id)


def _level(native_id: str, word: str, values: Values, kind: DeviceKind = DeviceKind.UNKNOWN) -> Reading:
    return Reading(native_id=native_id, kind=kind, type=word, values=values, happened=False)
