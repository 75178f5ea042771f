"""Assigned numbers, and the UUIDs and fragments of the Vaka GATT profile, by the interface document."""

from collections.abc import Iterator

from bumble.core import UUID


def vaka(part: int) -> UUID:
    """Return a UUID of the Vaka profile: the same base, another second group."""
    return UUID(f"56414b41-{part:04x}-4d31-8c0e-6f2a1b7d9e50")


def text(uuid: UUID) -> str:
    """Return a UUID of 128 bits as bleak writes it."""
    return uuid.to_hex_str("-").lower()


SERVICE, EVENT, ACKNOWLEDGE, STATE, COMMAND, RESULT, CONFIG = (vaka(part) for part in range(1, 8))

BATTERY_SERVICE, BATTERY_LEVEL = UUID.from_16_bits(0x180F), UUID.from_16_bits(0x2A19)
CURRENT_TIME_SERVICE, CURRENT_TIME = UUID.from_16_bits(0x1805), UUID.from_16_bits(0x2A2B)
IMMEDIATE_ALERT_SERVICE, LINK_LOSS_SERVICE = UUID.from_16_bits(0x1802), UUID.from_16_bits(0x1803)
ALERT_LEVEL = UUID.from_16_bits(0x2A06)
CLIENT_CONFIGURATION = UUID.from_16_bits(0x2902)

INSUFFICIENT_AUTHENTICATION, INVALID_LENGTH, INSUFFICIENT_ENCRYPTION = 0x05, 0x0D, 0x0F
OUT_OF_RANGE, WRITE_REQUEST_REJECTED = 0xFF, 0xFC
"""ATT error codes (Core, Vol 3, Part F, 3.4.1.1, and the common ones of its Supplement, part B)."""

LAST = 0x80
NUMBERS = 0x80
"""Fragment numbers count from 0 and begin again after 127."""
LONGEST = 4096
"""Bytes of one joined value."""
UNACKNOWLEDGED = 8
"""Events that are sent and not yet acknowledged, at most."""
ACKNOWLEDGED_WITHIN_S = 30.0
"""After so long without an Acknowledge the oldest event is sent again."""
AT_ONCE = 3
"""ATT header bytes of a notification, an indication and a write."""


def fragments(value: bytes, mtu: int, first: int = 0) -> Iterator[bytes]:
    """Cut a value into ATT values for that MTU: a header byte, then a part; numbers count from `first`."""
    size = mtu - AT_ONCE - 1
    starts = range(0, max(1, len(value)), size)
    for number, start in enumerate(starts, first):
        last = LAST if start + size >= len(value) else 0
        yield bytes([last | number % NUMBERS]) + value[start : start + size]


class Joiner:
    """Joins fragments; a number out of turn or too long a value drops what there was."""

    def __init__(self) -> None:
        self._parts = b""
        self._next = 0

    def take(self, fragment: bytes) -> bytes | None:
        """Return the whole value with its last fragment; ValueError for one that cannot follow."""
        number = fragment[0] & ~LAST if fragment else -1
        expected, parts = self._next, self._parts
        self._parts, self._next = b"", 0
        if number == 0 and expected % NUMBERS:  # a new value begins before the last one ended
            expected, parts = 0, b""
        if number != expected % NUMBERS:
            raise ValueError(f"fragment {number} where {expected % NUMBERS} is expected")
        parts += fragment[1:]
        if len(parts) > LONGEST:
            raise ValueError(f"more than {LONGEST} bytes")
        if fragment[0] & LAST:
            return parts
        self._parts, self._next = parts, expected + 1
        return None
