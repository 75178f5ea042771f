"""The HTTP way in: a POST becomes a Frame, and the answer 202 means that it is on disk."""

import logging
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Path, Request, status
from fastapi.responses import JSONResponse
from starlette.requests import ClientDisconnect

from gateway.contract import Clock, Intake, StoreUnavailableError
from gateway.model.frame import MAX_PAYLOAD_BYTES, Frame, Transport

log = logging.getLogger(__name__)

Authorise = Callable[..., str | Awaitable[str]]
"""A FastAPI dependency: returns the sender's name, or raises HTTPException 401 or 403."""

MAX_CHANNEL_CHARS = 512
"""Longest path after `/in/`; a longer one is answered with 422."""

RETRY_AFTER_S = 5
"""What a sender is told to wait while the disk refuses."""

RESPONSES: dict[int | str, dict[str, Any]] = {
    202: {"content": {"application/json": {"example": {"trace": 4711}}}},
    401: {"description": "No sender is known by these credentials."},
    403: {"description": "The sender may not send frames."},
    413: {"description": f"The body is above {MAX_PAYLOAD_BYTES} bytes; nothing was kept."},
    503: {"description": "Not on disk; send the same message again after `Retry-After` seconds."},
}

BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": f"The message as the device made it, at most {MAX_PAYLOAD_BYTES} bytes.",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


def webhook_router(intake: Intake, clock: Clock, authorise: Authorise) -> APIRouter:
    """Make the routes of the webhook; `authorise` runs before the body is read."""
    router = APIRouter(tags=["webhook"])

    @router.post(
        "/in/{channel:path}",
        status_code=status.HTTP_202_ACCEPTED,
        summary="Hand in one message",
        response_description="The message is on disk; `trace` finds it again.",
        responses=RESPONSES,
        openapi_extra=BODY,
    )
    async def receive(
        request: Request,
        channel: Annotated[str, Path(min_length=1, max_length=MAX_CHANNEL_CHARS)],
        sender: Annotated[str, Depends(authorise)],
    ) -> JSONResponse:
        """Journal the raw body. A message sent again is journalled again; its event id makes it one event."""
        payload = await _body(request)
        frame = Frame(Transport.HTTP, f"/in/{channel}", payload, clock.now(), "webhook", sender)
        return JSONResponse({"trace": await _accepted(intake, frame)}, status.HTTP_202_ACCEPTED)

    return router


async def _accepted(intake: Intake, frame: Frame) -> int:
    try:
        return await intake.accept(frame)
    except StoreUnavailableError as error:
        log.warning("webhook %s: not on disk, the sender is told to try again: %s", frame.channel, error)
        headers = {"Retry-After": str(RETRY_AFTER_S)}
        raise HTTPException(503, "not on disk: send the same message again", headers) from error


async def _body(request: Request) -> bytes:
    """Read at most the limit: a longer body is refused while it still arrives."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > MAX_PAYLOAD_BYTES:
        raise _too_large()
    body = bytearray()
    try:
        async for chunk in request.stream():
            if len(body) + len(chunk) > MAX_PAYLOAD_BYTES:
                raise _too_large()
            body += chunk
    except ClientDisconnect as error:
        raise HTTPException(400, "the connection ended inside the body") from error
    return bytes(body)


def _too_large() -> HTTPException:
    # The unread rest of the body cannot be told from a next request, so the connection ends here.
    return HTTPException(
        413, f"allowed: at most {MAX_PAYLOAD_BYTES} bytes; nothing was kept", {"Connection": "close"}
    )
