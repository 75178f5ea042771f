"""Routes: read and search, with what a client expects of an R4 server."""

import asyncio
from collections.abc import Sequence
from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import APIRouter, Path, Request

from gateway.api.access import Ctx, FhirReader
from gateway.api.answers import AUDIT
from gateway.api.auth import Actor
from gateway.api.context import Context
from gateway.api.errors import ApiError, NotFoundError, UnavailableError
from gateway.api.fhir.answers import FhirResponse
from gateway.api.fhir.capability import capability_statement
from gateway.api.fhir.feeds import FEEDS, House, read
from gateway.api.fhir.pages import asked_of, bundle
from gateway.fhir.search import SearchFault

ROUTER = APIRouter(prefix="/fhir", tags=["fhir"], default_response_class=FhirResponse)
MAX_QUERY = 8_192
Kind = Annotated[str, Path(pattern=r"^[A-Z][A-Za-z]{1,40}$")]
LogicalId = Annotated[str, Path(pattern=r"^[A-Za-z0-9.-]{1,64}$")]


def house_of(ctx: Context, actor: Actor) -> House:
    """Return what this reader may know of."""
    if ctx.search is None:
        raise UnavailableError("the log cannot be read yet")
    board = ctx.board
    return House(ctx.search, board.registry, board.statuses, actor.tenants)


def base_of(request: Request) -> str:
    """Return the base address of the facade as the client reached it."""
    return f"{str(request.base_url).rstrip('/')}/fhir"


@ROUTER.get("/metadata", summary="What the FHIR facade can do")
async def metadata(request: Request, ctx: Ctx) -> FhirResponse:
    """Return the CapabilityStatement; it tells nothing of anybody, so nobody need sign in."""
    return FhirResponse(capability_statement(base_of(request), ctx.clock.now()))


@ROUTER.get("/{kind}", summary="Search")
async def search(request: Request, ctx: Ctx, actor: FhirReader, kind: Kind) -> FhirResponse:
    """Return a page of the resources that fit, oldest first; `next` leads on."""
    return await _searched(request, ctx, actor, kind, list(request.query_params.multi_items()))


@ROUTER.post("/{kind}/_search", summary="Search by form")
async def search_by_form(request: Request, ctx: Ctx, actor: FhirReader, kind: Kind) -> FhirResponse:
    """As the search by address, for what should not stand in logs of proxies."""
    body = await request.body()
    if len(body) > MAX_QUERY:
        raise ApiError(413, "invalid", f"allowed: at most {MAX_QUERY} bytes")
    asked = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
    return await _searched(request, ctx, actor, kind, [*request.query_params.multi_items(), *asked])


@ROUTER.get("/{kind}/{written}", summary="Read a resource")
async def read_one(ctx: Ctx, actor: FhirReader, kind: Kind, written: LogicalId) -> FhirResponse:
    """Return one resource by its logical id."""
    _known(kind)
    AUDIT.info("fhir read actor=%s resource=%s/%s", actor.name, kind, written)
    found = await asyncio.to_thread(read, house_of(ctx, actor), kind, written)
    if found is None:
        raise NotFoundError(f"{kind}/{written}")
    meta = found.get("meta", {})
    etag = f'W/"{meta.get("versionId", "1")}"'
    return FhirResponse(found, headers={"ETag": etag})


async def _searched(
    request: Request, ctx: Context, actor: Actor, kind: str, asked: Sequence[tuple[str, str]]
) -> FhirResponse:
    _known(kind)
    names = ",".join(sorted({name for name, _ in asked}))
    AUDIT.info("fhir search actor=%s type=%s by=%s", actor.name, kind, names[:200].replace("\n", " "))
    lenient = "handling=lenient" in request.headers.get("prefer", "")
    try:
        wanted = asked_of(kind, asked, lenient=lenient)
        page = await asyncio.to_thread(bundle, house_of(ctx, actor), wanted, base_of(request))
    except SearchFault as error:
        raise ApiError(400, "invalid", str(error)) from error
    return FhirResponse(page)


def _known(kind: str) -> None:
    if kind not in FEEDS:
        raise ApiError(404, "not_found", f"found the type {kind!r}; allowed: {', '.join(sorted(FEEDS))}")
