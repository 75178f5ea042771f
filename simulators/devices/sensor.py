"""Passive sensors: a door contact and a bed sensor."""

from datetime import datetime, timedelta
from typing import ClassVar

from simulators.devices.base import Device
from simulators.outputs import Output


class DoorContact(Device):
    """Opens and closes with the life of the home until half past nine in the evening."""

    __slots__ = ()
    kind: ClassVar[str] = "door_contact"
    ACTIONS: ClassVar[frozenset[str]] = Device.ACTIONS | {"open"}
    firmware = "1.1.0"
    last_hour = 21

    def live(self, now: datetime) -> None:
        """Plan the next opening."""
        if not self.profile.alone:
            return
        self.plan(now + timedelta(minutes=self.rng.uniform(15, 90)), self.pass_through)

    def pass_through(self, now: datetime) -> list[Output]:
        """Somebody goes through by day or early evening; at night only the script opens this door."""
        self.live(now)
        if not 6 < now.astimezone(self.profile.zone).hour < self.last_hour:
            return []
        return self.open(now, self.rng.uniform(4, 40))

    def open(self, now: datetime, for_s: float) -> list[Output]:
        """The door opens, and closes after so many seconds."""
        seconds = round(for_s, 1)
        closed = now + timedelta(seconds=seconds)
        self.plan(closed, lambda t: [self.event(t, "door.closed", open_s=seconds)])
        return [self.event(now, "door.opened")]


class BedSensor(Device):
    """To bed between half past nine and half past ten, up once or twice, and back."""

    __slots__ = ()
    kind: ClassVar[str] = "bed_sensor"
    ACTIONS: ClassVar[frozenset[str]] = Device.ACTIONS | {"get_up", "lie_down"}
    firmware = "2.0.2"

    def live(self, now: datetime) -> None:
        """Plan one night."""
        if not self.profile.alone:
            return
        night = now.astimezone(self.profile.zone).replace(hour=21, minute=30, second=0, microsecond=0)
        to_bed = night + timedelta(minutes=self.rng.uniform(0, 60))
        self.plan(to_bed, self.lie_down)
        for _ in range(self.rng.randint(1, 2)):
            up = to_bed + timedelta(minutes=self.rng.uniform(60, 400))
            back = up + timedelta(seconds=self.rng.uniform(180, 600))
            self.plan(up, self.get_up)
            self.plan(back, self.lie_down)
        self.plan(night + timedelta(hours=14), self._next_day)

    def get_up(self, now: datetime) -> list[Output]:
        """Nobody lies in the bed any more."""
        return [self.event(now, "bed.exit", location="bedroom")]

    def lie_down(self, now: datetime) -> list[Output]:
        """Somebody lies down."""
        return [self.event(now, "bed.enter", location="bedroom")]

    def _next_day(self, now: datetime) -> list[Output]:
        self.live(now)
        return []
