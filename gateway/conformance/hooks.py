"""The device's own test hook, by HTTP or by MQTT through the probe (docs/conformance.md, "Upper tester")."""

import asyncio
from collections.abc import Mapping
from itertools import count
from typing import Any

import httpx
import msgspec

from gateway.conformance.declaration import Declaration
from gateway.conformance.ports import CannotDriveError, UpperTester
from gateway.conformance.probe import Probe

ANSWER_WITHIN_S = 15.0
"""So long a hook may take to say that it will do it; `after_s` counts from there."""
REASON_CHARS = 200


class HttpHook:
    """POST {url}/{action} with a JSON object; any 2xx is "done", the body of any other says why not."""

    def __init__(self, url: str, actions: frozenset[str]) -> None:
        self._url, self._actions = url.rstrip("/"), actions

    @property
    def actions(self) -> frozenset[str]:
        """What it offers."""
        return self._actions

    async def do(self, action: str, values: Mapping[str, Any]) -> None:
        """Ask for it; raises CannotDriveError."""
        try:
            async with httpx.AsyncClient(timeout=ANSWER_WITHIN_S) as client:
                answer = await client.post(f"{self._url}/{action}", json=dict(values))
        except httpx.HTTPError as error:
            raise CannotDriveError(f"the upper tester cannot be reached: {error!r}") from error
        if not answer.is_success:
            why = f"{answer.status_code} {answer.text[:REASON_CHARS]}".strip()
            raise CannotDriveError(f"the upper tester refused {action}: {why}")


class MqttHook:
    """A request on vaka/1/{tenant}/{device}/test, its answer on .../tested; neither leaves the probe."""

    def __init__(self, declaration: Declaration, probe: Probe) -> None:
        self._topic = declaration.connection.topic("test")
        self._actions = frozenset[str](declaration.tester.actions)
        self._probe = probe
        self._numbers = count(1)
        self._asked: dict[str, asyncio.Future[dict[str, Any]]] = {}
        probe.tested = self._answered

    @property
    def actions(self) -> frozenset[str]:
        """What it offers."""
        return self._actions

    async def do(self, action: str, values: Mapping[str, Any]) -> None:
        """Ask for it; raises CannotDriveError."""
        key = f"t-{next(self._numbers)}"
        answered = self._asked[key] = asyncio.get_running_loop().create_future()
        request = msgspec.json.encode({"id": key, "do": action, **values})
        try:
            if not self._probe.tell(self._topic, request):
                raise CannotDriveError(
                    f"the upper tester cannot be reached: nobody subscribes to {self._topic}"
                )
            async with asyncio.timeout(ANSWER_WITHIN_S):
                answer = await answered
        except TimeoutError as error:
            why = f"the upper tester did not answer within {ANSWER_WITHIN_S:g} s"
            raise CannotDriveError(why) from error
        finally:
            del self._asked[key]
        if answer.get("outcome") != "done":
            why = str(answer.get("reason", ""))[:REASON_CHARS]
            raise CannotDriveError(f"the upper tester refused {action}: {why}")

    def _answered(self, payload: bytes) -> None:
        try:
            answer = msgspec.json.decode(payload, type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError):
            return
        waiting = self._asked.get(str(answer.get("id")))
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)


def hook_of(declaration: Declaration, probe: Probe) -> UpperTester | None:
    """Return the declared hook, None where there is none."""
    tester = declaration.tester
    if tester.by == "http" and tester.url is not None:
        return HttpHook(tester.url, frozenset[str](tester.actions))
    return MqttHook(declaration, probe) if tester.by == "mqtt" else None
