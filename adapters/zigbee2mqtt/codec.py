"""The Zigbee2MQTT codec: what happened first, then the levels that the same message repeats."""

from collections.abc import Iterator, Sequence
from importlib.resources import files
from typing import Any

import msgspec

from adapters.zigbee2mqtt import bridge, lock
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

ALARMS = frozenset({"emergency", "panic", "sos", "fire"})
"""Values of `action` that are a call for help on emergency buttons and keypads."""
SHOCKS = frozenset({"vibration", "tilt", "drop", "shake", "fall", "slide", "flip90", "flip180"})
"""Values of `action` of a vibration sensor or a cube that was moved: nobody pressed anything."""
ARMED: dict[str, str] = {
    "arm_all_zones": "alarm_system.armed",
    "arm_day_zones": "alarm_system.armed",
    "arm_night_zones": "alarm_system.armed",
    "disarm": "alarm_system.disarmed",
}
"""Values of `action` on a keypad; the code beside it is never decoded."""
RELEASES = ("release", "_release", "_stop", "wakeup")
"""Endings of `action` that end a press which was told before."""

_DOORS = {"open": "door.opened", "closed": "door.closed"}
_COMMANDS = frozenset({"set", "get"})

_LEVELS: tuple[tuple[str, str, str, DeviceKind, type[Values]], ...] = (
    ("contact", "door.closed", "door.opened", DeviceKind.DOOR_CONTACT, DoorValues),
    ("water_leak", "leak.detected", "leak.cleared", DeviceKind.LEAK_DETECTOR, SensorValues),
    ("presence", "presence.detected", "presence.cleared", DeviceKind.MOTION_SENSOR, SensorValues),
)
"""Field, word when true, word when false, kind, values: true means closed for a contact."""
_DANGERS = ("smoke", "carbon_monoxide", "gas")
"""Fields of one level: the vocabulary has no word for the last two, so they are smoke, by name beside it."""


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
        if name.partition("/")[0] == "bridge":
            return _bridge(frame, self._base, name)
        device, _, ending = name.rpartition("/")
        if device and ending == "availability":
            return (_link(frame.payload, device, DeviceKind.UNKNOWN),)
        if device and (ending in _COMMANDS or "/set/" in name):
            return (Ignored(device, "a command to the device"),)
        if device and ending == "action" and not frame.payload.lstrip().startswith(b"{"):
            return (Ignored(device, "the action stands in the device's own message too"),)
        return _device(frame, name)


def _bridge(frame: Frame, base: str, name: str) -> Sequence[Reading | Ignored]:
    """Read the bridge's own topics: its state, its devices, and who joined or left."""
    if name == "bridge/state":
        return (_link(frame.payload, base, DeviceKind.GATEWAY),)
    if name == "bridge/devices" and frame.payload:
        return bridge.devices(frame.payload, base)
    if name == "bridge/event" and frame.payload:
        return (bridge.event(frame.payload, base, old=frame.retained),)
    return (Ignored(base, f"the bridge's own affairs: {name[:80]}"),)


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
    if any(getattr(message, field) is not None for field in _DANGERS):
        return DeviceKind.SMOKE_DETECTOR
    if message.occupancy is not None or message.vibration is not None or message.action in SHOCKS:
        return DeviceKind.MOTION_SENSOR
    return DeviceKind.BUTTON if message.action or message.sos is not None else DeviceKind.UNKNOWN


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
    yield from _dangers(message)
    yield from _health(message)


def _dangers(message: Message) -> Iterator[tuple[str, Values, bool]]:
    """Say whether any of smoke and gases is in the air: one level, however many sensors the device has."""
    said = [getattr(message, field) for field in _DANGERS]
    if any(level is not None for level in said):
        common = _common(message)
        if found := [
            field for field, level in zip(_DANGERS, said, strict=True) if level and field != "smoke"
        ]:
            common["details"] = {**common["details"], "detected": ", ".join(found)}
        yield ("smoke.detected" if any(said) else "smoke.cleared"), SensorValues(**common), False


def _happenings(message: Message) -> Iterator[tuple[str, Values, bool]]:
    if message.action in lock.ACTIONS:
        yield lock.ACTIONS[message.action], lock.action_values(message), True
    elif message.action and lock.state_of(message) is None:
        yield from _pressed(message, message.action)
    if message.sos:
        yield "alarm.manual", AlarmValues(**_common(message)), True
    for field in ("occupancy", "vibration"):
        if getattr(message, field):
            common = _common(message)
            common["details"] = {**common["details"], field: True}
            yield "motion.detected", SensorValues(**common), True


def _pressed(message: Message, action: str) -> Iterator[tuple[str, Values, bool]]:
    """Say what an action on anything but a lock is; the end of a press is no press."""
    common = _common(message)
    if action in ALARMS:
        yield "alarm.manual", AlarmValues(**common), True
    elif action in SHOCKS:
        common["details"] = {**common["details"], "action": action}
        yield "motion.detected", SensorValues(**common), True
    elif action in ARMED:
        yield ARMED[action], SensorValues(press=action, **common), True
    elif not action.endswith(RELEASES):
        common["details"] = {**common["details"], "action": action}
        yield "button.pressed", SensorValues(press=action, **common), True


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
