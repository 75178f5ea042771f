"""The pages for staff: what is open now, one alert's course of events, and the answers."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Path, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from gateway.api.access import AlertReader, AlertWriter, Ctx
from gateway.api.alerts import SHOWN, After, closed_alerts, course_of, visible_alerts
from gateway.api.answers import AUDIT, Answer, find_alert, give_answer
from gateway.api.context import Context
from gateway.api.errors import RefusedError
from gateway.api.incidents import incident_of
from gateway.api.live import DRAWN_AT_ONCE
from gateway.api.login import inside
from gateway.api.models import EventView
from gateway.api.texts import Texts
from gateway.api.view import Drawing, first_of, queue_of, viewer
from gateway.model.alert import AlertState, Outcome
from gateway.pipeline.incident import INCIDENTS

ROUTER = APIRouter(include_in_schema=False)
SHOWN_CLOSED = 100
SHOWN_HIDDEN = 100


@ROUTER.get("/")
async def alerts_page(request: Request, ctx: Ctx, actor: AlertReader) -> HTMLResponse:
    """Show the open alerts, people first, technology below."""
    drawing: Drawing = request.app.state.drawing
    seen_by = viewer(request, ctx)
    alerts = visible_alerts(ctx, actor)
    shown = first_of(alerts)

    def draw() -> dict[str, list[str]]:
        cards: dict[str, list[str]] = {"person": [], "technical": []}
        for alert in shown:
            cards[queue_of(alert)].append(drawing.card(alert, seen_by))
        return cards

    cards = draw() if len(shown) <= DRAWN_AT_ONCE else await asyncio.to_thread(draw)
    values = {"cards": cards, "cursor": ctx.board.cursor, "more": len(alerts) - len(shown)}
    return drawing.page(request, "alerts.html", values)


@ROUTER.get("/closed")
async def closed_page(request: Request, ctx: Ctx, actor: AlertReader) -> HTMLResponse:
    """Show the alerts closed last."""
    drawing: Drawing = request.app.state.drawing
    seen_by = viewer(request, ctx)
    found = await closed_alerts(ctx, actor, SHOWN_CLOSED)
    return drawing.page(request, "closed.html", {"cards": [drawing.card(one, seen_by) for one in found]})


@ROUTER.get("/alerts/{alert_id}")
async def alert_page(
    request: Request, ctx: Ctx, actor: AlertReader, alert_id: str, after: After = None
) -> HTMLResponse:
    """Show one alert with its course of events, a part at a time. Opening it is audited."""
    drawing: Drawing = request.app.state.drawing
    alert = await find_alert(ctx, actor, alert_id)
    AUDIT.info("opened actor=%s alert=%s", actor.name, alert.id)
    course = await course_of(ctx, alert, after, SHOWN)
    values = {
        "alert": alert,
        "card": drawing.card(alert, viewer(request, ctx)),
        "course": course,
        "shown": SHOWN,
        "incident": incident_of(ctx.board, alert, SHOWN_HIDDEN) if alert.rule in INCIDENTS else None,
        "events": [EventView.of(event).model_dump(mode="python") for event in course.events],
    }
    return drawing.page(request, "alert.html", values)


def _given(
    action: Annotated[str, Path(pattern="^(accept|on-site|release|close)$")],
    outcome: Annotated[Outcome | None, Form()] = None,
    seen: Annotated[int | None, Query(ge=1)] = None,
) -> Answer:
    """Return what was pressed; a card sends with `close` the count that stood on it."""
    return Answer("close", outcome, seen=seen) if action == "close" else Answer(action.replace("-", "_"))


@ROUTER.post("/alerts/{alert_id}/{action}")
async def answer(
    request: Request,
    ctx: Ctx,
    actor: AlertWriter,
    *,
    alert_id: str,
    given: Annotated[Answer, Depends(_given)],
    back: Annotated[str, Form(max_length=512)] = "/",
) -> Response:
    """Take an answer from a page: the new card to its script, a redirect to a browser without one."""
    drawing: Drawing = request.app.state.drawing
    seen_by = viewer(request, ctx)
    try:
        alert = await give_answer(ctx, actor, alert_id, given)
    except RefusedError as error:
        raise RefusedError(await _refusal(ctx, alert_id, given, seen_by.words)) from error
    if "hx-request" in request.headers:
        return HTMLResponse(drawing.card(alert, seen_by))
    return RedirectResponse(inside(back), 303)


async def _refusal(ctx: Context, alert_id: str, given: Answer, words: Texts) -> str:
    """Say in the reader's language why the answer did not fit, from how the alert stands now."""
    alert = ctx.board.alert(alert_id)
    if alert is None or alert.state is AlertState.CLOSED:
        return words("answer.already_closed")
    if given.action == "close" and given.seen is not None and given.seen < alert.count:
        return words("answer.raised_again", n=alert.count, seen=given.seen)
    if given.action == "release":
        return words("answer.not_yours")
    if given.action != "close" and alert.assignee is not None:
        return words("answer.taken", name=alert.assignee)
    return words("answer.refused")
