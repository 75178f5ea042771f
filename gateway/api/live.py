"""The live stream: everything at first, then every change, and a beat so that silence is noticed."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Request
from fastapi.responses import StreamingResponse
from fastapi.sse import EventSourceResponse, format_sse_event

from gateway.api.access import AlertReader, Ctx, identify, may_see
from gateway.api.alerts import visible_alerts
from gateway.api.auth import Actor
from gateway.api.context import Context
from gateway.api.errors import ApiError, problems
from gateway.api.models import AlertView
from gateway.api.view import Drawing, Viewer, first_of, queue_of, sort_key, viewer
from gateway.model.alert import Alert, AlertState

BEAT_S = 5.0
"""A listener that hears nothing for longer than two of these has lost the gateway."""

RETRY_MS = 2000
MAX_LISTENERS = 1000
"""Live links at once; one more is answered with 503."""

DRAWN_AT_ONCE = 20
"""More than this is drawn in a thread, so that a long list does not hold the watch up."""

ROUTER = APIRouter(tags=["live"])
Draw = Callable[[list[Alert]], list[dict[str, Any]]]


def _room(ctx: Ctx) -> None:
    if ctx.board.listeners >= MAX_LISTENERS:
        raise ApiError(503, "busy", f"{MAX_LISTENERS} live links are open", {"Retry-After": "10"})


Room = Annotated[None, Depends(_room)]


@ROUTER.get(
    "/api/v1/live",
    summary="Alerts as they change (server-sent events)",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}}, **problems(401, 403, 503)},
)
async def live(request: Request, ctx: Ctx, actor: AlertReader, _: Room) -> EventSourceResponse:
    """Stream `snapshot` (all open alerts), then `alerts` (those that changed, closed ones once more).

    Every data field holds `cursor`, `at` (the gateway's time), `status` and, but in `beat`, `alerts`. A
    `snapshot` comes first on every connection and again after a listener was too slow, so nothing is
    missed whatever Last-Event-ID says; the event id is the journal position. A `beat` comes after 5 s of
    silence. `bye` says that the session has ended.
    """

    def draw(alerts: list[Alert]) -> list[dict[str, Any]]:
        return [AlertView.of(alert).model_dump(mode="json") for alert in alerts]

    return _response(_stream(ctx, actor, request, draw, page=False))


@ROUTER.get("/live", response_class=StreamingResponse, include_in_schema=False)
async def live_page(request: Request, ctx: Ctx, actor: AlertReader, _: Room) -> EventSourceResponse:
    """Stream the same as drawn cards to the staff page."""
    drawing: Drawing = request.app.state.drawing
    seen_by = viewer(request, ctx)

    def draw(alerts: list[Alert]) -> list[dict[str, Any]]:
        return [_drawn(drawing, alert, seen_by) for alert in alerts]

    return _response(_stream(ctx, actor, request, draw, page=True))


def _response(stream: AsyncIterator[bytes]) -> EventSourceResponse:
    """Send the stream as it comes: nothing on the way may keep it back."""
    return EventSourceResponse(stream, headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"})


def _drawn(drawing: Drawing, alert: Alert, seen_by: Viewer) -> dict[str, Any]:
    is_open = alert.state is not AlertState.CLOSED and not alert.incident
    return {
        "id": alert.id,
        "open": is_open,
        "queue": queue_of(alert),
        "sort": sort_key(alert),
        "version": alert.version,
        "html": drawing.live_card(alert, seen_by) if is_open else "",
    }


async def _stream(
    ctx: Context, actor: Actor, request: Request, draw: Draw, *, page: bool
) -> AsyncIterator[bytes]:
    board = ctx.board
    async with board.subscribe(teams=actor.teams, page=page, who=actor.name) as listener:
        yield await _snapshot(ctx, actor, draw, page=page)
        while True:
            update = await listener.next(BEAT_S)
            if listener.closed:
                return
            if identify(request, ctx) != actor:
                yield _encoded("bye", {"at": _text(ctx.clock.now())})
                return
            if update is None:
                yield _event(ctx, "beat", None)
            elif update.reload:
                yield await _snapshot(ctx, actor, draw, page=page)
            elif seen := [one for one in update.alerts if may_see(actor, one, board.registry)]:
                yield _event(ctx, "alerts", await _drawn_all(draw, seen))


async def _snapshot(ctx: Context, actor: Actor, draw: Draw, *, page: bool) -> bytes:
    """Return all open alerts for a program, and for a page as many as it can show."""
    alerts = visible_alerts(ctx, actor)
    shown = first_of(alerts) if page else alerts
    return _event(ctx, "snapshot", await _drawn_all(draw, shown), more=len(alerts) - len(shown))


async def _drawn_all(draw: Draw, alerts: list[Alert]) -> list[dict[str, Any]]:
    return draw(alerts) if len(alerts) <= DRAWN_AT_ONCE else await asyncio.to_thread(draw, alerts)


def _event(ctx: Context, name: str, alerts: list[dict[str, Any]] | None, more: int = 0) -> bytes:
    data: dict[str, Any] = {
        "cursor": ctx.board.cursor,
        "at": _text(ctx.clock.now()),
        "status": ctx.status(),
    }
    if alerts is not None:
        data["alerts"] = alerts
    if more:
        data["more"] = more
    first = RETRY_MS if name == "snapshot" else None
    return _encoded(name, data, number=str(ctx.board.cursor), retry=first)


def _encoded(name: str, data: dict[str, Any], number: str | None = None, retry: int | None = None) -> bytes:
    return format_sse_event(event=name, id=number, retry=retry, data_str=msgspec.json.encode(data).decode())


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")
