"""Duty: who works at a moment, from rotations, imported plans, changes to them and breaks; all of it pure."""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import msgspec

from gateway.model.people import ContextKind, Rotation, Staff
from gateway.model.registry import Registry, Tenant
from gateway.pipeline.people import People

DAY = timedelta(days=1)
LONGEST_WAIT = DAY
"""The hours of work are looked at again at least so often."""


class Duty(msgspec.Struct, frozen=True):
    """One planned time of one person in one team."""

    staff: str
    team: str
    since: datetime
    until: datetime


class Crew:
    """Everybody who works, and when. A look at the registry and the people that costs nothing to make."""

    __slots__ = ("_known", "_plans", "people", "registry")

    def __init__(self, registry: Registry, people: People) -> None:
        self.registry = registry
        self.people = people
        self._plans: dict[str, list[Duty]] | None = None
        self._known: dict[tuple[str, datetime], list[str]] = {}

    def ahead(self, since: datetime, until: datetime) -> "Crew":
        """Return a look at that span alone, for many questions about it: each plan is gone through once."""
        made = Crew(self.registry, self.people)
        end = until + timedelta(seconds=1)
        made._plans = {team: self.duties(team, since, end) for team in self.registry.teams}
        return made

    def members(self, team: str) -> list[Staff]:
        """Return the staff of a team, by reference; empty for a team that answers as one."""
        return self.people.members(self.registry, team)

    def planned(self, team: str) -> bool:
        """Tell whether a team's hours are planned here; one without a plan answers as one, at all hours.

        An import may still name a team that has left the registry: nobody works in that one.
        """
        if team not in self.registry.teams or not self.members(team):
            return False
        return bool(self.people.shifts_of(team)) or any(self._rotations(team))

    def duties(self, team: str, since: datetime, until: datetime) -> list[Duty]:
        """Return the planned times of a team that touch that span, changes and breaks not yet taken off."""
        found = [
            Duty(shift.staff, team, shift.since, shift.until)
            for shift in self.people.shifts_of(team).values()
            if not shift.off and shift.since < until and since < shift.until
        ]
        zone = self.zone(self.registry.units[self.registry.teams[team].unit].tenant)
        for rotation in self._rotations(team):
            found += [one for one in _turns(rotation, zone, since, until) if one.until > since]
        return found

    def on_duty(self, team: str, at: datetime) -> list[str]:
        """Return who works in a team at that moment, by reference; never somebody away or gone."""
        if self._plans is None:
            return self._on_duty(team, at, self.duties(team, at, at + timedelta(seconds=1)))
        found = self._known.get((team, at))
        if found is None:
            found = self._known[team, at] = self._on_duty(team, at, self._plans[team])
        return found

    def _on_duty(self, team: str, at: datetime, duties: Iterable[Duty]) -> list[str]:
        members = {staff.ref for staff in self.members(team)}
        planned = {duty.staff for duty in duties if duty.since <= at < duty.until}
        return sorted(ref for ref in planned & members if not self.away(ref, at))

    def works(self, staff: str, at: datetime) -> bool:
        """Tell whether somebody works in any of their teams; of whom no team has a plan, always."""
        known = self.people.known(self.registry, staff)
        teams = [team for team in known.teams if self.planned(team)] if known else []
        if not teams:
            return True
        return any(staff in self.on_duty(team, at) for team in teams)

    def away(self, staff: str, at: datetime) -> str:
        """Say why somebody who is planned does not work at that moment, "" when they do."""
        for pause in self.people.breaks_of(staff):
            if pause.in_force(at):
                return "on a break"
        off = any(shift.since <= at < shift.until for shift in self.people.off_of(staff))
        return "taken off the plan" if off else ""

    def moments(self, since: datetime, until: datetime) -> list[datetime]:
        """Return the moments in a span at which who works may change, soonest first."""
        found = {at for at in self._changes(since, until) if since < at <= until}
        return sorted(found)

    def next_moment(self, after: datetime) -> datetime | None:
        """Return when the hours of work must be looked at again; None where nobody's are planned."""
        soon = self.moments(after, after + LONGEST_WAIT)
        if soon:
            return soon[0]
        planned = any(self.planned(team) for team in self.registry.teams) or self.people.contexts
        return after + LONGEST_WAIT if planned else None

    def is_night(self, tenant: str, at: datetime) -> bool:
        """Tell whether the people of the night are asked then (alert rules, 5: by default 22:30 to 07:00)."""
        found = self.registry.tenants.get(tenant)
        if found is None:
            return False
        local = at.astimezone(self.zone(tenant)).time()
        if found.night_from <= found.night_until:
            return found.night_from <= local < found.night_until
        return local >= found.night_from or local < found.night_until

    def zone(self, tenant: str) -> ZoneInfo:
        """Return a tenant's time zone."""
        return ZoneInfo(self.registry.tenants[tenant].time_zone)

    def _rotations(self, team: str) -> Iterator[Rotation]:
        return iter(self.people.rotations_of(self.registry, team))

    def _changes(self, since: datetime, until: datetime) -> Iterator[datetime]:
        for team in self.registry.teams:
            if self.members(team):
                for duty in self.duties(team, since, until):
                    yield from (duty.since, duty.until)
        for shift in self.people.shifts.values():
            if shift.off:
                yield from (shift.since, shift.until)
        for context in self.people.contexts.values():
            if context.kind is ContextKind.BREAK:
                yield from (context.since, context.until)
        nightly = {
            ladder.tenant
            for ladder in self.registry.document.ladder
            if any(step.at_night for step in ladder.steps)
        }
        for name in nightly:
            yield from _nights(self.registry.tenants[name], self.zone(name), since, until)


def local_moment(day: date, at: time, zone: ZoneInfo) -> datetime:
    """Return a wall-clock time as UTC; one that a clock change skips is as long after it as it would be."""
    return datetime.combine(day, at, zone).astimezone(UTC)


def _turns(rotation: Rotation, zone: ZoneInfo, since: datetime, until: datetime) -> Iterator[Duty]:
    day = since.astimezone(zone).date() - DAY
    last = until.astimezone(zone).date()
    overnight = DAY if rotation.until <= rotation.at else timedelta(0)
    while day <= last:
        begun = day >= rotation.starts and (rotation.ends is None or day <= rotation.ends)
        if begun and day.isoweekday() in rotation.weekdays:
            turn = (day - rotation.starts).days // rotation.every_days % len(rotation.turns)
            start = local_moment(day, rotation.at, zone)
            end = local_moment(day + overnight, rotation.until, zone)
            if start < until:
                yield from (Duty(staff, rotation.team, start, end) for staff in rotation.turns[turn])
        day += DAY


def _nights(tenant: Tenant, zone: ZoneInfo, since: datetime, until: datetime) -> Iterator[datetime]:
    day = since.astimezone(zone).date()
    while day <= until.astimezone(zone).date():
        yield local_moment(day, tenant.night_from, zone)
        yield local_moment(day, tenant.night_until, zone)
        day += DAY
