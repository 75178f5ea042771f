"""Taps: how far each receiver outside has come, what it refused, and what a person does about that."""

import asyncio
from datetime import datetime
from typing import Annotated, Any, Self

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, Field

from gateway.api.access import Ctx, DeviceWriter, TraceReader
from gateway.api.answers import AUDIT
from gateway.api.context import Context
from gateway.api.errors import NotFoundError, RefusedError, UnavailableError, problems
from gateway.api.view import Drawing
from gateway.contract import Letter, TapFault
from gateway.service.tap_process import TapProcess, TapsDownError

ROUTER = APIRouter(tags=["taps"])
API = "/api/v1/taps"
_LETTER = f"{API}/{{name}}/letters/{{number}}"
_ERRORS = problems(401, 403, 404, 409, 503)
SHOWN = 100
"""Dead letters that are shown at once, the oldest."""
Named = Annotated[str, Path(max_length=32)]
Numbered = Annotated[int, Path(ge=1, le=2**53)]


class TapView(BaseModel):
    """How one tap stands."""

    name: str
    cursor: int = Field(description="The journal position up to which its receiver has everything.")
    behind_frames: int
    events: int = Field(description="Events carried out since the gateway started.")
    entries: int = Field(description="Lines of alerts' histories carried out since the gateway started.")
    fault: str = Field(description="Why it waits; empty while it works.")
    disturbed_since: datetime | None
    late: bool = Field(description="True when it has waited for so long that somebody must look.")
    dead_letters: int


class LetterView(BaseModel):
    """What a receiver refused for good. The bytes are read one by one, for they tell of a home."""

    id: int
    item: str
    reason: str
    at: datetime
    body_bytes: int

    @classmethod
    def of(cls, letter: Letter) -> Self:
        """Return the view of a dead letter."""
        at = datetime.fromtimestamp(letter.at_us / 1e6).astimezone()
        return cls(id=letter.id, item=letter.item, reason=letter.reason, at=at, body_bytes=len(letter.body))


def _taps(ctx: Context) -> list[TapView]:
    return [TapView(name=name, **told) for name, told in ctx.taps.report().items()] if ctx.taps else []


def _having(ctx: Context, name: str) -> TapProcess:
    if ctx.taps is None or name not in ctx.taps.names:
        raise NotFoundError(f"tap {name}")
    return ctx.taps


async def _letters(ctx: Context, name: str) -> list[Letter]:
    return list(await asyncio.to_thread(_having(ctx, name).letters, name, SHOWN))


async def _letter(ctx: Context, name: str, number: int) -> Letter:
    found = await asyncio.to_thread(_having(ctx, name).letter, name, number)
    if found is None:
        raise NotFoundError(f"dead letter {number} of tap {name}")
    return found


async def _again(ctx: Context, name: str, number: int, actor: str) -> None:
    letter = await _letter(ctx, name, number)
    AUDIT.info("letter sent again actor=%s tap=%s letter=%d", actor, name, number)
    try:
        refused = await _having(ctx, name).again(letter)
    except TapsDownError as error:
        raise UnavailableError(str(error)) from error
    except TapFault as error:
        raise RefusedError(f"the receiver cannot be reached: {error}") from error
    if refused:
        raise RefusedError(f"the receiver still refuses it: {refused}")


async def _give_up(ctx: Context, name: str, number: int, actor: str) -> None:
    letter = await _letter(ctx, name, number)
    AUDIT.info("letter given up actor=%s tap=%s item=%s", actor, name, letter.item)
    try:
        await _having(ctx, name).give_up(letter)
    except TapsDownError as error:
        raise UnavailableError(str(error)) from error
    except TapFault as error:
        raise RefusedError(f"it could not be given up: {error}") from error


@ROUTER.get(API, summary="How the taps stand", responses=_ERRORS)
async def list_taps(ctx: Ctx, _: TraceReader) -> list[TapView]:
    """List every receiver outside with how far it is behind, and why it waits."""
    return _taps(ctx)


@ROUTER.get(f"{API}/{{name}}/letters", summary="Dead letters", responses=_ERRORS)
async def list_letters(ctx: Ctx, _: TraceReader, name: Named) -> list[LetterView]:
    """List what a receiver refused for good, the oldest first."""
    return [LetterView.of(letter) for letter in await _letters(ctx, name)]


@ROUTER.get(_LETTER, summary="A dead letter's bytes", responses=_ERRORS)
async def read_letter(ctx: Ctx, actor: TraceReader, name: Named, number: Numbered) -> Response:
    """Return the refused bytes as they were sent. Reading them is audited."""
    letter = await _letter(ctx, name, number)
    AUDIT.info("letter read actor=%s tap=%s letter=%d", actor.name, name, number)
    return Response(letter.body, media_type="application/octet-stream")


@ROUTER.post(f"{_LETTER}/again", summary="Send again", status_code=204, responses=_ERRORS)
async def send_again(ctx: Ctx, actor: DeviceWriter, name: Named, number: Numbered) -> None:
    """Send a dead letter once more, when its cause is mended."""
    await _again(ctx, name, number, actor.name)


@ROUTER.delete(_LETTER, summary="Give up", status_code=204, responses=_ERRORS)
async def give_up(ctx: Ctx, actor: DeviceWriter, name: Named, number: Numbered) -> None:
    """Give a dead letter up: it is removed, and the audit says by whom."""
    await _give_up(ctx, name, number, actor.name)


@ROUTER.get("/taps", include_in_schema=False)
async def taps_page(
    request: Request, ctx: Ctx, _: TraceReader, tap: Annotated[str, Query(max_length=32)] = ""
) -> HTMLResponse:
    """Show how the taps stand, and the dead letters of one."""
    drawing: Drawing = request.app.state.drawing
    found = _taps(ctx)
    chosen = tap or next((one.name for one in found if one.dead_letters), "")
    letters = [LetterView.of(letter) for letter in await _letters(ctx, chosen)] if chosen else []
    values: dict[str, Any] = {"taps": found, "chosen": chosen, "letters": letters}
    return drawing.page(request, "taps.html", values)


@ROUTER.post("/taps/{name}/letters/{number}/again", include_in_schema=False)
async def again_form(ctx: Ctx, actor: DeviceWriter, name: Named, number: Numbered) -> RedirectResponse:
    """Send a dead letter once more."""
    await _again(ctx, name, number, actor.name)
    return RedirectResponse(f"/taps?tap={name}", 303)


@ROUTER.post("/taps/{name}/letters/{number}/give-up", include_in_schema=False)
async def give_up_form(ctx: Ctx, actor: DeviceWriter, name: Named, number: Numbered) -> RedirectResponse:
    """Give a dead letter up."""
    await _give_up(ctx, name, number, actor.name)
    return RedirectResponse(f"/taps?tap={name}", 303)
