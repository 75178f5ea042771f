"""What a person gives the engine that is no answer to an alert: journalled, and waited for until it holds."""

import msgspec

from gateway.api.answers import AUDIT, SETTLE_WITHIN_S
from gateway.api.auth import Actor
from gateway.api.context import Context
from gateway.api.errors import RefusedError, UnavailableError, UnsettledError
from gateway.contract import StoreUnavailableError
from gateway.model.frame import Frame, Transport


async def give(ctx: Context, actor: Actor, channel: str, what: object) -> int:
    """Return the journal position once it holds; RefusedError, UnavailableError or UnsettledError."""
    body = msgspec.json.encode(what)
    frame = Frame(Transport.PERSON, channel, body, ctx.clock.now(), ingress="api", source=actor.name)
    try:
        position = await ctx.intake.accept(frame)
    except StoreUnavailableError as error:
        raise UnavailableError(str(error)) from error
    try:
        refusal = await ctx.board.settled(position, SETTLE_WITHIN_S)
    except TimeoutError as error:
        AUDIT.info("given actor=%s channel=%s result=waiting", actor.name, channel)
        raise UnsettledError(position) from error
    result = "refused" if refusal else "done"
    AUDIT.info("given actor=%s channel=%s frame=%d result=%s", actor.name, channel, position, result)
    if refusal:
        raise RefusedError(refusal)
    return position
