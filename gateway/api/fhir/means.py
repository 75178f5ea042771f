"""What every FHIR route uses: who sees what, in which format, at which address."""

from fastapi import Request

from gateway.api.auth import Actor
from gateway.api.context import Context, FhirMeans
from gateway.api.errors import NotFoundError, UnavailableError
from gateway.api.fhir.errors import PREFIX, UnacceptableError
from gateway.api.fhir.reading import Reading
from gateway.api.fhir.scope import Sight, sight_of
from gateway.fhir.kinds import KINDS, Kind

FORMATS = frozenset({"json", "application/json", "application/fhir+json", "text/json"})


def fhir_means(ctx: Context) -> FhirMeans:
    """Return what the facade reads by."""
    if ctx.fhir is None:
        raise UnavailableError("the log cannot be searched here")
    return ctx.fhir


def reading(ctx: Context, actor: Actor, sight: Sight | None = None) -> Reading:
    """Return everything the actor sees as resources."""
    seen = sight or sight_of(actor, ctx.board.registry)
    return Reading(seen, ctx.board.statuses, fhir_means(ctx).search)


def kind_of(name: str) -> Kind:
    """Return a type that is served; NotFoundError for any other."""
    found = KINDS.get(name)
    if found is None:
        raise NotFoundError(f"type {name[:64]!r} here; allowed: {', '.join(KINDS)}")
    return found


def base_of(request: Request) -> str:
    """Return the address of the facade, as the client calls it."""
    return f"{str(request.base_url).rstrip('/')}{PREFIX}"


def accept(request: Request) -> None:
    """Refuse a format that we do not write."""
    asked = request.query_params.get("_format")
    if asked is not None and asked.replace(" ", "+") not in FORMATS:
        raise UnacceptableError(asked)
    accepted = request.headers.get("accept", "")
    if asked is None and accepted and "json" not in accepted and "*" not in accepted:
        raise UnacceptableError(accepted)


def strict(request: Request) -> bool:
    """Tell whether the client wants to hear of every parameter that is not understood."""
    return "handling=strict" in request.headers.get("prefer", "").replace(" ", "").lower()
