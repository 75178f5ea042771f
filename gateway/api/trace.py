"""The JSON API for engineers: where a frame stopped and why, the newest remarks, the quarantine."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query

from gateway.api.access import Ctx, TraceReader
from gateway.api.answers import AUDIT
from gateway.api.errors import NotFoundError, problems
from gateway.api.models import QuarantinedView, RemarkView, WalkView
from gateway.api.walk import frame_view, read_walk

ROUTER = APIRouter(prefix="/api/v1", tags=["trace"])
_ERRORS = problems(401, 403, 503)
Limit = Annotated[int, Query(ge=1, le=1000)]


@ROUTER.get("/trace", summary="The newest remarks", responses=_ERRORS)
async def list_remarks(ctx: Ctx, _: TraceReader, limit: Limit = 100) -> list[RemarkView]:
    """List the newest remarks on any frame: what stopped, where, against which clause."""
    found = await asyncio.to_thread(ctx.store.traces, limit=limit)
    return [RemarkView.model_validate(remark) for remark in found]


@ROUTER.get("/trace/{position}", summary="The walk of one frame", responses=problems(401, 403, 404, 503))
async def read_trace(ctx: Ctx, actor: TraceReader, position: int) -> WalkView:
    """Tell where the frame stopped, and why; its bytes are shown, so opening it is audited."""
    walk = await asyncio.to_thread(read_walk, ctx, position)
    if walk is None:
        raise NotFoundError(f"frame {position} in the journal")
    AUDIT.info("trace actor=%s frame=%d", actor.name, position)
    return walk


@ROUTER.get("/quarantine", summary="Frames that could not be read", responses=_ERRORS)
async def list_quarantine(ctx: Ctx, actor: TraceReader, limit: Limit = 100) -> list[QuarantinedView]:
    """List the newest quarantined frames with reason, clause and bytes."""
    AUDIT.info("quarantine actor=%s", actor.name)
    found = await asyncio.to_thread(ctx.store.quarantined, limit=limit)
    return [
        QuarantinedView(frame=frame_view(frame), device=device, reason=reason, clause=clause)
        for frame, device, reason, clause in found
    ]
