"""The figures for Prometheus; without users and tokens, which is on this machine only, open like the rest."""

from fastapi import APIRouter
from fastapi.responses import Response

from gateway.api.access import Ctx, MetricsReader
from gateway.api.errors import problems
from gateway.service.metrics import CONTENT_TYPE

ROUTER = APIRouter()


@ROUTER.get(
    "/metrics",
    tags=["health"],
    summary="Figures for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}}, **problems(401, 403)},
)
async def metrics(ctx: Ctx, _: MetricsReader) -> Response:
    """Return every figure in Prometheus' text format; the scope is `metrics:read`."""
    return Response(ctx.metrics(), media_type=CONTENT_TYPE)
