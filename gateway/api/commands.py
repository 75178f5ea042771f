"""Commands to devices and their desired configuration: the JSON API, and the forms of the device's page."""

from datetime import datetime
from secrets import token_hex
from typing import Annotated, Any, Self

import msgspec
from fastapi import APIRouter, Form
from fastapi.responses import RedirectResponse, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from gateway.api.access import Ctx, DeviceCommander, DeviceReader, DeviceWriter
from gateway.api.auth import Actor
from gateway.api.context import Context
from gateway.api.errors import NotFoundError, RefusedError, problems
from gateway.api.given import give
from gateway.model.equipment import Order, OrderState, Twin
from gateway.model.registry import Device
from gateway.model.wire import Do
from gateway.pipeline.commanding import KINDS, LONGEST, Ordering, cannot
from gateway.pipeline.twin import Wanted

ROUTER = APIRouter(tags=["devices"])
API = "/api/v1"
_ERRORS = problems(401, 403, 404, 409, 422, 503)
RIGHT = "devices:command"


class CommandBody(BaseModel):
    """A command; the same `id` again is the same command, so that it may be asked for again."""

    model_config = ConfigDict(extra="forbid")
    do: Do
    reason: str = Field(min_length=1, max_length=200, description="Why; it stands in the audit.")
    id: str = Field("", max_length=40, pattern=r"^[A-Za-z0-9._-]*$")
    within_s: float = Field(60, gt=0, le=3600, description="How long it may wait for the device, seconds.")
    visit: str | None = Field(None, max_length=128)
    until: AwareDatetime | None = Field(None, description="When the look that `supervise` opens must end.")
    masking: int | None = Field(None, ge=0, le=4)
    slot: str | None = Field(None, max_length=128)


class StepView(BaseModel):
    """How far a command came, when, and by which journalled frame."""

    at: datetime
    state: OrderState
    frame: int
    detail: str


class CommandView(BaseModel):
    """A command with its whole history."""

    id: str
    device: str
    do: Do
    state: OrderState
    actor: str
    right: str
    reason: str
    requested_at: datetime
    expires_at: datetime
    steps: list[StepView]

    @classmethod
    def of(cls, order: Order) -> Self:
        """Return the view of a command."""
        return cls.model_validate(msgspec.to_builtins(order, builtin_types=(datetime,)) | _filled(order))


class ConfigBody(BaseModel):
    """A desired configuration: the standard interface's own, without revision and keys."""

    model_config = ConfigDict(extra="forbid")
    config: dict[str, Any]
    reason: str = Field(min_length=1, max_length=200)
    seen: int | None = Field(None, ge=0, description="The revision looked at; refused if another holds.")


class TwinView(BaseModel):
    """Desired and reported configuration, and how long they have differed."""

    device: str
    desired: dict[str, Any] | None
    published: int
    reported: int | None
    reported_at: datetime | None
    set_at: datetime | None
    actor: str
    reason: str
    drifts: bool
    drift_s: float | None = Field(description="Seconds since it was set, while the device reports another.")

    @classmethod
    def of(cls, twin: Twin, now: datetime) -> Self:
        """Return the view of a twin as of now."""
        drift_s = (now - twin.set_at).total_seconds() if twin.drifts and twin.set_at else None
        desired = None if twin.desired is None else msgspec.to_builtins(twin.desired)
        return cls(
            device=twin.device,
            desired=desired,
            published=twin.published,
            reported=twin.reported,
            reported_at=twin.reported_at,
            set_at=twin.set_at,
            actor=twin.actor,
            reason=twin.reason,
            drifts=twin.drifts,
            drift_s=drift_s,
        )


def _filled(order: Order) -> dict[str, Any]:
    steps = [msgspec.structs.asdict(step) for step in order.steps]
    return {"state": order.state, "steps": steps}


def device_of(ctx: Context, name: str) -> Device:
    """Return a registered device; raises NotFoundError."""
    found = ctx.board.device(name)
    if found is None:
        raise NotFoundError(f"device {name}")
    return found


def possible(ctx: Context, device: Device) -> tuple[list[str], str]:
    """Return what a device can be told to do, and why nothing, if it is nothing."""
    if ctx.walk is None:
        return [], "the gateway has not started"
    manifests = ctx.walk.manifests
    whys = {do: cannot(device, do, manifests) for do in LONGEST}
    can = [do for do, why in whys.items() if not why]
    theirs = next((do for do, kinds in KINDS.items() if device.kind in kinds), next(iter(LONGEST)))
    return can, "" if can else whys[theirs]


def configurable(ctx: Context, device: Device) -> bool:
    """Tell whether the device takes a configuration from here."""
    manifest = ctx.walk.manifests.get(device.adapter) if ctx.walk else None
    return manifest is not None and bool(manifest.config_topic)


