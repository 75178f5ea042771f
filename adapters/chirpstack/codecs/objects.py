"""What the network's own codec made of a payload, read by the field names of the vendors' decoders."""

from collections.abc import Mapping
from typing import Any

from adapters.chirpstack.codecs.finding import Finding, alarm, charge, level, position, press
from adapters.chirpstack.codecs.milesight import moved
from adapters.chirpstack.codecs.sensative import door
from adapters.chirpstack.codecs.sensecap import TRACKER, events
from gateway.model.instant import from_epoch
from gateway.model.vocabulary import DeviceKind, GeofenceValues

PRESSES = {"short": "short", "long": "long", "double": "double", "single": "short"}
TEXTS: dict[str, dict[str, tuple[DeviceKind, str]]] = {
    "magnet_status": {
        "open": (DeviceKind.DOOR_CONTACT, "door.opened"),
        "opened": (DeviceKind.DOOR_CONTACT, "door.opened"),
        "close": (DeviceKind.DOOR_CONTACT, "door.closed"),
        "closed": (DeviceKind.DOOR_CONTACT, "door.closed"),
    },
    "tamper_status": {
        "uninstalled": (DeviceKind.UNKNOWN, "device.tamper"),
        "uninstall": (DeviceKind.UNKNOWN, "device.tamper"),
        "installed": (DeviceKind.UNKNOWN, "device.tamper_cleared"),
        "install": (DeviceKind.UNKNOWN, "device.tamper_cleared"),
    },
    "occupancy": {
        "occupied": (DeviceKind.MOTION_SENSOR, "presence.detected"),
        "vacant": (DeviceKind.MOTION_SENSOR, "presence.cleared"),
    },
    "leakage_status": {
        "leak": (DeviceKind.LEAK_DETECTOR, "leak.detected"),
        "normal": (DeviceKind.LEAK_DETECTOR, "leak.cleared"),
    },
    "detection_status": {
        "in bed": (DeviceKind.FALL_DETECTOR, "bed.enter"),
        "in_bed": (DeviceKind.FALL_DETECTOR, "bed.enter"),
        "out of bed": (DeviceKind.FALL_DETECTOR, "bed.exit"),
        "out_of_bed": (DeviceKind.FALL_DETECTOR, "bed.exit"),
        "vacant": (DeviceKind.FALL_DETECTOR, "presence.cleared"),
    },
}
"""Fields whose text is a level."""
V3_WORDS = {"SOS_ON": "alarm.manual", "SOS_OFF": "alarm.cancelled"}
V3_FENCES = {"ENTRY": "geofence.enter", "EXIT": "geofence.exit"}
V2_WORDS = {"SOS_MODE_START": "alarm.manual", "SOS_MODE_END": "alarm.cancelled"}


def read_object(said: Mapping[str, Any]) -> list[Finding]:
    """Return what is known of an object, nothing for one of another product."""
    return [*_milesight(said), *_abeeway(said), *_abeeway3(said), *_sensecap(said), *_sensative(said)]


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if -1e12 < value < 1e12 else None


