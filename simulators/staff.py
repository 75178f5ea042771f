"""The made-up people who work in the municipality: teams, hours, competences, and who is asked after whom.

Homes are in units of 150. A unit has a care group, a night patrol and technicians of its own; its care
group is made of districts of 50 homes, so that one home more changes nobody's work elsewhere.
"""

from datetime import date, datetime, time, timedelta
from typing import NamedTuple

from gateway.model.people import Rotation, Staff
from gateway.model.registry import Ladder, Step, Team, Unit

HOMES_OF_UNIT = 150
HOMES_OF_DISTRICT = 50
TEAMS = {
    "care-group": "Hemtjänstgrupp norr",
    "night-patrol": "Nattpatrull",
    "technicians": "Tekniker",
    "alarm-centre": "Larmcentral",
}
DAY, EVENING, NIGHT, TECHNICAL = range(1, 9), range(9, 17), range(17, 21), range(21, 24)
STAFF_OF_UNIT = 100
"""Numbers set aside for each unit; a district after the first has its own sixteen from 24 on."""
EVERY_DAY, WEEKDAYS = frozenset(range(1, 8)), frozenset(range(1, 6))
FIRST_DAY = date(2026, 1, 5)
SHIFTS = (
    ("care-day", "care-group", DAY, time(7), time(15, 30), EVERY_DAY),
    ("care-evening", "care-group", EVENING, time(15, 30), time(22, 30), EVERY_DAY),
    ("night", "night-patrol", NIGHT, time(22, 30), time(7), EVERY_DAY),
    ("technical", "technicians", TECHNICAL, time(8), time(16, 30), WEEKDAYS),
)
"""Rotation, team, numbers of the staff, hours and weekdays; the two halves of a team take turns by weeks."""


class Hours(NamedTuple):
    """One rotation of one unit: its name, team, people's numbers, and hours of work."""

    name: str
    team: str
    numbers: range
    at: time
    until: time
    weekdays: frozenset[int]


def unit_of(home: int) -> int:
    """Return the unit of the home of that number, from 0."""
    return home // HOMES_OF_UNIT


def unit_name(unit: int) -> str:
    """Return the id of a unit."""
    return "unit-north" if unit == 0 else f"unit-{unit + 1:03d}"


def own(name: str, unit: int) -> str:
    """Return the name of a unit's own team or ladder."""
    return name if unit == 0 or name == "alarm-centre" else f"{name}-{unit + 1:03d}"


def units(tenant: str, homes: int) -> tuple[Unit, ...]:
    """Return as many units as the homes need."""
    return tuple(
        Unit(id=unit_name(n), tenant=tenant, name="Hemtjänst norr" if n == 0 else f"Hemtjänst {n + 1}")
        for n in range(unit_of(homes - 1) + 1)
    )


def teams(homes: int) -> tuple[Team, ...]:
    """Return the teams; the alarm centre has no plan here: it answers as one, at all hours."""
    return tuple(
        Team(id=own(key, n), unit=unit_name(n), name=name if n == 0 else f"{name} {n + 1}")
        for n in range(unit_of(homes - 1) + 1)
        for key, name in TEAMS.items()
        if n == 0 or key != "alarm-centre"
    )


def ladders(tenant: str, homes: int) -> tuple[Ladder, ...]:
    """Return whom care alerts and technical alerts ask; the tenant's failsafe ends both."""
    return tuple(ladder for n in range(unit_of(homes - 1) + 1) for ladder in _ladders(tenant, n))


def staff(tenant: str, homes: int) -> tuple[Staff, ...]:
    """Return everybody by a made-up reference; every third gives medication, every second opens doors."""
    return tuple(
        _member(tenant, hours.team, n)
        for unit in range(unit_of(homes - 1) + 1)
        for hours in hours_of(unit, homes)
        for n in hours.numbers
    )


def rotations(homes: int) -> tuple[Rotation, ...]:
    """Return the hours of work, which go on for ever."""
    return tuple(
        Rotation(
            id=hours.name,
            team=hours.team,
            turns=(_refs(hours.numbers[::2]), _refs(hours.numbers[1::2])),
            every_days=7,
            starts=FIRST_DAY,
            at=hours.at,
            until=hours.until,
            weekdays=hours.weekdays,
        )
        for unit in range(unit_of(homes - 1) + 1)
        for hours in hours_of(unit, homes)
    )


def hours_of(unit: int, homes: int) -> list[Hours]:
    """Return the rotations of a unit: those of the first district and the whole unit, then the others'."""
    base = unit * STAFF_OF_UNIT
    found = [
        Hours(own(name, unit), own(team, unit), _moved(numbers, base), at, until, days)
        for name, team, numbers, at, until, days in SHIFTS
    ]
    here = min(homes - unit * HOMES_OF_UNIT, HOMES_OF_UNIT)
    for district in range(1, (here - 1) // HOMES_OF_DISTRICT + 1):
        for hours in found[:2]:
            moved = _moved(hours.numbers, _further(district))
            found.append(hours._replace(name=f"{hours.name}-{'abc'[district]}", numbers=moved))
    return found


def at_work(home: int, local: datetime) -> list[str]:
    """Return who of the care group looks after a home at that local time; empty at night."""
    unit, place = divmod(home, HOMES_OF_UNIT)
    for _, _, numbers, at, until, _ in SHIFTS[:2]:
        if at <= local.time() < until:
            district = place // HOMES_OF_DISTRICT
            turn = (local.date() - FIRST_DAY) // timedelta(days=7) % 2
            return list(_refs(_moved(numbers, unit * STAFF_OF_UNIT + _further(district))[turn::2]))
    return []


def credential_of(ref: str) -> str:
    """Return by what locks know somebody of the made-up staff."""
    return f"cred-{int(ref.rpartition('-')[2]):03d}"


def _further(district: int) -> int:
    """Return how far the numbers of a district's people are from those of the first."""
    return 0 if district == 0 else 23 + (district - 1) * 16


def _moved(numbers: range, by: int) -> range:
    return range(numbers.start + by, numbers.stop + by)


def _ladders(tenant: str, unit: int) -> tuple[Ladder, Ladder]:
    group, patrol = own("care-group", unit), own("night-patrol", unit)
    care = (
        Step(to=(group,), at_night=(patrol,)),
        Step(to=(group,), at_night=(patrol,), role="lead"),
    )
    technical = (Step(to=(own("technicians", unit),)), Step(to=(group,), at_night=(patrol,)))
    return (
        Ladder(id=own("care", unit), tenant=tenant, steps=care),
        Ladder(id=own("technical", unit), tenant=tenant, steps=technical),
    )


def _member(tenant: str, team: str, n: int) -> Staff:
    return Staff(
        ref=_ref(n),
        tenant=tenant,
        teams=(team,),
        roles=frozenset({"technician" if team.startswith("technicians") else "carer", *_more(n)}),
        competences=frozenset(name for name, every in (("delegation", 3), ("keys", 2)) if n % every == 0),
        credentials=frozenset({f"cred-{n:03d}"}),
    )


def _more(n: int) -> frozenset[str]:
    """Return the roles that a few have: leads, and nurses."""
    place = n % STAFF_OF_UNIT
    return frozenset(
        role for role, which in (("lead", {1, 2, 9, 10, 17, 18}), ("nurse", {6, 12})) if place in which
    )


def _ref(n: int) -> str:
    return f"staff-{n:02d}"


def _refs(numbers: range) -> tuple[str, ...]:
    return tuple(_ref(n) for n in numbers)
