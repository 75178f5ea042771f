"""Enrolment by people: by JSON, by a table, by the devices page; and another device in the place of one."""

from typing import Annotated

from fastapi import APIRouter, File, Form, Query, Request, UploadFile
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from gateway.api.access import Ctx, DeviceReader, DeviceWriter
from gateway.api.auth import Actor
from gateway.api.commands import device_of
from gateway.api.context import Context
from gateway.api.errors import ApiError, NotFoundError, RefusedError, UnavailableError, problems
from gateway.api.given import give
from gateway.api.people import stay_at_home
from gateway.api.view import Drawing
from gateway.contract import ConfigurationError
from gateway.model.vocabulary import DeviceKind
from gateway.onboarding.table import Known, read_table
from gateway.pipeline.enrolling import Adding, Ending, Entry, Login, Replacing
from gateway.pipeline.owned import Own
from gateway.service.logins import hash_secret, new_password

ROUTER = APIRouter(tags=["devices"])
API = "/api/v1"
_ERRORS = problems(202, 401, 403, 404, 409, 422, 503)
Word = Annotated[str, Form(max_length=256)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class DeviceBody(_Body):
    """A device with its enrolment; the tenant is its home's."""

    id: str = Field(min_length=1, max_length=128)
    adapter: str = Field(min_length=1, max_length=128)
    native_id: str = Field(min_length=1, max_length=256)
    kind: DeviceKind
    home: str = Field(min_length=1, max_length=128)
    person: str = Field("", max_length=128)
    place: str = Field("", max_length=128, description="Name of the place: what it means there.")
    supervised: bool = True
    heartbeat_s: float | None = Field(None, gt=0, le=30 * 86400)
    model: str = Field("", max_length=128)


class ReplaceBody(_Body):
    """The device that takes the place of another, and why."""

    native_id: str = Field(min_length=1, max_length=256)
    adapter: str | None = Field(None, max_length=128)
    model: str = Field("", max_length=128)
    reason: str = Field(min_length=1, max_length=200)


class ReasonBody(_Body):
    """Why."""

    reason: str = Field(min_length=1, max_length=200)


class LoginView(BaseModel):
    """How the device signs in from now on; told this once, and kept nowhere in plain."""

    frame: int = Field(description="Journal position: the trace id.")
    username: str
    password: str


class EnrolledView(BaseModel):
    """It holds now."""

    frame: int = Field(description="Journal position: the trace id.")
    devices: list[str]


def known(ctx: Context) -> Known:
    """Return what enrolments are held against; raises UnavailableError before the start."""
    if ctx.walk is None:
        raise UnavailableError("the gateway has not started")
    return Known(ctx.board.registry, frozenset(ctx.walk.manifests), ctx.clock.now())


def origin(ctx: Context, device: str) -> Own | None:
    """Return who enrolled a device in the console and what it replaced; None where the file alone speaks."""
    return ctx.board.owned.own.get(device)


async def add(ctx: Context, actor: Actor, entries: tuple[Entry, ...]) -> EnrolledView:
    """Enrol all of these devices or none; raises RefusedError and the like."""
    for tenant in {one.device.tenant for one in entries}:
        stay_at_home(ctx, actor, tenant)
    frame = await give(ctx, actor, "enrol/add", Adding(entries))
    return EnrolledView(frame=frame, devices=[one.device.id for one in entries])


def entries_of(ctx: Context, name: str, content: bytes) -> tuple[Entry, ...]:
    """Read a table; ApiError tells every fault of it, a line each."""
    try:
        return read_table(name, content.decode("utf-8-sig"), known(ctx))
    except UnicodeDecodeError as error:
        raise ApiError(422, "invalid", f"{name}: found no text; allowed: CSV in UTF-8") from error
    except ConfigurationError as error:
        raise ApiError(422, "invalid", str(error)) from error


def _told(ctx: Context, name: str, content: bytes) -> tuple[Entry, ...]:
    """Read a table from a page; RefusedError, whose sentence the page shows, tells every fault."""
    try:
        return entries_of(ctx, name, content)
    except ApiError as error:
        raise RefusedError(error.problem.detail) from error


def _row(body: DeviceBody) -> str:
    """Return a body as the table of one device, so that both are held to the same."""
    cells = body.model_dump(mode="json", exclude_none=True) | {
        "supervised": "yes" if body.supervised else "no"
    }
    quoted = ['"' + str(cell).replace('"', '""') + '"' for cell in cells.values()]
    return ",".join(cells) + "\n" + ",".join(quoted) + "\n"


async def put_in_place(ctx: Context, actor: Actor, name: str, body: ReplaceBody) -> EnrolledView:
    """Let another device take the place of one; raises RefusedError and the like."""
    stay_at_home(ctx, actor, device_of(ctx, name).tenant)
    told = Replacing(
        device=name,
        native_id=body.native_id,
        adapter=body.adapter or None,
        model=body.model,
        reason=body.reason,
    )
    return EnrolledView(frame=await give(ctx, actor, "enrol/replace", told), devices=[name])


async def sign_in(ctx: Context, actor: Actor, name: str) -> LoginView:
    """Make a device's password anew; raises RefusedError and the like."""
    stay_at_home(ctx, actor, device_of(ctx, name).tenant)
    password = new_password()
    frame = await give(ctx, actor, "enrol/login", Login(name, hash_secret(password)))
    return LoginView(frame=frame, username=name, password=password)


@ROUTER.post(f"{API}/devices", summary="Enrol a device", responses=_ERRORS)
async def enrol_device(ctx: Ctx, actor: DeviceWriter, body: DeviceBody) -> EnrolledView:
    """Enrol one device, heard already or not."""
    return await add(ctx, actor, entries_of(ctx, "body", _row(body).encode()))


@ROUTER.post(f"{API}/devices/table", summary="Enrol the devices of a table", responses=_ERRORS)
async def enrol_table(
    request: Request,
    ctx: Ctx,
    actor: DeviceWriter,
    name: Annotated[str, Query(max_length=200, description="The file's name, for its faults.")] = "table",
) -> EnrolledView:
    """Take a CSV table as the body. Every fault is told; with one of them nothing is enrolled."""
    return await add(ctx, actor, entries_of(ctx, name, await request.body()))


@ROUTER.post(f"{API}/devices/{{device:path}}/replace", summary="Replace a device", responses=_ERRORS)
async def replace_device(ctx: Ctx, actor: DeviceWriter, device: str, body: ReplaceBody) -> EnrolledView:
    """Let another device take the identity, enrolment, history and open alerts of this one."""
    return await put_in_place(ctx, actor, device, body)


@ROUTER.post(f"{API}/devices/{{device:path}}/login", summary="Give a device a password", responses=_ERRORS)
async def give_login(ctx: Ctx, actor: DeviceWriter, device: str, response: Response) -> LoginView:
    """Make the MQTT password of a device that was enrolled in the console; the one before ends at once.

    A connection that stands already lasts until it is closed.
    """
    response.headers["Cache-Control"] = "no-store"
    return await sign_in(ctx, actor, device)


@ROUTER.post(f"{API}/devices/{{device:path}}/end", summary="End an enrolment", responses=_ERRORS)
async def end_enrolment(ctx: Ctx, actor: DeviceWriter, device: str, body: ReasonBody) -> EnrolledView:
    """End an enrolment made in the console; one of the file ends in the file."""
    stay_at_home(ctx, actor, device_of(ctx, device).tenant)
    frame = await give(ctx, actor, "enrol/end", Ending(device, body.reason))
    return EnrolledView(frame=frame, devices=[device])


@ROUTER.get(f"{API}/devices/{{device:path}}/origin", summary="Who enrolled a device", responses=_ERRORS)
async def read_origin(ctx: Ctx, _: DeviceReader, device: str) -> Response:
    """Return who enrolled it when in the console, and the devices before it."""
    own = origin(ctx, device_of(ctx, device).id)
    if own is None:
        raise NotFoundError(f"device {device} in the console's enrolments: it stands in the registry file")
    return Response(own.to_json(), media_type="application/json")


@ROUTER.post("/device-enrol", include_in_schema=False)
async def enrol_form(  # noqa: PLR0913 - the fields of a form
    ctx: Ctx,
    actor: DeviceWriter,
    *,
    id_: Annotated[str, Form(alias="id", min_length=1, max_length=128)],
    adapter: Word,
    native_id: Word,
    kind: Annotated[DeviceKind, Form()],
    home: Word,
    person: Word = "",
    place: Word = "",
    supervised: Word = "",
) -> Response:
    """Enrol a discovered device from its form."""
    body = DeviceBody(
        id=id_,
        adapter=adapter,
        native_id=native_id,
        kind=kind,
        home=home,
        person=person,
        place=place,
        supervised=bool(supervised),
    )
    await add(ctx, actor, _told(ctx, "form", _row(body).encode()))
    return RedirectResponse(f"/devices/{id_}", 303)


@ROUTER.post("/device-table", include_in_schema=False)
async def table_form(ctx: Ctx, actor: DeviceWriter, file: Annotated[UploadFile, File()]) -> Response:
    """Enrol the devices of an uploaded table."""
    content = await file.read()
    await add(ctx, actor, _told(ctx, file.filename or "table", content))
    return RedirectResponse("/devices", 303)


@ROUTER.post("/device-login", include_in_schema=False)
async def login_form(request: Request, ctx: Ctx, actor: DeviceWriter, device: Word) -> HTMLResponse:
    """Make a device's password from its page, and show it this once."""
    drawing: Drawing = request.app.state.drawing
    made = drawing.page(request, "device_login.html", {"login": await sign_in(ctx, actor, device)})
    made.headers["Cache-Control"] = "no-store"
    return made


@ROUTER.post("/device-replace", include_in_schema=False)
async def replace_form(
    ctx: Ctx,
    actor: DeviceWriter,
    *,
    device: Word,
    native_id: Annotated[str, Form(min_length=1, max_length=256)],
    reason: Annotated[str, Form(min_length=1, max_length=200)],
) -> Response:
    """Replace a device from its page."""
    await put_in_place(ctx, actor, device, ReplaceBody(native_id=native_id, adapter=None, reason=reason))
    return RedirectResponse(f"/devices/{device}#origin", 303)
