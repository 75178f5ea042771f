"""The app: every route, every guard, joined."""

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware

from gateway.api import (
    alerts,
    check_page,
    checks,
    commands,
    device_page,
    devices,
    engineer,
    enrolment,
    fleet,
    health,
    hooks,
    incidents,
    interface,
    live,
    login,
    pages,
    people,
    planning,
    reached,
    taps,
    trace,
)
from gateway.api import metrics as metrics_route
from gateway.api.context import Context, OwnWord, context
from gateway.api.errors import ApiError, NotSignedInError, Problem, RefusedError, UnavailableError
from gateway.api.fhir import bulk as fhir_bulk
from gateway.api.fhir import routes as fhir_routes
from gateway.api.fhir import subscriptions as fhir_subscriptions
from gateway.api.fhir.errors import is_fhir, said
from gateway.api.security import HeadersMiddleware, hosts
from gateway.api.view import STATIC_FOLDER, Drawing, viewer
from gateway.config import Settings
from gateway.contract import Journal, Store, StoreUnavailableError
from gateway.service.means import Means

MAX_BODY_BYTES = 128 * 1024
"""Largest body of any request; the webhook's own limit is lower."""

REPORTS = "conformance"
"""Below the data folder: reports of the conformance kit that the public catalogue shows."""

_TAGS = [
    {"name": "alerts", "description": "What people must know about, and their answers."},
    {"name": "live", "description": "The same as it changes."},
    {"name": "people", "description": "Who works when, plans and breaks, and who would be called."},
    {"name": "devices", "description": "Registered and discovered devices, and their events."},
    {"name": "reach", "description": "What a person's browser tells of itself."},
    {"name": "trace", "description": "Where a message stopped, and why."},
    {"name": "fhir", "description": "HL7 FHIR R4: read, search and bulk export; see /fhir/metadata."},
    {"name": "session", "description": "Who one is."},
    {"name": "health", "description": "Whether the gateway is well."},
    {"name": "webhook", "description": "A way in for messages over HTTP."},
]
_DESCRIPTION = """The watch: from a device's bytes to a carer who answers.

Sign in with a session cookie or send `Authorization: Bearer <API token>`. A change made with a cookie must
also send the session's token in `X-Vaka-Token` and come from the gateway's own pages. Every error is a
`Problem` with a stable `code`."""


ROUTED = (
    alerts,
    live,
    commands,
    fleet,
    taps,
    enrolment,
    devices,
    checks,
    check_page,
    device_page,
    trace,
    login,
    health,
    incidents,
    interface,
    metrics_route,
    pages,
    people,
    planning,
    engineer,
    reached,
    hooks,
    fhir_subscriptions,
    fhir_bulk,  # its addresses begin with $, and no type of resource does
    fhir_routes,
)
"""Modules with routes, in the order in which addresses are looked for."""


def create_app(
    settings: Settings, means: Means, store: Store, journal: Journal, own_word: OwnWord
) -> FastAPI:
    """Make the app. Close the board before the server is stopped: live links hold it open otherwise."""
    app = FastAPI(
        title="Vaka",
        version="1",
        description=_DESCRIPTION,
        openapi_tags=_TAGS,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        max_body_size=MAX_BODY_BYTES,
    )
    ctx = Context(settings=settings.api, means=means, store=store, journal=journal, own_word=own_word)
    app.state.vaka = ctx
    app.state.reports = settings.data_dir / REPORTS
    app.state.drawing = Drawing(ctx)
    for module in ROUTED:
        app.include_router(module.ROUTER)
    app.add_api_route("/sw.js", _service_worker, include_in_schema=False)
    app.mount("/static", StaticFiles(directory=STATIC_FOLDER), name="static")
    _say_errors(app)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=hosts(settings.api), www_redirect=False)
    app.add_middleware(HeadersMiddleware, tls=settings.api.tls is not None)
    return app


async def _service_worker() -> FileResponse:
    """Serve the worker from the root: it may act for pages at or below its own address only."""
    return FileResponse(STATIC_FOLDER / "sw.js", media_type="text/javascript")


def _say_errors(app: FastAPI) -> None:
    async def problem(request: Request, error: Exception) -> Response:
        return _answer(request, error if isinstance(error, ApiError) else UnavailableError(str(error)))

    async def plain(request: Request, error: Exception) -> Response:
        known = error if isinstance(error, HTTPException) else HTTPException(422, "not understood")
        code = "not_found" if known.status_code == 404 else "invalid"
        headers = dict(known.headers or {})
        return _answer(request, ApiError(known.status_code, code, str(known.detail), headers))

    async def invalid(request: Request, error: Exception) -> Response:
        found = error.errors() if isinstance(error, RequestValidationError) else []
        said = [f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in found]
        return _answer(request, ApiError(422, "invalid", "; ".join(said)))

    async def failed(request: Request, _: Exception) -> Response:
        """Answer a fault of ours, which is raised again after it and so is in the log."""
        if is_fhir(request.url.path):
            return said(ApiError(500, "fault", "a fault of the gateway; its log says which"))
        return PlainTextResponse("Internal Server Error", 500)

    app.add_exception_handler(Exception, failed)
    app.add_exception_handler(ApiError, problem)
    app.add_exception_handler(StoreUnavailableError, problem)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, plain)


def _answer(request: Request, error: ApiError) -> Response:
    """Say an error to a program as a Problem, to a page's script as a sentence, to a person as a page."""
    if is_fhir(request.url.path):
        return said(error)
    if not _is_page(request):
        return JSONResponse(error.problem.model_dump(), error.status_code, error.headers)
    scripted = "hx-request" in request.headers
    if isinstance(error, NotSignedInError):
        if scripted:
            return PlainTextResponse("", 401, {"HX-Redirect": "/login"})
        return RedirectResponse(f"/login?next={request.url.path}", 303)
    words = viewer(request, context(request)).words
    known = isinstance(error, RefusedError)  # its sentence is already in the reader's language
    message = error.problem.detail if known else words(f"problem.{error.problem.code}")
    if scripted:
        return PlainTextResponse(message, error.status_code, error.headers)
    drawing: Drawing = request.app.state.drawing
    values = {"message": message, "back": "/"}
    return drawing.page(request, "problem.html", values, error.status_code)


def _is_page(request: Request) -> bool:
    path = request.url.path
    return not path.startswith(("/api/", "/in/", "/static/", "/hooks/")) and path not in {"/live", "/metrics"}


__all__ = ["Problem", "create_app"]
