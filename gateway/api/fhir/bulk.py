"""The routes of bulk export (Bulk Data Access 2.0): begin, ask how far it is, fetch the files, delete."""

from datetime import UTC
from email.utils import format_datetime
from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import FileResponse, Response

from gateway.api.access import Ctx, FhirReader
from gateway.api.answers import AUDIT
from gateway.api.auth import Actor
from gateway.api.context import Context
from gateway.api.errors import NotFoundError
from gateway.api.fhir.errors import PREFIX, RESPONSES, BadSearchError, FhirResponse
from gateway.api.fhir.exports import Job, Wanted
from gateway.api.fhir.means import accept, base_of, fhir_means, reading, strict
from gateway.api.fhir.scope import Sight, sight_of
from gateway.fhir.asked import BadValue, period_of
from gateway.fhir.bundles import outcome
from gateway.fhir.kinds import KINDS
from gateway.fhir.names import logical_id
from gateway.fhir.terms import moment

ROUTER = APIRouter(prefix=PREFIX)
NDJSON = "application/fhir+ndjson"
FORMATS = frozenset({NDJSON, "application/ndjson", "ndjson"})
ASKED = frozenset({"_outputFormat", "_since", "_type"})
RETRY_S = 1
Named = Annotated[str, Path(max_length=64)]
_DONE = {**RESPONSES, 202: {"description": "Under way"}}


@ROUTER.get("/$export", summary="Export everything", status_code=202, responses=RESPONSES)
async def export_all(request: Request, ctx: Ctx, actor: FhirReader) -> Response:
    """Begin to export all that the actor sees; Content-Location says where to ask for it."""
    return _begin(request, ctx, actor, sight_of(actor, ctx.board.registry))


@ROUTER.get("/Group/{group}/$export", summary="Export a pilot", status_code=202, responses=RESPONSES)
async def export_group(request: Request, ctx: Ctx, actor: FhirReader, group: Named) -> Response:
    """Begin to export one pilot: its devices, where they are, and all that they led to."""
    sight = sight_of(actor, ctx.board.registry)
    pilots = ctx.board.registry.pilots.values()
    pilot = next((one for one in pilots if logical_id(one.id) == group and sight.tenant(one.tenant)), None)
    if pilot is None:
        raise NotFoundError("Group with that id")
    return _begin(request, ctx, actor, sight.of_pilot(pilot))


@ROUTER.get("/$export-status/{job_id}", summary="How far an export is", responses=_DONE)
async def export_status(request: Request, ctx: Ctx, actor: FhirReader, job_id: Named) -> Response:
    """Return 202 while it is written, then the manifest with the address of every file."""
    job = _job(ctx, actor, job_id)
    if job.error:
        return FhirResponse(outcome("exception", job.error), 500)
    if not job.done:
        return Response(status_code=202, headers={"X-Progress": job.progress, "Retry-After": str(RETRY_S)})
    files = f"{base_of(request)}/$export-file/{job.id}"
    manifest = {
        "transactionTime": moment(job.at),
        "request": job.wanted.address,
        "requiresAccessToken": True,
        "output": [{"type": f.kind, "url": f"{files}/{f.name}", "count": f.count} for f in job.files],
        "error": [],
    }
    expires = format_datetime(job.expires_at.astimezone(UTC), usegmt=True)
    return FhirResponse(manifest, media_type="application/json", headers={"Expires": expires})


@ROUTER.delete("/$export-status/{job_id}", summary="End an export", status_code=202, responses=RESPONSES)
async def delete_export(ctx: Ctx, actor: FhirReader, job_id: Named) -> Response:
    """End an export, or remove the files of one that is done."""
    fhir_means(ctx).exports.remove(_job(ctx, actor, job_id))
    AUDIT.info("fhir export deleted actor=%s", actor.name)
    return Response(status_code=202)


@ROUTER.get("/$export-file/{job_id}/{name}", summary="A file of an export", responses=RESPONSES)
async def export_file(ctx: Ctx, actor: FhirReader, job_id: Named, name: Named) -> Response:
    """Return one file; to fetch it is audited."""
    job = _job(ctx, actor, job_id)
    if not job.done or name not in {file.name for file in job.files}:
        raise NotFoundError("file of that export")
    AUDIT.info("fhir export fetched actor=%s file=%s", actor.name, name)
    return FileResponse(job.folder / name, media_type=NDJSON)


def _begin(request: Request, ctx: Context, actor: Actor, sight: Sight) -> Response:
    accept(request)
    given = request.query_params
    if strict(request) and (unknown := set(given) - ASKED):
        allowed = ", ".join(sorted(ASKED))
        raise BadSearchError(f"parameters of $export: found {min(unknown)[:80]!r}; allowed: {allowed}")
    written = given.get("_outputFormat", NDJSON).replace(" ", "+")
    if written not in FORMATS:
        raise BadSearchError(f"_outputFormat: found {written[:80]!r}; allowed: {NDJSON}")
    kinds = tuple(part for value in given.getlist("_type") for part in value.split(",") if part) or tuple(
        KINDS
    )
    if unknown_kinds := sorted(set(kinds) - KINDS.keys()):
        raise BadSearchError(f"_type: found {unknown_kinds[0][:64]!r}; allowed: {', '.join(KINDS)}")
    try:
        asked = given.get("_since", "").replace(" ", "+")  # a + that was not written as %2B
        since = period_of("_since", [f"ge{asked}"]).since if asked else None
    except BadValue as error:
        raise BadSearchError(str(error)) from error
    wanted = Wanted(
        actor=actor.name,
        address=str(request.url),
        kinds=tuple(dict.fromkeys(kinds)),
        since=since,
    )
    job = fhir_means(ctx).exports.start(wanted, reading(ctx, actor, sight))
    AUDIT.info("fhir export actor=%s types=%s", actor.name, ",".join(wanted.kinds))
    return Response(
        status_code=202, headers={"Content-Location": f"{base_of(request)}/$export-status/{job.id}"}
    )


def _job(ctx: Context, actor: Actor, job_id: str) -> Job:
    found = fhir_means(ctx).exports.find(job_id, actor.name)
    if found is None:
        raise NotFoundError("export with that id")
    return found
