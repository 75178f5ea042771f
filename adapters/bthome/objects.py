"""The objects of BTHome v2 service data: id, length, sign, factor and unit of each."""

from collections.abc import Iterator

import msgspec

from gateway.contract import Undecodable


class Kind(msgspec.Struct, frozen=True):
    """How an object is written; `size` 0 means that a length byte stands before it."""

    name: str
    size: int = 1
    factor: float = 1
    signed: bool = False


PACKET, BATTERY, BUTTON, DIMMER, TEXT, RAW = 0x00, 0x01, 0x3A, 0x3C, 0x53, 0x54
DEVICE_TYPE, FIRMWARE_4, FIRMWARE_3 = 0xF0, 0xF1, 0xF2

KINDS: dict[int, Kind] = {
    PACKET: Kind("packet"), BATTERY: Kind("battery"),
    0x02: Kind("temperature_c", 2, 0.01, signed=True), 0x03: Kind("humidity_percent", 2, 0.01),
    0x04: Kind("pressure_hpa", 3, 0.01), 0x05: Kind("illuminance_lux", 3, 0.01),
    0x06: Kind("mass_kg", 2, 0.01), 0x07: Kind("mass_lb", 2, 0.01),
    0x08: Kind("dew_point_c", 2, 0.01, signed=True), 0x09: Kind("count"),
    0x0A: Kind("energy_kwh", 3, 0.001), 0x0B: Kind("power_w", 3, 0.01), 0x0C: Kind("voltage_v", 2, 0.001),
    0x0D: Kind("pm25_ug_m3", 2), 0x0E: Kind("pm10_ug_m3", 2),
    0x0F: Kind("generic"), 0x10: Kind("power"), 0x11: Kind("opening"),
    0x12: Kind("co2_ppm", 2), 0x13: Kind("tvoc_ug_m3", 2), 0x14: Kind("moisture_percent", 2, 0.01),
    0x15: Kind("battery_low"), 0x16: Kind("battery_charging"), 0x17: Kind("carbon_monoxide"),
    0x18: Kind("cold"),
    0x19: Kind("connectivity"), 0x1A: Kind("door"), 0x1B: Kind("garage_door"), 0x1C: Kind("gas"),
    0x1D: Kind("heat"), 0x1E: Kind("light"), 0x1F: Kind("lock"), 0x20: Kind("moisture"), 0x21: Kind("motion"),
    0x22: Kind("moving"), 0x23: Kind("occupancy"), 0x24: Kind("plug"), 0x25: Kind("presence"),
    0x26: Kind("problem"), 0x27: Kind("running"), 0x28: Kind("safety"), 0x29: Kind("smoke"),
    0x2A: Kind("sound"),
    0x2B: Kind("tamper"), 0x2C: Kind("vibration"), 0x2D: Kind("window"),
    0x2E: Kind("humidity_percent"), 0x2F: Kind("moisture_percent"),
    BUTTON: Kind("button"), DIMMER: Kind("dimmer", 2), 0x3D: Kind("count", 2), 0x3E: Kind("count", 4),
    0x3F: Kind("rotation_deg", 2, 0.1, signed=True), 0x40: Kind("distance_mm", 2),
    0x41: Kind("distance_m", 2, 0.1),
    0x42: Kind("duration_s", 3, 0.001), 0x43: Kind("current_a", 2, 0.001), 0x44: Kind("speed_m_s", 2, 0.01),
    0x45: Kind("temperature_c", 2, 0.1, signed=True), 0x46: Kind("uv_index", 1, 0.1),
    0x47: Kind("volume_l", 2, 0.1), 0x48: Kind("volume_ml", 2), 0x49: Kind("volume_flow_m3_h", 2, 0.001),
    0x4A: Kind("voltage_v", 2, 0.1), 0x4B: Kind("gas_m3", 3, 0.001), 0x4C: Kind("gas_m3", 4, 0.001),
    0x4D: Kind("energy_kwh", 4, 0.001), 0x4E: Kind("volume_l", 4, 0.001), 0x4F: Kind("water_l", 4, 0.001),
    0x50: Kind("timestamp", 4), 0x51: Kind("acceleration_m_s2", 2, 0.001),
    0x52: Kind("gyroscope_deg_s", 2, 0.001),
    TEXT: Kind("text", 0), RAW: Kind("raw", 0), 0x55: Kind("volume_storage_l", 4, 0.001),
    0x56: Kind("conductivity_us_cm", 2), 0x57: Kind("temperature_c", 1, signed=True),
    0x58: Kind("temperature_c", 1, 0.35, signed=True), 0x59: Kind("count", 1, signed=True),
    0x5A: Kind("count", 2, signed=True), 0x5B: Kind("count", 4, signed=True),
    0x5C: Kind("power_w", 4, 0.01, signed=True), 0x5D: Kind("current_a", 2, 0.001, signed=True),
    0x5E: Kind("direction_deg", 2, 0.01), 0x5F: Kind("precipitation_mm", 2, 0.1), 0x60: Kind("channel"),
    0x61: Kind("rotational_speed_rpm", 2), 0x62: Kind("speed_m_s", 4, 0.000001, signed=True),
    0x63: Kind("acceleration_m_s2", 4, 0.000001, signed=True), 0x64: Kind("light_level"),
    DEVICE_TYPE: Kind("device_type", 2), FIRMWARE_4: Kind("firmware", 4), FIRMWARE_3: Kind("firmware", 3),
}  # fmt: skip
"""Every object id of the public format (bthome.io/format, with the additions of bthome-ble 3)."""


class Found(msgspec.Struct, frozen=True):
    """One object; `value` in the unit of its name, `raw` its bytes."""

    id: int
    name: str
    value: float
    raw: bytes


class Objects(msgspec.Struct, frozen=True):
    """The objects of one advertisement, and the id at which reading had to stop (None: at the end)."""

    found: tuple[Found, ...]
    unread: int | None = None


def read_objects(data: bytes, address: str) -> Objects:
    """Read objects until the end or the first unknown id; raises Undecodable when not one can be read."""
    found: list[Found] = []
    at, unread = 0, None
    for one, after in _each(data):
        if one is None:
            unread = data[at]
            break
        found.append(one)
        at = after
    if not found:
        what = "no objects" if unread is None else f"object 0x{unread:02X} is unknown or cut short"
        raise Undecodable(what, clause="BTH-OBJECT", native_id=address)
    return Objects(tuple(found), unread)


def _each(data: bytes) -> Iterator[tuple[Found | None, int]]:
    at = 0
    while at < len(data):
        kind = KINDS.get(data[at])
        start, size = at + 1, kind.size if kind else 0
        if kind and not size:
            size = data[start] if start < len(data) else 0
            start += 1
        raw = data[start : start + size]
        if kind is None or len(raw) < size or (not size and start > len(data)):
            yield None, at
            return
        number = int.from_bytes(raw, "little", signed=kind.signed) if kind.size else 0
        value = round(number * kind.factor, 6)
        found = Found(data[at], kind.name, value, raw)
        at = start + size
        yield found, at
