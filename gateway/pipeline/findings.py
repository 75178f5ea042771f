"""Findings: what is wrong with how the house is set up or staffed, as the state alone can tell."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import msgspec

from gateway.model.synthetic import SYNTHETIC
from gateway.pipeline.choice import unreachable
from gateway.pipeline.coverage import Gap, coverage, coverage_ahead
from gateway.pipeline.duty import Crew
from gateway.pipeline.state import State
from gateway.pipeline.twin import stuck

STANDING = timedelta(hours=24)
"""An alarm that is open for longer stands (alert rules, 5.6, S11)."""
LOOKED = (
    "standing_alarms",
    "coverage_now",
    "coverage_gap",
    "staff_unreachable",
    "nobody_reachable",
    "config_stuck",
    "enrolment_lost",
)
"""The kinds that are looked for in the state."""

Values = dict[str, str | int | float | bool]


class Finding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that is wrong: what kind, about what, in whose tenant ("" for everybody's)."""

    kind: str
    subject: str = "gateway"
    tenant: str = ""
    reason: str = ""
    values: Values = {}


def looked(state: State) -> list[Finding]:
    """Return all that is found now of these kinds, except about the synthetic tenant."""
    found = [*_standing(state), *_coverage(state), *_phones(state), *_twins(state), *_lost(state)]
    return [one for one in found if one.tenant != SYNTHETIC]


def _standing(state: State) -> Iterator[Finding]:
    """Yield for each tenant how many alarms stand; what an incident speaks for stands with it."""
    before = state.now - STANDING
    old = Counter(
        alert.tenant
        for alert in state.alerts.values()
        if alert.raised_at < before and alert.home and not alert.incident
    )
    for tenant, n in sorted(old.items()):
        reason = f"{n} alarms are open for more than 24 h"
        yield Finding(kind="standing_alarms", subject="alarms", tenant=tenant, reason=reason, values={"n": n})


def _coverage(state: State) -> Iterator[Finding]:
    """Yield policies that have nobody but their end: now, or some time in the next day."""
    now = coverage(state, state.now)
    bare = {gap.ladder for gap in now}
    yield from (_gap("coverage_now", gap) for gap in now)
    ahead = (gap for gap in coverage_ahead(state, state.now) if gap.ladder not in bare)
    yield from (_gap("coverage_gap", gap) for gap in ahead)


def _gap(kind: str, gap: Gap) -> Finding:
    values: Values = {"ladder": gap.ladder, "at": gap.at.isoformat(timespec="minutes")}
    return Finding(kind=kind, subject=gap.ladder, tenant=gap.tenant, reason=str(gap), values=values)


def _phones(state: State) -> Iterator[Finding]:
    """Yield who works now and cannot be reached, and the teams where that is everybody."""
    crew, registry = Crew(state.registry, state.people), state.registry
    told: set[str] = set()
    for team in registry.teams.values():
        on = crew.on_duty(team.id, state.now) if crew.planned(team.id) else []
        lost = {ref: why for ref in on if (why := unreachable(crew, ref))}
        tenant = registry.units[team.unit].tenant
        for ref, why in lost.items():
            if ref not in told:
                told.add(ref)
                yield Finding(kind="staff_unreachable", subject=ref, tenant=tenant, reason=why)
        if on and len(lost) == len(on):
            reason = f"all {len(on)} on duty in {team.id} cannot be reached"
            yield Finding(kind="nobody_reachable", subject=team.id, tenant=tenant, reason=reason)


def _twins(state: State) -> Iterator[Finding]:
    """Yield the devices that do not take up the configuration that was set for them."""
    for one in stuck(state):
        wanted = one.desired.revision if one.desired else 0
        reason = f"revision {wanted} is set, the device reports {one.reported or 'none'}"
        tenant = state.registry.devices[one.device].tenant
        values: Values = {"device": one.device, "n": wanted}
        yield Finding(kind="config_stuck", subject=one.device, tenant=tenant, reason=reason, values=values)


def _lost(state: State) -> Iterator[Finding]:
    """Yield the devices enrolled in the console that a registry file has left without a home or person."""
    for name, own in state.owned.own.items():
        if own.lost:
            values: Values = {"device": name}
            tenant = own.device.tenant
            yield Finding(kind="enrolment_lost", subject=name, tenant=tenant, reason=own.lost, values=values)
