"""Entities as they announce themselves: long or abbreviated keys, one a message or many of one device."""

from collections.abc import Iterator
from typing import Any

import msgspec

from adapters.homeassistant.template import AS_IT_IS, Template, compiled
from gateway.contract import Undecodable
from gateway.model.vocabulary import DeviceKind

ABBREVIATIONS = {
    "avty": "availability", "avty_t": "availability_topic", "cmps": "components", "cns": "connections",
    "dev": "device", "dev_cla": "device_class", "ids": "identifiers", "mdl": "model",
    "mf": "manufacturer", "p": "platform", "pl_avail": "payload_available",
    "pl_not_avail": "payload_not_available", "pl_off": "payload_off", "pl_on": "payload_on",
    "stat_jam": "state_jammed", "stat_locked": "state_locked", "stat_t": "state_topic",
    "stat_unlocked": "state_unlocked", "sw": "sw_version", "t": "topic", "uniq_id": "unique_id",
    "val_tpl": "value_template",
}  # fmt: skip
"""The short keys that are read (Home Assistant MQTT documentation, supported abbreviations)."""

_DOOR = (DeviceKind.DOOR_CONTACT, "door.opened", "door.closed")
_MOTION = (DeviceKind.MOTION_SENSOR, "motion.detected", "")
_PRESENCE = (DeviceKind.MOTION_SENSOR, "presence.detected", "presence.cleared")
_SMOKE = (DeviceKind.SMOKE_DETECTOR, "smoke.detected", "smoke.cleared")
CLASSES: dict[str, tuple[DeviceKind, str, str]] = {
    "door": _DOOR, "garage_door": _DOOR, "window": _DOOR, "opening": _DOOR,
    "motion": _MOTION, "moving": _MOTION, "vibration": _MOTION,
    "occupancy": _PRESENCE, "presence": _PRESENCE,
    "smoke": _SMOKE, "gas": _SMOKE, "carbon_monoxide": _SMOKE,
    "moisture": (DeviceKind.LEAK_DETECTOR, "leak.detected", "leak.cleared"),
    "lock": (DeviceKind.LOCK, "lock.unlocked", "lock.locked"),
    "battery": (DeviceKind.UNKNOWN, "battery.low", "battery.ok"),
    "tamper": (DeviceKind.UNKNOWN, "device.tamper", "device.tamper_cleared"),
    "problem": (DeviceKind.UNKNOWN, "device.fault", "device.ok"),
    "connectivity": (DeviceKind.UNKNOWN, "device.online", "device.offline"),
    "battery_charging": (DeviceKind.UNKNOWN, "charging.started", "charging.stopped"),
}  # fmt: skip
"""Device class of a binary sensor: kind, word when on, word when off. On is open, and unlocked, and low."""

_KINDS = {"lock": DeviceKind.LOCK, "device_tracker": DeviceKind.GPS_TRACKER, "camera": DeviceKind.CAMERA,
          "event": DeviceKind.BUTTON, "device_automation": DeviceKind.BUTTON}  # fmt: skip
MAX_COMPONENTS = 200


class Entity(msgspec.Struct, frozen=True, gc=False):
    """One announced entity; `template` is None where its template is not of the safe kind."""

    native_id: str
    component: str
    unique_id: str
    device_class: str
    state_topic: str
    availability_topic: str
    template: Template | None
    on: str
    off: str
    words: dict[str, str]
    manufacturer: str
    model: str
    firmware: str

    @property
    def kind(self) -> DeviceKind:
        """What it is, by its device class or its component."""
        if self.component == "binary_sensor" and self.device_class in CLASSES:
            return CLASSES[self.device_class][0]
        return _KINDS.get(self.component, DeviceKind.UNKNOWN)


def entities(config: dict[str, Any], component: str, path: str) -> Iterator[Entity]:
    """Yield the entities of one configuration; raises Undecodable. The names in it are left there."""
    said = _long(config)
    device = said.get("device")
    device = _long(device) if isinstance(device, dict) else {}
    if component != "device":
        yield _entity(said, device, component, path)
        return
    parts = said.get("components")
    if not isinstance(parts, dict) or not 0 < len(parts) <= MAX_COMPONENTS:
        raise Undecodable("a device configuration without components", clause="HA-DEVICE", native_id=path)
    for name, part in parts.items():
        if isinstance(part, dict):
            whole = {**{key: said[key] for key in _SHARED & said.keys()}, **_long(part)}
            yield _entity(whole, device, _text(whole, "platform") or "unknown", f"{path}/{name[:64]}")


_SHARED = frozenset({"~", "state_topic", "availability_topic", "availability"})
"""What the components of a device may have in common."""


def _entity(said: dict[str, Any], device: dict[str, Any], component: str, path: str) -> Entity:
    unique = _text(said, "unique_id")
    text = _text(said, "value_template")
    available = said.get("availability")
    first = (
        _long(available[0])
        if isinstance(available, list) and available and isinstance(available[0], dict)
        else {}
    )
    return Entity(
        native_id=_identity(device) or unique or path,
        component=component[:64],
        unique_id=unique,
        device_class=_text(said, "device_class"),
        state_topic=_topic(said, "state_topic") or _topic(said, "topic"),
        availability_topic=_topic(said, "availability_topic")
        or _topic({**first, "~": said.get("~")}, "topic"),
        template=compiled(text) if text else AS_IT_IS,
        on=_text(said, "payload_on") or "ON",
        off=_text(said, "payload_off") or "OFF",
        words={
            _text(said, "state_locked") or "LOCKED": "lock.locked",
            _text(said, "state_unlocked") or "UNLOCKED": "lock.unlocked",
            _text(said, "state_jammed") or "JAMMED": "lock.jammed",
        },
        manufacturer=_text(device, "manufacturer"),
        model=_text(device, "model"),
        firmware=_text(device, "sw_version"),
    )


def _long(said: dict[str, Any]) -> dict[str, Any]:
    return {ABBREVIATIONS.get(key, key): value for key, value in said.items()}


def _text(said: dict[str, Any], key: str) -> str:
    """Return a text, a truth or number as Jinja writes it; "" for none."""
    found = said.get(key)
    if found is None or isinstance(found, dict | list):
        return ""
    return str(found)[: 512 if key.endswith("template") else 128]


def _topic(said: dict[str, Any], key: str) -> str:
    """Return a topic, with ~ at either end replaced by the base topic."""
    topic, base = _text(said, key), _text(said, "~")
    if topic.startswith("~"):
        topic = base + topic[1:]
    return (topic[:-1] + base if topic.endswith("~") else topic)[:256]


def _identity(device: dict[str, Any]) -> str:
    """Return the device's first identifier, else its first connection (as ["mac", "..."])."""
    found = device.get("identifiers")
    first = found[0] if isinstance(found, list) and found else found
    if isinstance(first, list):
        first = first[-1] if first else None
    if isinstance(first, str | int) and not isinstance(first, bool) and str(first):
        return str(first)[:128]
    pairs = device.get("connections")
    pair = pairs[0] if isinstance(pairs, list) and pairs else None
    if isinstance(pair, list) and len(pair) == 2 and isinstance(pair[1], str):
        return pair[1][:128]
    return ""
