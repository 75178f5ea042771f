"""Reached: what a person's browser tells of itself: a subscription, cards on its screen, that it is there."""

import asyncio
import json
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from gateway.api.access import AlertReader, Ctx
from gateway.api.answers import AUDIT
from gateway.api.auth import Actor
from gateway.api.context import Context
from gateway.api.errors import NotAllowedError, NotFoundError, RefusedError, problems
from gateway.model.delivery import Delivery, DeliveryState
from gateway.model.frame import Frame, Transport
from gateway.sections import is_loopback

ROUTER = APIRouter(prefix="/api/v1", tags=["reach"])
MAX_SHOWN = 300
NEWEST = 50
"""Deliveries of one alert among which those to the page are looked for."""
PUSH, PAGE = "webpush", "page"
Key = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+={0,2}$", max_length=120)]


class PushKeys(BaseModel):
    """The keys of a subscription as the browser gives them, base64url (RFC 8291)."""

    model_config = ConfigDict(extra="forbid")
    p256dh: Key
    auth: Key


class PushSubscription(BaseModel):
    """A subscription as `PushSubscription.toJSON()` says it."""

    model_config = ConfigDict(extra="ignore")
    endpoint: str = Field(max_length=2000)
    keys: PushKeys


class PushView(BaseModel):
    """The key to subscribe with, "" where web push is not configured."""

    key: str


class Shown(BaseModel):
    """Alerts whose cards are on the screen now."""

    model_config = ConfigDict(extra="forbid")
    alerts: list[Annotated[str, Field(max_length=64)]] = Field(max_length=MAX_SHOWN)


@ROUTER.get("/push", summary="The key to subscribe with", responses=problems(401, 403))
async def push_key(ctx: Ctx, _actor: AlertReader) -> PushView:
    """Return this gateway's public VAPID key."""
    key = ctx.means.push_key
    return PushView(key=key.public if key else "")


@ROUTER.post(
    "/push/subscriptions",
    status_code=204,
    summary="Ring this browser",
    responses=problems(401, 403, 404, 409),
)
async def subscribe(ctx: Ctx, actor: AlertReader, given: PushSubscription) -> Response:
    """Keep a subscription for whoever is signed in; told again it is kept once."""
    settings = ctx.means.settings.webpush
    if settings is None:
        raise NotFoundError("web push here")
    _person(actor)
    if not _is_push_service(given.endpoint, settings.hosts):
        raise RefusedError("the endpoint is of no push service that channels.webpush.hosts names")
    await asyncio.to_thread(ctx.means.contacts.note, actor.name, PUSH, _kept(given))
    ctx.means.reach.changed(actor.name, PUSH, reachable=True, reason="subscribed")
    AUDIT.info("push subscribed actor=%s", actor.name)
    return Response(status_code=204)


@ROUTER.delete(
    "/push/subscriptions", status_code=204, summary="Stop ringing this browser", responses=problems(401, 403)
)
async def unsubscribe(ctx: Ctx, actor: AlertReader, given: PushSubscription) -> Response:
    """Forget a subscription of whoever is signed in."""
    contacts = ctx.means.contacts
    await asyncio.to_thread(contacts.remove, actor.name, PUSH, _kept(given))
    if not await asyncio.to_thread(contacts.addresses, actor.name, PUSH):
        ctx.means.reach.changed(actor.name, PUSH, reachable=False, reason="switched off")
    AUDIT.info("push unsubscribed actor=%s", actor.name)
    return Response(status_code=204)


@ROUTER.post("/beat", status_code=204, summary="My page is there", responses=problems(401, 403))
async def beat(ctx: Ctx, actor: AlertReader) -> Response:
    """Note that somebody's page is open and hears us; only a change of that reaches the journal."""
    _person(actor)
    ctx.means.reach.beat(actor.name)
    return Response(status_code=204)


@ROUTER.post(
    "/displayed", status_code=204, summary="These alerts are on my screen", responses=problems(401, 403)
)
async def displayed(ctx: Ctx, actor: AlertReader, shown: Shown) -> Response:
    """Prove the deliveries to the page of whoever is signed in; anything else is passed over."""
    _person(actor)
    for alert_id, recipient in await asyncio.to_thread(_outstanding, ctx, actor, shown.alerts):
        frame = Frame(
            Transport.RECEIPT, f"shown/{alert_id}", recipient.encode(), ctx.clock.now(), ingress="api"
        )
        await ctx.intake.accept(frame)
    return Response(status_code=204)


def _outstanding(ctx: Context, actor: Actor, alerts: list[str]) -> list[tuple[str, str]]:
    """Return alert and recipient for which the actor stands, where no page has shown the newest ring."""
    found: list[tuple[str, str]] = []
    for alert_id in dict.fromkeys(alerts):
        theirs: dict[str, list[Delivery]] = {}
        for one in ctx.store.deliveries(alert_id, limit=NEWEST):
            if one.waits:
                theirs.setdefault(one.recipient, []).append(one)
        asked = [recipient for recipient in theirs if _stands_for(ctx, actor, recipient)]
        found += [(alert_id, recipient) for recipient in asked if not _seen(theirs[recipient])]
    return found


def _seen(theirs: list[Delivery]) -> bool:
    newest = max(one.round for one in theirs)
    return any(
        one.round == newest and one.channel == PAGE and one.state is DeliveryState.DISPLAYED for one in theirs
    )


def _stands_for(ctx: Context, actor: Actor, recipient: str) -> bool:
    """Tell whether the actor is the recipient or of the team that was asked.

    Staff without a team of their own answer for all of them; an engineer who looks on answers for none.
    """
    registry = ctx.board.registry
    if actor.name == recipient:
        return True
    if actor.teams:
        return not registry.teams_meant(recipient).isdisjoint(actor.teams)
    everybody = actor is ctx.local or not actor.may("trace:read")
    return everybody and (recipient in registry.teams or registry.teams_meant(recipient) != {recipient})


def _person(actor: Actor) -> None:
    if not actor.forgery_token:
        raise NotAllowedError("this is for a person's browser; an API token has no screen")


def _is_push_service(endpoint: str, hosts: tuple[str, ...]) -> bool:
    """Tell whether an address is of a push service: whatever a browser names, we send requests to."""
    try:
        parts = urlsplit(endpoint)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    if (
        parts.username
        or parts.scheme not in {"https", "http"}
        or (port and parts.scheme == "https" and port != 443)
    ):
        return False
    if parts.scheme == "http" and not is_loopback(host):
        return False
    return any(host == one or (one.startswith("*.") and host.endswith(one[1:])) for one in hosts)


def _kept(given: PushSubscription) -> str:
    return json.dumps({"endpoint": given.endpoint, "keys": given.keys.model_dump()}, sort_keys=True)
