"""A person's answer on its way in: journalled like any frame, then judged by the one engine."""

import asyncio
import logging

import msgspec

from gateway.api.access import may_see
from gateway.api.auth import Actor
from gateway.api.context import Context
from gateway.api.errors import NotFoundError, RefusedError, UnavailableError, UnsettledError
from gateway.contract import StoreUnavailableError
from gateway.model.alert import Alert, Outcome, Severity
from gateway.model.frame import Frame, Transport

SETTLE_WITHIN_S = 5.0
"""How long a person waits for the engine's verdict on an answer that is already on disk."""

AUDIT = logging.getLogger("gateway.api.audit")


class Answer(msgspec.Struct, frozen=True):
    """What somebody did with an alert: accept, on_site, release, or close with an outcome, and the like.

    `seen` and `seen_severity` are the alert's count and severity that a closing person saw. `eta_s` is
    how soon who accepts is there, `to` a team, `for_s` how long it is shelved, `by` what speaks for it.
    """

    action: str
    outcome: Outcome | None = None
    note: str = ""
    seen: int | None = None
    seen_severity: Severity | None = None
    eta_s: float | None = None
    to: str = ""
    for_s: float | None = None
    by: str = ""


async def find_alert(ctx: Context, actor: Actor, alert_id: str) -> Alert:
    """Return an alert, open or closed; raises NotFoundError also when the actor may not see it."""
    alert = ctx.board.alert(alert_id) or await stored_alert(ctx, alert_id)
    if alert is None or not may_see(actor, alert, ctx.board.registry):
        raise NotFoundError(f"alert {alert_id}")
    return alert


async def stored_alert(ctx: Context, alert_id: str) -> Alert | None:
    """Return an alert from the store; raises UnavailableError."""
    try:
        return await asyncio.to_thread(ctx.store.alert, alert_id)
    except StoreUnavailableError as error:
        raise UnavailableError(str(error)) from error


async def give_answer(ctx: Context, actor: Actor, alert_id: str, given: Answer) -> Alert:
    """Journal the answer, wait for the verdict, and return the alert as it stands after it.

    Raises NotFoundError, RefusedError, UnavailableError (nothing was taken) or UnsettledError.
    """
    alert = await find_alert(ctx, actor, alert_id)
    try:
        position = await ctx.intake.accept(_frame(ctx, actor, alert.id, given))
    except StoreUnavailableError as error:
        raise UnavailableError(str(error)) from error
    try:
        refusal = await ctx.board.settled(position, SETTLE_WITHIN_S)
    except TimeoutError as error:
        AUDIT.info("answer actor=%s alert=%s action=%s result=waiting", actor.name, alert.id, given.action)
        raise UnsettledError(position) from error
    result = "refused" if refusal else "done"
    AUDIT.info("answer actor=%s alert=%s action=%s result=%s", actor.name, alert.id, given.action, result)
    if refusal:
        raise RefusedError(refusal)
    return await find_alert(ctx, actor, alert_id)


def _frame(ctx: Context, actor: Actor, alert_id: str, given: Answer) -> Frame:
    told = {name: value for name, value in msgspec.structs.asdict(given).items() if value not in (None, "")}
    said = {"actor": actor.name, **told}
    del said["action"]
    return Frame(
        Transport.PERSON,
        f"alert/{alert_id}/{given.action}",
        msgspec.json.encode(said),
        ctx.clock.now(),
        ingress="api",
        source=actor.name,
    )
