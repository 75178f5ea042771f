"""The figures for Prometheus; without users and tokens, which is on this machine only, open like the rest."""

from fastapi import APIRouter
from fastapi.responses import Response

from gateway.api.access import Ctx, MetricsReader
from gateway.service.metrics import CONTENT_TYPE

ROUTER = APIRouter()


@ROUTER.get("/metrics", include_in_schema=False)
async def metrics(ctx: Ctx, _: MetricsReader) -> Response:
    """Return every figure in Prometheus' text format; the scope is `metrics:read`."""
    return Response(ctx.metrics(), media_type=CONTENT_TYPE)
