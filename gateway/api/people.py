"""People at work: who is on duty, plans to import, breaks; and who would be called if something happened."""

import asyncio
from datetime import datetime, timedelta
from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from gateway.api.access import AlertWriter, Ctx, PeopleReader, PeopleWriter
from gateway.api.answers import AUDIT, SETTLE_WITHIN_S
from gateway.api.auth import Actor
from gateway.api.context import Context
from gateway.api.errors import (
    ApiError,
    NotAllowedError,
    RefusedError,
    UnavailableError,
    UnsettledError,
    problems,
)
from gateway.api.view import zone_of
from gateway.contract import ConfigurationError, Refused, StoreUnavailableError
from gateway.imports.plans import Import, frame_of
from gateway.model.frame import Frame, Transport
from gateway.model.instant import to_utc
from gateway.model.people import Context as Going
from gateway.model.people import ContextKind
from gateway.model.registry import WHOLE_TENANT
from gateway.model.synthetic import SYNTHETIC
from gateway.pipeline.choice import unreachable
from gateway.pipeline.dry_run import Line, Question, dry_run
from gateway.pipeline.duty import Crew

ROUTER = APIRouter(prefix="/api/v1", tags=["people"])
_CHANGED = problems(202, 401, 403, 409, 422, 503)
Local = Annotated[str, Query(max_length=40, description="Local time of the tenant, or with an offset.")]


class _View(BaseModel):
    model_config = ConfigDict(frozen=True)


class MemberView(_View):
    """One member of a team at a moment."""

    staff: str
    on_duty: bool
    reason: str = Field(description="Why they are not asked although they are planned, or cannot be reached.")
    roles: list[str]
    competences: list[str]
    until: datetime | None = Field(description="When their shift ends.")


class TeamView(_View):
    """A team at a moment; one without a plan answers as one, at all hours."""

    team: str
    name: str
    planned: bool
    members: list[MemberView]


class DutyView(_View):
    """Who works at a moment."""

    at: datetime
    teams: list[TeamView]


class LineView(_View):
    """One thing that would happen."""

    at: datetime
    what: str
    alert: str = ""
    who: str = ""
    channels: list[str] = []
    until: datetime | None = None
    reason: str = ""


class RouteView(_View):
    """What would happen, as if nobody answered."""

    lines: list[LineView]


class BreakBody(BaseModel):
    """How long a break lasts."""

    model_config = ConfigDict(extra="forbid")
    minutes: float = Field(30, gt=0, le=240)


class Done(_View):
    """It holds now."""

    frame: int = Field(description="Journal position: the trace id.")


def duty_view(ctx: Context, actor: Actor, at: datetime) -> DutyView:
    """Return who works at a moment, in the actor's teams or in all."""
    registry = ctx.board.registry
    crew = Crew(registry, ctx.board.people)
    teams = [
        team
        for team in registry.teams.values()
        if registry.units[team.unit].tenant != SYNTHETIC and (not actor.teams or team.id in actor.teams)
    ]
    return DutyView(at=at, teams=[_team(crew, team.id, team.name, at) for team in teams])


def _team(crew: Crew, team: str, name: str, at: datetime) -> TeamView:
    planned = crew.planned(team)
    on = set(crew.on_duty(team, at)) if planned else set[str]()
    ends: dict[str, datetime] = {}
    for duty in crew.duties(team, at, at + timedelta(seconds=1)) if planned else ():
        ends[duty.staff] = max(duty.until, ends.get(duty.staff, duty.until))
    members = [
        MemberView(
            staff=staff.ref,
            on_duty=staff.ref in on,
            reason=crew.away(staff.ref, at) or unreachable(crew, staff.ref),
            roles=sorted(staff.roles),
            competences=sorted(staff.competences),
            until=ends.get(staff.ref) if staff.ref in on else None,
        )
        for staff in crew.members(team)
    ]
    return TeamView(team=team, name=name, planned=planned, members=members)


