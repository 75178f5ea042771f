"""The office: tells the gateway each morning which visits are planned, and who is away when it is known."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from gateway.model.frame import Transport
from gateway.model.people import Context, ContextKind
from gateway.pipeline.plan import Visits
from simulators.world.crew import Crew
from simulators.world.household import Household
from simulators.world.roster import Busy
from simulators.world.visits import Visit, visits_on

SOURCE = "visits"
PLANS_AT = 5
"""The local hour at which the coming day's visits are told; the day before ends there."""


class Office:
    """Plans the visits of all homes, each by itself: a further home changes no other's."""

    def __init__(self, seed: int, zone: ZoneInfo) -> None:
        self._seed, self._zone = seed, zone
        self._crew: Crew | None = None
        self._homes: Mapping[str, Household] = {}
        self._busy: Busy | None = None

    def open(self, crew: Crew, homes: Mapping[str, Household], busy: Busy | None, now: datetime) -> None:
        """Begin to work; without `busy` no visits are told."""
        self._crew, self._homes, self._busy = crew, homes, busy
        if busy is not None and homes:
            local = now.astimezone(self._zone)
            morning = local.replace(hour=PLANS_AT, minute=0, second=0, microsecond=0)
            begins = morning if morning <= local else morning - timedelta(days=1)
            crew.do(now, lambda at: self._plan(at, begins.date()))

    def told(self, at: datetime, context: Context) -> None:
        """Hear from a household, and tell the gateway."""
        if self._crew is not None:
            self._crew.context(at, context)

    def _plan(self, now: datetime, day: date) -> None:
        """Tell the visits from this morning to the next, and do so again then."""
        if self._crew is None or self._busy is None:
            return
        since, until = self._morning(day), self._morning(day + timedelta(days=1))
        visits = [
            (home.id, visit)
            for home in self._homes.values()
            for visit in self._visits(home, day)
            if since <= visit.since < until
        ]
        self._tell(now, visits, (since, until))
        self._crew.do(until, lambda at: self._plan(at, day + timedelta(days=1)))

    def _tell(self, now: datetime, visits: list[tuple[str, Visit]], span: tuple[datetime, datetime]) -> None:
        told = tuple(_context(home, visit) for home, visit in visits)
        plan = Visits(source=SOURCE, since=span[0], until=span[1], visits=told, actor="office")
        spans: dict[str, list[tuple[datetime, datetime]]] = {}
        for one in told:
            spans.setdefault(one.ref, []).append((one.since, one.until))
        if self._crew is not None and self._busy is not None:
            self._busy.plan(spans)
            self._crew.say(now, Transport.PERSON, "people/visits", msgspec.json.encode(plan))

    def _visits(self, home: Household, day: date) -> list[Visit]:
        if not home.has("lock"):
            return []
        days = (day, day + timedelta(days=1))
        return [
            visit
            for one in days
            for visit in visits_on(self._seed, home.number, home.id, home.habits, one, zone=self._zone)
        ]

    def _morning(self, day: date) -> datetime:
        return datetime(day.year, day.month, day.day, PLANS_AT, tzinfo=self._zone).astimezone(UTC)


def _context(home: str, visit: Visit) -> Context:
    since = visit.since.astimezone(UTC)
    return Context(
        id=visit.ref,
        kind=ContextKind.VISIT,
        home=home,
        since=since,
        until=since + timedelta(minutes=visit.minutes + 1),
        ref=visit.staff,
        source=SOURCE,
    )
