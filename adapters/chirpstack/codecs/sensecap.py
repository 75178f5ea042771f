"""SenseCAP T1000: frames of an id and fixed fields (vendor's T1000 decoder for port 5, 2024)."""

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
from gateway.model.vocabulary import DeviceKind, HealthValues

PORT = 5
TRACKER = DeviceKind.GPS_TRACKER
LENGTHS = {0x01: 46, 0x02: 15, 0x03: 31, 0x04: 9, 0x05: 4, 0x06: 21, 0x07: 41, 0x08: 34, 0x09: 17, 0x0A: 37,
           0x0B: 30, 0x0C: 0, 0x0D: 4, 0x0F: 16, 0x10: 12, 0x11: 13,
           0x1A: 27, 0x1B: 47, 0x1C: 40, 0x1D: 19}  # fmt: skip
"""Bytes after each frame id; 1A to 1D are 06, 07, 08 and 11 with acceleration before the charge."""
CHARGE_AT = {0x01: 0, 0x02: 0, 0x05: 0, 0x06: 20, 0x07: 40, 0x08: 33, 0x09: 16, 0x0A: 36, 0x0B: 29, 0x0F: 12,
             0x10: 8, 0x11: 12, 0x1A: 26, 0x1B: 46, 0x1C: 39, 0x1D: 18}  # fmt: skip
WITH_PLACE = frozenset({0x06, 0x09, 0x1A})
PLACELESS = frozenset({0x11, 0x1D})
WITH_EVENTS = {0x06: 0, 0x07: 0, 0x08: 0, 0x09: 0, 0x0A: 0, 0x0B: 0, 0x0F: 0, 0x10: 0, 0x11: 1,
               0x1A: 0, 0x1B: 0, 0x1C: 0, 0x1D: 1}  # fmt: skip
"""Where the three bytes of events stand; the time stands after them, in 0x11 and 0x1D at once."""
MOTIONLESS, SHOCK, SOS, PRESS = 0x04, 0x08, 0x40, 0x80
SHARD = 0x0E


def decode(data: bytes) -> list[Finding]:
    """Read every frame of a payload; scans of Wi-Fi and Bluetooth are passed over."""
    cursor = Cursor(data)
    found: list[Finding] = []
    while cursor:
        frame = cursor.byte()
        if frame == SHARD:
            cursor.take(3)
            cursor.take(cursor.byte())
            continue
        if frame not in LENGTHS and found:
            break  # a frame of newer firmware costs those before it nothing
        if frame not in LENGTHS:
            reason = f"frame id {frame:#04x} is none of the tracker's"
            raise Malformed(reason)
        found += _frame(frame, cursor.take(LENGTHS[frame]))
    return found


def _frame(frame: int, value: bytes) -> list[Finding]:
    found: list[Finding] = []
    if frame in WITH_EVENTS:
        start = WITH_EVENTS[frame]
        when = from_epoch(int.from_bytes(value[4:8], "big"))
        found += events(int.from_bytes(value[start : start + 3], "big"), when)
        if frame in WITH_PLACE:
            longitude = int.from_bytes(value[8:12], "big", signed=True) / 1e6
            latitude = int.from_bytes(value[12:16], "big", signed=True) / 1e6
            found += position(latitude, longitude, at=when)
        elif frame in PLACELESS and value[0]:
            lost = HealthValues(details={"positioning_status": value[0]})
            found.append(Finding(type="fix.lost", values=lost, kind=TRACKER, happened=True, at=when))
    elif frame == 0x0D:
        code = int.from_bytes(value, "big")
        return [level(TRACKER, "device.fault", error=code)] if code else []
    if frame in CHARGE_AT:
        found += charge(value[CHARGE_AT[frame]], TRACKER)
    return found


def events(bits: int, when: datetime | None) -> list[Finding]:
    """Return what the event bits say: SOS is bit 6, which the vendor numbers 7."""
    found: list[Finding] = []
    if bits & SOS:
        found.append(alarm("alarm.manual", TRACKER, when))
    if bits & PRESS:
        pressed = press("short")
        found.append(Finding(type=pressed.type, values=pressed.values, kind=TRACKER, happened=True, at=when))
    return found
