"""A stand-in for 46elks, written from its public documents at 46elks.com/docs.

Those of send-sms, sms-delivery-reports, make-call, call-actions, voice-ivr and voice-play. A number's
habits say what its owner does: presses a key, does not answer, is engaged.
"""

import asyncio
import re
from base64 import b64decode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from itertools import count
from typing import Any

import httpx
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from simulators.standins.faults import Faults

E164 = re.compile(r"\+[1-9]\d{4,14}")
SENDER = re.compile(r"\+[1-9]\d{4,14}|[A-Za-z][A-Za-z0-9]{2,10}")
AGAIN_S = 0.2
TRIES = 25
"""The service itself repeats a callback for hours; here often enough for a test or a demonstration."""
MAX_ACTIONS = 6
NOBODY, ENGAGED, VOICE_MAIL = "nobody", "engaged", "voice mail"


class ElksStandIn:
    """Takes texts and calls, and calls back as the service does.

    `habits` maps a number to what happens: a key that is pressed, or NOBODY, ENGAGED, VOICE_MAIL; a number
    that ends in 0000 cannot be delivered to.
    """

    def __init__(self, username: str, password: str, say: Callable[[str], None] | None = None) -> None:
        self.account = (username, password)
        self.faults = Faults()
        self.habits: dict[str, str] = {}
        self.texts: list[dict[str, str]] = []
        self.calls: list[dict[str, str]] = []
        self.answers: list[tuple[str, int]] = []
        self.heard: list[str] = []
        self._say = say or (lambda _line: None)
        self._numbers = count(1)
        self._under_way: set[asyncio.Task[None]] = set()
        self.app = FastAPI(openapi_url=None)
        self.app.post("/a1/sms")(self._sms)
        self.app.post("/a1/calls")(self._call)

    async def _sms(self, request: Request) -> Response:
        form, refusal = await self._read(request, ("from", "to", "message"))
        if refusal is not None:
            return refusal
        message = {
            "status": "created",
            "direction": "outgoing",
            "from": form["from"],
            "to": form["to"],
            "message": form["message"],
            "created": _now(),
            "id": f"s{next(self._numbers):032x}",
            "cost": "3500",
            "parts": "1",
        }
        self.texts.append(message)
        self._say(f"SMS to {form['to']}: {form['message']}")
        if "whendelivered" in form:
            self._do(self._report(form["whendelivered"], message))
        return JSONResponse(message)

    async def _call(self, request: Request) -> Response:
        form, refusal = await self._read(request, ("from", "to", "voice_start"))
        if refusal is not None:
            return refusal
        call = {
            "direction": "outgoing",
            "from": form["from"],
            "to": form["to"],
            "state": "ongoing",
            "created": _now(),
            "id": f"c{next(self._numbers):032x}",
        }
        self.calls.append(call)
        self._say(f"call to {form['to']}")
        self._do(self._ring(call, form))
        return JSONResponse(call)

    async def _read(
        self, request: Request, needed: tuple[str, ...]
    ) -> tuple[dict[str, str], Response | None]:
        failing = await self.faults.meet()
        if failing is not None:
            return {}, failing
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        expected = ":".join(self.account)
        if scheme.lower() != "basic" or b64decode(given).decode() != expected:
            return {}, Response("API access requires Basic HTTP authentication", 401, media_type="text/plain")
        form = {key: str(value) for key, value in (await request.form()).items()}
        for key in needed:
            if not form.get(key):
                return form, Response(f"Missing key {key}", 400, media_type="text/plain")
        if not E164.fullmatch(form["to"]):
            return form, Response(f'Invalid to number "{form["to"]}"', 400, media_type="text/plain")
        if not SENDER.fullmatch(form["from"]):
            return form, Response("Invalid from", 400, media_type="text/plain")
        return form, None

    def _habit(self, number: str) -> str:
        try:
            return self.habits[number]
        except KeyError:
            return NOBODY

    def _do(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _report(self, url: str, message: Mapping[str, str]) -> None:
        """Report twice over an SMS's life: sent, then delivered or failed."""
        await asyncio.sleep(self.faults.late_s)
        await self._call_back(url, {"id": message["id"], "status": "sent"})
        if message["to"].endswith("0000"):
            await self._call_back(url, {"id": message["id"], "status": "failed"})
        else:
            done = {"id": message["id"], "status": "delivered", "delivered": _now()}
            await self._call_back(url, done)

    async def _ring(self, call: Mapping[str, str], form: Mapping[str, str]) -> None:
        """Go through a call: ring, the first action, what each action leads to, and its end."""
        await asyncio.sleep(self.faults.late_s)
        habit = self._habit(call["to"])
        state = {NOBODY: "failed", ENGAGED: "busy"}.get(habit, "success")
        if state == "success":
            said = {"callid": call["id"], "direction": "outgoing", "from": call["from"], "to": call["to"]}
            action = await self._call_back(form["voice_start"], said)
            for _ in range(MAX_ACTIONS):
                action = await self._act(action, said, "" if habit == VOICE_MAIL else habit)
                if not action:
                    break
        if "whenhangup" in form:
            ended = {"id": call["id"], "direction": "outgoing", "state": state, "duration": "12"}
            await self._call_back(form["whenhangup"], ended | {"from": call["from"], "to": call["to"]})

    async def _act(self, action: Mapping[str, Any], said: Mapping[str, str], key: str) -> Mapping[str, Any]:
        """Do one action and return what follows: nothing, or what the address in `next` answers."""
        sound = action.get("ivr") or action.get("play")
        if not sound:
            return {}
        await self._listen(str(sound))
        if "next" not in action:
            return {}
        result = (key or "failed") if "ivr" in action else "success"
        return await self._call_back(str(action["next"]), {**said, "result": result})

    async def _listen(self, url: str) -> None:
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(url)
        self.answers.append((url.rpartition("/")[2], answer.status_code))
        if answer.status_code == 200 and answer.content[:4] == b"RIFF":
            self.heard.append(url.rpartition("/")[2])

    async def _call_back(self, url: str, form: Mapping[str, str]) -> Mapping[str, Any]:
        """Post until it is answered with 200 to 204, as the service does; return the JSON, if any."""
        answered: Mapping[str, Any] = {}
        async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
            for _ in range(2 if self.faults.twice else 1):
                for _ in range(TRIES):
                    try:
                        answer = await client.post(url, data=dict(form))
                    except httpx.HTTPError:
                        await asyncio.sleep(AGAIN_S)
                        continue
                    self.answers.append((url.rsplit("/", 2)[1], answer.status_code))
                    if 200 <= answer.status_code <= 204:
                        answered = answer.json() if answer.content else {}
                        break
                    await asyncio.sleep(AGAIN_S)
        return answered


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
