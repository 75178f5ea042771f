"""A household: one resident among their devices, a day planned at a time, by chance of the home's own."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from gateway.model.people import Context, ContextKind
from simulators.chance import Chance
from simulators.devices import Camera, Device, Dispenser
from simulators.devices.base import Daily
from simulators.devices.dispenser import EARLIER
from simulators.outputs import Step
from simulators.staff import credential_of
from simulators.world.day import LOOKED_INTO, REAL, Day, Moment
from simulators.world.habits import habits_of
from simulators.world.truth import Happening, Truth
from simulators.world.visits import visits_on

Tell = Callable[[datetime, Context], None]
"""Tells the gateway of what goes on, as the office would."""
PLANNED_STAYS = 1.5 / 365
"""Planned stays in hospital or respite care, a day."""
EARLY_BY = timedelta(minutes=50)
"""How long before its time an early dose is taken."""
BED = frozenset({"lie_down", "get_up"})
STOCK_DAYS = 14
"""For how long a dispenser is filled; two days before it is empty it says so."""


class Household:
    """Wakes at each moment of its day like a device; what it does, its devices tell."""

    __slots__ = (
        "_away_until",
        "_bed",
        "_by_kind",
        "_floor_until",
        "_home",
        "_moments",
        "_seed",
        "_tell",
        "_truth",
        "_up",
        "_zone",
        "devices",
        "habits",
        "id",
        "number",
    )

    def __init__(
        self, seed: int, number: int, devices: Sequence[Device], truth: Truth, tell: Tell, *, wanders: bool
    ) -> None:
        profile = devices[0].profile
        self.id = self._home = profile.home
        self._seed, self.number, self.devices = seed, number, tuple(devices)
        self._truth, self._tell, self._zone = truth, tell, profile.zone
        self.habits = habits_of(seed, self.id, wanders=wanders)
        self._by_kind = {device.kind: device for device in reversed(devices)}
        self._away_until = self._floor_until = profile.started_at
        self._up = True
        local = profile.started_at.astimezone(self._zone)
        noon = local.replace(hour=12, minute=0, second=0, microsecond=0)
        self._moments: list[Moment] = []
        self._plan(noon if noon <= local else noon - timedelta(days=1), profile.started_at)
        for device in devices:
            if isinstance(device, Camera):
                device.sees = self._seen
            elif isinstance(device, Dispenser):
                device.habit = self._dose

    @property
    def next_at(self) -> datetime | None:
        """When something next happens here."""
        return self._moments[-1].at

    def wake(self, now: datetime) -> list[Step]:
        """Let everything happen that is due."""
        steps: list[Step] = []
        while self._moments[-1].at <= now:
            at, kind, name, values = self._moments.pop()
            if name == "tomorrow":
                self._plan(at.astimezone(self._zone), at)
            elif kind and at >= self._away_until:
                device = self._by_kind[kind]
                steps += [Step(at, device.id, output) for output in device.act(at, name, **values)]
            elif not kind and at >= self._away_until:
                steps += getattr(self, name)(at, **values) or ()
        return steps

    def go_away(self, now: datetime, days: float, reason: str) -> None:
        """The resident is taken to hospital; the office tells it half an hour later."""
        self._away_until = now + timedelta(days=days)
        told_at = now + timedelta(minutes=30)
        context = Context(
            id=f"absence-{self.id}-{int(now.timestamp())}",
            kind=ContextKind.ABSENCE,
            home=self.id,
            since=told_at,
            until=self._away_until,
            reason=reason,
            source="office",
        )
        self._tell(told_at, context)

    def has(self, kind: str) -> bool:
        """Tell whether there is a device of that kind."""
        return kind in self._by_kind

    def helped(self, now: datetime) -> None:
        """Somebody came, and the resident lies on the floor no more."""
        self._floor_until = min(self._floor_until, now)

    # --- moments of the household itself ---

    def note(self, _now: datetime, happening: Happening) -> None:
        """Something happened that the truth remembers."""
        self._truth.note(self.id, happening)

    def fall_down(self, now: datetime) -> None:
        """On the floor until somebody helps, or for hours."""
        self._floor_until = now + timedelta(hours=3)

    def lie_down(self, now: datetime) -> list[Step]:
        """Into bed."""
        if not self._up or now < self._floor_until:
            return []
        self._up = False
        return self._bed_says(now, "lie_down")

    def get_up(self, now: datetime) -> list[Step]:
        """Out of bed."""
        if self._up:
            return []
        self._up = True
        return self._bed_says(now, "get_up")

    def leave(self, now: datetime, days: float) -> None:
        """A stay that was planned."""
        self.go_away(now, days, "planned stay")

    def _bed_says(self, now: datetime, name: str) -> list[Step]:
        bed = self._by_kind.get("bed_sensor")
        return [] if bed is None else [Step(now, bed.id, output) for output in bed.act(now, name)]

    # --- what devices ask ---

    def _seen(self, now: datetime) -> str:
        """What a look finds now: the bed in view, and nobody in it when the resident is up at night."""
        if now < self._away_until:
            return "declined"
        if now < self._floor_until:
            return "abnormal"
        at_night = now.astimezone(self._zone).hour in {22, 23, 0, 1, 2, 3, 4, 5}
        return "not_visible" if self._up and at_night else "seen"

    def _dose(self, dose: Daily, due: datetime) -> float | None:
        """How many minutes after its time a dose is taken; None for a forgotten one."""
        chance = Chance(self._seed, self.id, "dose", dose.ref, due.astimezone(UTC).isoformat())
        if self._takes_early(dose, due):
            return EARLIER
        late = chance.uniform(0.5, 1.15) if chance.happens(self.habits.late_dose) else 0.0
        forgotten = chance.happens(self.habits.forgets_dose) or late >= 1
        if due < self._away_until or due < self._floor_until or forgotten:
            away = due < self._away_until
            self._truth.note(
                self.id,
                Happening(
                    due,
                    due + LOOKED_INTO,
                    "away" if away else "dose forgotten",
                    REAL,
                    ("medication_dispenser",),
                ),
            )
            return None
        return (late or chance.uniform(0.02, 0.4)) * dose.minutes

    # --- planning ---

    def _plan(self, noon: datetime, after: datetime) -> None:
        """Plan from this noon to the next, and leave out what would be before that moment.

        Who went to bed before it lies there.
        """
        day = noon.date().isoformat()
        chance = Chance(self._seed, self.id, "day", day)
        radius = self.devices[0].profile.radius_m
        made = Day(noon, self.habits, self._by_kind, chance, radius)
        moments = [*made.moments, *self._visits(noon), *self._early(noon)]
        moments += [*self._stock(noon), *self._stay(noon, chance)]
        tomorrow = (noon.replace(tzinfo=None) + timedelta(days=1)).replace(tzinfo=self._zone)
        ends = tomorrow.astimezone(UTC)
        in_bed = [(one.at, one.name) for one in moments if one.name in BED and one.at.astimezone(UTC) < after]
        self._up = self._up if not in_bed else max(in_bed)[1] == "get_up"
        found = [one._replace(at=at) for one in moments if after <= (at := one.at.astimezone(UTC)) < ends]
        found.append(Moment(ends, "", "tomorrow", {}))
        found.sort(key=lambda one: one.at, reverse=True)
        self._moments = found

    def _visits(self, noon: datetime) -> list[Moment]:
        found = []
        for day in (noon.date(), (noon + timedelta(days=1)).date()):
            for visit in visits_on(self._seed, self.number, self.id, self.habits, day, zone=self._zone):
                values = {
                    "credential": credential_of(visit.staff),
                    "minutes": visit.minutes,
                    "forget": visit.forget,
                    "ref": visit.ref,
                }
                if noon <= visit.since < noon + timedelta(days=1) and "lock" in self._by_kind:
                    found.append(Moment(visit.since, "lock", "visit", values))
                    if visit.forget:
                        left = visit.since + timedelta(minutes=visit.minutes)
                        what = Happening(left, left + LOOKED_INTO, "left unlocked", REAL, ("lock",))
                        found.append(Moment(left, "", "note", {"happening": what}))
        return found

    def _takes_early(self, dose: Daily, due: datetime) -> bool:
        if due - EARLY_BY < self._away_until:
            return False
        return Chance(self._seed, self.id, "early", dose.ref, due.astimezone(UTC).isoformat()).happens(
            self.habits.early_dose
        )

    def _early(self, noon: datetime) -> Iterator[Moment]:
        """Doses that are taken before their time, as for an outing."""
        kind = "medication_dispenser"
        if kind in self._by_kind:
            for day in (noon, noon + timedelta(days=1)):
                for dose in self._by_kind[kind].profile.doses:
                    due = dose.on(day).astimezone(UTC)
                    if self._takes_early(dose, due):
                        yield Moment(due - EARLY_BY, kind, "take_early", {"dose": dose, "due": due})

    def _stock(self, noon: datetime) -> list[Moment]:
        """The dispenser runs low two days before the fortnight is over, and is filled a day later."""
        turn = (noon.toordinal() + Chance(self._seed, self.id, "stock").randint(0, STOCK_DAYS)) % STOCK_DAYS
        name = {STOCK_DAYS - 3: "run_low", STOCK_DAYS - 2: "refill"}.get(turn)
        if name is None or "medication_dispenser" not in self._by_kind:
            return []
        return [Moment(noon + timedelta(hours=2), "medication_dispenser", name, {})]

    def _stay(self, noon: datetime, chance: Chance) -> list[Moment]:
        if not chance.happens(PLANNED_STAYS):
            return []
        days = round(chance.uniform(1, 6), 3)
        return [Moment(noon + timedelta(hours=chance.uniform(0, 4)), "", "leave", {"days": days})]
