"""The made-up people who work in the municipality: teams, hours, competences, and who is asked after whom."""

from datetime import date, time

from gateway.model.people import Rotation, Staff
from gateway.model.registry import Ladder, Step, Team

TEAMS = {
    "care-group": "Hemtjänstgrupp norr",
    "night-patrol": "Nattpatrull",
    "technicians": "Tekniker",
    "alarm-centre": "Larmcentral",
}
DAY, EVENING, NIGHT, TECHNICAL = range(1, 9), range(9, 17), range(17, 21), range(21, 24)
EVERY_DAY, WEEKDAYS = frozenset(range(1, 8)), frozenset(range(1, 6))
FIRST_DAY = date(2026, 1, 5)
SHIFTS = (
    ("care-day", "care-group", DAY, time(7), time(15, 30), EVERY_DAY),
    ("care-evening", "care-group", EVENING, time(15, 30), time(22, 30), EVERY_DAY),
    ("night", "night-patrol", NIGHT, time(22, 30), time(7), EVERY_DAY),
    ("technical", "technicians", TECHNICAL, time(8), time(16, 30), WEEKDAYS),
)
"""Rotation, team, numbers of the staff, hours and weekdays; the two halves of a team take turns by weeks."""


def teams() -> tuple[Team, ...]:
    """Return the teams; the alarm centre has no plan here: it answers as one, at all hours."""
    return tuple(Team(id=key, unit="unit-north", name=name) for key, name in TEAMS.items())


def ladders(tenant: str) -> tuple[Ladder, ...]:
    """Return whom care alerts and technical alerts ask; the tenant's failsafe ends both."""
    care = (
        Step(to=("care-group",), at_night=("night-patrol",)),
        Step(to=("care-group",), at_night=("night-patrol",), role="lead"),
    )
    technical = (Step(to=("technicians",)), Step(to=("care-group",), at_night=("night-patrol",)))
    return (
        Ladder(id="care", tenant=tenant, steps=care),
        Ladder(id="technical", tenant=tenant, steps=technical),
    )


def staff(tenant: str) -> tuple[Staff, ...]:
    """Return everybody by a made-up reference; every third gives medication, every second opens doors."""
    return tuple(
        Staff(
            ref=_ref(n),
            tenant=tenant,
            teams=(team,),
            roles=frozenset({"technician" if team == "technicians" else "carer", *_more(n)}),
            competences=frozenset(name for name, every in (("delegation", 3), ("keys", 2)) if n % every == 0),
            credentials=frozenset({f"cred-{n:03d}"}),
        )
        for _, team, numbers, _, _, _ in SHIFTS
        for n in numbers
    )


def rotations() -> tuple[Rotation, ...]:
    """Return the hours of work, which go on for ever."""
    return tuple(
        Rotation(
            id=name,
            team=team,
            turns=(_refs(numbers[::2]), _refs(numbers[1::2])),
            every_days=7,
            starts=FIRST_DAY,
            at=at,
            until=until,
            weekdays=weekdays,
        )
        for name, team, numbers, at, until, weekdays in SHIFTS
    )


def _more(n: int) -> frozenset[str]:
    """Return the roles that a few have: leads, and nurses."""
    return frozenset(
        role for role, which in (("lead", {1, 2, 9, 10, 17, 18}), ("nurse", {6, 12})) if n in which
    )


def _ref(n: int) -> str:
    return f"staff-{n:02d}"


def _refs(numbers: range) -> tuple[str, ...]:
    return tuple(_ref(n) for n in numbers)
