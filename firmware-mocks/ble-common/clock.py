"""The device's clock: counts from 2000-01-01 until the gateway writes Current Time (0x2A2B)."""
import struct
import time
from datetime import datetime, timedelta, timezone

LAYOUT = struct.Struct("<HBBBBBBBB")    # Current Time Service 1.1: year .. second, weekday, 1/256 s, reason
NEVER_SET = datetime(2000, 1, 1, tzinfo=timezone.utc)


class Clock:
    def __init__(self, wrong=timedelta(0)):
        self.wrong = wrong              # a fault that the device does not know of
        self.unset()

    def unset(self):
        self.synced, self.base, self.at = False, NEVER_SET, time.monotonic()

    def now(self):
        return self.base + timedelta(seconds=time.monotonic() - self.at) + self.wrong

    def text(self):
        return self.now().isoformat(timespec="milliseconds")

    def quality(self):
        return "synced" if self.synced else "unsynced"

    def read(self):
        t = self.now()
        return LAYOUT.pack(t.year, t.month, t.day, t.hour, t.minute, t.second, t.isoweekday(),
                           t.microsecond * 256 // 1000000, 0)

    def write(self, value):
        """ValueError or struct.error for what is no time."""
        y, mo, d, h, mi, s, _, part, _ = LAYOUT.unpack(value)
        self.base = datetime(y, mo, d, h, mi, s, part * 1000000 // 256, tzinfo=timezone.utc)
        self.at, self.synced = time.monotonic(), True
