"""Devices with a button or a fall sensor: social alarm, fall detector, and the base of the GPS alarm."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import ClassVar

from simulators.devices.base import Device
from simulators.outputs import Output


class AlarmButton(Device):
    """Tells of every press in a message of its own."""

    ACTIONS: ClassVar[frozenset[str]] = Device.ACTIONS | {"press", "cancel", "fall"}

    def press(self, now: datetime) -> list[Output]:
        """Call for help."""
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

    kind: ClassVar[str] = "social_alarm"
    firmware = "5.1.4"

    def live(self, now: datetime) -> None:
        """One self-test, some time in the first three hours."""
        at = now + timedelta(minutes=self.rng.uniform(20, 180))
        self.plan(at, lambda t: [self.event(t, "test", code="self-test")])


class FallDetector(AlarmButton):
    """A sensor worn or on the wall that only knows falls."""

    kind: ClassVar[str] = "fall_detector"
    firmware = "1.9.0"