def stay_at_home(ctx: Context, actor: Actor, tenant: str) -> None:
    """Raise NotAllowedError for somebody of another tenant's teams."""
    registry = ctx.board.registry
    if actor.teams and actor.teams.isdisjoint(registry.teams_meant(f"{WHOLE_TENANT}{tenant}")):
        raise NotAllowedError(f"{actor.name} has no team of {tenant!r}")


def moment(ctx: Context, text: str, tenant: str = "") -> datetime:
    """Return a moment that somebody wrote, now for nothing; ApiError where it cannot be read."""
    if not text:
        return ctx.clock.now()
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise ApiError(422, "invalid", f"at: found {text!r}; allowed: a time as 2026-12-24T23:10") from error
    aware = found if found.tzinfo else found.replace(tzinfo=zone_of(ctx.board.registry, tenant))
    utc = to_utc(aware)
    if utc is None:
        raise ApiError(422, "invalid", f"at: found {text!r}; allowed: a time that a calendar has")
    return utc


@ROUTER.get("/people/duty", summary="Who is on duty", responses=problems(401, 403, 422))
async def read_duty(ctx: Ctx, actor: PeopleReader, at: Local = "") -> DutyView:
    """Return who works at a moment in every team that the actor may see."""
    return duty_view(ctx, actor, moment(ctx, at))


@ROUTER.post("/people/{kind}", summary="Import staff, shifts or visits", responses=_CHANGED)
async def import_plan(  # noqa: PLR0913 - the parts of a plan
    request: Request,
    ctx: Ctx,
    actor: PeopleWriter,
    kind: str,
    *,
    source: Annotated[str, Query(min_length=1, max_length=100)],
    tenant: Annotated[str, Query(max_length=128)] = "",
    team: Annotated[str, Query(max_length=128)] = "",
    since: Local = "",
    until: Local = "",
) -> Done:
    """Take a CSV table, or for shifts a calendar, as the body; it replaces what `source` had in its span.

    Refused as a whole when a row is wrong, or when a policy would be left without people at its end.
    """
    told = Import(
        kind=kind,
        content=await request.body(),
        zone=zone_of(ctx.board.registry, tenant),
        source=source,
        tenant=tenant or next(iter(ctx.board.registry.tenants), ""),
        team=team,
        since=moment(ctx, since, tenant) if since else None,
        until=moment(ctx, until, tenant) if until else None,
        actor=actor.name,
    )
    return await take_plan(ctx, actor, told)


async def take_plan(ctx: Context, actor: Actor, told: Import) -> Done:
    """Journal a plan and wait for the verdict; ApiError for a wrong file, RefusedError for a wrong plan."""
    stay_at_home(ctx, actor, told.tenant)
    try:
        frame = await asyncio.to_thread(frame_of, told, ctx.clock.now())
    except ConfigurationError as error:
        raise ApiError(422, "invalid", str(error)) from error
    return Done(frame=await _settle(ctx, actor, frame))


@ROUTER.post("/breaks", summary="I go on a break", responses=_CHANGED)
async def begin_break(ctx: Ctx, actor: AlertWriter, body: BreakBody | None = None) -> Done:
    """Begin a break: every open alert that one holds is offered onward, and nothing comes meanwhile."""
    return await go_on_break(ctx, actor, (body or BreakBody(minutes=30)).minutes)


@ROUTER.delete("/breaks", summary="I am back", responses=_CHANGED)
async def end_break(ctx: Ctx, actor: AlertWriter) -> Done:
    """End one's break."""
    return await come_back(ctx, actor)


async def go_on_break(ctx: Context, actor: Actor, minutes: float) -> Done:
    """Begin a break of the actor, or give the one that goes on a new end; RefusedError for a stranger."""
    now = ctx.clock.now()
    pause = Going(
        id=_break_of(actor),
        kind=ContextKind.BREAK,
        since=now,
        until=now + timedelta(minutes=minutes),
        ref=actor.name,
        source="api",
    )
    return Done(frame=await _settle(ctx, actor, _frame(ctx, actor, f"context/{pause.id}/set", pause)))


