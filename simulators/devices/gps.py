"""A GPS alarm: walks about its home, reports positions in batches, has a button and a fall sensor."""

from datetime import datetime, timedelta
from functools import partial
from math import cos, pi, radians, sin
from typing import ClassVar

from gateway.model.vocabulary import battery_word
from simulators.devices.alarm import AlarmButton
from simulators.devices.base import Profile
from simulators.outputs import Output

METRES_PER_DEGREE = 111_320.0
"""Of latitude, near enough for a zone of some hundred metres."""

HOME = (59.0, 15.0)
"""Where a device without a zone walks: a round number, nobody's address."""


class GpsAlarm(AlarmButton):
    """`away_m` is how far from home it is led by the script; 0 is ordinary walking inside the zone."""

    kind: ClassVar[str] = "gps_alarm"
    __slots__ = ("away_m", "bearing", "plugged_at")
    ACTIONS: ClassVar[frozenset[str]] = AlarmButton.ACTIONS | {"wander", "charge", "unplug"}
    firmware = "2.7.0"
    fix_s = 300.0

    def __init__(self, profile: Profile) -> None:
        super().__init__(profile)
        self.away_m = 0.0
        self.bearing = self.rng.uniform(0, 2 * pi)
        self.plugged_at: datetime | None = None

    def live(self, now: datetime) -> None:
        """Position by position, from a random moment of the first interval."""
        self.plan(now + timedelta(seconds=round(self.rng.uniform(5, self.fix_s), 3)), self.fix)

    def fix(self, now: datetime) -> list[Output]:
        """Report where it is, as a batch of one; without a link, or on its charger, it does not."""
        self.plan(now + timedelta(seconds=self.fix_s), self.fix)
        if not self.linked or self._held is not None or self.plugged_at is not None:
            return []
        return [self.telemetry([self.reading(now, "position.update", **self.position())])]

    def position(self) -> dict[str, float | str]:
        """Return the present fix: where, how sure, how fast, and by what."""
        outside = self.away_m > 0
        metres = self.away_m if outside else self.rng.uniform(0, 0.3) * self.profile.radius_m
        self.bearing += self.rng.uniform(-0.1, 0.1) if outside else self.rng.uniform(-1, 1)
        return {
            **self.place(metres),
            "accuracy_m": round(self.rng.uniform(4, 18), 1),
            "speed_kmh": round(self.rng.uniform(0, 4.5), 1),
            "source": "gnss",
        }

    def place(self, metres: float) -> dict[str, float | str]:
        """Return the point so far from home on the present bearing, degrees."""
        latitude, longitude = self.profile.home_at or HOME
        north = metres * cos(self.bearing) / METRES_PER_DEGREE
        east = metres * sin(self.bearing) / (METRES_PER_DEGREE * cos(radians(latitude)))
        return {"latitude": round(latitude + north, 6), "longitude": round(longitude + east, 6)}

    def wander(self, now: datetime, metres: float, for_s: float) -> list[Output]:
        """Leave the zone: fixes every minute at that distance, growing, until it is back inside."""
        for minute in range(int(for_s // 60)):
            at = now + timedelta(minutes=minute)
            self.plan(at, partial(self._outside, metres=metres + 40 * minute))
        self.plan(now + timedelta(seconds=for_s), self._back)
        self.plan(now + timedelta(seconds=for_s + 60), self._back)
        return []

    def charge(self, now: datetime) -> list[Output]:
        """It is put on its charger; a device whose battery was empty boots."""
        self.plugged_at = now
        back: list[Output] = []
        if self.battery <= 0:
            self.battery, self.silent = 1.0, False
            back = self._boot(now)
        return [*back, self.event(now, "charging.started", battery_percent=round(self.battery, 1))]

    def unplug(self, now: datetime) -> list[Output]:
        """It is taken from its charger, with forty percent more for every hour it was there."""
        hours = 0.0 if self.plugged_at is None else (now - self.plugged_at) / timedelta(hours=1)
        before, self.plugged_at = battery_word(self.battery), None
        self.battery = min(100.0, self.battery + 40 * hours)
        percent = round(self.battery, 1)
        said: list[Output] = [self.event(now, "charging.stopped", battery_percent=percent)]
        word = battery_word(self.battery)
        return said if word == before else [*said, self.event(now, word, battery_percent=percent)]

    def _discharge(self, now: datetime, percent: float) -> list[Output]:
        return [] if self.plugged_at is not None else super()._discharge(now, percent)

    def _outside(self, now: datetime, metres: float) -> list[Output]:
        self.away_m = metres
        return [self.telemetry([self.reading(now, "position.update", **self.position())])]

    def _back(self, now: datetime) -> list[Output]:
        self.away_m = 0.0
        return [self.telemetry([self.reading(now, "position.update", **self.position())])]

    def where(self) -> dict[str, float | str]:
        """A call for help tells the place."""
        found = self.position()
        return {key: found[key] for key in ("latitude", "longitude", "accuracy_m")}
