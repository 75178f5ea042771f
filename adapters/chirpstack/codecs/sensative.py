"""Sensative Strips: a history number, then reports of a type and its value (device repository, 2024)."""

from adapters.chirpstack.codecs.finding import Cursor, Finding, Malformed, charge, level
from gateway.model.vocabulary import DeviceKind

LIVE = frozenset({0, 1})
"""The port of reports; 2 holds stored ones, others answers to settings. 0 stands for one left out."""
LENGTHS = {0: 0, 1: 1, 2: 2, 3: 1, 4: 2, 5: 1, 6: 1, 7: 2, 8: 2, 9: 1, 10: 1, 11: 1, 12: 1, 13: 1,
           14: 1, 15: 1, 16: 1, 17: 2, 18: 1, 19: 2, 20: 2, 21: 1, 22: 1, 80: 3, 81: 3, 82: 3,
           110: 8, 112: 2, 113: 2, 114: 2}  # fmt: skip
"""Bytes of each report's value."""
DOORS = frozenset({9, 82})
WORDS: dict[int, tuple[DeviceKind, str, str]] = {
    11: (DeviceKind.UNKNOWN, "device.tamper_cleared", "device.tamper"),
    12: (DeviceKind.UNKNOWN, "device.tamper_cleared", "device.tamper"),
    14: (DeviceKind.LEAK_DETECTOR, "leak.cleared", "leak.detected"),
    16: (DeviceKind.UNKNOWN, "input.inactive", "input.active"),
    18: (DeviceKind.MOTION_SENSOR, "presence.cleared", "presence.detected"),
}
"""Kind, and what 0 and 1 of a report mean."""


def decode(data: bytes, port: int) -> list[Finding]:
    """Read the live reports; stored ones and answers to settings are not the present state."""
    cursor = Cursor(data)
    found: list[Finding] = []
    cursor.take(2)
    if port not in LIVE:
        return []
    while cursor:
        kind = cursor.byte() & 0x7F
        if kind not in LENGTHS:
            reason = f"report type {kind} is none of the strip's"
            raise Malformed(reason)
        value = cursor.take(LENGTHS[kind])
        if kind == 1:
            found += charge(value[0], DeviceKind.UNKNOWN)
        elif kind in DOORS:
            found.append(door(closed=bool(value[0])))
        elif kind in WORDS:
            found.append(level(WORDS[kind][0], WORDS[kind][1 + bool(value[0])]))
    return found


def door(*, closed: bool) -> Finding:
    """Return the contact: the magnet is near, so 1 is a closed door; older decoders call it open."""
    return level(DeviceKind.DOOR_CONTACT, "door.closed" if closed else "door.opened")
