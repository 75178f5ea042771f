"""The pages for staff: what is open now, one alert's course of events, and the answers."""

import asyncio
from typing import Annotated, NamedTuple

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
from gateway.api.people import break_until, works_here
from gateway.api.texts import Texts
from gateway.api.view import Drawing, first_of, queue_of, viewer
from gateway.model.alert import Alert, AlertState, Outcome, Route, Severity
from gateway.model.registry import Registry, Team
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
    values = {
        "cards": cards,
        "cursor": ctx.board.cursor,
        "more": len(alerts) - len(shown),
        "works_here": works_here(ctx, actor),
        "break_until": break_until(ctx, actor),
    }
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
        "teams": teams_of(ctx.board.registry, alert.tenant),
        "may_shelve": alert.severity is not Severity.HIGH and alert.route is not Route.SECURITY,
        "incident": incident_of(ctx.board, alert, SHOWN_HIDDEN) if alert.rule in INCIDENTS else None,
        "events": [EventView.of(event).model_dump(mode="python") for event in course.events],
    }
    return drawing.page(request, "alert.html", values)


def teams_of(registry: Registry, tenant: str) -> list[Team]:
    """Return the teams of a tenant, to hand an alert over to."""
    return [team for team in registry.teams.values() if registry.units[team.unit].tenant == tenant]


class _Said(NamedTuple):
    """What a form adds to an answer."""

    eta_s: float | None = None
    note: str = ""
    to: str = ""
    for_s: float | None = None


def _said(
    eta: Annotated[float | None, Form(ge=0, le=240)] = None,
    note: Annotated[str, Form(max_length=500)] = "",
    to: Annotated[str, Form(max_length=128)] = "",
    minutes: Annotated[float | None, Form(gt=0, le=7 * 24 * 60)] = None,
) -> _Said:
    """Return the form's words; minutes become seconds."""
    return _Said(None if eta is None else eta * 60, note, to, None if minutes is None else minutes * 60)


def _given(
    action: Annotated[
        str, Path(pattern="^(accept|on-site|release|close|decline|hand-over|shelve|unshelve)$")
    ],
    seen: Annotated[int | None, Query(ge=1)] = None,
    severity: Annotated[Severity | None, Query()] = None,
    outcome: Annotated[Outcome | None, Form()] = None,
    said: Annotated[_Said | None, Depends(_said)] = None,
) -> Answer:
    """Return what was pressed; a card sends with `close` the count and severity that stood on it."""
    eta_s, note, to, for_s = said or _Said()
    if action == "close":
        return Answer("close", outcome, note, seen, severity)
    return Answer(action.replace("-", "_"), note=note, eta_s=eta_s, to=to, for_s=for_s)


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
    if given.action == "close":
        return _unseen(alert, given, words)
    if given.action in {"shelve", "decline"} and not given.note.strip():
        return words("answer.needs_reason")
    if given.action == "shelve":
        return words("answer.not_shelved")
    if given.action == "release":
        return words("answer.not_yours")
    return words("answer.taken", name=alert.assignee) if alert.assignee else words("answer.refused")


def _unseen(alert: Alert, given: Answer, words: Texts) -> str:
    if given.seen is not None and given.seen < alert.count:
        return words("answer.raised_again", n=alert.count, seen=given.seen)
    if given.seen_severity not in (None, alert.severity):
        return words("answer.became_worse", severity=words(f"severity.{alert.severity}"))
    return words("answer.refused")
