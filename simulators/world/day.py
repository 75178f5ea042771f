"""A day of a resident: what happens to them and to their devices from noon to noon, planned from habits."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from gateway.model.alert import Outcome
from simulators.chance import Chance
from simulators.world.habits import Habits
from simulators.world.truth import Happening

REAL, FALSE, TEST = Outcome.REAL, Outcome.FALSE, Outcome.TEST
FALL_KINDS = ("fall_detector", "gps_alarm")
BUTTONS = ("gps_alarm", "social_alarm")
LOOKED_INTO = timedelta(hours=6)
"""For how long an alert may still be about something that is over."""


class Moment(NamedTuple):
    """One thing that happens: to the device of a kind, or to the household itself where the kind is ""."""

    at: datetime
    kind: str
    name: str
    values: dict[str, Any]


class Day:
    """Gathers the moments of one home from noon to noon; `has` are the kinds of its devices."""

    def __init__(
        self, noon: datetime, habits: Habits, has: Iterable[str], chance: Chance, radius_m: float
    ) -> None:
        self.noon, self.habits, self.chance, self.radius_m = noon, habits, chance, radius_m
        self.has = frozenset(has)
        self.moments: list[Moment] = []
        for act in (
            self._night,
            self._doors,
            self._charger,
            self._walks,
            self._falls,
            self._buttons,
            self._confused,
        ):
            act()

    def at(self, hour: float) -> datetime:
        """Return the moment of a local hour of this day; hours before noon are of the next morning."""
        return self.noon + timedelta(seconds=round(((hour - 12) % 24) * 3600, 3))

    def _do(self, at: datetime, kind: str, name: str, **values: Any) -> None:
        if not kind or kind in self.has:
            self.moments.append(Moment(at, kind, name, values))

    def _note(
        self, since: datetime, what: str, outcome: Outcome, kinds: tuple[str, ...], **more: Any
    ) -> None:
        lasts = more.pop("lasts", LOOKED_INTO)
        happening = Happening(since, since + lasts, what, outcome, kinds, **more)
        self._do(since, "", "note", happening=happening)

    def _often(self, per_day: float, first: float = 0, last: float = 24) -> Iterator[datetime]:
        """Yield moments of what happens so often a day, between two hours counted from noon."""
        for _ in range(self.chance.times(per_day)):
            yield self.noon + timedelta(seconds=round(self.chance.uniform(first, last) * 3600, 3))

    # --- what happens ---

    def _night(self) -> None:
        """To bed, up for a while as often as usual, and up in the morning; a nap in the afternoon."""
        chance, habits = self.chance, self.habits
        to_bed = self.at(chance.about(habits.bed_at, 0.5))
        up = max(self.at(chance.about(habits.up_at, 0.5)), to_bed + timedelta(hours=3))
        self._do(to_bed, "", "lie_down")
        hours = (up - to_bed) / timedelta(hours=1)
        for since in sorted(
            to_bed + timedelta(hours=chance.uniform(0.5, hours - 0.5))
            for _ in range(chance.times(habits.toilet_a_night))
        ):
            self._do(since, "", "get_up")
            self._do(min(since + timedelta(minutes=chance.uniform(3, 14)), up), "", "lie_down")
        self._do(up, "", "get_up")
        for since in self._often(habits.naps, 1, 4):
            self._do(since, "", "lie_down")
            self._do(since + timedelta(minutes=chance.uniform(20, 80)), "", "get_up")

    def _doors(self) -> None:
        """Out and home again, guests, the post: from the early morning to the evening."""
        for at in [
            *self._often(self.habits.outings, 0.5, 8.5),
            *self._often(self.habits.outings / 2, 19.5, 23),
        ]:
            for when in (at, at + timedelta(minutes=self.chance.uniform(4, 120))):
                self._through_the_door(when, self.chance.uniform(4, 40))

    def _through_the_door(self, at: datetime, open_s: float) -> None:
        self._do(at, "lock", "go_out", for_s=open_s)
        self._do(at + timedelta(seconds=3), "door_contact", "open", for_s=open_s)

    def _charger(self) -> None:
        """The GPS alarm is charged overnight, unless forgotten."""
        if not self.chance.happens(self.habits.forgets_charger):
            self._do(self.at(self.habits.bed_at) - timedelta(minutes=10), "gps_alarm", "charge")
            self._do(self.at(self.habits.up_at) + timedelta(minutes=20), "gps_alarm", "unplug")

    def _walks(self) -> None:
        """Some walks leave the zone: astray, or with somebody who did not say so."""
        for at in self._often(self.habits.strays, 0, 8):
            minutes, astray = self.habits.walk_min, self.chance.happens(0.5)
            what = "lost the way" if astray else "out with a relative"
            self._note(at, what, REAL if astray else FALSE, ("gps_alarm",), help_needed=astray)
            metres = self.radius_m + self.chance.uniform(100, 700)
            self._do(at, "gps_alarm", "wander", metres=metres, for_s=round(minutes * 60))
            self._through_the_door(at - timedelta(minutes=6), 20)

    def _falls(self) -> None:
        """Real falls, which a detector hears four times of five, and what it takes for one."""
        for at in self._often(self.habits.falls):
            hospital = self.chance.happens(0.15)
            self._note(
                at,
                "fell",
                REAL,
                (*FALL_KINDS, "social_alarm", "camera", "bed_sensor"),
                help_needed=True,
                hospital=hospital,
            )
            self._do(at, "", "fall_down")
            if self.chance.happens(0.8):
                self._detect(at)
            if self.chance.happens(0.6 * self.habits.wears):
                self._press(at + timedelta(minutes=self.chance.uniform(1, 15)), "social_alarm")
        for at in self._often(self.habits.false_falls, 20, 33):
            self._note(at, "sat down hard", FALSE, FALL_KINDS)
            self._detect(at)
            if self.chance.happens(0.6):
                self._detect(at + timedelta(seconds=self.chance.uniform(5, 25)), "cancel")

    def _detect(self, at: datetime, name: str = "fall") -> None:
        kind = next((kind for kind in FALL_KINDS if kind in self.has), "")
        if kind:
            self._do(at, kind, name)

    def _buttons(self) -> None:
        """Calls for help, calls by mistake, and trying whether it works."""
        habits = self.habits
        button = next((kind for kind in BUTTONS if kind in self.has), "")
        if not button:
            return
        for at in self._often(habits.unwell * habits.wears):
            hospital = self.chance.happens(0.1)
            self._note(at, "unwell", REAL, BUTTONS, help_needed=True, hospital=hospital)
            for press in range(1 + self.chance.times(0.5)):
                self._press(at + timedelta(seconds=25 * press), button)
        for at in self._often(habits.mistaken_presses, 20, 35):
            self._note(at, "pressed by mistake", FALSE, BUTTONS)
            self._press(at, button)
            if self.chance.happens(0.3):
                self._do(at + timedelta(seconds=self.chance.uniform(8, 40)), button, "cancel")
        for at in self._often(1 / 60, 21, 24):
            self._note(at, "tried the button", TEST, BUTTONS)
            self._press(at, button)

    def _press(self, at: datetime, kind: str) -> None:
        self._do(at, kind, "press")

    def _confused(self) -> None:
        """Up at night and out by the door, with the GPS alarm or without."""
        if not self.chance.happens(self.habits.confused_a_night):
            return
        at, minutes = self.at(self.chance.uniform(25, 28.5)), self.chance.uniform(6, 40)
        kinds = ("lock", "door_contact", "gps_alarm", "bed_sensor", "camera")
        self._note(at, "confused at night", REAL, kinds, help_needed=True)
        self._do(at, "", "get_up")
        self._do(at + timedelta(minutes=3), "lock", "night_exit")
        self._do(at + timedelta(minutes=3), "door_contact", "open", for_s=240)
        if self.chance.happens(0.7):
            self._do(at, "gps_alarm", "unplug")
            metres = self.radius_m + self.chance.uniform(60, 400)
            self._do(
                at + timedelta(minutes=5), "gps_alarm", "wander", metres=metres, for_s=round(minutes * 60)
            )
        self._do(at + timedelta(minutes=minutes + 8), "", "lie_down")
