"""Plan: staff, shifts, visits and what goes on come in as frames, are checked as a whole, and then hold."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import msgspec

from gateway.contract import Refused
from gateway.model.faults import RecordError
from gateway.model.frame import Frame
from gateway.model.people import Context, ContextKind, Reach, Shift, Staff
from gateway.model.trace import Trace, Verdict
from gateway.pipeline import aside, handover
from gateway.pipeline.coverage import hollow
from gateway.pipeline.people import CONTEXT, REACH, SHIFT, STAFF
from gateway.pipeline.state import State

LONGEST = {
    ContextKind.VISIT: timedelta(hours=24),
    ContextKind.TRIP: timedelta(days=1),
    ContextKind.ABSENCE: timedelta(days=31),
    ContextKind.BREAK: timedelta(hours=4),
    ContextKind.MAINTENANCE: timedelta(days=30),
}
"""How long something may be said to go on: it always ends by itself (alert rules, 4, point 8)."""
LONGEST_SHIFT = timedelta(hours=48)
MAX_TEXT = 200
Kept = tuple[str, str, Any]
"""A kind of record, its name and its new value; None forgets it."""
Before = dict[str, Context | None]
"""What went on by its name, None for what is new."""


class Shifts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A plan of one source; it replaces what that source had planned from `since` until `until`."""

    source: str
    since: datetime
    until: datetime
    shifts: tuple[Shift, ...]
    actor: str = ""


class Visits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The planned visits of one source; they replace what it had planned in that span."""

    source: str
    since: datetime
    until: datetime
    visits: tuple[Context, ...]
    actor: str = ""


class StaffList(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """People who work, each as the registry's file has them; `remove` names those who do no longer."""

    staff: tuple[dict[str, Any], ...] = ()
    remove: tuple[str, ...] = ()
    actor: str = ""


class _Reachability(msgspec.Struct, frozen=True):
    channel: str
    reachable: bool
    reason: str = ""


