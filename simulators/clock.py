"""Fast time: the simulated moment computed from the wall clock, the same in every process of a demo."""

import time
from datetime import datetime, timedelta

import msgspec


class FastClock(msgspec.Struct, frozen=True):
    """now = start + (wall - wall0) * speed; `wall0` is in seconds since the epoch."""

    start: datetime
    wall0: float
    speed: float = 60

    def now(self) -> datetime:
        """Return the simulated moment."""
        return self.start + timedelta(seconds=(time.time() - self.wall0) * self.speed)

    def wait_s(self, until: datetime) -> float:
        """Return the wall seconds until that simulated moment, never negative."""
        return max(0.0, (until - self.now()).total_seconds() / self.speed)
