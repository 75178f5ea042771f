"""Clocks: the real one, and one that runs faster for a demonstration."""

import time
from datetime import UTC, datetime, timedelta

SLEW = 0.9
"""How fast a clock that was set back goes on until the wall has caught up: deadlines stretch by a tenth."""


class SystemClock:
    """Wall time that never goes back: set back, it goes on a little slower until the wall has caught up."""

    def __init__(self) -> None:
        self._last = datetime.now(UTC)
        self._mark = time.monotonic()

    def not_before(self, moment: datetime) -> None:
        """Go on from a moment that was reached before this start, where the wall shows an earlier one."""
        self._last = max(self.now(), moment)

    def now(self) -> datetime:
        """Return the present moment, UTC."""
        mark, wall = time.monotonic(), datetime.now(UTC)
        if wall < self._last:
            wall = self._last + timedelta(seconds=(mark - self._mark) * SLEW)
        self._last, self._mark = wall, mark
        return wall

    def wait_s(self, until: datetime) -> float:
        """Return how many real seconds to wait until that moment, 0 if it is past."""
        return max(0.0, (until - self.now()).total_seconds())


class FastClock:
    """Stands at `start` when the wall shows `wall0` (epoch seconds), and runs `speed` times as fast."""

    def __init__(self, start: datetime, wall0: float, speed: float) -> None:
        self.start = start
        self.wall0 = wall0
        self.speed = speed

    def now(self) -> datetime:
        """Return the present moment of the demonstration, UTC."""
        return (self.start + timedelta(seconds=(time.time() - self.wall0) * self.speed)).astimezone(UTC)

    def wait_s(self, until: datetime) -> float:
        """Return how many real seconds to wait until that moment, 0 if it is past."""
        return max(0.0, (until - self.now()).total_seconds() / self.speed)