async def come_back(ctx: Context, actor: Actor) -> Done:
    """End the actor's break; RefusedError where there is none."""
    return Done(frame=await _settle(ctx, actor, _frame(ctx, actor, f"context/{_break_of(actor)}/end", {})))


def works_here(ctx: Context, actor: Actor) -> bool:
    """Tell whether the actor is one of the staff whose hours are planned here, and may answer.

    A team without a plan answers as one, at all hours: a break of one of them would change nothing.
    """
    crew = Crew(ctx.board.registry, ctx.board.people)
    known = ctx.board.people.known(ctx.board.registry, actor.name)
    return known is not None and actor.may("alerts:write") and any(map(crew.planned, known.teams))


def break_until(ctx: Context, actor: Actor) -> datetime | None:
    """Return when the actor's break ends, None when they are on none."""
    now = ctx.clock.now()
    ends = [pause.until for pause in ctx.board.people.breaks_of(actor.name) if pause.in_force(now)]
    return max(ends, default=None)


@ROUTER.get("/route", summary="Who would be called", responses=problems(401, 403, 409, 422, 503))
async def rehearse(  # noqa: PLR0917 - the words of one question
    ctx: Ctx,
    actor: PeopleReader,
    device: Annotated[str, Query(max_length=128)],
    event: Annotated[str, Query(max_length=64)],
    at: Local = "",
    hours: Annotated[float, Query(gt=0, le=24)] = 3,
) -> RouteView:
    """Play one event and nobody's answer through the real walk, on a copy of the state. Changes nothing."""
    lines = await who_would(ctx, actor, device, event, moment(ctx, at), hours)
    return RouteView(lines=[LineView.model_validate(msgspec.to_builtins(line)) for line in lines])


async def who_would(  # noqa: PLR0917 - the words of one question
    ctx: Context, actor: Actor, device: str, event: str, at: datetime, hours: float
) -> list[Line]:
    """Return what would happen; RefusedError where it cannot be asked."""
    known = ctx.board.registry.devices.get(device)
    if known is not None:
        stay_at_home(ctx, actor, known.tenant)
    walk = ctx.walk
    if walk is None:
        raise UnavailableError("the gateway has not started")
    asked = Question(device=device, event=event, at=at, for_=timedelta(hours=hours))

    def play() -> list[Line]:
        return dry_run(walk, ctx.store.load(), asked)

    AUDIT.info("dry run actor=%s device=%s event=%s", actor.name, device, event)
    try:
        return await asyncio.to_thread(play)
    except Refused as error:
        raise RefusedError(str(error)) from error
    except StoreUnavailableError as error:
        raise UnavailableError(str(error)) from error


def _break_of(actor: Actor) -> str:
    return f"break-{actor.name}"


def _frame(ctx: Context, actor: Actor, channel: str, what: object) -> Frame:
    body = msgspec.json.encode(what)
    return Frame(Transport.PERSON, channel, body, ctx.clock.now(), ingress="api", source=actor.name)


async def _settle(ctx: Context, actor: Actor, frame: Frame) -> int:
    """Journal a frame and wait until it holds; raises RefusedError, UnavailableError or UnsettledError."""
    try:
        position = await ctx.intake.accept(frame)
    except StoreUnavailableError as error:
        raise UnavailableError(str(error)) from error
    try:
        refusal = await ctx.board.settled(position, SETTLE_WITHIN_S)
    except TimeoutError as error:
        raise UnsettledError(position) from error
    AUDIT.info("people actor=%s channel=%s refused=%s", actor.name, frame.channel, bool(refusal))
    if refusal:
        raise RefusedError(refusal)
    return position
