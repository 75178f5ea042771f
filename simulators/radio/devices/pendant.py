"""An alarm pendant over the Vaka profile."""

from simulators.radio.devices.vaka import VakaPeripheral


class Pendant(VakaPeripheral):
    """A button and a fall sensor on a cord."""

    model = "AP-2"
    firmware = "5.1.4"

    def press(self) -> int:
        """Call for help; returns the event's sequence."""
        return self.event("alarm.manual", presses=1)

    def cancel(self) -> int:
        """Take the call back; returns the event's sequence."""
        return self.event("alarm.cancelled")

    def fall(self) -> int:
        """The sensor believes in a fall; returns the event's sequence."""
        return self.event("fall.detected")

    def wear(self, *, on: bool) -> int:
        """It is put on or taken off; returns the event's sequence."""
        return self.event("wear.on" if on else "wear.off")
