"""The roster: whose shift lasts how long, who is in a planned visit, and which team a home's alerts go to."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from gateway.model.people import Rotation
from gateway.model.registry import RegistryDocument
from simulators.municipality import number_of
from simulators.staff import own, unit_of

LONG = timedelta(days=2)


class Roster:
    """Reads the registry's own rotations; `visits` is who is in a visit until when, where it is known."""

    def __init__(self, document: RegistryDocument, zone: ZoneInfo, visits: "Busy | None" = None) -> None:
        self._zone, self._visits = zone, visits
        self._hours: dict[str, Rotation] = {}
        for rotation in document.rotation:
            for ref in (ref for turn in rotation.turns for ref in turn):
                self._hours[ref] = rotation

    def answers_as_one(self, who: str) -> bool:
        """Tell whether that is a team or tenant, and no person with hours."""
        return who not in self._hours

    def works_until(self, who: str, now: datetime) -> datetime:
        """Return when somebody who works now goes home."""
        rotation = self._hours.get(who)
        if rotation is None:
            return now + LONG
        local = now.astimezone(self._zone)
        ends = local.replace(hour=rotation.until.hour, minute=rotation.until.minute, second=0, microsecond=0)
        begins = local.replace(hour=rotation.at.hour, minute=rotation.at.minute, second=0, microsecond=0)
        if rotation.until <= rotation.at:  # over midnight
            return (ends + timedelta(days=1) if local >= begins else ends).astimezone(UTC)
        return ends.astimezone(UTC) if local >= begins else now

    def visit_until(self, who: str, now: datetime) -> datetime:
        """Return when the planned visit ends that somebody is in, the moment itself when in none."""
        return now if self._visits is None else self._visits.until(who, now)

    def next_team(self, who: str, now: datetime) -> str:
        """Return the team that goes on when somebody goes home."""
        rotation = self._hours[who]
        unit = rotation.team.partition("-")[0]
        if unit == "technicians":
            return rotation.team
        later = now + timedelta(minutes=5)
        return self._at_work(rotation.team.rpartition("-")[2], later)

    def team_for(self, home: str, now: datetime) -> str:
        """Return the team that goes to a home now."""
        return own(self._group(now), unit_of(number_of(home)) if home else 0)

    def _at_work(self, ending: str, at: datetime) -> str:
        group = self._group(at)
        return f"{group}-{ending}" if ending.isdecimal() else group

    def _group(self, at: datetime) -> str:
        local = at.astimezone(self._zone)
        night = (local.hour, local.minute) >= (22, 30) or local.hour < 7
        return "night-patrol" if night else "care-group"


class Busy:
    """Who is in a planned visit, from the plan of the day."""

    def __init__(self) -> None:
        self._spans: dict[str, list[tuple[datetime, datetime]]] = {}

    def plan(self, spans: Mapping[str, Sequence[tuple[datetime, datetime]]]) -> None:
        """Take the visits of some people for the coming day, in place of those of the day before."""
        for who, times in spans.items():
            self._spans[who] = list(times)

    def until(self, who: str, now: datetime) -> datetime:
        """Return when the visit ends that somebody is in, the moment itself when in none."""
        ends = (until for since, until in self._spans.get(who, ()) if since <= now < until)
        return max(ends, default=now)
