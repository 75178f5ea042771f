"""Milesight: WS101, WS202, WS301, AT101, VS370, VS373 and the EM300 family.

Payloads are channels of an id, a type and a value of fixed length (vendor's user guides; SensorDecoders
README of each product, 2024-2025). The same channel means another thing in another product.
"""

from datetime import datetime

from adapters.chirpstack.codecs.finding import (
    Cursor,
    Finding,
    Malformed,
    alarm,
    charge,
    level,
    position,
    press,
)
from gateway.model.instant import from_epoch
from gateway.model.vocabulary import DeviceKind

PORT = 85
PRODUCTS = {"WS101": DeviceKind.BUTTON, "WS202": DeviceKind.MOTION_SENSOR, "WS301": DeviceKind.DOOR_CONTACT,
            "AT101": DeviceKind.GPS_TRACKER, "VS370": DeviceKind.MOTION_SENSOR,
            "VS373": DeviceKind.FALL_DETECTOR, "EM300-DI": DeviceKind.UNKNOWN,
            "EM300-MLD": DeviceKind.LEAK_DETECTOR, "EM300-CL": DeviceKind.UNKNOWN,
            "EM300": DeviceKind.UNKNOWN}  # fmt: skip
"""The products, by the name that a profile or tag holds, and their kind; the longer name stands first."""
PRESSES = {1: "short", 2: "long", 3: "double"}
FALL_ALARMS = {0: ("fall.detected", "alarm.cancelled"), 3: ("bed.exit", ""), 1: ("presence.detected", ""),
               4: ("presence.detected", ""), 5: ("presence.cleared", ""), 2: ("inactivity", ""),
               8: ("inactivity", "")}  # fmt: skip
"""Alarm types of VS373: what begins with them, what their end is; breathing alarms say nothing here."""
NO_ID = 0xFFFF

LENGTHS: dict[tuple[int, int], int] = {
    (0xFF, 0x01): 1, (0xFF, 0x09): 2, (0xFF, 0x0A): 2, (0xFF, 0xFF): 2, (0xFF, 0x08): 6, (0xFF, 0x16): 8,
    (0xFF, 0x0F): 1, (0xFF, 0xFE): 1, (0xFF, 0x0B): 1, (0xFF, 0x2E): 1, (0x01, 0x75): 1, (0x03, 0x00): 1,
    (0x04, 0x00): 1, (0x05, 0x00): 1, (0x06, 0x00): 1, (0x07, 0x00): 1, (0x03, 0x67): 2, (0x83, 0x67): 3,
    (0x04, 0x68): 1, (0x04, 0x88): 9, (0x84, 0x88): 9, (0x06, 0xD9): 9, (0x08, 0x9B): 6, (0x03, 0xF8): 6,
    (0x04, 0xF9): 4, (0x05, 0xFA): 8, (0x06, 0xFB): 5, (0x05, 0x7D): 2, (0x06, 0x65): 2, (0x06, 0x73): 2,
    (0x07, 0xB0): 8, (0x08, 0xB1): 3, (0x09, 0xB2): 6, (0x0A, 0xB3): 5, (0x0B, 0xB4): 9, (0x0C, 0xB4): 9,
    (0x05, 0xC8): 4, (0x05, 0xE1): 8, (0x85, 0x00): 2, (0x85, 0xE1): 9, (0x03, 0xED): 1, (0x04, 0xEE): 1,
    (0x83, 0xED): 2,
}  # fmt: skip
"""How many bytes follow each channel; stored history has another length in each product."""
HISTORY, ALARM_HISTORY = (0x20, 0xCE), (0x21, 0xCE)
HISTORY_LENGTHS = {("AT101", HISTORY): 12, ("VS373", HISTORY): 9, ("EM300", HISTORY): 8,
                   ("EM300-MLD", HISTORY): 8, ("EM300-DI", HISTORY): 13,
                   ("EM300-DI", ALARM_HISTORY): 18}  # fmt: skip
