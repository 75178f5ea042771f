"""A medication dispenser over the Vaka profile."""

from datetime import datetime

from simulators.radio.devices.vaka import VakaPeripheral


class Dispenser(VakaPeripheral):
    """Tells what becomes of a dose; a jammed one dispenses nothing."""

    model = "MD-4"
    firmware = "4.0.3"
    jammed = False

    def remind(self, dose: str, due_at: datetime, window_min: float = 60) -> int:
        """It is time: lamp and sound; returns the event's sequence."""
        return self._dose("medication.reminded", dose, due_at, window_min)

    def take(self, dose: str, due_at: datetime, window_min: float = 60) -> int:
        """The dose is dispensed and taken; returns the last event's sequence."""
        if self.jammed:
            return self.miss(dose, due_at, window_min)
        self._dose("medication.dispensed", dose, due_at, window_min)
        return self._dose("medication.taken", dose, due_at, window_min)

    def miss(self, dose: str, due_at: datetime, window_min: float = 60) -> int:
        """The window ended: the dose is drawn back; returns the last event's sequence."""
        self._dose("medication.missed", dose, due_at, window_min)
        return self._dose("medication.retracted", dose, due_at, window_min)

    def jam(self) -> int:
        """The mechanism sticks; returns the event's sequence."""
        self.jammed = True
        return self.event("medication.jam")

    def clear_jam(self) -> int:
        """Somebody freed it; returns the event's sequence."""
        self.jammed = False
        return self.event("medication.jam_cleared")

    def _dose(self, kind: str, dose: str, due_at: datetime, window_min: float) -> int:
        due = due_at.isoformat(timespec="milliseconds")
        return self.event(kind, dose=dose, due_at=due, window_min=window_min)
