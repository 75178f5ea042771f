"""The routes of Subscription: begin, look at, end, and how far it is ($status, R5 backport for R4)."""

from secrets import token_hex
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic_core import PydanticCustomError

from gateway.api.access import Ctx, FhirSubscriber
from gateway.api.answers import AUDIT
from gateway.api.auth import EVERYTHING, Actor
from gateway.api.context import Context
from gateway.api.errors import ApiError, NotAllowedError, NotFoundError, UnavailableError
from gateway.api.fhir.errors import PREFIX, RESPONSES, BadSearchError, FhirResponse, ThrottledError
from gateway.api.fhir.means import accept, base_of, fhir_means
from gateway.api.fhir.scope import sight_of
from gateway.contract import TapFault
from gateway.fhir.bundles import searchset
from gateway.fhir.notifying import Notice, status_of
from gateway.fhir.subscribing import BadSubscription, Subscription, read_subscription, resource_of
from gateway.fhir.terms import Resource
from gateway.service.subscribing import MOST, Subscriptions
from gateway.service.tap_process import TapsDownError
from gateway.tap_settings import safe_url

ROUTER = APIRouter(prefix=f"{PREFIX}/Subscription")
MAX_BYTES = 16 * 1024
AGAIN_S = 60


@ROUTER.post("", summary="Subscribe", status_code=201, response_class=FhirResponse, responses=RESPONSES)
async def subscribe(request: Request, ctx: Ctx, actor: FhirSubscriber) -> Response:
    """Begin to be told, from now on. A topic's endpoint must answer the handshake."""
    accept(request)
    if _kept(ctx).full:
        raise ThrottledError(f"found {MOST} subscriptions already; end one first", AGAIN_S)
    one = await _read(request, ctx, actor)
    try:
        await _kept(ctx).add(one)
    except TapsDownError as error:
        raise UnavailableError(str(error)) from error
    except TapFault as error:
        raise BadSearchError(f"channel.endpoint: the handshake was not answered: {error}") from error
    AUDIT.info("fhir subscription begun actor=%s id=%s", actor.name, one.id)
    address = f"{base_of(request)}/Subscription/{one.id}"
    return FhirResponse(_told(ctx, one), 201, headers={"Location": address})


@ROUTER.get("", summary="One's own subscriptions", response_class=FhirResponse, responses=RESPONSES)
async def list_subscriptions(request: Request, ctx: Ctx, actor: FhirSubscriber) -> Response:
    """Return what the actor has asked for, and how it stands."""
    base = base_of(request)
    found = [_told(ctx, one) for one in _kept(ctx).of(_whose(actor))]
    return FhirResponse(searchset(base, found, [], [("self", f"{base}/Subscription")], ctx.clock.now()))


@ROUTER.get("/{name}", summary="A subscription", response_class=FhirResponse, responses=RESPONSES)
async def read_one(ctx: Ctx, actor: FhirSubscriber, name: str) -> Response:
    """Return one subscription with its present status; its headers' values are not told."""
    return FhirResponse(_told(ctx, _find(ctx, actor, name)))


@ROUTER.get("/{name}/$status", summary="How far it is", response_class=FhirResponse, responses=RESPONSES)
async def status(request: Request, ctx: Ctx, actor: FhirSubscriber, name: str) -> Response:
    """Return how many were told, and whether the endpoint takes them."""
    one = _find(ctx, actor, name)
    state, _, number = _kept(ctx).standing(one)
    notice = Notice("query-status", ctx.clock.now(), (), number + 1, state)
    base = base_of(request)
    return FhirResponse(searchset(base, [status_of(one, base, notice)], [], [], ctx.clock.now()))


@ROUTER.delete("/{name}", summary="End a subscription", status_code=204, responses=RESPONSES)
async def end(ctx: Ctx, actor: FhirSubscriber, name: str) -> Response:
    """End a subscription, and forget its headers."""
    one = _find(ctx, actor, name)
    await _kept(ctx).drop(one)
    AUDIT.info("fhir subscription ended actor=%s id=%s", actor.name, one.id)
    return Response(status_code=204)


def _kept(ctx: Context) -> Subscriptions:
    return fhir_means(ctx).subscriptions


def _whose(actor: Actor) -> str | None:
    """Return whose subscriptions somebody sees: their own; an engineer, who can end any, all (None)."""
    return None if actor.scopes >= EVERYTHING and not actor.teams else actor.name


def _find(ctx: Context, actor: Actor, name: str) -> Subscription:
    found = _kept(ctx).find(name, _whose(actor))
    if found is None:
        raise NotFoundError("Subscription of yours with that id")
    return found


def _check_endpoint(endpoint: str) -> None:
    try:
        odd = urlsplit(endpoint).port == 0 or bool(httpx.URL(endpoint).query)
    except (ValueError, httpx.InvalidURL) as error:
        raise BadSubscription(f"channel.endpoint: found no address that can be read ({error})") from error
    if odd:
        raise BadSubscription("channel.endpoint: found port 0 or a query; allowed: https://host/path")
    safe_url(endpoint)


def _told(ctx: Context, one: Subscription) -> Resource:
    state, error, _ = _kept(ctx).standing(one)
    return resource_of(one, state, error)


async def _read(request: Request, ctx: Context, actor: Actor) -> Subscription:
    body = await request.body()
    if len(body) > MAX_BYTES:
        raise ApiError(413, "too_long", f"allowed: at most {MAX_BYTES} bytes")
    seen = sight_of(actor, ctx.board.registry).tenants
    if seen is not None and not seen:
        raise NotAllowedError(f"{actor.name} sees no municipality")
    try:
        found: Any = msgspec.json.decode(body)
        one = read_subscription(found, token_hex(8), actor.name, sorted(seen or ()), ctx.clock.now())
        _check_endpoint(one.endpoint)
    except PydanticCustomError as error:
        said = error.context or {}
        raise BadSearchError(
            f"channel.endpoint: found {said.get('found')}; allowed: {said.get('allowed')}"
        ) from error
    except (BadSubscription, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadSearchError(str(error)) from error
    return one
