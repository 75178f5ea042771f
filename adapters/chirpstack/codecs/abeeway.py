"""Abeeway trackers: firmware 2 (Asset Tracker 2) and firmware 3 (Asset Tracker 3).

Layouts from the vendor's reference guides as the device repository's drivers of 2025 hold them.
"""

from datetime import datetime, timedelta

from adapters.chirpstack.codecs.finding import Cursor, Finding, Malformed, alarm, charge, level, position
from gateway.model.instant import from_epoch
from gateway.model.vocabulary import DeviceKind, GeofenceValues, HealthValues

PORTS = {18: "v2", 17: "v2", 19: "v3"}
TRACKER = DeviceKind.GPS_TRACKER
V2_KINDS = {3: "position", 14: "extended", 4: "energy", 5: "heartbeat", 9: "shutdown", 10: "event"}
"""Message types of firmware 2 that say something here; 11, 12 and 13 hold scans, contacts and texts."""
V2_IGNORED = frozenset({0, 7, 11, 12, 13, 15})
IN_SOS = 0x10
"""The bit of the status that stands while the tracker is in SOS mode."""
V2_SOS = {7: "alarm.manual", 8: "alarm.cancelled"}
HALF_DAY = timedelta(hours=12)
NO_TIME = 0xFFFF
NO_CHARGE = 127


def decode_v2(data: bytes, at: datetime | None) -> list[Finding]:
    """Read a frame of firmware 2; the charge is raw, its scale is the firmware's own."""
    cursor = Cursor(data)
    kind, status, battery = cursor.byte(), cursor.byte(), cursor.byte()
    cursor.take(2)  # temperature; acknowledgement token and option
    option = data[4] & 0x0F
    helped = [alarm("alarm.manual", TRACKER)] if kind and status & IN_SOS else []
    if kind in V2_IGNORED:
        return helped
    if kind not in V2_KINDS:
        reason = f"message type {kind} is none of firmware 2"
        raise Malformed(reason)
    raw = {"battery_raw": battery}
    found: list[Finding] = []
    if V2_KINDS[kind] == "event":
        word = V2_SOS.get(cursor.byte())
        found = [alarm(word, TRACKER)] if word else []
    elif V2_KINDS[kind] == "shutdown":
        found = [level(TRACKER, "device.offline")]
    else:
        found = helped
    if kind == 3 and option == 0:
        age_s = data_byte(data, 5) * 8
        found += _v2_short(data, at - timedelta(seconds=age_s) if at else None, raw)
    elif kind == 14 and option == 0:
        age_s = int.from_bytes(take(data, 5, 2), "big")
        found += _v2_long(data, at - timedelta(seconds=age_s) if at else None, raw)
    elif kind in {3, 14} and option in {1, 3, 4, 8}:
        found.append(level_health("fix.lost", raw))
    found.append(level(TRACKER, "charging.started" if battery == 0 else "charging.stopped"))
    found.append(level_health("heartbeat", raw))
    return found


def level_health(word: str, details: dict[str, int]) -> Finding:
    """Return a happening of the tracker's health."""
    return Finding(type=word, values=HealthValues(details=dict(details)), kind=TRACKER, happened=True)


def take(data: bytes, start: int, count: int) -> bytes:
    """Return bytes at a place; raises Malformed past the end."""
    cursor = Cursor(data)
    cursor.take(start)
    return cursor.take(count)


def data_byte(data: bytes, place: int) -> int:
    """Return the byte at a place; raises Malformed past the end."""
    return take(data, place, 1)[0]


def _degrees(data: bytes, start: int, count: int) -> float:
    """Degrees in 1e-7; three bytes are the upper three of four."""
    return int.from_bytes(take(data, start, count).ljust(4, b"\0"), "big", signed=True) / 1e7


def _v2_short(data: bytes, at: datetime | None, raw: dict[str, int]) -> list[Finding]:
    accuracy = round(data_byte(data, 12) * 1000 / 255, 2)
    place = _degrees(data, 6, 3), _degrees(data, 9, 3)
    return position(*place, accuracy_m=accuracy, at=at, details=dict(raw))


