"""People at work: staff by opaque reference, planned hours, what goes on where, and who is asked when."""

from datetime import date, datetime, time
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from gateway.model.records import Id, Record

DELEGATION = "delegation"
"""Competence: may give medication on a nurse's delegation."""
KEYS = "keys"
"""Competence: may open the homes of the team without anybody's help."""
NURSE = "nurse"
MAX_TURNS = 366


class Staff(Record, frozen=True):
    """Somebody who answers alerts, by opaque reference: the name they sign in with, never their own.

    `roles` as carer, nurse, lead, technician; `competences` as delegation and keys; `credentials` are
    the opaque names by which locks and visits know them.
    """

    ref: Id
    tenant: Id
    teams: Annotated[tuple[Id, ...], Meta(min_length=1)]
    roles: frozenset[str] = frozenset({"carer"})
    competences: frozenset[str] = frozenset()
    credentials: frozenset[str] = frozenset()


class Rotation(Record, frozen=True, kw_only=True):
    """Own schedule: the turns of a team that follow each other, each of them `every_days` long.

    Work is from `at` to `until` in the tenant's time, past midnight when `until` is not later, on the
    `weekdays` (1 is Monday) counted by the day it begins. `starts` is the first day of the first turn.
    """

    id: Id
    team: Id
    turns: Annotated[
        tuple[Annotated[tuple[Id, ...], Meta(min_length=1)], ...], Meta(min_length=1, max_length=MAX_TURNS)
    ]
    every_days: Annotated[int, Meta(ge=1, le=366)] = 1
    starts: date
    ends: date | None = None
    at: time
    until: time
    weekdays: frozenset[Annotated[int, Meta(ge=1, le=7)]] = frozenset(range(1, 8))

    def __post_init__(self) -> None:
        """Refuse times of another zone."""
        if self.at.tzinfo is not None or self.until.tzinfo is not None:
            raise ValueError("at and until are the tenant's own time, without an offset")


class Shift(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A planned time of one person in one team, from a plan that was imported, or a change to it.

    With `off` they do not work then, whatever the plan says. `source` is the plan it came with.
    """

    id: str
    staff: str
    team: str
    since: datetime
    until: datetime
    source: str
    off: bool = False


class ContextKind(StrEnum):
    """What is known to go on for a while."""

    VISIT = "visit"
    TRIP = "trip"
    ABSENCE = "absence"
    BREAK = "break"
    MAINTENANCE = "maintenance"


class Context(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something planned or told that changes what events mean; it always ends by itself.

    `home` and `person` say where, "" for everywhere. `ref` is the staff of a visit or break, the
    device of a maintenance ("" for the whole home), the plan of a trip.
    """

    id: str
    kind: ContextKind
    home: str = ""
    person: str = ""
    since: datetime
    until: datetime
    ref: str = ""
    reason: str = ""
    source: str = ""

    def in_force(self, at: datetime) -> bool:
        """Tell whether it goes on at that moment."""
        return self.since <= at < self.until


class Reach(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Whether a person can be reached by a channel, and why not."""

    staff: str
    channel: str
    reachable: bool
    reason: str = ""
    at: datetime


class Whereabouts(msgspec.Struct, frozen=True, kw_only=True):
    """The home at which a member of staff last showed themselves: a lock, a visit, a press of "on site"."""

    staff: str
    home: str
    at: datetime


class PolicyStep(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One rung of an alert's own policy; `at_night` are those asked instead in the tenant's night.

    `person` is somebody who is asked by the name they sign in with, and nobody else on this rung.
    """

    to: tuple[str, ...]
    at_night: tuple[str, ...] = ()
    within_s: float | None = None
    role: str = ""
    person: str = ""


class Policy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An escalation policy as it was when the alert was raised; its last step repeats without end."""

    id: str
    steps: tuple[PolicyStep, ...]
    repeat_s: float
