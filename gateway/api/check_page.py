"""The pages of a commissioning check: the guided list, which draws itself anew, and the protocol on paper."""

from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from gateway.api.access import Ctx, DeviceReader
from gateway.api.checks import digest_of, numbered, protocol_of, standing_of, tested
from gateway.api.commands import device_of
from gateway.api.context import Context
from gateway.api.view import Drawing, zone_of
from gateway.model.commissioning import Check, Outcome
from gateway.model.registry import Device
from gateway.pipeline.holding import held
from gateway.pipeline.trying import within_s

ROUTER = APIRouter(include_in_schema=False)


def check_values(ctx: Context, device: Device) -> dict[str, Any]:
    """Return what the templates of a check need to know."""
    checked = ctx.board.checks.of(device.id)
    alerts, now = tested(ctx, checked), ctx.clock.now()
    enrolment = ctx.board.registry.enrolments.get(device.id)
    lived_in = enrolment is None or bool(enrolment.person or ctx.board.registry.persons_of(enrolment.home))
    items = checked.open.items if checked.open else ()
    done = [one for one in items if not one.passive and one.outcome is Outcome.FULFILLED]
    return {
        "device": device,
        "checked": checked,
        "check": checked.open,
        "standing": standing_of(ctx, device),
        "protocols": numbered(checked)[::-1],
        "calm": not lived_in and not checked.signed,
        "tests": [(one, held(one)) for one in alerts],
        "last_done": max(done, key=lambda one: one.done_at or now, default=None),
        "until": _until(checked.open),
        "failed": next((one for one in items if not one.passive and one.outcome is Outcome.FAILED), None),
        "digest": digest_of(checked, alerts),
    }


@ROUTER.get("/devices/{name:path}/check/now")
async def check_now(
    request: Request, ctx: Ctx, _: DeviceReader, name: str, seen: Annotated[str, Query(max_length=32)] = ""
) -> Response:
    """Draw the part of the page that changes; 204 when it stands as it was seen."""
    values = check_values(ctx, device_of(ctx, name))
    if values["digest"] == seen:
        return Response(status_code=204)
    drawing: Drawing = request.app.state.drawing
    return drawing.page(request, "check_now.html", {**values, "again": True})


@ROUTER.get("/devices/{name:path}/check")
async def check_page(request: Request, ctx: Ctx, _: DeviceReader, name: str) -> Response:
    """Show the guided check; without one the device's page, where it is started."""
    device = device_of(ctx, name)
    values = check_values(ctx, device)
    if values["check"] is None:
        return RedirectResponse(f"/devices/{name}#check", 303)
    drawing: Drawing = request.app.state.drawing
    return drawing.page(request, "device_check.html", {**values, "sound": False, "again": False})


@ROUTER.get("/devices/{name:path}/protocol/{number}")
async def protocol_page(request: Request, ctx: Ctx, _: DeviceReader, name: str, number: int) -> HTMLResponse:
    """Show a signed protocol as it is printed."""
    device = device_of(ctx, name)
    found = protocol_of(ctx, name, number)
    same = (found.adapter, found.native_id) == (device.adapter, device.native_id)
    drawing: Drawing = request.app.state.drawing

    def dated(moment: datetime) -> str:
        zone = zone_of(ctx.board.registry, device.tenant)
        return moment.astimezone(zone).isoformat(" ", "seconds")

    values = {"dated": dated, "device": device, "protocol": found, "number": number, "lapsed": not same}
    return drawing.page(request, "check_protocol.html", values)


def _until(check: Check | None) -> datetime | None:
    """Return how long the present step waits for its event."""
    current = check.current if check else None
    if check is None or current is None or current.asked_at is None:
        return None
    return current.asked_at + timedelta(seconds=within_s(check, current))