SIGNS: tuple[tuple[str, frozenset[tuple[int, int]]], ...] = (
    ("WS101", frozenset({(0xFF, 0x2E)})),
    ("VS373", frozenset({(0x03, 0xF8), (0x06, 0xFB), (0x04, 0xF9), (0x07, 0xB0), (0x0A, 0xB3)})),
    ("AT101", frozenset({(0x04, 0x88), (0x84, 0x88), (0x06, 0xD9), (0x07, 0x00)})),
    ("EM300-DI", frozenset({(0x05, 0xC8), (0x05, 0xE1), (0x85, 0x00), (0x85, 0xE1)})),
    ("EM300-CL", frozenset({(0x03, 0xED), (0x83, 0xED)})),
    ("EM300", frozenset({(0x03, 0x67), (0x04, 0x68), (0x06, 0x00)})),
)
"""Channels that only one product has, for a frame that does not name its product."""

Channels = list[tuple[tuple[int, int], bytes]]


def decode(product: str, data: bytes) -> list[Finding]:
    """Read a payload as that of the product, "" for one that its own channels must tell; raises Malformed."""
    channels = _channels(product, data)
    product = product or _product({channel for channel, _ in channels})
    found: list[Finding] = []
    for channel, value in channels:
        if channel == (0x01, 0x75):
            found += charge(value[0], PRODUCTS.get(product, DeviceKind.UNKNOWN))
        elif channel == (0xFF, 0x2E):
            found.append(_press(value[0]))
        elif channel in {HISTORY, ALARM_HISTORY}:
            found += _history(product, value)
        else:
            found += _said(product, channel, value)
    return found


def _channels(product: str, data: bytes) -> Channels:
    cursor = Cursor(data)
    found: Channels = []
    while cursor:
        channel = (cursor.byte(), cursor.byte())
        length = LENGTHS.get(channel) or HISTORY_LENGTHS.get((product, channel))
        if length is None:
            if channel[0] < 0xF8 and not found:
                reason = f"channel {channel[0]:02x} {channel[1]:02x} is none of the product's"
                raise Malformed(reason)
            break  # what follows is an answer to a setting, or a channel of newer firmware
        found.append((channel, cursor.take(length)))
    return found


def _product(channels: set[tuple[int, int]]) -> str:
    for product, signs in SIGNS:
        if channels & signs:
            return product
    if (0x03, 0x00) in channels:
        reason = "channel 03 00 is a contact, motion or presence: the device profile must name the product"
        raise Malformed(reason)
    return ""


def _press(code: int) -> Finding:
    if code not in PRESSES:
        reason = f"button event {code}: expected 1, 2 or 3"
        raise Malformed(reason)
    return press(PRESSES[code])


def _said(product: str, channel: tuple[int, int], value: bytes) -> list[Finding]:
    first = value[0]
    if product == "AT101":
        return _tracker(channel, value)
    if product == "VS373":
        return _fall(channel, value)
    if (product, channel) == ("WS202", (0x03, 0x00)):
        return [moved()] if first else []
    if (product, channel) == ("EM300-DI", (0x85, 0x00)):
        return [switched(high=bool(first))]
    word = STATES.get((product, channel), ("", ""))[first != 0]
    return (
        [level(_KINDS.get(word.partition(".")[0], PRODUCTS.get(product, DeviceKind.UNKNOWN)), word)]
        if word
        else []
    )


STATES: dict[tuple[str, tuple[int, int]], tuple[str, str]] = {
    ("WS301", (0x03, 0x00)): ("door.closed", "door.opened"),
    ("WS301", (0x04, 0x00)): ("device.tamper_cleared", "device.tamper"),
    ("VS370", (0x03, 0x00)): ("presence.cleared", "presence.detected"),
    ("EM300-MLD", (0x05, 0x00)): ("leak.cleared", "leak.detected"),
    ("EM300-MLD", (0x06, 0x00)): ("leak.cleared", "leak.detected"),
    ("EM300", (0x05, 0x00)): ("leak.cleared", "leak.detected"),
    ("EM300", (0x06, 0x00)): ("door.closed", "door.opened"),
}
"""What 0 and any other value of a channel mean."""
_KINDS = {"door": DeviceKind.DOOR_CONTACT, "leak": DeviceKind.LEAK_DETECTOR}


