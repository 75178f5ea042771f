"""The pages about people at work: who is on duty, plans to import, breaks, and who would be called."""

from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, File, Form, Query, Request, UploadFile
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from gateway.api.access import AlertWriter, Ctx, PeopleReader, PeopleWriter
from gateway.api.context import Context
from gateway.api.errors import ApiError, RefusedError
from gateway.api.people import come_back, duty_view, go_on_break, moment, take_plan, who_would
from gateway.api.view import Drawing, viewer, zone_of
from gateway.imports.plans import KINDS, Import
from gateway.model.registry import Tenant
from gateway.model.synthetic import SYNTHETIC
from gateway.model.vocabulary import VOCABULARY

ROUTER = APIRouter(include_in_schema=False)
SHOWN_DEVICES = 500


def tenants_of(ctx: Context) -> list[Tenant]:
    """Return the tenants that plans are imported for: all but the gateway's own pretend one."""
    return [one for one in ctx.board.registry.tenants.values() if one.id != SYNTHETIC]


@ROUTER.get("/people")
async def people_page(
    request: Request, ctx: Ctx, actor: PeopleReader, at: Annotated[str, Query(max_length=40)] = ""
) -> HTMLResponse:
    """Show who is on duty now or at a moment, and where plans are imported."""
    drawing: Drawing = request.app.state.drawing
    when = moment(ctx, at)
    zone = zone_of(ctx.board.registry, "")
    values = {
        "duty": duty_view(ctx, actor, when),
        "at": f"{when.astimezone(zone):%Y-%m-%dT%H:%M}",
        "kinds": KINDS,
        "tenants": tenants_of(ctx),
        "fault": "",
    }
    return drawing.page(request, "people.html", values)


@ROUTER.post("/people")
async def import_page(  # noqa: PLR0913 - the fields of a form
    request: Request,
    ctx: Ctx,
    actor: PeopleWriter,
    *,
    file: Annotated[UploadFile, File()],
    kind: Annotated[str, Form(max_length=20)],
    source: Annotated[str, Form(min_length=1, max_length=100)],
    tenant: Annotated[str, Form(max_length=128)] = "",
    team: Annotated[str, Form(max_length=128)] = "",
) -> Response:
    """Take a plan from the page; what is wrong with it is said there, and nothing is changed."""
    told = Import(
        kind=kind,
        content=await file.read(),
        zone=zone_of(ctx.board.registry, tenant),
        source=source,
        tenant=tenant,
        team=team,
        actor=actor.name,
    )
    try:
        await take_plan(ctx, actor, told)
    except (RefusedError, ApiError) as error:
        drawing: Drawing = request.app.state.drawing
        zone = zone_of(ctx.board.registry, "")
        now = ctx.clock.now()
        values = {
            "duty": duty_view(ctx, actor, now),
            "at": f"{now.astimezone(zone):%Y-%m-%dT%H:%M}",
            "kinds": KINDS,
            "tenants": tenants_of(ctx),
            "fault": error.problem.detail,
        }
        return drawing.page(request, "people.html", values, error.status_code)
    return RedirectResponse("/people", 303)


@ROUTER.post("/break")
async def break_page(
    request: Request, ctx: Ctx, actor: AlertWriter, minutes: Annotated[float, Form(gt=0, le=240)] = 30
) -> Response:
    """Begin a break from the staff page; what one holds is offered onward."""
    try:
        await go_on_break(ctx, actor, minutes)
    except RefusedError as error:
        raise RefusedError(viewer(request, ctx).words("rest.unknown")) from error
    return RedirectResponse("/", 303)


@ROUTER.post("/break/end")
async def end_break_page(ctx: Ctx, actor: AlertWriter) -> Response:
    """End a break from the staff page; one that has ended by itself is no fault."""
    with suppress(RefusedError):
        await come_back(ctx, actor)
    return RedirectResponse("/", 303)


@ROUTER.get("/route")
async def route_page(  # noqa: PLR0917 - the words of one question
    request: Request,
    ctx: Ctx,
    actor: PeopleReader,
    device: Annotated[str, Query(max_length=128)] = "",
    event: Annotated[str, Query(max_length=64)] = "alarm.manual",
    at: Annotated[str, Query(max_length=40)] = "",
) -> HTMLResponse:
    """Show who would be called if something happened and nobody answered."""
    drawing: Drawing = request.app.state.drawing
    registry = ctx.board.registry
    enrolled = registry.devices.get(device)
    tenant = enrolled.tenant if enrolled else ""
    when, fault, lines = moment(ctx, at, tenant), "", []
    if device:
        try:
            lines = await who_would(ctx, actor, device, event, when, 3)
        except RefusedError as error:
            fault = error.problem.detail
    values = {
        "device": device,
        "event": event,
        "at": f"{when.astimezone(zone_of(registry, tenant)):%Y-%m-%dT%H:%M}",
        "lines": lines,
        "fault": fault,
        "tenant": tenant,
        "known": sorted(one for one in registry.enrolments if not one.startswith(SYNTHETIC))[:SHOWN_DEVICES],
        "events": sorted(VOCABULARY),
        "words": viewer(request, ctx).words,
    }
    return drawing.page(request, "route.html", values)
