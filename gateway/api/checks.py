"""Commissioning checks: the JSON API, the forms of the guided page, and what both show."""

from hashlib import blake2b
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Form
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from gateway.api.access import Ctx, DeviceReader, DeviceWriter
from gateway.api.auth import Actor
from gateway.api.commands import device_of
from gateway.api.context import Context
from gateway.api.errors import NotFoundError, problems
from gateway.api.given import give
from gateway.api.people import stay_at_home
from gateway.api.texts import LANGUAGES, texts
from gateway.model.alert import Alert, Severity
from gateway.model.commissioning import Checked, Item, Protocol, Standing
from gateway.model.registry import Device
from gateway.pipeline.checking import Said
from gateway.pipeline.holding import held

ROUTER = APIRouter(tags=["devices"])
API = "/api/v1"
_ERRORS = problems(401, 403, 404, 409, 422, 503)
Word = Literal["open", "ask", "skip", "fail", "confirm", "give_up", "sign"]
DIGEST_BYTES = 8


class CheckBody(BaseModel):
    """What is said of a check: `step` and `reason`, or which `alert` was a test as it was seen."""

    model_config = ConfigDict(extra="forbid")
    step: str = Field("", max_length=40)
    reason: str = Field("", max_length=200, description="Needed to skip, to fail and to give up.")
    alert: str = Field("", max_length=128, description="For `confirm`: an open alert of the device.")
    seen_count: int | None = Field(None, ge=1, strict=True, description="For `confirm`: its `count` as seen.")
    seen_severity: Severity | None = None


class TestAlertView(BaseModel):
    """An open alert that the device raised while it is checked."""

    alert: str
    text: str
    count: int
    held: bool = Field(description="The staff were not asked yet.")


class CheckView(BaseModel):
    """How a device's commissioning stands."""

    device: str
    standing: Standing
    open: dict[str, Any] | None = Field(description="The open check with its steps.")
    missing: list[str] = Field(description="Steps for which a sign-off waits.")
    alerts: list[TestAlertView]
    ended: dict[str, Any] | None = Field(description="How the last check ended.")
    protocols: list[int] = Field(description="Numbers of the protocols that are kept, the oldest first.")


class FrameView(BaseModel):
    """It holds now."""

    frame: int = Field(description="Journal position: the trace id.")


def standing_of(ctx: Context, device: Device) -> Standing:
    """Return how a device's commissioning stands."""
    return ctx.board.checks.of(device.id).standing(device.adapter, device.native_id)


def tested(ctx: Context, checked: Checked) -> list[Alert]:
    """Return the open alerts that a device raised since its check was opened."""
    if checked.open is None:
        return []
    since = checked.open.frame
    return [one for one in ctx.board.open_alerts() if one.device == checked.device and one.frame >= since]


def numbered(checked: Checked) -> list[tuple[int, Protocol]]:
    """Return the protocols that are kept with their numbers, counted from the first there ever was."""
    first = checked.signed - len(checked.protocols) + 1
    return list(enumerate(checked.protocols, first))


def protocol_of(ctx: Context, device: str, number: int) -> Protocol:
    """Return one protocol; NotFoundError where there is none."""
    found = dict(numbered(ctx.board.checks.of(device_of(ctx, device).id))).get(number)
    if found is None:
        raise NotFoundError(f"protocol {number} of device {device}")
    return found


def digest_of(checked: Checked, alerts: list[Alert]) -> str:
    """Return what changes whenever the page of a check does."""
    seen = [(one.id, one.version) for one in alerts]
    return blake2b(msgspec.json.encode((checked, seen)), digest_size=DIGEST_BYTES).hexdigest()


async def say(ctx: Context, actor: Actor, device: str, word: Word, said: Said) -> int:
    """Give a word of a check; RefusedError and the like."""
    stay_at_home(ctx, actor, device_of(ctx, device).tenant)
    return await give(ctx, actor, f"check/{word}/{device}", said)


def _told(item: Item) -> dict[str, Any]:
    """Return a step with its sentence in every language."""
    words = {name: texts(name)(f"check_step.{item.key}") for name in LANGUAGES}
    return {**msgspec.to_builtins(item), "outcome": item.outcome.value, "prompt": words}


def _with_steps(found: Any, items: tuple[Item, ...]) -> dict[str, Any]:
    return {**msgspec.to_builtins(found), "items": [_told(item) for item in items]}


@ROUTER.get(f"{API}/devices/{{device:path}}/check", summary="How a device's check stands", responses=_ERRORS)
async def read_check(ctx: Ctx, _: DeviceReader, device: str) -> CheckView:
    """Return the open check with its steps, the alarms it raised, and which protocols there are."""
    found = device_of(ctx, device)
    checked = ctx.board.checks.of(found.id)
    now = checked.open
    return CheckView(
        device=found.id,
        standing=standing_of(ctx, found),
        open=_with_steps(now, now.items) if now else None,
        missing=list(now.missing) if now else [],
        alerts=[
            TestAlertView(alert=one.id, text=one.text, count=one.count, held=held(one))
            for one in tested(ctx, checked)
        ],
        ended=msgspec.to_builtins(checked.ended) if checked.ended else None,
        protocols=[number for number, _ in numbered(checked)],
    )


@ROUTER.post(f"{API}/devices/{{device:path}}/check/{{word}}", summary="Check a device", responses=_ERRORS)
async def say_check(
    ctx: Ctx, actor: DeviceWriter, device: str, word: Word, body: CheckBody | None = None
) -> FrameView:
    """Open a check, ask for a step again, skip or fail one, confirm a test alarm, give up, or sign."""
    told = body or CheckBody.model_validate({})
    said = Said(
        step=told.step,
        reason=told.reason,
        alert=told.alert,
        seen=told.seen_count,
        seen_severity=told.seen_severity,
    )
    return FrameView(frame=await say(ctx, actor, device, word, said))


@ROUTER.get(
    f"{API}/devices/{{device:path}}/protocol/{{number}}", summary="A signed protocol", responses=_ERRORS
)
async def read_protocol(ctx: Ctx, _: DeviceReader, device: str, number: int) -> Response:
    """Return the protocol of one sign-off; the first of a device has number 1."""
    found = protocol_of(ctx, device, number)
    return Response(msgspec.json.encode(_with_steps(found, found.items)), media_type="application/json")


@ROUTER.post("/device-check", include_in_schema=False)
async def check_form(  # noqa: PLR0913 - the fields of a form
    ctx: Ctx,
    actor: DeviceWriter,
    *,
    device: Annotated[str, Form(max_length=256)],
    do: Annotated[Word, Form()],
    step: Annotated[str, Form(max_length=40)] = "",
    reason: Annotated[str, Form(max_length=200)] = "",
    alert: Annotated[str, Form(max_length=128)] = "",
    seen: Annotated[int | None, Form()] = None,
    severity: Annotated[Severity | None, Form()] = None,
) -> Response:
    """Say a word of a check from its page."""
    said = Said(step=step, reason=reason, alert=alert, seen=seen, seen_severity=severity)
    await say(ctx, actor, device, do, said)
    back = "#check" if do in {"give_up", "sign"} else "/check"
    return RedirectResponse(f"/devices/{device}{back}", 303)
