"""Who answers: tenants, units, teams, escalation policies, and the numbers they set for a rule."""

from datetime import time
from typing import Annotated

from msgspec import Meta, field

from gateway.model.alert import Route
from gateway.model.records import Id, Record, Seconds


class Tenant(Record, frozen=True):
    """A municipality or provider whose data is its own; `time_zone` is an IANA name.

    From `night_from` to `night_until`, local, the people of the night are asked. `ladders` names the
    escalation policy of each kind of alert, where no home or unit has its own; `failsafe` the teams that
    end every policy, and whom silence rings for ever.
    """

    id: Id
    name: str
    time_zone: str = "Europe/Stockholm"
    night_from: time = time(22, 30)
    night_until: time = time(7)
    ladders: dict[Route, Id] = field(default_factory=dict)
    failsafe: tuple[Id, ...] = ()


class Unit(Record, frozen=True):
    """An organisational unit of a tenant, with its own escalation policies where it has them."""

    id: Id
    tenant: Id
    name: str
    ladders: dict[Route, Id] = field(default_factory=dict)


class Team(Record, frozen=True):
    """People who answer together: a home-care group, the night patrol, technicians, an alarm centre."""

    id: Id
    unit: Id
    name: str


class Step(Record, frozen=True):
    """One rung: who is offered the alert, and after how many seconds of silence the next rung is taken.

    `within_s` None means the time that the alert's rule sets. `at_night` are the teams asked instead in
    the tenant's night; `role` narrows a team with a plan to those who have that role.
    """

    to: Annotated[tuple[Id, ...], Meta(min_length=1)]
    within_s: Seconds | None = None
    at_night: tuple[Id, ...] = ()
    role: str = ""


class Ladder(Record, frozen=True):
    """An escalation policy. Its last step repeats until a person answers: a ladder has no end.

    `repeat_s` is at least ten seconds, so that it is a call and no flood.
    """

    id: Id
    tenant: Id
    steps: Annotated[tuple[Step, ...], Meta(min_length=1)]
    repeat_s: Annotated[float, Meta(ge=10, le=30 * 86400)] = 120.0


class Override(Record, frozen=True, kw_only=True):
    """Numbers of one rule as a municipality, a unit or a person needs them; the nearest one holds."""

    rule: Id
    tenant: Id | None = None
    unit: Id | None = None
    person: Id | None = None
    numbers: Annotated[dict[str, float], Meta(min_length=1)]

    def __post_init__(self) -> None:
        """Refuse one whose owner is not clear."""
        if sum(name is not None for name in (self.tenant, self.unit, self.person)) != 1:
            raise ValueError("an override is for one of tenant, unit or person")
