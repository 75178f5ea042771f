"""Choice: which people one step of a policy means at a moment, best first, and why others are not asked."""

from datetime import datetime, timedelta
from math import asin, cos, radians, sin, sqrt

import msgspec

from gateway.model.alert import Alert, Route, Severity
from gateway.model.people import DELEGATION, KEYS, NURSE, PolicyStep, Staff
from gateway.model.registry import Zone
from gateway.pipeline.duty import Crew
from gateway.pipeline.state import State

WAVES: dict[Severity, tuple[tuple[int | None, float | None], ...]] = {
    Severity.HIGH: ((1, 20.0), (3, 40.0), (None, None)),
    Severity.MEDIUM: ((1, None), (None, None)),
}
"""How many people of a step are asked, and for how many seconds, before more are (alert rules, 5.5, X1).

None means all of them, and the time that the step or the rule gives.
"""
ALL_AT_ONCE: tuple[tuple[int | None, float | None], ...] = ((None, None),)
BELIEVED_FOR = timedelta(hours=2)
"""How long a place at which somebody was seen says where they are."""
UNKNOWN_KM = 1e6
EARTH_KM = 6371.0


class Choice(msgspec.Struct, frozen=True):
    """Whom a step means: teams that answer as one, people best first, and why others were passed over."""

    teams: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()

    @property
    def anybody(self) -> bool:
        """Tell whether the step resolves to somebody."""
        return bool(self.teams or self.people)


class Ring(msgspec.Struct, frozen=True):
    """Who is asked in one wave of a step, and whether a wave with `more` people follows.

    `within_s` None means as long as the step gives.
    """

    recipients: tuple[str, ...]
    within_s: float | None
    more: bool


def choose(state: State, alert: Alert, step: PolicyStep, *, last: bool) -> Choice:
    """Return whom a step of this alert's policy means now.

    Who said no is passed over; in the last step only as long as somebody else is left.
    """
    crew = Crew(state.registry, state.people)
    found = resolve(crew, alert.tenant, step, state.now)
    people = [ref for ref in found.people if ref not in alert.declined]
    no = [f"{ref}: said no" for ref in found.people if ref in alert.declined]
    if last and not people and not found.teams:
        people, no = list(found.people), []
    ranked = sorted(people, key=lambda ref: _rank(state, crew, alert, ref))
    return Choice(found.teams, tuple(ranked), (*found.skipped, *no))


def resolve(crew: Crew, tenant: str, step: PolicyStep, at: datetime) -> Choice:
    """Return the teams and the reachable people on duty that a step means at a moment, in no order."""
    if step.person:
        why = unreachable(crew, step.person)
        return Choice(skipped=(f"{step.person}: {why}",)) if why else Choice(people=(step.person,))
    night = bool(step.at_night) and crew.is_night(tenant, at)
    teams: list[str] = []
    people: list[str] = []
    skipped: list[str] = []
    for team in step.at_night if night else step.to:
        if team not in crew.registry.teams:
            skipped.append(f"{team}: is gone from the registry")
        elif not crew.planned(team):
            teams.append(team)
        else:
            ready = _ready(crew, team, step.role, at, skipped)
            people += [ref for ref in ready if ref not in people]
    return Choice(tuple(teams), tuple(people), tuple(skipped))


def unheard(state: State, alert: Alert, step: PolicyStep) -> list[str]:
    """Return who is on duty for a step although nothing seems to reach them: they are all that is left."""
    crew = Crew(state.registry, state.people)
    night = bool(step.at_night) and crew.is_night(alert.tenant, state.now)
    teams = [team for team in (step.at_night if night else step.to) if team in crew.registry.teams]
    return list(dict.fromkeys(ref for team in teams for ref in crew.on_duty(team, state.now)))


