"""Signing in and out, and who one is."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from gateway.api.access import COOKIE, SECURE_COOKIE, AnyActor, Ctx, session_key
from gateway.api.answers import AUDIT
from gateway.api.errors import NotAllowedError, problems
from gateway.api.models import SessionView
from gateway.api.passwords import TooManyTriesError
from gateway.api.security import same_origin
from gateway.api.view import Drawing, viewer

ROUTER = APIRouter()


def inside(path: str) -> str:
    """Return a path of our own to go to next; anything else becomes the first page."""
    good = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if good else "/"


@ROUTER.get("/login", include_in_schema=False)
async def login_page(request: Request, next: str = "/") -> Response:  # noqa: A002 - the address says `next`
    """Show the door."""
    drawing: Drawing = request.app.state.drawing
    return drawing.page(request, "login.html", {"next": inside(next), "name": "", "problem": ""})


@ROUTER.post("/login", include_in_schema=False)
async def login(
    request: Request,
    ctx: Ctx,
    name: Annotated[str, Form(max_length=64)] = "",
    password: Annotated[str, Form(max_length=4096)] = "",
    next: Annotated[str, Form(max_length=512)] = "/",  # noqa: A002 - the form says `next`
) -> Response:
    """Open a session; a wrong name and a wrong password look the same and take the same time."""
    if not same_origin(request):
        raise NotAllowedError("this request does not come from our own sign-in page")
    drawing: Drawing = request.app.state.drawing
    words = viewer(request, ctx).words
    address = request.client.host if request.client else ""
    again = {"next": inside(next), "name": name}
    try:
        user = await ctx.passwords.check(name, password, address)
    except TooManyTriesError as error:
        AUDIT.warning("login refused: too many tries from %s", address)
        answer = drawing.page(
            request, "login.html", {**again, "problem": words("problem.too_many_tries")}, error.status_code
        )
        answer.headers.update(error.headers)
        return answer
    if user is None:
        AUDIT.warning("login failed from %s", address)
        return drawing.page(request, "login.html", {**again, "problem": words("login.wrong")}, 403)
    AUDIT.info("login actor=%s", user.name)
    answer_to = RedirectResponse(inside(next), 303)
    secure = ctx.secure(request)
    answer_to.set_cookie(
        SECURE_COOKIE if secure else COOKIE,
        ctx.sessions.open(user),
        max_age=int(ctx.settings.session_hours * 3600),
        httponly=True,
        samesite="strict",
        secure=secure,
    )
    return answer_to


@ROUTER.post("/logout", include_in_schema=False)
async def logout(request: Request, ctx: Ctx, actor: AnyActor) -> Response:
    """End the session, here and in every page that still listens."""
    key = session_key(request)
    if key:
        ctx.sessions.close(key)
    AUDIT.info("logout actor=%s", actor.name)
    answer = RedirectResponse("/login", 303)
    for name in (COOKIE, SECURE_COOKIE):
        answer.delete_cookie(name, secure=name == SECURE_COOKIE, httponly=True, samesite="strict")
    return answer


@ROUTER.get("/api/v1/session", tags=["session"], summary="Who I am", responses=problems(401))
async def session(actor: AnyActor) -> SessionView:
    """Return the actor, the rights, and the token that changes made with a cookie must send back."""
    return SessionView(actor=actor.name, scopes=sorted(actor.scopes), forgery_token=actor.forgery_token)
