"""Visits of home care: who comes to a home when, by the district's order, so that nobody is in two homes."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from simulators.chance import Chance
from simulators.staff import HOMES_OF_DISTRICT, HOMES_OF_UNIT, at_work
from simulators.world.habits import Habits

STEP_MIN = 13.0
"""From the beginning of one visit to that of the next of the same carer."""


class Visit(NamedTuple):
    """One planned visit: its reference, the staff, and when; `forget` leaves the door unlocked."""

    ref: str
    staff: str
    since: datetime
    minutes: float
    forget: bool


def visits_on(
    seed: int, number: int, home: str, habits: Habits, day: date, *, zone: ZoneInfo
) -> Iterator[Visit]:
    """Return the visits to a home on a local date; the same each time it is asked."""
    place = number % HOMES_OF_UNIT % HOMES_OF_DISTRICT
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
    for hour in habits.visits:
        begins = midnight + timedelta(hours=hour)
        carers = at_work(number, begins)
        if carers:
            chance = Chance(seed, home, "visit", day.isoformat(), hour)
            since = begins + timedelta(minutes=place // len(carers) * STEP_MIN + chance.uniform(0, 1.5))
            yield Visit(
                ref=f"{home}-{day:%Y%m%d}-{int(hour)}",
                staff=carers[place % len(carers)],
                since=since.replace(microsecond=0),
                minutes=round(chance.uniform(5, 10), 2),
                forget=chance.happens(habits.forgotten_lock),
            )
