"""Devices with a button or a fall sensor: social alarm, fall detector, and the base of the GPS alarm."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import ClassVar

from simulators.devices.base import Device
from simulators.devices.product import DOUBLE_PRESS
from simulators.outputs import Output


class AlarmButton(Device):
    """Tells of every press in a message of its own."""

    __slots__ = ()
    ACTIONS: ClassVar[frozenset[str]] = Device.ACTIONS | {"press", "cancel", "fall"}

    def press(self, now: datetime) -> list[Output]:
        """Call for help."""
        if DOUBLE_PRESS in self.profile.traits.quirks:
            bounce = now + timedelta(seconds=self.rng.uniform(0.2, 0.6))
            self.plan(bounce, lambda t: [self.event(t, "alarm.manual", presses=1, **self.where())])
        return [self.event(now, "alarm.manual", presses=1, **self.where())]

    def cancel(self, now: datetime) -> list[Output]:
        """The wearer takes the call back on the device."""
        return [self.event(now, "alarm.cancelled")]

    def fall(self, now: datetime) -> list[Output]:
        """The sensor believes in a fall."""
        return [self.event(now, "fall.detected", **self.where())]

    def where(self) -> Mapping[str, object]:
        """Return what it knows of its place: nothing, for a device that stays at home."""
        return {}


class SocialAlarm(AlarmButton):
    """A base unit with a pendant; tests itself once an evening."""

    __slots__ = ()
    kind: ClassVar[str] = "social_alarm"
    firmware = "5.1.4"

    def live(self, now: datetime) -> None:
        """One self-test, some time in the first three hours, and then once a day."""
        at = now + timedelta(minutes=self.rng.uniform(20, 180))
        self.plan(at, self.test)

    def test(self, now: datetime) -> list[Output]:
        """Test itself and say so."""
        self.plan(now + timedelta(days=1), self.test)
        return [self.event(now, "test", code="self-test")]


class FallDetector(AlarmButton):
    """A sensor worn or on the wall that only knows falls."""

    __slots__ = ()
    kind: ClassVar[str] = "fall_detector"
    firmware = "1.9.0"