def people(state: State, frame: Frame) -> list[tuple[str, str]]:
    """Take up `people/shifts|visits|staff`, `context/<id>/set|end` or `staff/<ref>/reach`, or refuse it.

    Returns the homes and kinds of the contexts that are new, moved or gone, for the rules that follow them.
    """
    try:
        before = _take(state, frame)
    except (Refused, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as refusal:
        state.changes.refusals[frame.position] = str(refusal)
        state.trace(Trace(frame.position, "people", Verdict.REFUSED, str(refusal)))
        return []
    changed = [(old, new) for name, old in before.items() if old != (new := state.contexts.get(name))]
    return sorted({(one.home, one.kind.value) for both in changed for one in both if one and one.home})


def _take(state: State, frame: Frame) -> Before:
    """Take it up; returns what it may have changed of what goes on, as it was before."""
    parts = frame.channel.split("/")
    if len(parts) == 2 and parts[0] == "people" and parts[1] in _IMPORTS:
        return _keep_all(state, frame, list(_IMPORTS[parts[1]](state, frame.payload)))
    if len(parts) == 3 and parts[0] == "context" and parts[2] in {"set", "end"}:
        return _context(state, frame, parts[1], end=parts[2] == "end")
    if len(parts) == 3 and parts[0] == "staff" and parts[2] == "reach":
        _reach(state, frame, parts[1])
        return {}
    raise Refused(f"{frame.channel!r}: allowed: people/{'|'.join(_IMPORTS)}, context/<id>/set|end")


def _keep_all(state: State, frame: Frame, kept: list[Kept]) -> Before:
    """Keep everything or nothing: a plan that leaves an escalation policy to nobody is refused."""
    trial = state.people.copy()
    for kind, name, value in kept:
        trial.keep(kind, name, value)
    before = {gap.ladder for gap in hollow(state.registry, state.people, state.now)}
    for gap in hollow(state.registry, trial, state.now):
        if gap.ladder not in before:
            raise Refused(f"{gap}; allowed: a plan that leaves every policy somebody to ask at its end")
    earlier, known = handover.at_work(state), {name: state.contexts.get(name) for _, name, _ in kept}
    for kind, name, value in kept:
        state.people.keep(kind, name, value)
    handover.hand_on_changed(state, earlier, frame, "the plan was changed")
    handover.expect(state)
    return known


def _shifts(state: State, payload: bytes) -> Iterator[Kept]:
    plan = msgspec.json.decode(payload, type=Shifts)
    _check_span("shifts", plan.since, plan.until)
    for shift in plan.shifts:
        _check_shift(state, plan, shift)
    new = {shift.id: shift for shift in plan.shifts}
    for old in state.people.shifts.values():
        inside = old.source == plan.source and plan.since <= old.since < plan.until
        if inside and old.id not in new:
            yield SHIFT, old.id, None
    for shift in new.values():
        yield SHIFT, shift.id, shift


def _check_shift(state: State, plan: Shifts, shift: Shift) -> None:
    staff = state.people.known(state.registry, shift.staff)
    if staff is None:
        raise Refused(f"shift {shift.id}: staff: found {shift.staff!r}; allowed: one who is known")
    if shift.team not in staff.teams or shift.team not in state.registry.teams:
        raise Refused(f"shift {shift.id}: team: found {shift.team!r}; allowed: {', '.join(staff.teams)}")
    if shift.source != plan.source:
        raise Refused(f"shift {shift.id}: source: found {shift.source!r}; allowed: {plan.source!r}")
    _check_span(f"shift {shift.id}", shift.since, shift.until)
    if not shift.off and shift.until - shift.since > LONGEST_SHIFT:
        raise Refused(f"shift {shift.id}: longer than {LONGEST_SHIFT}")
    if not plan.since <= shift.since < plan.until:
        raise Refused(f"shift {shift.id}: begins outside the span of its plan")
    other = state.people.shifts.get(shift.id)
    if other is not None and other.source != plan.source:
        raise Refused(f"shift {shift.id}: the id is taken by plan {other.source!r}")


def _visits(state: State, payload: bytes) -> Iterator[Kept]:
    plan = msgspec.json.decode(payload, type=Visits)
    _check_span("visits", plan.since, plan.until)
    new = {}
    for visit in plan.visits:
        if visit.kind is not ContextKind.VISIT or visit.source != plan.source:
            raise Refused(f"visit {visit.id}: kind and source must be 'visit' and {plan.source!r}")
        _check_context(state, visit)
        if not plan.since <= visit.since < plan.until:
            raise Refused(f"visit {visit.id}: begins outside the span of its plan")
        new[visit.id] = visit
    for old in state.people.contexts.values():
        inside = old.source == plan.source and plan.since <= old.since < plan.until
        if inside and old.kind is ContextKind.VISIT and old.id not in new:
            yield CONTEXT, old.id, None
    for visit in new.values():
        yield CONTEXT, visit.id, visit


def _staff(state: State, payload: bytes) -> Iterator[Kept]:
    told = msgspec.json.decode(payload, type=StaffList)
    for ref in told.remove:
        yield STAFF, ref, None
    for row in told.staff:
        try:
            staff = Staff.of(row)
        except RecordError as error:
            raise Refused(f"staff {row.get('ref')!r}: {error.faults[0]}") from error
        for team in staff.teams:
            known = state.registry.teams.get(team)
            if known is None or state.registry.units[known.unit].tenant != staff.tenant:
                raise Refused(
                    f"staff {staff.ref}: teams: found {team!r}; allowed: a team of {staff.tenant!r}"
                )
        yield STAFF, staff.ref, staff


_IMPORTS: dict[str, Callable[[State, bytes], Iterator[Kept]]] = {
    "shifts": _shifts,
    "visits": _visits,
    "staff": _staff,
}


def _context(state: State, frame: Frame, name: str, *, end: bool) -> Before:
    """Begin something that goes on for a while, or end it; a break hands over what the person had."""
    earlier = handover.at_work(state)
    known = before = state.contexts.get(name)
    if end:
        if known is None or known.until <= state.now:
            raise Refused(f"context {name!r}: is not known, or over")
        state.people.keep(CONTEXT, name, _ended(known, state.now))
    else:
        known = msgspec.json.decode(frame.payload, type=Context)
        if known.id != name:
            raise Refused(f"context {name!r}: id: found {known.id!r}; allowed: the same")
        _check_context(state, known)
        state.people.keep(CONTEXT, name, known)
    if known.kind is ContextKind.BREAK:
        handover.hand_on_changed(state, earlier, frame, "on a break")
    elif known.kind is ContextKind.MAINTENANCE and end:
        aside.end_service(state, known.home, frame)
    elif known.kind is ContextKind.MAINTENANCE:
        aside.begin_service(state, known.home, frame)
    handover.expect(state)
    return {name: before}


def _ended(context: Context, now: datetime) -> Context | None:
    if context.since >= now:
        return None
    return msgspec.structs.replace(context, until=min(context.until, now))


def _check_context(state: State, context: Context) -> None:
    _check_span(f"context {context.id}", context.since, context.until)
    if context.until - context.since > LONGEST[context.kind]:
        raise Refused(f"context {context.id}: lasts longer than {LONGEST[context.kind]}")
    if len(context.reason) > MAX_TEXT or not 0 < len(context.id) <= MAX_TEXT:
        raise Refused(f"context: id and reason have at most {MAX_TEXT} characters")
    if context.kind is ContextKind.BREAK:
        if state.people.known(state.registry, context.ref) is None:
            raise Refused(f"context {context.id}: ref: found {context.ref!r}; allowed: staff that are known")
    elif context.home not in state.registry.homes:
        raise Refused(f"context {context.id}: home: found {context.home!r}; allowed: a home of the registry")
    elif context.person and context.person not in state.registry.persons:
        raise Refused(f"context {context.id}: person: found {context.person!r}; allowed: one of the registry")


def _check_span(what: str, since: datetime, until: datetime) -> None:
    if since.tzinfo is None or until.tzinfo is None:
        raise Refused(f"{what}: since and until need an offset")
    if not since < until:
        raise Refused(f"{what}: since must be before until")


def _reach(state: State, frame: Frame, ref: str) -> None:
    """Note whether somebody can be reached; the next alert that is offered knows."""
    told = msgspec.json.decode(frame.payload, type=_Reachability)
    if not told.channel or len(told.channel) > MAX_TEXT:
        raise Refused("reach: channel is missing or too long")
    reach = Reach(
        staff=ref,
        channel=told.channel,
        reachable=told.reachable,
        reason=told.reason[:MAX_TEXT],
        at=state.now,
    )
    state.people.keep(REACH, f"{ref}\0{told.channel}", reach)
