"""A device's own clock: it counts from a date of the factory until Current Time tells it the real one."""

import asyncio
import struct
from datetime import UTC, datetime, timedelta

FACTORY = datetime(2020, 1, 1, tzinfo=UTC)
"""What a device takes for the moment of its start when nobody has told it the time."""
LAYOUT = struct.Struct("<HBBBBBBBB")
"""Year, month, day, hour, minute, second, weekday, 1/256 s, adjust reason (Current Time Service 1.1)."""


class DeviceClock:
    """Counts the seconds of the running loop; `wrong_by` is a fault, and the device does not know of it.

    In a demonstration in fast time it runs `speed` times as fast.
    """

    def __init__(self, speed: float = 1.0) -> None:
        self.speed = speed
        self.synced = False
        self.wrong_by = timedelta(0)
        self._told = FACTORY
        self._at_s = asyncio.get_running_loop().time()

    def now(self) -> datetime:
        """Return what the device takes for the time, UTC."""
        passed = timedelta(seconds=(asyncio.get_running_loop().time() - self._at_s) * self.speed)
        return self._told + passed + self.wrong_by

    def text(self) -> str:
        """Return it as the interface writes it: RFC 3339 with offset, milliseconds."""
        return self.now().isoformat(timespec="milliseconds")

    def value(self) -> bytes:
        """Return the characteristic Current Time 0x2A2B, in UTC."""
        now = self.now()
        fraction = now.microsecond * 256 // 1_000_000
        day = (now.year, now.month, now.day, now.hour, now.minute, now.second, now.isoweekday())
        return LAYOUT.pack(*day, fraction, 0)

    def set(self, value: bytes) -> None:
        """Take the time from a write to Current Time; ValueError for what is none."""
        if len(value) != LAYOUT.size:
            raise ValueError(f"{len(value)} bytes; Current Time has {LAYOUT.size}")
        year, month, day, hour, minute, second, _weekday, fraction, _why = LAYOUT.unpack(value)
        self._told = datetime(year, month, day, hour, minute, second, fraction * 1_000_000 // 256, tzinfo=UTC)
        self._at_s = asyncio.get_running_loop().time()
        self.synced = True
