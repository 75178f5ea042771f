"""A medication dispenser: reminds, dispenses, sees the dose taken, or missed at the end of its window."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import ClassVar

from simulators.devices.base import Daily, Device, Profile
from simulators.outputs import Output

Habit = Callable[[Daily, datetime], float | None]
"""After how many minutes a dose that is due then is taken; None when it is forgotten."""
EARLIER = -1.0
"""The dose was taken before its time: there is nothing to remind of."""


class Dispenser(Device):
    """`skip` holds the doses that the script lets nobody take; a jammed dispenser dispenses nothing."""

    __slots__ = ("habit", "jammed", "skip")
    kind: ClassVar[str] = "medication_dispenser"
    ACTIONS: ClassVar[frozenset[str]] = Device.ACTIONS | {
        "jam",
        "clear_jam",
        "run_low",
        "refill",
        "take_early",
    }
    firmware = "4.0.3"

    def __init__(self, profile: Profile) -> None:
        super().__init__(profile)
        self.jammed = False
        self.skip: set[str] = set()
        self.habit: Habit | None = None

    def live(self, now: datetime) -> None:
        """Plan the doses from now on, and tomorrow's at midnight.

        In a lived-in home the dose whose window is open is taken now: a world may begin at any hour.
        """
        day = now.astimezone(self.profile.zone)
        for dose in self.profile.doses:
            due = dose.on(day)
            if due > now:
                self.plan(due, partial(self.remind, dose=dose))
            elif not self.profile.alone and now < due + timedelta(minutes=dose.minutes):
                soon = now + timedelta(seconds=self.rng.uniform(5, 120))
                self.plan(soon, partial(self.take, dose=dose, due=due))
        self.plan(
            (day + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0), self._midnight
        )

    def _midnight(self, now: datetime) -> list[Output]:
        self.live(now)
        return []

    def remind(self, now: datetime, dose: Daily) -> list[Output]:
        """It is time: lamp and sound, then it is taken within the window, or not."""
        end = now + timedelta(minutes=dose.minutes)
        wait_min = self._wait_min(dose, now)
        if wait_min == EARLIER:
            return []
        if dose.ref in self.skip or self.jammed or wait_min is None or wait_min >= dose.minutes:
            self.plan(end, lambda t: self.miss(t, dose, now), f"{self.id}: {dose.ref} was not taken")
        else:
            self.plan(now + timedelta(minutes=wait_min), lambda t: self.take(t, dose, now))
        return [self.event(now, "medication.reminded", **self._dose(dose, now))]

    def _wait_min(self, dose: Daily, due: datetime) -> float | None:
        usual = self.rng.uniform(0.05, 0.6) * dose.minutes
        return usual if self.habit is None else self.habit(dose, due)

    def take_early(self, now: datetime, dose: Daily, due: datetime) -> list[Output]:
        """The dose of later is taken now, as for an outing."""
        if self.jammed:
            return []
        return [
            self.event(now, kind, **self._dose(dose, due))
            for kind in ("medication.early", "medication.dispensed", "medication.taken")
        ]

    def refill(self, now: datetime) -> list[Output]:
        """New medicine for the next weeks."""
        return [self.event(now, "medication.filled")]

    @property
    def broken(self) -> bool:
        """Also when the mechanism sticks."""
        return self.jammed or super().broken

    def mend(self, now: datetime) -> list[Output]:
        """Also the mechanism turns again."""
        freed = self.clear_jam(now) if self.jammed else []
        return [*super().mend(now), *freed]

    def take(self, now: datetime, dose: Daily, due: datetime) -> list[Output]:
        """The button is pressed: the dose drops, and the cup is lifted twenty seconds later."""
        if self.jammed:
            return self.miss(now, dose, due)
        lifted = now + timedelta(seconds=20)
        self.plan(lifted, lambda t: [self.event(t, "medication.taken", **self._dose(dose, due))])
        return [self.event(now, "medication.dispensed", **self._dose(dose, due))]

    def miss(self, now: datetime, dose: Daily, due: datetime) -> list[Output]:
        """The window ended; the dose is drawn back and locked."""
        fate = self._dose(dose, due)
        return [self.event(now, "medication.missed", **fate), self.event(now, "medication.retracted", **fate)]

    def jam(self, now: datetime) -> list[Output]:
        """The mechanism sticks."""
        self.jammed = True
        return [self.event(now, "medication.jam")]

    def clear_jam(self, now: datetime) -> list[Output]:
        """Somebody freed the mechanism."""
        self.jammed = False
        return [self.event(now, "medication.jam_cleared")]

    def run_low(self, now: datetime) -> list[Output]:
        """The stock goes down to the last days."""
        return [self.event(now, "medication.low")]

    def _dose(self, dose: Daily, due: datetime) -> dict[str, object]:
        return {"dose": dose.ref, "due_at": self.time(due), "window_min": dose.minutes}
