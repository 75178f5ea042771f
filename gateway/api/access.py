"""Who may do what: the dependencies that every operation declares."""

from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer

from gateway.api.auth import Actor, find_token
from gateway.api.context import Context, context
from gateway.api.errors import NotAllowedError, NotSignedInError
from gateway.api.security import refuse_forged
from gateway.model.alert import Alert
from gateway.model.registry import WHOLE_TENANT, Registry
from gateway.model.synthetic import SYNTHETIC
from gateway.pipeline.policy import policy_of

COOKIE = "vaka"
SECURE_COOKIE = "__Host-vaka"
"""The session's cookie, and its name over TLS, where the browser itself holds it to this host."""

_BEARER = HTTPBearer(auto_error=False, description="An API token from `vaka token`.")
_COOKIE = APIKeyCookie(name=COOKIE, auto_error=False, description="The session of a signed-in user.")

Ctx = Annotated[Context, Depends(context)]


def session_key(request: Request) -> str | None:
    """Return the key of the browser's session."""
    return request.cookies.get(SECURE_COOKIE) or request.cookies.get(COOKIE)


def identify(request: Request, ctx: Context) -> Actor | None:
    """Return who asks. A token that is sent must be good: a bad one never falls back to a session."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme:
        return find_token(token.strip(), ctx.settings.token) if scheme.lower() == "bearer" else None
    if ctx.local is not None:
        return ctx.local
    key = session_key(request)
    return ctx.sessions.find(key) if key else None


class Need:
    """Lets a request pass when its sender has this right and could not have been tricked into it.

    With `reads` a POST only reads, and nothing could be gained by a trick.
    """

    def __init__(self, scope: str, *, reads: bool = False) -> None:
        self.scope = scope
        self.reads = reads

    async def __call__(
        self,
        request: Request,
        ctx: Ctx,
        _bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)] = None,
        _cookie: Annotated[str | None, Security(_COOKIE)] = None,
    ) -> Actor:
        """Return the actor; raises NotSignedInError or NotAllowedError."""
        actor = identify(request, ctx)
        if actor is None:
            raise NotSignedInError
        if self.scope and not actor.may(self.scope):
            raise NotAllowedError(f"{actor.name} has no right {self.scope}")
        if not self.reads:
            await refuse_forged(request, actor)
        return actor


AnyActor = Annotated[Actor, Depends(Need(""))]
AlertReader = Annotated[Actor, Depends(Need("alerts:read"))]
AlertWriter = Annotated[Actor, Depends(Need("alerts:write"))]
DeviceReader = Annotated[Actor, Depends(Need("devices:read"))]
DeviceWriter = Annotated[Actor, Depends(Need("devices:write"))]
DeviceCommander = Annotated[Actor, Depends(Need("devices:command"))]
MetricsReader = Annotated[Actor, Depends(Need("metrics:read"))]
PeopleReader = Annotated[Actor, Depends(Need("people:read"))]
PeopleWriter = Annotated[Actor, Depends(Need("people:write"))]
FhirReader = Annotated[Actor, Depends(Need("fhir:read"))]
FhirSubscriber = Annotated[Actor, Depends(Need("fhir:subscribe"))]
FhirSearcher = Annotated[Actor, Depends(Need("fhir:read", reads=True))]
TraceReader = Annotated[Actor, Depends(Need("trace:read"))]


def may_see(actor: Actor, alert: Alert, registry: Registry) -> bool:
    """Tell whether an alert has come to the actor or one of their teams: on its step or before.

    An alert without a policy, whose ladder the registry no longer has either, is shown to every team of
    its own tenant.
    """
    if alert.tenant == SYNTHETIC:
        return False
    if not actor.teams or alert.assignee == actor.name or actor.name in alert.asked:
        return True
    if alert.policy is None and alert.ladder not in registry.ladders:
        return bool(actor.teams & registry.teams_meant(WHOLE_TENANT + alert.tenant))
    reached = policy_of(registry, alert).steps[: alert.step + 1]
    asked = {name for step in reached for name in (*step.to, *step.at_night)}.union(alert.asked)
    return bool(actor.teams & asked)
