"""Outside: the calls that must work when nothing else does, past the journal, the engine and the channels."""

import logging
from collections.abc import Mapping

import httpx

log = logging.getLogger(__name__)

WITHIN_S = 10.0


async def ping(url: str, why: str = "") -> str:
    """Ask a watcher's address to note that all is well; returns "" or why it could not be told."""
    return await _call("GET", url, None, why)


async def alarm(url: str, words: Mapping[str, object]) -> str:
    """Tell an address outside that something is wrong, in content-free words; returns "" or why not."""
    return await _call("POST", url, words, "")


async def _call(method: str, url: str, words: Mapping[str, object] | None, why: str) -> str:
    headers = {"User-Agent": f"vaka {why}".strip()}
    try:
        async with httpx.AsyncClient(timeout=WITHIN_S, follow_redirects=False) as client:
            answer = await client.request(method, url, json=words, headers=headers)
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        reason = f"{type(error).__name__}"
    else:
        reason = "" if answer.is_success else f"answered {answer.status_code}"
    if reason:
        log.warning("the outside watcher could not be reached: %s", reason)
    return reason
