"""Hooks: proofs that come back from browsers and the telephone provider, by addresses that we signed.

Each is on disk before it is answered with success, so that a sender who hears nothing sends it again.
"""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse

from gateway.api.access import Ctx
from gateway.api.answers import AUDIT
from gateway.api.context import Context
from gateway.api.errors import NotFoundError
from gateway.contract import Phone
from gateway.model.delivery import Delivery, DeliveryState
from gateway.model.frame import Frame, Transport
from gateway.service.means import CALL_ANSWERED, CALL_ENDED, CALL_KEY, PUSH_SHOWN, SMS_REPORT

ROUTER = APIRouter(prefix="/hooks", include_in_schema=False)
MAX_FIELDS = 50
SETTLE_WITHIN_S = 3.0
"""How long a telephone may wait for the verdict on a key pressed."""
TAKE, DECLINE = "1", "2"


def _about(ctx: Context, purpose: str, token: str) -> str:
    """Return the delivery that a signed address is about; NotFoundError for one we did not sign."""
    found = ctx.means.signer.read(purpose, token)
    if found is None:
        raise NotFoundError("such address")
    return found


def _phone(ctx: Ctx) -> Phone:
    if ctx.means.phone is None:
        raise NotFoundError("telephone provider")
    return ctx.means.phone


async def _form(request: Request) -> dict[str, str]:
    form = await request.form(max_files=0, max_fields=MAX_FIELDS)
    return {key: value for key, value in form.items() if isinstance(value, str)}


Form = Annotated[dict[str, str], Depends(_form)]
Provider = Annotated[Phone, Depends(_phone)]


@ROUTER.post("/push/{token}", status_code=204)
async def push_shown(ctx: Ctx, token: str) -> Response:
    """Take the word of a service worker that the notification is on the screen."""
    await _prove(ctx, DeliveryState.DISPLAYED, _about(ctx, PUSH_SHOWN, token))
    return Response(status_code=204)


@ROUTER.post("/sms/{token}", status_code=204)
async def sms_report(ctx: Ctx, token: str, form: Form, phone: Provider) -> Response:
    """Take a report about a text."""
    delivery = _about(ctx, SMS_REPORT, token)
    if (report := phone.sms_report(form)) is not None:
        await _prove(ctx, report.reached, delivery, report.reason)
    return Response(status_code=204)


@ROUTER.post("/call/answered/{token}")
async def call_answered(ctx: Ctx, token: str, phone: Provider) -> JSONResponse:
    """Somebody, or a voice mail, picked up: say what it is about and ask for a key."""
    delivery = _about(ctx, CALL_ANSWERED, token)
    await _prove(ctx, DeliveryState.DELIVERED, delivery)
    return _spoken(phone.ask_key(_sound(ctx, "ask"), ctx.means.hook("call/key", CALL_KEY, delivery)))


@ROUTER.post("/call/key/{token}")
async def call_key(ctx: Ctx, token: str, form: Form, phone: Provider) -> JSONResponse:
    """Take the key: only a person presses one, so it proves that the call was heard."""
    delivery_id = _about(ctx, CALL_KEY, token)
    key = phone.key_pressed(form)
    if not key:
        return _spoken({})
    await _prove(ctx, DeliveryState.DISPLAYED, delivery_id)
    delivery = await asyncio.to_thread(ctx.store.delivery, delivery_id)
    if delivery is None:
        raise NotFoundError(f"delivery {delivery_id}")
    if key == TAKE:
        refusal = await _answer(ctx, delivery, "accept", {})
        return _spoken(phone.say(_sound(ctx, "over" if refusal else "taken")))
    if key == DECLINE:
        refusal = await _answer(ctx, delivery, "decline", {"note": "declined by telephone"})
        return _spoken(phone.say(_sound(ctx, "over" if refusal else "declined")))
    return _spoken(phone.ask_key(_sound(ctx, "ask"), ctx.means.hook("call/key", CALL_KEY, delivery_id)))


@ROUTER.post("/call/ended/{token}", status_code=204)
async def call_ended(ctx: Ctx, token: str, form: Form, phone: Provider) -> Response:
    """Take the end of a call; one that nobody answered has failed."""
    delivery = _about(ctx, CALL_ENDED, token)
    if (report := phone.call_ended(form)) is not None:
        await _prove(ctx, report.reached, delivery, report.reason)
    return Response(status_code=204)


async def _prove(ctx: Context, reached: DeliveryState, delivery: str, reason: str = "") -> None:
    """Journal a proof; StoreUnavailableError, and with it 503, when it is not on disk."""
    channel = f"delivery/{reached}/{delivery}"
    frame = Frame(Transport.RECEIPT, channel, reason.encode(), ctx.clock.now(), ingress="hooks")
    await ctx.intake.accept(frame)


async def _answer(ctx: Context, delivery: Delivery, action: str, more: Mapping[str, str]) -> str:
    """Journal what the recipient of a call said, and return why it was refused, "" if it was not."""
    frame = Frame(
        Transport.PERSON,
        f"alert/{delivery.alert}/{action}",
        msgspec.json.encode({"actor": delivery.recipient, **more}),
        ctx.clock.now(),
        ingress="telephone",
        source=delivery.recipient,
    )
    position = await ctx.intake.accept(frame)
    try:
        refusal = await ctx.board.settled(position, SETTLE_WITHIN_S)
    except TimeoutError:
        refusal = ""  # on disk, and judged soon: the caller has said all they can
    AUDIT.info(
        "answer actor=%s alert=%s action=%s by=telephone result=%s",
        delivery.recipient,
        delivery.alert,
        action,
        "refused" if refusal else "done",
    )
    return refusal


def _sound(ctx: Context, name: str) -> str:
    return f"{ctx.means.settings.public_url}/static/voice-{ctx.means.language}-{name}.wav"


def _spoken(action: Mapping[str, Any]) -> JSONResponse:
    return JSONResponse(dict(action))
