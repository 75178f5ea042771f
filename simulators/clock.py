"""Fast time: the simulated moment computed from the wall clock, the same in every process of a demo."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Protocol

import msgspec

from gateway.contract.errors import ConfigurationError

CLOCK_FILE = "clock.json"
CHANGES_IN_S = 0.5
"""So long after it is written a change of speed comes into force, so that everybody has read it by then."""
LOOK_S = 0.1
"""How often the file is looked at."""


class Clock(Protocol):
    """The port for time, as the gateway has it too, and the way back to the wall."""

    def now(self) -> datetime:
        """Return the simulated moment."""
        ...

    def wait_s(self, until: datetime) -> float:
        """Return the wall seconds until that simulated moment, never negative."""
        ...

    def wall_of(self, moment: datetime) -> float:
        """Return the wall time of a simulated moment, seconds since 1970."""
        ...


class FastClock(msgspec.Struct, frozen=True):
    """now = start + (wall - wall0) * speed; `wall0` is in seconds since the epoch."""

    start: datetime
    wall0: float
    speed: float = 60

    def now(self) -> datetime:
        """Return the simulated moment."""
        return self.at(time.time())

    def at(self, wall: float) -> datetime:
        """Return the simulated moment of a wall time."""
        return self.start + timedelta(seconds=(wall - self.wall0) * self.speed)

    def wait_s(self, until: datetime) -> float:
        """Return the wall seconds until that simulated moment, never negative."""
        return max(0.0, (until - self.now()).total_seconds() / self.speed)

    def wall_of(self, moment: datetime) -> float:
        """Return the wall time of a simulated moment, seconds since 1970."""
        return self.wall0 + (moment - self.start).total_seconds() / self.speed


class SharedClock:
    """A clock in a file, for all processes of one run; `set_speed` changes it for all of them at once.

    Without a file it is this process's own, and begins as `parts` say.
    """

    def __init__(self, path: Path | None, parts: Sequence[FastClock] = ()) -> None:
        self._path = path
        self._looked_at = 0.0
        self._stamp = -1
        self._parts = list(parts) if path is None else self._read(path)

    def now(self) -> datetime:
        """Return the simulated moment, UTC."""
        wall = time.time()
        return self._part(wall).at(wall).astimezone(UTC)

    def wait_s(self, until: datetime) -> float:
        """Return the wall seconds until that simulated moment at the present speed, never negative."""
        return max(0.0, self.wall_of(until) - time.time())

    def wall_of(self, moment: datetime) -> float:
        """Return the wall time of a simulated moment, as the speeds are known by now."""
        self._part(time.time())
        parts = self._parts
        for part, after in pairwise(parts):
            wall = part.wall_of(moment)
            if wall <= after.wall0:
                return wall
            if moment <= after.start:  # jumped over
                return after.wall0
        return parts[-1].wall_of(moment)

    @property
    def shared(self) -> bool:
        """Other processes have it too."""
        return self._path is not None

    @property
    def speed(self) -> float:
        """How many times faster than the wall it runs now."""
        return self._part(time.time()).speed

    @property
    def start(self) -> datetime:
        """The first moment of the play."""
        return self._parts[0].start

    def set_speed(self, speed: float) -> None:
        """Run so fast from half a second on; ConfigurationError when the file cannot be written."""
        at = time.time() + CHANGES_IN_S
        self._change(FastClock(self._part(time.time()).at(at).astimezone(UTC), at, speed))

    def _change(self, part: FastClock) -> None:
        self._parts = [*(one for one in self._parts if one.wall0 < part.wall0), part]
        if self._path is not None:
            write_clock(self._path, self._parts)

    def begin(self, start: datetime, speed: float) -> None:
        """Jump to the start of the play, unless that is past, and run so fast from then on."""
        at = time.time() + CHANGES_IN_S
        present = self._part(time.time()).at(at).astimezone(UTC)
        self._change(FastClock(max(start, present), at, speed))

    def _part(self, wall: float) -> FastClock:
        if self._path is not None and wall - self._looked_at >= LOOK_S:
            self._looked_at = wall
            if self._path.exists() and self._path.stat().st_mtime_ns != self._stamp:
                self._parts = self._read(self._path)
        return next((one for one in reversed(self._parts) if one.wall0 <= wall), self._parts[0])

    def _read(self, path: Path) -> list[FastClock]:
        try:
            self._stamp = path.stat().st_mtime_ns
            parts = msgspec.json.decode(path.read_bytes(), type=list[FastClock])
        except OSError as error:
            raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from error
        except msgspec.MsgspecError as error:
            raise ConfigurationError(f"{path}: found {error}; allowed: what a run has written") from error
        if not parts or any(one.speed <= 0 for one in parts):
            raise ConfigurationError(f"{path}: found no speed; allowed: what a run has written")
        return parts


def write_clock(path: Path, parts: list[FastClock]) -> None:
    """Write a clock for other processes, in one step; ConfigurationError when it cannot be written."""
    made = path.with_suffix(".new")
    try:
        made.write_bytes(msgspec.json.encode(parts))
        made.replace(path)
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be written: {error.strerror}") from error
