"""Calls: HTTP to a receiver outside, and whom an answer blames: the item, or the receiver and us."""

from collections.abc import Mapping

import httpx
from pydantic import SecretStr

from gateway.contract import TapFault
from gateway.service.issuers import issuers

TIMEOUT_S = 20.0
CONNECTIONS = 4
NOT_THE_ITEM = frozenset({401, 402, 403, 404, 405, 407, 408, 421, 425, 426, 429})
"""Answers that concern the account, the address or the load: what is sent waits until that is mended."""
MAX_SAID = 160


class Caller:
    """A client of one receiver, made when it is first needed; no redirects, no proxy of the environment."""

    def __init__(self, url: str, token: SecretStr | None, accept: str = "application/json") -> None:
        self.url = url.rstrip("/")
        self._headers = {"accept": accept}
        if token is not None:
            self._headers["authorization"] = f"Bearer {token.get_secret_value()}"
        self._client: httpx.AsyncClient | None = None

    async def send(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Send a request; TapFault when there is no answer, or one that does not blame what was sent."""
        trusted = await issuers()
        if self._client is None:
            limits = httpx.Limits(max_connections=CONNECTIONS)
            self._client = httpx.AsyncClient(
                timeout=TIMEOUT_S,
                limits=limits,
                headers=self._headers,
                trust_env=False,
                verify=trusted,
            )
        try:
            answer = await self._client.request(
                method, f"{self.url}{path}", content=body, headers=headers, params=params
            )
        except httpx.TimeoutException as error:
            raise TapFault(f"no answer within {TIMEOUT_S:.0f} s") from error
        except httpx.HTTPError as error:
            raise TapFault(f"no connection ({type(error).__name__})") from error
        status = answer.status_code
        if status in NOT_THE_ITEM or not (200 <= status < 300 or 400 <= status < 500):
            raise TapFault(f"HTTP {status}")
        return answer

    async def close(self) -> None:
        """Release connections."""
        if self._client is not None:
            await self._client.aclose()


def said(answer: httpx.Response) -> str:
    """Return a refusal's status and the beginning of its text, for the dead letter."""
    return f"HTTP {answer.status_code} {' '.join(answer.text.split())[:MAX_SAID]}".strip()
