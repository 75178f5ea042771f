"""The routes of read, search and capabilities."""

from collections.abc import Iterable
from importlib.metadata import version
from typing import Annotated
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response

from gateway.api.access import Ctx, FhirReader, FhirSearcher
from gateway.api.answers import AUDIT
from gateway.api.auth import Actor
from gateway.api.context import Context
from gateway.api.errors import NotFoundError
from gateway.api.fhir.asking import Search, page_token
from gateway.api.fhir.errors import PREFIX, RESPONSES, BadSearchError, FhirResponse
from gateway.api.fhir.means import accept, base_of, fhir_means, kind_of, reading, strict
from gateway.fhir.bundles import capability, searchset

ROUTER = APIRouter(prefix=PREFIX)
FORM = "application/x-www-form-urlencoded"
Named = Annotated[str, Path(max_length=64)]


@ROUTER.get("/metadata", summary="What is served", response_class=FhirResponse, responses=RESPONSES)
async def metadata(request: Request, ctx: Ctx, _: FhirReader) -> Response:
    """Return the CapabilityStatement, made of the table by which everything is served."""
    accept(request)
    return FhirResponse(capability(base_of(request), version("vaka"), ctx.clock.now()))


@ROUTER.post("/{kind}/_search", summary="Search", response_class=FhirResponse, responses=RESPONSES)
async def search_by_form(request: Request, ctx: Ctx, actor: FhirSearcher, kind: Named) -> Response:
    """Search with parameters in a form, so that they are in no address."""
    if not request.headers.get("content-type", FORM).startswith(FORM):
        raise BadSearchError(f"Content-Type: allowed: {FORM}")
    try:
        given = parse_qsl((await request.body()).decode(), keep_blank_values=True)
    except ValueError as error:
        raise BadSearchError("the form is no UTF-8; allowed: name=value&name=value") from error
    return await _search(request, ctx, actor, kind, [*request.query_params.multi_items(), *given])


@ROUTER.get("/{kind}", summary="Search", response_class=FhirResponse, responses=RESPONSES)
async def search(request: Request, ctx: Ctx, actor: FhirReader, kind: Named) -> Response:
    """Search one type of resource, a page at a time."""
    return await _search(request, ctx, actor, kind, request.query_params.multi_items())


@ROUTER.get("/{kind}/{logical_id}", summary="Read", response_class=FhirResponse, responses=RESPONSES)
async def read(request: Request, ctx: Ctx, actor: FhirReader, kind: Named, logical_id: Named) -> Response:
    """Return one resource. What another tenant has is not there."""
    accept(request)
    name = kind_of(kind).name
    seen = reading(ctx, actor)
    found = await fhir_means(ctx).exports.threads.search(lambda: seen.read(name, logical_id))
    AUDIT.info("fhir read actor=%s type=%s found=%s", actor.name, name, found is not None)
    if found is None:
        raise NotFoundError(f"{name} with that id")
    number = found["meta"].get("versionId")
    return FhirResponse(found, headers={"ETag": f'W/"{number}"'} if number else {})


async def _search(
    request: Request, ctx: Context, actor: Actor, kind: str, pairs: Iterable[tuple[str, str]]
) -> Response:
    accept(request)
    asked = Search.of(kind_of(kind), pairs, strict=strict(request))
    asked.check()
    seen = reading(ctx, actor)
    page = await fhir_means(ctx).exports.threads.search(lambda: seen.page(asked))
    AUDIT.info("fhir search actor=%s type=%s found=%d", actor.name, asked.kind.name, len(page.found))
    base = base_of(request)
    address = f"{base}/{asked.kind.name}"
    links = [("self", f"{address}?{urlencode(asked.pairs())}")]
    if page.more is not None:
        again = [*asked.pairs(), ("_page", page_token(page.more))]
        links.append(("next", f"{address}?{urlencode(again)}"))
    return FhirResponse(searchset(base, page.found, page.included, links, ctx.clock.now()))
