"""Issuers: what HTTPS to the outside is checked against, read once and never on the alerts' loop."""

import asyncio
import ssl
from functools import cache

import httpx


@cache
def _read() -> ssl.SSLContext:
    return httpx.create_ssl_context()


async def issuers() -> ssl.SSLContext:
    """Return the context for all clients; reading the list takes tens of milliseconds the first time."""
    return await asyncio.to_thread(_read)
