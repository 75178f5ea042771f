"""An alarm unit that speaks SCAIP by SIP MESSAGE, right in everything or wrong in one planted thing."""

import asyncio
import re
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any

T1_S, T2_S, GIVE_UP_S = 0.5, 4.0, 32.0
"""Timers E and F (RFC 3261 section 17.1.2.2)."""
ACTIONS = frozenset({"event"})
_ECHOED = ("via", "from", "to", "call-id", "cseq")


class AlarmUnit:
    """One unit; `fault` is the number of the clause that it breaks, as "09", and "" for none.

    It sends by `send`, and is given what comes by `heard`, whole messages both ways. `again_s` is how long
    it waits for a reply.
    """

    def __init__(
        self,
        send: Callable[[bytes], None],
        fault: str = "",
        *,
        over: str = "UDP",
        at: str = "192.0.2.7:5060",
        again_s: float = 5.0,
        heartbeat_s: float = 0,
    ) -> None:
        self._send, self._fault = send, fault
        self._over, self._at, self._again_s, self._heartbeat_s = over, at, again_s, heartbeat_s
        self._numbers, self._refs, self._beats = count(1), count(1), count(1)
        self._responses: dict[str, asyncio.Future[tuple[int, float]]] = {}
        self._replies: dict[str, asyncio.Future[None]] = {}
        self._work: set[asyncio.Task[None]] = set()

    @property
    def actions(self) -> frozenset[str]:
        """What its test hook offers."""
        return ACTIONS

    async def do(self, action: str, values: Mapping[str, Any]) -> None:  # noqa: ARG002 - a hook's call
        """Press its button."""
        self._start(self._alarm())

    def begin(self) -> None:
        """Send heartbeats from now on, where it has them."""
        if self._heartbeat_s and self._fault != "15":
            self._start(self._beat())

    async def end(self) -> None:
        """Stop everything."""
        for task in list(self._work):
            task.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)

    def _start(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    async def _beat(self) -> None:
        while True:
            await self._transaction(f"h{next(self._beats)}", "PI")
            await asyncio.sleep(self._heartbeat_s)

    async def _alarm(self) -> None:
        ref = "1" if self._fault == "14" else str(next(self._refs))
        while True:
            replied = self._replies[ref] = asyncio.get_running_loop().create_future()
            status, pause_s = await self._transaction(ref, "ME")
            if self._fault == ("13" if status == 503 else "09" if status == 200 else "none"):
                return
            if status == 503:
                await asyncio.sleep(pause_s)
            elif await self._within(replied, self._again_s):
                break
            ref = str(next(self._refs)) if self._fault == "10" else ref
        if self._fault == "12":
            await asyncio.sleep(self._again_s)
            await self._transaction(ref, "ME")

    @staticmethod
    async def _within(waited: asyncio.Future[Any], seconds: float) -> bool:
        await asyncio.wait([waited], timeout=seconds)
        return waited.done()

    async def _transaction(self, ref: str, kind: str) -> tuple[int, float]:
        """Send one request until it is answered; (0, 0) when it never was."""
        number = next(self._numbers)
        data = self._request(number, self._body(ref, kind))
        answered: asyncio.Future[tuple[int, float]] = asyncio.get_running_loop().create_future()
        self._responses[f"c{number}@unit"] = answered
        self._send(data)
        waited_s, pause_s = 0.0, T1_S
        repeats = self._over == "UDP" and self._fault != "08"
        while waited_s < (GIVE_UP_S if repeats else self._again_s):
            if await self._within(answered, pause_s):
                return answered.result()
            waited_s, pause_s = waited_s + pause_s, min(pause_s * 2, T2_S)
            if repeats:
                self._send(data)
        return 0, 0.0

    def _body(self, ref: str, kind: str) -> bytes:
        root = "request" if self._fault == "03" else "mrq"
        dty = "" if self._fault == "04" else f"<dty>{'3x' if self._fault == '05' else '0003'}</dty>"
        inner = f"<ref>{ref}</ref><mty>{kind}</mty><cid>26317</cid>{dty}<stc>0010</stc><crd>no-voice:</crd>"
        return f"<{root}>{inner}</{root}>".encode()

    def _request(self, number: int, body: bytes) -> bytes:
        user = f"26317-{number}" if self._fault == "16" else "26317"
        lines = [
            "MESSAGE sip:arc@example.net SIP/2.0",
            f"Via: SIP/2.0/{self._over} {self._at};branch=z9hG4bKu{number};rport",
            "Max-Forwards: 70",
            f"From: <sip:{user}@example.net>;tag=t{number}",
            "To: <sip:arc@example.net>",
            f"Call-ID: c{number}@unit",
            f"CSeq: {number} MESSAGE",
            f"Contact: <sip:{user}@{self._at}>",
            f"Content-Type: {'text/xml' if self._fault == '01' else 'application/scaip+xml'}",
            f"Content-Length: {len(body) + (5 if self._fault == '02' else 0)}",
        ]
        return "\r\n".join([*lines, "", ""]).encode() + body

    def heard(self, data: bytes) -> None:
        """Take one message."""
        head, _, body = data.decode().partition("\r\n\r\n")
        first, *lines = head.split("\r\n")
        headers = [tuple(line.split(":", 1)) for line in lines]
        told = {name.strip().lower(): value.strip() for name, value in headers}
        if first.startswith("SIP/2.0 "):
            answered = self._responses.get(told["call-id"])
            if answered is not None and not answered.done():
                answered.set_result((int(first.split()[1]), float(told.get("retry-after", "0"))))
            return
        asked = first.split()[0]
        if asked == "MESSAGE":
            self._replied(body)
        if self._fault != {"OPTIONS": "06", "MESSAGE": "07"}.get(asked):
            kept = [f"{name}:{value}" for name, value in headers if name.strip().lower() in _ECHOED]
            self._send("\r\n".join(["SIP/2.0 200 OK", *kept, "Content-Length: 0", "", ""]).encode())

    def _replied(self, body: str) -> None:
        ref = re.search("<ref>(.*?)</ref>", body)
        named = ref[1] if ref else ""
        for mine, replied in self._replies.items():
            if (mine == named or self._fault == "11") and not replied.done():
                replied.set_result(None)