def _part(said: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = said.get(name)
    return found if isinstance(found, dict) else {}


def _place(said: Mapping[str, Any], latitude: str, longitude: str, accuracy: str) -> list[Finding]:
    north, east, metres = (_number(said.get(name)) for name in (latitude, longitude, accuracy))
    if north is None or east is None:
        return []
    return position(
        north, east, accuracy_m=metres if metres is not None and 0 <= metres <= 20_000_000 else None
    )


def _milesight(said: Mapping[str, Any]) -> list[Finding]:
    found: list[Finding] = []
    percent = _number(said.get("battery"))
    if percent is not None:
        found += charge(percent, DeviceKind.UNKNOWN)
    pressed = _part(said, "button_event").get("status", said.get("press"))
    if isinstance(pressed, str) and (how := PRESSES.get(pressed.partition(" ")[0])):
        found.append(press(how))
    for name, words in TEXTS.items():
        value = said.get(name)
        if isinstance(value, str) and (word := words.get(value.strip().lower())):
            found.append(level(*word))
    if said.get("pir") in ("trigger", "triggered"):
        found.append(moved())
    if said.get("detection_status") == "fall" or _fell(said):
        found.append(alarm("fall.detected", DeviceKind.FALL_DETECTOR))
    return found + _place(said, "latitude", "longitude", "accuracy")


def _fell(said: Mapping[str, Any]) -> bool:
    """Say whether a radar's alarms hold a fall that began."""
    told = said.get("events")
    rows = [row for row in told[:32] if isinstance(row, dict)] if isinstance(told, list) else []
    began = [row for row in rows if row.get("alarm_status") == "alarm_triggered"]
    return any(row.get("alarm_type") == "fall" for row in began) or _triggered(said.get("fall_alarm"))


def _triggered(told: object) -> bool:
    status = told.get("alarm_status") if isinstance(told, dict) else None
    return isinstance(status, str) and "1" in status.replace(" ", "").split(",")


def _abeeway(said: Mapping[str, Any]) -> list[Finding]:
    if "messageType" not in said:
        return []
    word = V2_WORDS.get(str(said.get("eventType")))
    found = [alarm(word, TRACKER)] if word else []
    if said.get("sosFlag") in (1, True) and not word:
        found.append(alarm("alarm.manual", TRACKER))
    if said.get("batteryStatus") == "CHARGING":
        found.append(level(TRACKER, "charging.started"))
    return found + _place(said, "gpsLatitude", "gpsLongitude", "horizontalAccuracy")


def _abeeway3(said: Mapping[str, Any]) -> list[Finding]:
    head, fix = _part(said, "header"), _part(_part(said, "position"), "gnssFix")
    kind = str(_part(said, "notification").get("notificationType"))
    found = [alarm(V3_WORDS[kind], TRACKER)] if kind in V3_WORDS else []
    if kind in V3_FENCES:
        crossed = V3_FENCES[kind]
        found.append(Finding(type=crossed, values=GeofenceValues(), kind=TRACKER, happened=True))
    if head.get("sos") is True and not found:
        found.append(alarm("alarm.manual", TRACKER))
    percent = _number(head.get("batteryLevel"))
    if percent is not None:
        found += charge(percent, TRACKER)
    elif head.get("batteryLevel") == "CHARGING":
        found.append(level(TRACKER, "charging.started"))
    return found + _place(fix, "latitude", "longitude", "EHPE")


def _sensecap(said: Mapping[str, Any]) -> list[Finding]:
    """Read `messages`: lists of measurements by id; 4197 to 4200 are place and events, 3000 the charge."""
    messages = said.get("messages")
    found: list[Finding] = []
    for message in messages[:16] if isinstance(messages, list) else []:
        rows = [row for row in message if isinstance(row, dict)] if isinstance(message, list) else []
        values = {str(row.get("measurementId")): row.get("measurementValue") for row in rows}
        stamp = next((_number(row.get("timestamp")) for row in rows if row.get("timestamp")), None)
        when = from_epoch(stamp / 1000) if stamp else None
        told = values.get("4200")
        ids = [row.get("id") for row in told if isinstance(row, dict)] if isinstance(told, list) else []
        found += events(sum(1 << number - 1 for number in (7, 8) if number in ids), when)
        north, east = _number(values.get("4198")), _number(values.get("4197"))
        if north is not None and east is not None:
            found += position(north, east, at=when)
        percent = _number(values.get("3000"))
        found += charge(percent, TRACKER) if percent is not None else []
    return found


def _sensative(said: Mapping[str, Any]) -> list[Finding]:
    found: list[Finding] = []
    closed = _part(said, "door").get("value")
    if isinstance(closed, bool):
        found.append(door(closed=closed))
    for name, kind, on, off in (
        ("floodAlarm", DeviceKind.LEAK_DETECTOR, "leak.detected", "leak.cleared"),
        ("presence", DeviceKind.MOTION_SENSOR, "presence.detected", "presence.cleared"),
        ("tamperReport", DeviceKind.UNKNOWN, "device.tamper", "device.tamper_cleared"),
        ("tamperAlarm", DeviceKind.UNKNOWN, "device.tamper", "device.tamper_cleared"),
    ):
        value = _part(said, name).get("value")
        if isinstance(value, bool):
            found.append(level(kind, on if value else off))
    return found
