"""The Zigbee2MQTT codec: what happened first, then the levels that the same message repeats."""

from collections.abc import Iterator, Sequence
from importlib.resources import files
from typing import Any

import msgspec

from adapters.zigbee2mqtt import lock
from adapters.zigbee2mqtt.message import Message, read, seen_at
from gateway.contract import Manifest, Undecodable
from gateway.contract.manifest import read_manifest
from gateway.model.frame import Frame
from gateway.model.reading import Ignored, Reading
from gateway.model.vocabulary import (
    AlarmValues,
    ClockQuality,
    DeviceKind,
    DoorValues,
    HealthValues,
    LockValues,
    SensorValues,
    Values,
    battery_word,
)

ALARMS = frozenset({"emergency", "panic", "sos"})
"""Values of `action` that are a call for help on emergency buttons and keypads."""

_DOORS = {"open": "door.opened", "closed": "door.closed"}
_COMMANDS = frozenset({"set", "get"})

_LEVELS: tuple[tuple[str, str, str, DeviceKind, type[Values]], ...] = (
    ("contact", "door.closed", "door.opened", DeviceKind.DOOR_CONTACT, DoorValues),
    ("smoke", "smoke.detected", "smoke.cleared", DeviceKind.SMOKE_DETECTOR, SensorValues),
    ("water_leak", "leak.detected", "leak.cleared", DeviceKind.LEAK_DETECTOR, SensorValues),
    ("presence", "presence.detected", "presence.cleared", DeviceKind.MOTION_SENSOR, SensorValues),
)
"""Field, word when true, word when false, kind, values: true means closed for a contact."""


class Zigbee2MqttAdapter:
    """Reads one Zigbee2MQTT installation; `base` is its base topic and its own native id."""

    def __init__(self, base: str = "zigbee2mqtt") -> None:
        manifest = read_manifest(files("adapters.zigbee2mqtt").joinpath("manifest.toml").read_text("utf-8"))
        self._manifest = msgspec.structs.replace(manifest, topics=(f"{base}/#",))
        self._base = base

    @property
    def manifest(self) -> Manifest:
        """What it reads."""
        return self._manifest

    def decode(self, frame: Frame) -> Sequence[Reading | Ignored]:
        """Read one frame; raises Undecodable with the clause."""
        name = frame.channel.removeprefix(f"{self._base}/")
        if name == frame.channel or not all(name.split("/")) or len(name) > 256:
            raise Undecodable(f"the topic is not {self._base}/{{friendly name}}", clause="Z2M-TOPIC")
        if name == "bridge/state":
            return (_link(frame.payload, self._base, DeviceKind.GATEWAY),)
        if name.partition("/")[0] == "bridge":
            return (Ignored(self._base, f"the bridge's own affairs: {name[:80]}"),)
        device, _, ending = name.rpartition("/")
        if device and ending == "availability":
            return (_link(frame.payload, device, DeviceKind.UNKNOWN),)
        if device and (ending in _COMMANDS or "/set/" in name):
            return (Ignored(device, "a command to the device"),)
        if device and ending == "action" and not frame.payload.lstrip().startswith(b"{"):
            return (Ignored(device, "the action stands in the device's own message too"),)
        return _device(frame, name)


def _link(payload: bytes, native_id: str, kind: DeviceKind) -> Reading | Ignored:
    """Read online or offline, as plain text or as {"state": ...}."""
    if not payload:
        return Ignored(native_id, "the retained state was cleared")
    text = payload.decode("utf-8", "replace").strip()
    if text.startswith("{"):
        try:
            said: Any = msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError):
            said = {}
        text = str(said.get("state"))
    if text not in {"online", "offline"}:
        reason = f"expected online or offline, got {text[:40]!r}"
        raise Undecodable(reason, clause="Z2M-STATE", native_id=native_id)
    return Reading(
        native_id=native_id, kind=kind, type=f"device.{text}", values=HealthValues(), happened=False
    )


def _device(frame: Frame, native_id: str) -> Sequence[Reading | Ignored]:
    message = read(frame.payload, native_id)
    at = seen_at(message, native_id)
    kind = _kind(message)
    found: list[Reading | Ignored] = [
        Reading(
            native_id=native_id,
            kind=kind,
            type=word,
            values=values,
            occurred_at=at,
            clock=ClockQuality.SYNCED if at else ClockQuality.NONE,
            happened=happened,
        )
        for word, values, happened in _told(message, old=frame.retained)
    ]
    if message.lock_state is not None and lock.state_of(message) is None:
        found.append(Ignored(native_id, f"unknown lock_state {message.lock_state!r}"))
    if message.battery is not None and message.percent is None:
        found.append(Ignored(native_id, f"a charge of {message.battery} percent is none"))
    return found or (Ignored(native_id, "nothing in it that the vocabulary speaks of"),)


def _kind(message: Message) -> DeviceKind:
    if lock.state_of(message) or message.action in lock.ACTIONS or message.lock_state:
        return DeviceKind.LOCK
    for field, _, _, kind, _ in _LEVELS:
        if getattr(message, field) is not None:
            return kind
    if message.occupancy is not None:
        return DeviceKind.MOTION_SENSOR
    return DeviceKind.BUTTON if message.action else DeviceKind.UNKNOWN


def _told(message: Message, *, old: bool) -> Iterator[tuple[str, Values, bool]]:
    """Yield word, values and whether it happened now; `old` (retained) leaves the momentary out."""
    if not old:
        yield from _happenings(message)
    if word := lock.state_of(message):
        yield word, LockValues(**_common(message)), False
    if message.door_state in _DOORS:
        yield _DOORS[message.door_state], DoorValues(**_common(message)), False
    for field, when_true, when_false, _, values in _LEVELS:
        level = getattr(message, field)
        if level is not None:
            yield (when_true if level else when_false), values(**_common(message)), False
    yield from _health(message)


def _happenings(message: Message) -> Iterator[tuple[str, Values, bool]]:
    action = message.action
    if action in lock.ACTIONS:
        yield lock.ACTIONS[action], lock.action_values(message), True
    elif action in ALARMS:
        yield "alarm.manual", AlarmValues(**_common(message)), True
    elif action and lock.state_of(message) is None:
        yield "button.pressed", SensorValues(press=action, **_common(message)), True
    if message.occupancy:
        common = _common(message)
        common["details"] = {**common["details"], "occupancy": True}
        yield "motion.detected", SensorValues(**common), True


def _health(message: Message) -> Iterator[tuple[str, Values, bool]]:
    if message.percent is not None:
        word = battery_word(message.percent)
        if message.battery_low and word == "battery.ok":
            word = "battery.low"
        yield word, HealthValues(**_common(message)), False
    elif message.battery_low is not None:
        yield ("battery.low" if message.battery_low else "battery.ok"), HealthValues(), False
    if message.tamper is not None:
        yield ("device.tamper" if message.tamper else "device.tamper_cleared"), HealthValues(), False


def _common(message: Message) -> dict[str, Any]:
    details: dict[str, str | int | float | bool] = {}
    if message.voltage is not None:
        details["voltage_mv"] = message.voltage
    return {
        "battery_percent": message.percent,
        "link_quality": message.linkquality,
        "details": details,
    }
