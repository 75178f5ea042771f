"""The gateway's word on itself, for programs and as a page, and the description of the whole API."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from gateway.api.access import AnyActor, Ctx, TraceReader, identify
from gateway.api.errors import problems
from gateway.api.models import HealthView
from gateway.api.texts import Texts
from gateway.api.view import Drawing, viewer

ROUTER = APIRouter()


@ROUTER.get("/api/v1/health", tags=["health"], summary="Is it well?")
async def health(request: Request, ctx: Ctx) -> HealthView:
    """Return `status` to everybody; every other figure only to signed-in actors."""
    found = ctx.health()
    status = str(found.get("status", "ok"))
    if identify(request, ctx) is None:
        return HealthView(status=status)
    return HealthView.model_validate({**found, "status": status, "cursor": ctx.board.cursor})


@ROUTER.get("/health", include_in_schema=False)
async def health_page(request: Request, ctx: Ctx, _: TraceReader) -> HTMLResponse:
    """Show engineers every part: how it is in a colour and in words, and what to do next."""
    drawing: Drawing = request.app.state.drawing
    words = viewer(request, ctx).words
    found: dict[str, Any] = ctx.health()
    parts = [_said(words, part) for part in found.get("parts", [])]
    values = {
        "status": found["status"],
        "parts": parts,
        "troubled": sum(part["level"] in {"warn", "fail"} for part in parts),
        "trip": found.get("round_trip"),
    }
    return drawing.page(request, "health.html", values)


@ROUTER.get("/api/v1/openapi.json", include_in_schema=False, responses=problems(401))
async def openapi(request: Request, _: AnyActor) -> dict[str, Any]:
    """Return the OpenAPI description."""
    found: dict[str, Any] = request.app.openapi()
    return found


def _said(words: Texts, part: dict[str, Any]) -> dict[str, Any]:
    """Put a part into words; a key that is not written yet is shown rather than hidden."""
    name, values = part["part"], part["values"]
    if name == "channel":
        values = {**values, "name": words.get(f"channel.{values.get('name')}", str(values.get("name")))}
    key = f"health.{name}_{part['says']}"
    return {
        "level": part["level"],
        "name": words.filled(f"health.{name}", values, name),
        "said": words.filled(key, values, part["says"]),
        "next": words.filled(f"{key}_next", values, ""),
    }
