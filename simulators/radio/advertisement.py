"""Advertising data as bleak tells it: AD structures gathered over advertisement and scan response."""

import uuid
from collections.abc import Callable, Iterable, Mapping

import msgspec
from bleak.backends.scanner import AdvertisementData
from bleak.uuids import normalize_uuid_16, normalize_uuid_32

SHORT_NAME, FULL_NAME, TX_POWER, MANUFACTURER = 0x08, 0x09, 0x0A, 0xFF
SERVICES: Mapping[int, int] = {0x02: 2, 0x03: 2, 0x04: 4, 0x05: 4, 0x06: 16, 0x07: 16}
"""Types that list services, with the length of each UUID (Core Specification Supplement 11, part A)."""
SERVICE_DATA: Mapping[int, int] = {0x16: 2, 0x20: 4, 0x21: 16}


def full_uuid(little_endian: bytes) -> str:
    """Return a UUID of 2, 4 or 16 bytes in bleak's form: 128 bits, lower case."""
    if len(little_endian) == 16:
        return str(uuid.UUID(bytes=little_endian[::-1]))
    number = int.from_bytes(little_endian, "little")
    return normalize_uuid_16(number) if len(little_endian) == 2 else normalize_uuid_32(number)


class Seen(msgspec.Struct):
    """What one advertiser has said so far in this scan."""

    name: str | None = None
    manufacturer: dict[int, bytes] = msgspec.field(default_factory=dict)
    service_data: dict[str, bytes] = msgspec.field(default_factory=dict)
    services: dict[str, None] = msgspec.field(default_factory=dict)
    tx_power: int | None = None
    raw: bytes | None = None

    def take(self, raw: bytes, structures: Iterable[tuple[int, bytes]]) -> None:
        """Add one packet, unless it is the same as the last."""
        if raw == self.raw:
            return
        self.raw = raw
        for kind, value in structures:
            self._add(kind, value)

    def _add(self, kind: int, value: bytes) -> None:
        if kind in SERVICES:
            size = SERVICES[kind]
            for start in range(0, len(value) - size + 1, size):
                self.services[full_uuid(value[start : start + size])] = None
        elif kind in SERVICE_DATA and len(value) >= SERVICE_DATA[kind]:
            size = SERVICE_DATA[kind]
            self.service_data[full_uuid(value[:size])] = value[size:]
        elif kind in READERS and value:
            READERS[kind](self, value)

    def told(self, rssi: int) -> AdvertisementData:
        """Return it as bleak gives it to the program."""
        parts = (dict(self.manufacturer), dict(self.service_data), list(self.services))
        return AdvertisementData(self.name, *parts, self.tx_power, rssi, ())


def _name(seen: Seen, value: bytes) -> None:
    seen.name = value.decode("utf-8", "replace")


def _short_name(seen: Seen, value: bytes) -> None:
    seen.name = seen.name or value.decode("utf-8", "replace")


def _power(seen: Seen, value: bytes) -> None:
    seen.tx_power = int.from_bytes(value[:1], "little", signed=True)


def _manufacturer(seen: Seen, value: bytes) -> None:
    if len(value) >= 2:
        seen.manufacturer[int.from_bytes(value[:2], "little")] = value[2:]


READERS: Mapping[int, Callable[[Seen, bytes], None]] = {
    FULL_NAME: _name,
    SHORT_NAME: _short_name,
    TX_POWER: _power,
    MANUFACTURER: _manufacturer,
}
