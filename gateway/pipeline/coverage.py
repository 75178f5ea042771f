"""Coverage: whether every escalation policy has somebody to ask, now and in the next hours; all pure."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import msgspec

from gateway.model.registry import Registry
from gateway.pipeline.choice import resolve
from gateway.pipeline.duty import Crew
from gateway.pipeline.people import People
from gateway.pipeline.policy import snapshot
from gateway.pipeline.state import State

AHEAD = timedelta(hours=24)
"""How far ahead a plan must hold (alert rules, 5.6, S6)."""


class Gap(msgspec.Struct, frozen=True):
    """A policy with a gap at a moment: nobody before its last step, or `total`: nobody at its last step.

    In the last step an alert stays until a person answers, so that one must never be empty.
    """

    tenant: str
    ladder: str
    at: datetime
    reason: str
    total: bool

    def __str__(self) -> str:
        """Return it as a sentence."""
        whom = "its last step resolves to nobody" if self.total else "has only its last step"
        return f"ladder {self.ladder}: {whom} at {self.at.isoformat(timespec='minutes')}: {self.reason}"


def coverage(state: State, at: datetime) -> list[Gap]:
    """Return the policies that have nobody but their last step, or nobody there, at that moment."""
    return list(_gaps(Crew(state.registry, state.people), at))


def coverage_ahead(state: State, since: datetime, ahead: timedelta = AHEAD) -> list[Gap]:
    """Return the first gap of each policy in the time to come, soonest first."""
    crew = Crew(state.registry, state.people).ahead(since, since + ahead)
    found: dict[str, Gap] = {}
    for at in (since, *crew.moments(since, since + ahead)):
        for gap in _gaps(crew, at):
            found.setdefault(gap.ladder, gap)
    return sorted(found.values(), key=lambda gap: (gap.at, gap.ladder))


def hollow(registry: Registry, people: People, now: datetime) -> list[Gap]:
    """Return the policies that could ask nobody at all at some time of the next 24 h, as far as planned.

    Phones that cannot be reached do not count here: they are mended, a plan is not.
    """
    crew = Crew(registry, people.without_reach()).ahead(now, now + AHEAD)
    found: dict[str, Gap] = {}
    for at in (now, *crew.moments(now, now + AHEAD)):
        for gap in _gaps(crew, at):
            if gap.total:
                found.setdefault(gap.ladder, gap)
    return list(found.values())


def refuse_hollow(state: State, registry: Registry) -> None:
    """Raise ValueError for a registry with a new or changed policy that could ask nobody at its end.

    What was as hollow before is not refused again, so that a gateway always starts with its own registry.
    """
    before = {gap.ladder for gap in hollow(state.registry, state.people, state.now)}
    for gap in hollow(registry, state.people, state.now):
        if gap.ladder not in before:
            allowed = "a team that is always there, or a `failsafe` of the tenant"
            raise ValueError(f"{gap}; allowed: {allowed}")


def _gaps(crew: Crew, at: datetime) -> Iterator[Gap]:
    registry = crew.registry
    for ladder in registry.document.ladder:
        steps = snapshot(registry, ladder.id).steps
        resolved = [resolve(crew, ladder.tenant, step, at) for step in steps]
        reasons = "; ".join(dict.fromkeys(reason for one in resolved for reason in one.skipped))
        if not resolved[-1].anybody:
            yield Gap(ladder.tenant, ladder.id, at, reasons, total=True)
        elif len(steps) > 1 and not any(one.anybody for one in resolved[:-1]):
            yield Gap(ladder.tenant, ladder.id, at, reasons, total=False)