def ring(severity: Severity, choice: Choice, wave: int) -> Ring:
    """Return who is asked in a wave; teams that answer as one are asked from the first wave on."""
    plan = WAVES.get(severity, ALL_AT_ONCE)
    size, within_s = plan[min(wave, len(plan) - 1)]
    asked = choice.people[:size]
    more = len(asked) < len(choice.people)
    return Ring((*asked, *choice.teams), within_s if more else None, more)


def unreachable(crew: Crew, staff: str) -> str:
    """Say why somebody cannot be reached by any channel, "" when they can, or nothing is known."""
    known = crew.people.reach_of(staff)
    if not known or any(reach.reachable for reach in known):
        return ""
    return "; ".join(f"{reach.channel}: {reach.reason or 'unreachable'}" for reach in known)


def reasons(state: State, alert: Alert, who: str) -> str:
    """Say why somebody is asked, as the choice saw them."""
    staff = state.people.known(state.registry, who)
    if staff is None:
        return "answers as one, at all hours" if who in state.registry.teams else "everybody of the tenant"
    km = _away_km(state, alert, who)
    said = [f"on duty in {', '.join(staff.teams)}", *sorted(staff.roles), *sorted(staff.competences)]
    said.append(f"{km:.1f} km away" if km < UNKNOWN_KM else "place not known")
    said.append(f"{state.load_of(who)} open alerts")
    return ", ".join(said)


def _ready(crew: Crew, team: str, role: str, at: datetime, skipped: list[str]) -> list[str]:
    """Return who of a team can be asked now; the reasons of the others are added to `skipped`."""
    on = crew.on_duty(team, at)
    found = []
    for ref in on:
        staff = crew.people.known(crew.registry, ref)
        why = (
            f"is no {role}" if role and (staff is None or role not in staff.roles) else unreachable(crew, ref)
        )
        if why:
            skipped.append(f"{ref}: {why}")
        else:
            found.append(ref)
    if not on:
        skipped.append(f"{team}: nobody on duty")
    return found


def _rank(state: State, crew: Crew, alert: Alert, ref: str) -> tuple[bool, bool, int, int, float, str]:
    """Return somebody's place: qualified, able to get in, near, not busy (alert rules, 5.5, X1)."""
    staff = crew.people.known(state.registry, ref)
    km = _away_km(state, alert, ref)
    load = state.load_of(ref)
    unable = staff is None or KEYS not in staff.competences
    return (not _qualified(staff, alert.route), unable, round(km), load, km, ref)


def _qualified(staff: Staff | None, route: Route) -> bool:
    if route is Route.CARE_DELEGATED:
        return staff is not None and (DELEGATION in staff.competences or NURSE in staff.roles)
    return route is not Route.NURSE or (staff is not None and NURSE in staff.roles)


def _away_km(state: State, alert: Alert, ref: str) -> float:
    """Return how far somebody is from the alert's home, as the crow flies: by a lock, or by their visits."""
    homes = state.registry.homes
    there = homes.get(_place_of(state, ref))
    here = homes.get(alert.home)
    if there is None or here is None:
        return UNKNOWN_KM
    if there.id == here.id:
        return 0.0
    return _distance_km(there.zone, here.zone) if there.zone and here.zone else UNKNOWN_KM


def _place_of(state: State, ref: str) -> str:
    seen = state.people.whereabouts.get(ref)
    if seen is not None and state.now - seen.at <= BELIEVED_FOR:
        return seen.home
    visits = [one for one in state.people.visits_of(ref) if one.in_force(state.now)]
    return min(visits, key=lambda one: (one.since, one.id)).home if visits else ""


def _distance_km(a: Zone, b: Zone) -> float:
    lat_a, lat_b = radians(a.latitude), radians(b.latitude)
    half = (
        sin((lat_b - lat_a) / 2) ** 2
        + cos(lat_a) * cos(lat_b) * sin(radians(b.longitude - a.longitude) / 2) ** 2
    )
    return 2 * EARTH_KM * asin(min(1.0, sqrt(half)))
