"""The Vaka GATT profile, version 1, as the kit speaks it: UUIDs, fragments, and the time."""

from collections.abc import Iterator
from datetime import UTC, datetime

VENDOR = "56414b41-{number:04x}-4d31-8c0e-6f2a1b7d9e50"
STANDARD = "0000{number:04x}-0000-1000-8000-00805f9b34fb"
SERVICE, EVENT, ACKNOWLEDGE, STATE, COMMAND, RESULT, CONFIG = (
    VENDOR.format(number=number) for number in range(1, 8)
)
BATTERY_LEVEL, CURRENT_TIME, MANUFACTURER, MODEL, FIRMWARE, SERIAL = (
    STANDARD.format(number=number) for number in (0x2A19, 0x2A2B, 0x2A29, 0x2A24, 0x2A26, 0x2A25)
)
TOLD = {EVENT: "event", STATE: "status", RESULT: "result"}
"""What a device tells by itself, and the branch that it would have over MQTT."""
LAST = 0x80
NUMBERS = 0x80
SMALL = 18
"""Bytes of a fragment that goes through the smallest link: an ATT MTU of 23 less header and fragment byte."""
UNACKNOWLEDGED = 8
"""Events that may be sent and not acknowledged."""
LONGEST = 65_536
"""Bytes of a value past which the kit joins no more."""


def fragments(value: bytes, size: int = SMALL) -> Iterator[bytes]:
    """Cut a value into parts of that size, each with its header."""
    starts = range(0, max(1, len(value)), size)
    for number, start in enumerate(starts):
        last = LAST if start + size >= len(value) else 0
        yield bytes([last | number % NUMBERS]) + value[start : start + size]


class Joiner:
    """Joins fragments whatever their numbers are; `wrong` is the first thing amiss with the last value."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self.wrong = ""

    def take(self, fragment: bytes) -> bytes | None:
        """Return the value that a fragment completes, None before that."""
        if not self._parts:
            self.wrong = ""
        due = len(self._parts) % NUMBERS
        found = fragment[0] & ~LAST if fragment else None
        if found != due and not self.wrong:
            self.wrong = f"fragment {found} where {due} was due"
        self._parts.append(fragment[1:])
        whole = b"".join(self._parts)
        if len(whole) > LONGEST or not fragment:
            self.wrong = self.wrong or "a value without an end"
        elif not fragment[0] & LAST:
            return None
        self._parts = []
        return whole


def current_time(now: datetime) -> bytes:
    """Return a moment as Current Time holds it (Current Time Service 1.1, section 3.1), in UTC."""
    at = now.astimezone(UTC)
    day = [at.month, at.day, at.hour, at.minute, at.second, at.isoweekday(), at.microsecond * 256 // 10**6, 0]
    return at.year.to_bytes(2, "little") + bytes(day)