def _v2_long(data: bytes, at: datetime | None, raw: dict[str, int]) -> list[Finding]:
    metres = bool(data_byte(data, 7) >> 1 & 1)
    altitude = int.from_bytes(take(data, 16, 2), "big", signed=True)
    code = data_byte(data, 18)
    wide = {251: 500.0, 252: 1000.0, 253: 2000.0, 254: 4000.0, 255: None}
    accuracy = wide.get(code, float(code)) if metres else round(code * 1000 / 255, 2)
    speed = int.from_bytes(take(data, 21, 2), "big") * 0.036
    return position(
        _degrees(data, 8, 4),
        _degrees(data, 12, 4),
        accuracy_m=accuracy,
        altitude_m=altitude if metres else altitude / 100,
        speed_kmh=round(speed, 2) if speed <= 2000 else None,
        at=at,
        details=dict(raw),
    )


def decode_v3(data: bytes, at: datetime | None) -> list[Finding]:
    """Read a frame of firmware 3; its time is seconds since the last midnight or noon, in UTC."""
    head = take(data, 0, 4)
    buffered = bool(head[1] & 0x80)
    start = 6 if buffered else 4
    when = from_epoch(int.from_bytes(take(data, 2, 4), "big")) if buffered else rebuilt(
        at, int.from_bytes(head[2:4], "big")
    )  # fmt: skip
    found = _v3_charge(head[1] & 0x7F)
    kind = head[0] >> 3 & 7
    if kind == 1:
        found = _v3_notification(data_byte(data, start), when) + found
    elif kind == 2:
        found = _v3_position(data, start + (head[0] >> 7), when) + found
    elif kind not in {3, 4, 5}:
        reason = f"message type {kind} is none of firmware 3"
        raise Malformed(reason)
    told = {item.type for item in found}
    if head[0] & 0x40 and not told & {"alarm.manual", "alarm.cancelled"}:
        found.insert(0, alarm("alarm.manual", TRACKER, when))
    return found


def rebuilt(at: datetime | None, seconds: int) -> datetime | None:
    """Return the tracker's time nearest before the network's; None when its clock is not set."""
    if at is None or seconds == NO_TIME or seconds >= HALF_DAY.total_seconds():
        return None
    half = at.replace(hour=0 if at.hour < 12 else 12, minute=0, second=0, microsecond=0)
    told = half + timedelta(seconds=seconds)
    return told - HALF_DAY if told > at else told


def _v3_charge(value: int) -> list[Finding]:
    if value == 0:
        return [level(TRACKER, "charging.started")]
    return [] if value == NO_CHARGE else charge(value, TRACKER)


V3_WORDS = {0x10: "alarm.manual", 0x11: "alarm.cancelled", 0x01: "battery.low", 0x03: "device.tamper",
            0x50: "geofence.enter", 0x51: "geofence.exit"}  # fmt: skip
"""Class in the upper four bits, type in the lower four."""


def _v3_notification(code: int, at: datetime | None) -> list[Finding]:
    word = V3_WORDS.get(code)
    if word is None:
        if code >> 4 > 6:
            reason = f"notification class {code >> 4} is none of firmware 3"
            raise Malformed(reason)
        return [level_health("heartbeat", {"notification": code})]
    if word.startswith("alarm."):
        return [alarm(word, TRACKER, at)]
    if word.startswith("geofence."):
        return [Finding(type=word, values=GeofenceValues(), kind=TRACKER, happened=True, at=at)]
    return [Finding(type=word, values=HealthValues(), kind=TRACKER, at=at)]


def _v3_position(data: bytes, start: int, at: datetime | None) -> list[Finding]:
    head = take(data, start, 4)
    sos = [alarm("alarm.manual", TRACKER, at)] if head[3] & 0x02 and not data[0] & 0x40 else []
    status, kind = head[0] >> 5 & 3, head[0] & 0x0F
    if kind != 10:
        return sos  # scans of Wi-Fi and beacons tell where somebody lives: they are not read
    if status in {1, 2}:
        return [*sos, level_health("fix.lost", {})]
    fix = take(data, start + 4, 16)
    speed = int.from_bytes(fix[12:14], "big") * 0.036
    return sos + position(
        _degrees(fix, 0, 4),
        _degrees(fix, 4, 4),
        altitude_m=int.from_bytes(fix[8:10], "big", signed=True),
        accuracy_m=fix[14] if fix[14] <= 250 else None,
        speed_kmh=round(speed, 2) if speed <= 2000 else None,
        at=at,
        details={"motion": bool(head[0] & 0x80)},
    )