def moved() -> Finding:
    """Return motion seen by a passive infrared sensor."""
    seen = level(DeviceKind.MOTION_SENSOR, "motion.detected")
    return Finding(type=seen.type, values=seen.values, kind=seen.kind, happened=True)


def switched(*, high: bool) -> Finding:
    """Return an input that changed: 85 00 is sent at the change, 05 00 with each report."""
    told = level(DeviceKind.UNKNOWN, "input.active" if high else "input.inactive")
    return Finding(type=told.type, values=told.values, kind=told.kind, happened=True)


MOTIONS = {0: "unknown", 1: "start", 2: "moving", 3: "stop"}
FENCES = {0: "inside", 1: "outside"}
"""2 is a fence that is not set, 3 one that is not known: neither is inside or outside."""


def _tracker(channel: tuple[int, int], value: bytes) -> list[Finding]:
    if channel == (0x07, 0x00):
        word = "device.tamper" if value[0] else "device.tamper_cleared"
        return [level(DeviceKind.GPS_TRACKER, word)]
    if channel not in {(0x04, 0x88), (0x84, 0x88)}:
        return []  # a Wi-Fi scan names networks near somebody's home, a tilt says nothing here
    latitude = int.from_bytes(value[0:4], "little", signed=True) / 1e6
    longitude = int.from_bytes(value[4:8], "little", signed=True) / 1e6
    motion, fenced = MOTIONS.get(value[8] & 0x0F, "tilt"), FENCES.get(value[8] >> 4, "unset")
    return position(latitude, longitude, details={"motion": motion, "geofence_status": fenced})


def _fall(channel: tuple[int, int], value: bytes) -> list[Finding]:
    if channel == (0x06, 0xFB):
        return _alarm(value, None)
    if channel not in {(0x03, 0xF8), (0x07, 0xB0)}:
        return []
    words = {1: "presence.cleared", 2: "bed.enter", 3: "bed.exit"}
    status = value[0]
    if status == 4:
        return [alarm("fall.detected", DeviceKind.FALL_DETECTOR)]
    return [level(DeviceKind.FALL_DETECTOR, words[status])] if status in words else []


def _alarm(value: bytes, at: datetime | None) -> list[Finding]:
    number, what, status = int.from_bytes(value[0:2], "little"), value[2], value[3]
    began, ended = FALL_ALARMS.get(what, ("", ""))
    word = {1: began, 2: ended}.get(status, "")
    if not word:
        return []
    key = f"alarm:{number}:{what}:{status}" if number != NO_ID and at else ""
    if word in {"fall.detected", "alarm.cancelled"}:
        return [alarm(word, DeviceKind.FALL_DETECTOR, at, key)]
    told = level(DeviceKind.FALL_DETECTOR, word)
    happened = word == "inactivity"
    return [Finding(type=told.type, values=told.values, kind=told.kind, at=at, key=key, happened=happened)]


def _history(product: str, value: bytes) -> list[Finding]:
    """Read a stored place or alarm with its own time; stored levels are not the present state."""
    at = from_epoch(int.from_bytes(value[0:4], "little"))
    if at is None:
        return []
    if product == "VS373":
        return [told for told in _alarm(value[4:9], at) if told.type == "fall.detected"]
    if product != "AT101":
        return []
    longitude = int.from_bytes(value[4:8], "little", signed=True) / 1e6
    latitude = int.from_bytes(value[8:12], "little", signed=True) / 1e6
    return position(latitude, longitude, at=at, key=f"stored:{at.timestamp():.0f}")
