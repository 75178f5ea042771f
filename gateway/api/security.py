"""Every answer's headers, the hosts we answer to, and the defence against forged requests."""

import hmac
from collections.abc import Callable
from urllib.parse import urlsplit

from fastapi import Request
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.api.auth import Actor, find_token
from gateway.api.errors import NotAllowedError, NotSignedInError
from gateway.config import ApiSettings, Settings

TOKEN_HEADER = "X-Vaka-Token"  # noqa: S105 - the header's name
TOKEN_FIELD = "forgery_token"  # noqa: S105 - the form field's name
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
STATIC = "/static/"

_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self'",
    "connect-src": "'self'",
    "worker-src": "'self'",
    "manifest-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}
CONTENT_SECURITY_POLICY = "; ".join(f"{directive} {source}" for directive, source in _POLICY.items())

HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Nothing leaves for other sites; "no-referrer" would also take the Origin from our own forms, which
    # the defence against forged requests reads.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


class HeadersMiddleware:
    """Adds the security headers to every answer; only versioned static files may be kept."""

    def __init__(self, app: ASGIApp, *, tls: bool) -> None:
        self._app = app
        self._tls = tls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        versioned = scope["path"].startswith(STATIC) and scope["query_string"].startswith(b"v=")

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                keep = versioned and message["status"] < 400
                headers["Cache-Control"] = "public, max-age=31536000, immutable" if keep else "no-store"
                if self._tls:
                    headers["Strict-Transport-Security"] = "max-age=31536000"
            await send(message)

        await self._app(scope, receive, with_headers)


def hosts(settings: ApiSettings) -> list[str]:
    """Return the names we answer to: a page elsewhere that rebinds its own name to us is refused."""
    bound = f"[{settings.host}]" if ":" in settings.host else settings.host
    wildcards = {"0.0.0.0", "[::]"}  # noqa: S104 - named in order to be left out
    return [*settings.allowed_hosts, *({bound} - wildcards)]


def same_origin(request: Request) -> bool:
    """Tell whether the browser says that one of our own pages sent this."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = urlsplit(request.headers.get("origin", "")).netloc
    return bool(origin) and origin.lower() == request.headers.get("host", "").lower()


async def refuse_forged(request: Request, actor: Actor) -> None:
    """Refuse a change that another web site could have made the browser send.

    Asked for are the token that only our pages know, and the browser's own word on where it comes from.
    """
    if request.method in SAFE_METHODS or not actor.forgery_token:
        return
    given = request.headers.get(TOKEN_HEADER)
    if given is None and request.headers.get("content-type", "").startswith(
        "application/x-www-form-urlencoded"
    ):
        field = (await request.form()).get(TOKEN_FIELD)
        given = field if isinstance(field, str) else None
    if not same_origin(request):
        raise NotAllowedError("this request does not come from one of our own pages")
    if given is None or not hmac.compare_digest(given.encode(), actor.forgery_token.encode()):
        raise NotAllowedError(f"send the page's token in {TOKEN_HEADER}; load the page again")


def webhook_authoriser(settings: Settings) -> Callable[[Request], str]:
    """Return the webhook's dependency: the token's name, which needs the right frames:write.

    On a loopback without users and tokens any program may hand in messages, as a sender unknown (""),
    but no web site that a browser has open.
    """
    api = settings.api

    def authorise(request: Request) -> str:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if not scheme and not (api.user or api.token):
            from_browser = {"origin", "sec-fetch-site"} & set(request.headers.keys())
            if from_browser and not same_origin(request):
                raise NotAllowedError("another web site made this request")
            return ""
        actor = find_token(token.strip(), api.token) if scheme.lower() == "bearer" else None
        if actor is None:
            raise NotSignedInError
        if not actor.may("frames:write"):
            raise NotAllowedError(f"{actor.name} has no right frames:write")
        return actor.name

    return authorise
