"""Policy: which escalation policy an alert climbs, as it was when the alert was raised."""

from datetime import datetime

from msgspec.structs import replace

from gateway.model.alert import ROUTE_OF_TYPE, Alert, AlertType, Route
from gateway.model.people import Policy, PolicyStep
from gateway.model.registry import Home, Ladder, Registry

NEXT_BEST = {
    Route.CARE_DELEGATED: (Route.CARE,),
    Route.NURSE: (Route.CARE_DELEGATED, Route.CARE),
    Route.NIGHT_PATROL: (Route.CARE,),
    Route.ALARM_CENTRE: (Route.CARE,),
    Route.SECURITY: (Route.MANAGEMENT, Route.OPERATIONS),
    Route.MANAGEMENT: (Route.OPERATIONS,),
    Route.DIGEST: (Route.MANAGEMENT,),
}
"""Whose policy serves a kind of alert that has none of its own."""
CARE_ROUTES = frozenset(
    {Route.CARE, Route.CARE_DELEGATED, Route.NURSE, Route.NIGHT_PATROL, Route.ALARM_CENTRE}
)
EVERYBODY = Policy(id="", steps=(PolicyStep(to=()),), repeat_s=120)
"""For an alert whose home is gone: its one step resolves to nobody, so the whole tenant is asked."""


def route_of(said: str, kind: AlertType) -> Route:
    """Return the kind of people a rule means; those of the alert's type where it says none that we know."""
    return Route(said) if said in set(Route) else ROUTE_OF_TYPE[kind]


def ladder_of(registry: Registry, home: Home, route: Route, kind: AlertType) -> str:
    """Return the ladder for a route in a home: its own, its unit's, its tenant's, then the next best."""
    owners = (home, registry.units[home.unit], registry.tenants[home.tenant])
    for wanted in (route, *NEXT_BEST.get(route, ())):
        for owner in owners:
            if wanted in owner.ladders:
                return owner.ladders[wanted]
    if route in CARE_ROUTES or (kind is AlertType.PERSON and route is not Route.TECHNICAL):
        return home.care_ladder
    return home.technical_ladder


def ladder_of_tenant(registry: Registry, tenant: str, route: Route) -> str:
    """Return the ladder of an alert that is about no home: its tenant's, else that of its homes' technology.

    "" where there is neither: then everybody of the tenant is asked.
    """
    own = registry.tenants[tenant].ladders
    for wanted in (route, *NEXT_BEST.get(route, ()), Route.TECHNICAL):
        if wanted in own:
            return own[wanted]
    theirs = (home.technical_ladder for home in registry.homes.values() if home.tenant == tenant)
    return next(theirs, "")


def snapshot(registry: Registry, ladder: str) -> Policy:
    """Return a ladder as an alert keeps it, ended by the tenant's failsafe where it does not end there."""
    found = registry.ladders.get(ladder)
    if found is None:
        return EVERYBODY
    return Policy(id=found.id, steps=_steps(registry, found), repeat_s=found.repeat_s)


def policy_of(registry: Registry, alert: Alert) -> Policy:
    """Return the policy an alert was raised with; one that an older version raised has its ladder's."""
    return alert.policy or snapshot(registry, alert.ladder)


def for_staff(alert: Alert) -> Alert:
    """Return the alert without the rung of a person who was asked before the staff: they are asked once."""
    policy = alert.policy
    if policy is None or not policy.steps[0].person:
        return alert
    return replace(alert, policy=replace(policy, steps=policy.steps[1:]), step=max(0, alert.step - 1))


def no_longer(alert: Alert, actor: str, until: datetime) -> datetime:
    """Return until when somebody may keep an alert; who is asked before the staff gains no time by it."""
    first = alert.policy.steps[0] if alert.policy else None
    alone = first is not None and first.person == actor and alert.step == 0
    return min(until, alert.deadline) if alone and alert.deadline else until


def _steps(registry: Registry, ladder: Ladder) -> tuple[PolicyStep, ...]:
    steps = [
        PolicyStep(to=step.to, at_night=step.at_night, within_s=step.within_s, role=step.role)
        for step in ladder.steps
    ]
    failsafe = registry.tenants[ladder.tenant].failsafe
    if failsafe and (set(steps[-1].to) != set(failsafe) or steps[-1].role or steps[-1].at_night):
        steps.append(PolicyStep(to=failsafe))
    return tuple(steps)
