"""The names of the Vaka GATT profile, version 1, and how its values are cut to the size of the link."""

from collections.abc import Iterator
from datetime import UTC, datetime

from adapters.vaka.cbor import MAX_BYTES

VENDOR = "56414b41-{number:04x}-4d31-8c0e-6f2a1b7d9e50"
STANDARD = "0000{number:04x}-0000-1000-8000-00805f9b34fb"

SERVICE = VENDOR.format(number=1)
EVENT = VENDOR.format(number=2)
ACKNOWLEDGE = VENDOR.format(number=3)
STATE = VENDOR.format(number=4)
COMMAND = VENDOR.format(number=5)
RESULT = VENDOR.format(number=6)
CONFIG = VENDOR.format(number=7)
BATTERY_LEVEL = STANDARD.format(number=0x2A19)
CURRENT_TIME = STANDARD.format(number=0x2A2B)
MODEL = STANDARD.format(number=0x2A24)
FIRMWARE = STANDARD.format(number=0x2A26)
MANUFACTURER = STANDARD.format(number=0x2A29)
DEVICE_INFORMATION = (MANUFACTURER, MODEL, FIRMWARE)
"""What is read of the Device Information service; the serial number is not needed, and stays where it is."""
NEEDED = frozenset({EVENT, ACKNOWLEDGE, STATE})
"""Without these characteristics it is no device of the profile."""

LAST = 0x80
MAX_FRAGMENTS = 128


def fragments(value: bytes, room: int) -> Iterator[bytes]:
    """Cut a value to the size of the link: a byte of header (bit 7: the last, bits 0-6: number), then a part.

    Raises ValueError for a value that cannot be sent: longer than 4 KiB, or in more than 128 parts.
    """
    size = room - 1
    count = max(1, -(-len(value) // size)) if size > 0 else MAX_FRAGMENTS + 1
    if len(value) > MAX_BYTES or count > MAX_FRAGMENTS:
        raise ValueError(f"{len(value)} bytes do not go into {MAX_FRAGMENTS} writes of {room} bytes")
    for number in range(count):
        header = number | (LAST if number == count - 1 else 0)
        yield bytes([header]) + value[number * size : (number + 1) * size]


class BrokenValueError(ValueError):
    """A fragment came out of its turn, or too many of them: the whole value is lost."""


class Joiner:
    """Joins the fragments of one characteristic's values."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    @property
    def waiting(self) -> bool:
        """True while a value has begun and not ended."""
        return bool(self._parts)

    def take(self, fragment: bytes) -> bytes | None:
        """Return the value that a fragment completes, None before that; raises BrokenValueError."""
        if not fragment or fragment[0] & 0x7F != len(self._parts):
            found = fragment[0] & 0x7F if fragment else "no"
            raise BrokenValueError(f"fragment {found} where {len(self._parts)} was due")
        self._parts.append(fragment[1:])
        if sum(map(len, self._parts)) > MAX_BYTES:
            raise BrokenValueError(f"a value of more than {MAX_BYTES} bytes")
        if not fragment[0] & LAST:
            if len(self._parts) == MAX_FRAGMENTS:
                raise BrokenValueError(f"more than {MAX_FRAGMENTS} fragments")
            return None
        whole, self._parts = b"".join(self._parts), []
        return whole

    def clear(self) -> None:
        """Forget what has begun."""
        self._parts = []


def current_time(now: datetime) -> bytes:
    """Return a moment as the Current Time characteristic holds it (CTS 1.1, section 3.1), in UTC."""
    at = now.astimezone(UTC)
    day = [at.month, at.day, at.hour, at.minute, at.second, at.isoweekday(), at.microsecond * 256 // 10**6, 0]
    return at.year.to_bytes(2, "little") + bytes(day)
