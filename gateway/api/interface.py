"""The published documents of the open device interface, for everybody: no login, nothing about anybody."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from gateway.api.access import Ctx
from gateway.api.errors import NotFoundError
from gateway.interface.documents import adapter_documents, published
from gateway.interface.page import STYLE_HASH
from gateway.interface.reports import handed_in

ROUTER = APIRouter(prefix="/interface", include_in_schema=False)
POLICY = f"default-src 'none'; style-src '{STYLE_HASH}'; base-uri 'none'; frame-ancestors 'none'"
"""The pages carry their own style, so that one file is enough: its digest is allowed, and nothing else."""

_TYPES = {
    "html": "text/html; charset=utf-8",
    "json": "application/json",
    "md": "text/markdown; charset=utf-8",
}


@ROUTER.get("")
async def front() -> RedirectResponse:
    """Lead to the folder, so that its relative links work."""
    return RedirectResponse("/interface/", 307)


@ROUTER.get("/adapters")
async def adapters(ctx: Ctx, request: Request) -> Response:
    """Show the adapters that this gateway has loaded, and the products whose reports lie beside its data."""
    there = list((ctx.walk.table.adapters if ctx.walk else {}).values())
    reports: Path = request.app.state.reports

    def made() -> Mapping[str, str]:
        return adapter_documents(there, handed_in(reports))

    return _answer("catalogue.html", await asyncio.to_thread(made))


@ROUTER.get("/{path:path}")
async def document(path: str, request: Request) -> Response:
    """Give one document; a folder is its index."""
    found = await asyncio.to_thread(published)
    if path in {"", *_folders(found)} and not request.url.path.endswith("/"):
        return RedirectResponse(f"{request.url.path}/", 307)
    return _answer(f"{path}index.html" if path == "" or path.endswith("/") else path, found)


def _folders(found: Mapping[str, str]) -> set[str]:
    return {path.removesuffix("/index.html") for path in found if path.endswith("/index.html")}


def _answer(path: str, found: Mapping[str, str]) -> Response:
    text = found.get(path)
    if text is None:
        raise NotFoundError(f"interface document {path[:80]!r}")
    headers = {"Content-Security-Policy": POLICY} if path.endswith(".html") else {}
    return Response(text, media_type=_TYPES[path.rpartition(".")[2]], headers=headers)
