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
NUMBERS = 128
"""Fragments are numbered from 0, and from 0 again after 127: 4 KiB are 216 of them on the smallest link."""


def fragments(value: bytes, room: int) -> Iterator[bytes]:
    """Cut a value to the size of the link: a byte of header (bit 7: the last, bits 0-6: number), then a part.

    Raises ValueError for a value of more than 4 KiB.
    """
    size = max(1, room - 1)
    count = max(1, -(-len(value) // size))
    if len(value) > MAX_BYTES:
        raise ValueError(f"a value of {len(value)} bytes; allowed: {MAX_BYTES}")
    for number in range(count):
        header = number % NUMBERS | (LAST if number == count - 1 else 0)
        yield bytes([header]) + value[number * size : (number + 1) * size]


class BrokenValueError(ValueError):
    """A fragment came out of its turn, or the value is too long: all of it is lost."""


class Joiner:
    """Joins the fragments of one characteristic's values."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    @property
    def waiting(self) -> bool:
        """True while a value has begun and not ended."""
        return bool(self._parts)

    def take(self, fragment: bytes) -> bytes | None:
        """Return the value that a fragment completes, None before that; raises BrokenValueError."""
        due = len(self._parts) % NUMBERS
        if not fragment or fragment[0] & 0x7F != due:
            found = fragment[0] & 0x7F if fragment else "no"
            raise BrokenValueError(f"fragment {found} where {due} was due")
        self._parts.append(fragment[1:])
        self._size += len(fragment) - 1
        if self._size > MAX_BYTES or len(self._parts) > MAX_BYTES:
            raise BrokenValueError(f"a value of more than {MAX_BYTES} bytes")
        if not fragment[0] & LAST:
            return None
        whole = b"".join(self._parts)
        self.clear()
        return whole

    def clear(self) -> None:
        """Forget what has begun."""
        self._parts = []
        self._size = 0


def current_time(now: datetime) -> bytes:
    """Return a moment as the Current Time characteristic holds it (CTS 1.1, section 3.1), in UTC."""
    at = now.astimezone(UTC)
    day = [at.month, at.day, at.hour, at.minute, at.second, at.isoweekday(), at.microsecond * 256 // 10**6, 0]
    return at.year.to_bytes(2, "little") + bytes(day)
