"""What channels over HTTP have in common: a client of their own, and reasons without anything personal."""

import re

import httpx

from gateway.contract import ChannelFault
from gateway.service.issuers import issuers

TIMEOUT_S = 10.0
CONNECTIONS = 20
MAX_SAID = 80
_NUMBERS = re.compile(r"\+?\d[\d\s-]{4,}\d|\S+@\S+")
OVERLOADED = 429
REFUSED_US = frozenset({401, 402, 403, 407, 408, OVERLOADED})
"""Answers that concern the account or the load, and not the recipient."""


class HttpCaller:
    """A client made when it is first needed; each channel has its own, so that none waits for another's."""

    def __init__(self) -> None:
        self._client: httpx.AsyncClient | None = None

    async def post(self, url: str, **request: object) -> httpx.Response:
        """Send a request; ChannelFault when there is no answer, or one that blames the service or us."""
        trusted = await issuers()
        if self._client is None:
            limits = httpx.Limits(max_connections=CONNECTIONS)
            self._client = httpx.AsyncClient(
                timeout=TIMEOUT_S, limits=limits, follow_redirects=False, verify=trusted
            )
        try:
            answer = await self._client.post(url, **request)  # type: ignore[arg-type]
        except httpx.TimeoutException as error:
            raise ChannelFault(f"no answer within {TIMEOUT_S:.0f} s") from error
        except httpx.HTTPError as error:
            raise ChannelFault(f"no connection ({type(error).__name__})") from error
        if answer.status_code in REFUSED_US or not 200 <= answer.status_code < 500:
            raise ChannelFault(said(answer))
        return answer

    async def close(self) -> None:
        """Release connections."""
        if self._client is not None:
            await self._client.aclose()


def said(answer: httpx.Response) -> str:
    """Return an answer's status and the beginning of its text, numbers and addresses left out."""
    text = (
        answer.text
        if answer.headers.get("content-type", "").startswith(("text/", "application/json"))
        else ""
    )
    return f"HTTP {answer.status_code} {without_addresses(text)}".strip()


def without_addresses(text: str) -> str:
    """Return the beginning of a provider's text on one line, without telephone numbers and addresses."""
    return " ".join(_NUMBERS.sub("…", text).split())[:MAX_SAID]
