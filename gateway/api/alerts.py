"""The JSON API for alerts: what is open, one alert's course of events, and people's answers."""

import asyncio
from typing import Annotated, Literal, NamedTuple

from fastapi import APIRouter, Query

from gateway.api.access import AlertReader, AlertWriter, Ctx, may_see
from gateway.api.answers import AUDIT, Answer, find_alert, give_answer
from gateway.api.auth import Actor
from gateway.api.context import Context
from gateway.api.errors import problems
from gateway.api.incidents import is_hidden
from gateway.api.models import (
    AcceptBody,
    AlertDetail,
    AlertList,
    AlertView,
    AnswerBody,
    CloseBody,
    DeliveryView,
    EntryView,
    EventView,
    HandOverBody,
    ReasonBody,
    ShelveBody,
    SuppressBody,
)
from gateway.model.alert import Alert, AlertEntry
from gateway.model.delivery import Delivery
from gateway.model.event import Event
from gateway.model.synthetic import SYNTHETIC

ROUTER = APIRouter(prefix="/api/v1/alerts", tags=["alerts"])
SHOWN = 200
"""Entries of history, and deliveries, that one answer or page holds unless it asks otherwise."""

MAX_VERSION = 2**63 - 1
After = Annotated[
    int | None, Query(ge=0, le=MAX_VERSION, description="Only history after this version, oldest first.")
]
_ANSWERED = problems(202, 401, 403, 404, 409, 503)


def visible_alerts(ctx: Context, actor: Actor, *, collapsed: bool = False) -> list[Alert]:
    """Return the open alerts that have come to one of the actor's teams, most severe first.

    Those an incident speaks for are left out unless `collapsed`: the incident says how many they are.
    """
    board = ctx.board
    seen = [alert for alert in board.open_alerts() if may_see(actor, alert, board.registry)]
    return seen if collapsed else [alert for alert in seen if not is_hidden(board, alert)]


async def closed_alerts(ctx: Context, actor: Actor, limit: int) -> list[Alert]:
    """Return the alerts closed last that the actor may see, newest first."""
    registry = ctx.board.registry
    found = await asyncio.to_thread(ctx.store.closed_alerts, limit, without=SYNTHETIC)
    return [alert for alert in found if may_see(actor, alert, registry)]


class Course(NamedTuple):
    """A part of an alert's course of events; an alert that nobody answers has no end of them.

    `earlier` and `later` tell how many entries of history stand before and after this part.
    """

    history: list[AlertEntry]
    deliveries: list[Delivery]
    events: list[Event]
    earlier: int
    later: int


async def course_of(ctx: Context, alert: Alert, after: int | None = None, limit: int = SHOWN) -> Course:
    """Return at most `limit` entries of history after version `after` (without it the newest).

    With them come the newest deliveries, and the events of the frame that raised the alert.
    """

    def read() -> Course:
        history = ctx.store.history(alert.id, after=after, limit=limit)
        first = history[0].version if history else (after or 0) + 1
        last = history[-1].version if history else (after or 0)
        # Every change makes one entry with the next version, so versions count the entries.
        return Course(
            history=history,
            deliveries=ctx.store.deliveries(alert.id, limit=limit),
            events=[event for _, event in ctx.store.events(frame=alert.frame)],
            earlier=min(first - 1, alert.version),
            later=0 if after is None else max(0, alert.version - last),
        )

    return await asyncio.to_thread(read)


@ROUTER.get("", summary="Open alerts, High first", responses=problems(401, 403, 503))
async def list_alerts(
    ctx: Ctx,
    actor: AlertReader,
    state: Annotated[Literal["open", "closed"], Query(description="Closed ones come newest first.")] = "open",
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    collapsed: Annotated[bool, Query(description="Also those that an incident speaks for.")] = False,  # noqa: FBT002 - a query parameter has no name but this
) -> AlertList:
    """List the alerts that have come to the actor's teams. `limit` holds for closed ones only."""
    found = (
        visible_alerts(ctx, actor, collapsed=collapsed)
        if state == "open"
        else await closed_alerts(ctx, actor, limit)
    )
    return AlertList(cursor=ctx.board.cursor, alerts=[AlertView.of(alert) for alert in found])


@ROUTER.get(
    "/{alert_id}", summary="One alert with its course of events", responses=problems(401, 403, 404, 503)
)
async def read_alert(
    ctx: Ctx,
    actor: AlertReader,
    alert_id: str,
    after: After = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = SHOWN,
) -> AlertDetail:
    """Return the alert, its history, deliveries with proof, and events. Opening it is audited.

    `history` holds at most `limit` entries, the newest unless `after` is given, and `deliveries` the
    newest `limit`.
    """
    alert = await find_alert(ctx, actor, alert_id)
    AUDIT.info("opened actor=%s alert=%s", actor.name, alert.id)
    course = await course_of(ctx, alert, after, limit)
    return AlertDetail(
        alert=AlertView.of(alert),
        history=[EntryView.of(entry) for entry in course.history],
        earlier=course.earlier,
        later=course.later,
        deliveries=[DeliveryView.model_validate(delivery) for delivery in course.deliveries],
        events=[EventView.of(event) for event in course.events],
    )


