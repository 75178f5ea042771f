"""The pages for engineers: where messages stopped, devices, the quarantine."""

import asyncio
import re
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from gateway.api.access import Ctx, DeviceReader, TraceReader
from gateway.api.answers import AUDIT
from gateway.api.devices import devices_of, discovered_of
from gateway.api.errors import NotFoundError
from gateway.api.models import DiscoveredView, EventView
from gateway.api.view import Drawing
from gateway.api.walk import SHOWN_BYTES, frame_view, read_walk
from gateway.model.vocabulary import DeviceKind

ROUTER = APIRouter(include_in_schema=False)
SHOWN_REMARKS = 200
SHOWN_QUARANTINE = 50
SHOWN_DEVICES = 500
ROW_BYTES = 16


class Row(msgspec.Struct, frozen=True):
    """Sixteen bytes as a hex dump shows them."""

    offset: str
    hex: str
    text: str


class Dump(msgspec.Struct, frozen=True):
    """The first bytes of a payload, for people; the template escapes them."""

    rows: list[Row]
    text: str
    cut: bool


def dump(payload_hex: str, total: int) -> Dump:
    """Return bytes as rows of hex and printable ASCII, and as text with faults marked."""
    payload = bytes.fromhex(payload_hex)
    rows = [
        Row(
            f"{start:04x}",
            part.hex(" ").ljust(ROW_BYTES * 3 - 1),
            "".join(chr(byte) if 0x20 <= byte < 0x7F else "·" for byte in part),
        )
        for start in range(0, len(payload), ROW_BYTES)
        if (part := payload[start : start + ROW_BYTES])
    ]
    return Dump(rows, payload.decode(errors="replace"), total > SHOWN_BYTES)


@ROUTER.get("/trace")
async def trace_page(
    request: Request,
    ctx: Ctx,
    _: TraceReader,
    frame: Annotated[str, Query(max_length=18)] = "",
    device: Annotated[str, Query(max_length=128)] = "",
) -> Response:
    """Show the newest remarks; a trace id leads to its walk, a device to its events."""
    if frame.isascii() and frame.isdigit():
        return RedirectResponse(f"/trace/{int(frame)}", 303)
    drawing: Drawing = request.app.state.drawing
    remarks = await asyncio.to_thread(ctx.store.traces, limit=SHOWN_REMARKS)
    found = await asyncio.to_thread(ctx.store.events, device=device, limit=100) if device else []
    values = {
        "device": device,
        "remarks": remarks,
        "events": [EventView.of(event).model_dump() for _, event in found],
        "known": sorted(ctx.board.registry.devices)[:SHOWN_DEVICES],
    }
    return drawing.page(request, "trace.html", values)


@ROUTER.get("/trace/{position}")
async def walk_page(request: Request, ctx: Ctx, actor: TraceReader, position: int) -> HTMLResponse:
    """Show the eight steps of one frame and its bytes. Opening it is audited."""
    drawing: Drawing = request.app.state.drawing
    walk = await asyncio.to_thread(read_walk, ctx, position)
    if walk is None:
        raise NotFoundError(f"frame {position} in the journal")
    AUDIT.info("trace actor=%s frame=%d", actor.name, position)
    total = walk.frame.payload_bytes
    values = {"walk": walk, "shown": dump(walk.frame.payload_hex, total), "total": total}
    values["events"] = [event.model_dump() for event in walk.events]
    return drawing.page(request, "walk.html", values)


@ROUTER.get("/devices")
async def devices_page(
    request: Request, ctx: Ctx, _: DeviceReader, find: Annotated[str, Query(max_length=128)] = ""
) -> HTMLResponse:
    """Show discovered devices with how to enrol them, then the registered ones."""
    drawing: Drawing = request.app.state.drawing
    devices = [one for one in devices_of(ctx.board) if find in f"{one.id} {one.home} {one.kind}"]
    tenant = next(iter(ctx.board.registry.tenants), "TENANT")
    discovered = [
        {**one.model_dump(), "toml": _enrolment(one, tenant), "suggested": _suggested(one)}
        for one in discovered_of(ctx.board)
    ]
    values = {
        "find": find,
        "kinds": [kind.value for kind in DeviceKind],
        "devices": devices[:SHOWN_DEVICES],
        "all_devices": len(devices),
        "discovered": discovered[:SHOWN_DEVICES],
        "all_discovered": len(discovered),
    }
    return drawing.page(request, "devices.html", values)


@ROUTER.get("/quarantine")
async def quarantine_page(request: Request, ctx: Ctx, actor: TraceReader) -> HTMLResponse:
    """Show the newest frames that could not be read. Opening it is audited."""
    drawing: Drawing = request.app.state.drawing
    AUDIT.info("quarantine actor=%s", actor.name)
    found = await asyncio.to_thread(ctx.store.quarantined, limit=SHOWN_QUARANTINE)
    shown: list[dict[str, Any]] = []
    for frame, device, reason, clause in found:
        seen = frame_view(frame)
        bytes_seen = dump(seen.payload_hex, seen.payload_bytes)
        shown.append(
            {"frame": seen, "device": device, "reason": reason, "clause": clause, "shown": bytes_seen}
        )
    return drawing.page(request, "quarantine.html", {"quarantined": shown})


def _suggested(device: DiscoveredView) -> str:
    """Return the vendor's name as far as an identity may be written so."""
    kept = re.sub(r"[^A-Za-z0-9._:/-]", "-", device.native_id)[:128]
    return re.sub(r"^[^A-Za-z0-9]+", "", kept)


def _enrolment(device: DiscoveredView, tenant: str) -> str:
    """Return what to write into the registry file to enrol a discovered device."""
    quoted = msgspec.json.encode(device.native_id).decode()  # a JSON string is a TOML string
    return f"""[[device]]
id = "DEVICE"
tenant = "{tenant}"
adapter = "{device.adapter}"
native_id = {quoted}
kind = "{device.kind.value}"

[[enrolment]]
device = "DEVICE"
home = "HOME"
person = "PERSON"
since = {device.first_seen_at.isoformat(timespec="seconds")}
"""
