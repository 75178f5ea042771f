"""The page of one device: its health, its configuration, its commands; each section a template of its own."""

from secrets import token_hex

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from gateway.api.access import Ctx, DeviceReader
from gateway.api.check_page import check_values
from gateway.api.commands import configurable, device_of, possible
from gateway.api.fleet import health_of
from gateway.api.view import Drawing
from gateway.model.equipment import Twin

ROUTER = APIRouter(include_in_schema=False)
SECTIONS = (
    "device_health.html",
    "device_check_section.html",
    "device_origin.html",
    "device_config.html",
    "device_commands.html",
)


@ROUTER.get("/devices/{name:path}")
async def device_page(request: Request, ctx: Ctx, _: DeviceReader, name: str) -> HTMLResponse:
    """Show one device."""
    drawing: Drawing = request.app.state.drawing
    device = device_of(ctx, name)
    can, why = possible(ctx, device)
    twin = ctx.board.equipment.twins.get(name) or Twin(device=name)
    own = ctx.board.owned.own.get(name)
    values = {
        **check_values(ctx, device),
        "sections": SECTIONS,
        "health": health_of(ctx, device),
        "twin": twin,
        "own": own,
        "in_console": own is not None and own.was is None,
        "configurable": configurable(ctx, device),
        "config_text": _config_text(twin),
        "can": can,
        "cannot_why": why,
        "command_id": token_hex(8),
        "orders": ctx.board.equipment.orders_of(name),
    }
    return drawing.page(request, "device.html", values)


def _config_text(twin: Twin) -> str:
    """Return the desired configuration as JSON that can be changed and set again."""
    found = msgspec.to_builtins(twin.desired) if twin.desired else {"heartbeat_s": 3600}
    kept = {key: value for key, value in found.items() if key not in {"revision", "grant_keys"}}
    return msgspec.json.format(msgspec.json.encode(kept), indent=2).decode()