@ROUTER.post("/{alert_id}/accept", summary="I take it", responses=_ANSWERED)
async def accept(ctx: Ctx, actor: AlertWriter, alert_id: str, body: AcceptBody | None = None) -> AlertView:
    """Take the alert on, until the lease ends. Refused when somebody else has it.

    Said again by who has it, it renews the lease: still on the way. With a time of arrival, a High alert
    is offered to others when nothing shows them there 5 minutes after it.
    """
    said = body or AcceptBody(note="", eta_minutes=None)
    eta_s = None if said.eta_minutes is None else said.eta_minutes * 60
    return AlertView.of(
        await give_answer(ctx, actor, alert_id, Answer("accept", note=said.note, eta_s=eta_s))
    )


@ROUTER.post("/{alert_id}/on-site", summary="I am there", responses=_ANSWERED)
async def on_site(ctx: Ctx, actor: AlertWriter, alert_id: str, body: AnswerBody | None = None) -> AlertView:
    """Say that help has arrived. Refused when somebody else has the alert."""
    note = body.note if body else ""
    return AlertView.of(await give_answer(ctx, actor, alert_id, Answer("on_site", note=note)))


@ROUTER.post("/{alert_id}/release", summary="I give it back", responses=_ANSWERED)
async def release(ctx: Ctx, actor: AlertWriter, alert_id: str, body: AnswerBody | None = None) -> AlertView:
    """Give an accepted alert back; it is offered again at once. Refused for anybody but its holder."""
    note = body.note if body else ""
    return AlertView.of(await give_answer(ctx, actor, alert_id, Answer("release", note=note)))


@ROUTER.post("/{alert_id}/decline", summary="I cannot", responses=_ANSWERED)
async def decline(ctx: Ctx, actor: AlertWriter, alert_id: str, body: ReasonBody) -> AlertView:
    """Say no, with the reason; the next are asked at once when nobody who was asked is left."""
    return AlertView.of(await give_answer(ctx, actor, alert_id, Answer("decline", note=body.note)))


@ROUTER.post("/{alert_id}/hand-over", summary="Another team's", responses=_ANSWERED)
async def hand_over(ctx: Ctx, actor: AlertWriter, alert_id: str, body: HandOverBody) -> AlertView:
    """Ask another team next, as the night patrol or the alarm centre; its policy goes on after them."""
    given = Answer("hand_over", note=body.note, to=body.to)
    return AlertView.of(await give_answer(ctx, actor, alert_id, given))


@ROUTER.post("/{alert_id}/shelve", summary="Not now", responses=_ANSWERED)
async def shelve(ctx: Ctx, actor: AlertWriter, alert_id: str, body: ShelveBody) -> AlertView:
    """Ask nobody for a while, for a reason. Never for a High alert, or one about security."""
    given = Answer("shelve", note=body.note, for_s=body.minutes * 60)
    return AlertView.of(await give_answer(ctx, actor, alert_id, given))


@ROUTER.post("/{alert_id}/suppress", summary="Another alert speaks for it", responses=_ANSWERED)
async def suppress(ctx: Ctx, actor: AlertWriter, alert_id: str, body: SuppressBody) -> AlertView:
    """Ask nobody while another open alert speaks for this one too, at most for 24 h."""
    await find_alert(ctx, actor, body.by)
    given = Answer("suppress", note=body.note, by=body.by)
    return AlertView.of(await give_answer(ctx, actor, alert_id, given))


@ROUTER.post("/{alert_id}/unshelve", summary="Now after all", responses=_ANSWERED)
async def unshelve(ctx: Ctx, actor: AlertWriter, alert_id: str, body: AnswerBody | None = None) -> AlertView:
    """Offer again what was set aside."""
    note = body.note if body else ""
    return AlertView.of(await give_answer(ctx, actor, alert_id, Answer("unshelve", note=note)))


@ROUTER.post("/{alert_id}/close", summary="It is over, and this is what it was", responses=_ANSWERED)
async def close(ctx: Ctx, actor: AlertWriter, alert_id: str, body: CloseBody) -> AlertView:
    """Close the alert with its outcome. Only a person can, and only what they have seen.

    Refused when the alert was raised again since `seen_count` or became more severe than `seen_severity`,
    and for a High alert without the count, or one that became more severe without the severity.
    """
    given = Answer("close", body.outcome, body.note, body.seen_count, body.seen_severity)
    return AlertView.of(await give_answer(ctx, actor, alert_id, given))
