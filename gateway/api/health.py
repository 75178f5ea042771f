"""The gateway's word on itself, and the description of the whole API."""

from typing import Any

from fastapi import APIRouter, Request

from gateway.api.access import AnyActor, Ctx, identify
from gateway.api.errors import problems
from gateway.api.models import HealthView

ROUTER = APIRouter(prefix="/api/v1")


@ROUTER.get("/health", tags=["health"], summary="Is it well?")
async def health(request: Request, ctx: Ctx) -> HealthView:
    """Return `status` to everybody; every other figure only to signed-in actors."""
    found = ctx.health()
    status = str(found.get("status", "ok"))
    if identify(request, ctx) is None:
        return HealthView(status=status)
    return HealthView.model_validate({**found, "status": status, "cursor": ctx.board.cursor})


@ROUTER.get("/openapi.json", include_in_schema=False, responses=problems(401))
async def openapi(request: Request, _: AnyActor) -> dict[str, Any]:
    """Return the OpenAPI description."""
    found: dict[str, Any] = request.app.openapi()
    return found