def twin_view(ctx: Context, name: str) -> TwinView:
    """Return the twin of a device, empty if nothing was set or reported."""
    return TwinView.of(ctx.board.equipment.twins.get(name) or Twin(device=name), ctx.clock.now())


async def order(ctx: Context, actor: Actor, device: str, body: CommandBody) -> Order:
    """Give a command, and return it as it stands then; raises RefusedError and the like."""
    device_of(ctx, device)
    order_id = body.id or token_hex(8)
    told = Ordering(actor=actor.name, device=device, right=RIGHT, **body.model_dump(exclude={"id"}))
    await give(ctx, actor, f"command/{order_id}/order", told)
    found = ctx.board.equipment.orders.get(order_id)
    if found is None:
        raise RefusedError("the command is not kept any more")
    return found


@ROUTER.post(f"{API}/devices/{{device:path}}/commands", status_code=202, responses=_ERRORS)
async def give_command(ctx: Ctx, actor: DeviceCommander, device: str, body: CommandBody) -> CommandView:
    """Give a command. It is on disk when this answers; how far it comes is asked for by its id."""
    return CommandView.of(await order(ctx, actor, device, body))


@ROUTER.get(f"{API}/devices/{{device:path}}/commands", responses=_ERRORS)
async def list_commands(ctx: Ctx, _: DeviceReader, device: str) -> list[CommandView]:
    """List the newest commands of a device, newest first."""
    device_of(ctx, device)
    return [CommandView.of(one) for one in ctx.board.equipment.orders_of(device)]


@ROUTER.get(f"{API}/commands/{{command}}", responses=_ERRORS)
async def one_command(ctx: Ctx, _: DeviceReader, command: str) -> CommandView:
    """Return a command with its history."""
    found = ctx.board.equipment.orders.get(command)
    if found is None:
        raise NotFoundError(f"command {command}")
    return CommandView.of(found)


@ROUTER.get(f"{API}/devices/{{device:path}}/config", responses=_ERRORS)
async def read_config(ctx: Ctx, _: DeviceReader, device: str) -> TwinView:
    """Return the desired and the reported configuration of a device."""
    device_of(ctx, device)
    return twin_view(ctx, device)


@ROUTER.put(f"{API}/devices/{{device:path}}/config", responses=_ERRORS)
async def set_config(ctx: Ctx, actor: DeviceWriter, device: str, body: ConfigBody) -> TwinView:
    """Set the desired configuration; it gets the next revision and goes to the device, retained."""
    device_of(ctx, device)
    wanted = Wanted(actor=actor.name, reason=body.reason, config=body.config, seen=body.seen)
    await give(ctx, actor, f"twin/set/{device}", wanted)
    return twin_view(ctx, device)


@ROUTER.post("/device-command", include_in_schema=False)
async def command_form(  # noqa: PLR0913 - the fields of a form
    ctx: Ctx,
    actor: DeviceCommander,
    *,
    device: Annotated[str, Form(max_length=128)],
    do: Annotated[Do, Form()],
    reason: Annotated[str, Form(min_length=1, max_length=200)],
    id_: Annotated[str, Form(alias="id", max_length=40, pattern=r"^[A-Za-z0-9._-]+$")],
    minutes: Annotated[float, Form(gt=0, le=60)] = 15,
    masking: Annotated[int, Form(ge=0, le=4)] = 4,
) -> Response:
    """Give a command from the device's page; the form has its id, so that sending it twice is one command."""
    look: dict[str, Any] = {}
    if do == "supervise":
        until = ctx.clock.now().timestamp() + minutes * 60
        look = {"until": datetime.fromtimestamp(until, ctx.clock.now().tzinfo), "masking": masking}
    body = CommandBody(do=do, reason=reason, id=id_, within_s=60, **look)
    await order(ctx, actor, device, body)
    return RedirectResponse(f"/devices/{device}#commands", 303)


@ROUTER.post("/device-config", include_in_schema=False)
async def config_form(
    ctx: Ctx,
    actor: DeviceWriter,
    *,
    device: Annotated[str, Form(max_length=128)],
    config: Annotated[str, Form(max_length=20_000)],
    reason: Annotated[str, Form(min_length=1, max_length=200)],
    seen: Annotated[int, Form(ge=0)],
) -> Response:
    """Set a configuration from the device's page."""
    device_of(ctx, device)
    try:
        found = msgspec.json.decode(config, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise RefusedError(f"the configuration is not JSON: {error}") from error
    wanted = Wanted(actor=actor.name, reason=reason, config=found, seen=seen)
    await give(ctx, actor, f"twin/set/{device}", wanted)
    return RedirectResponse(f"/devices/{device}#config", 303)
