"""An alarm unit on a socket: SIP as text, written from RFC 3261 and 3428; no code of the gateway's."""

import asyncio
import hashlib
import re
import ssl
from collections.abc import Callable, Coroutine
from functools import wraps
from itertools import count
from typing import Any

NUMBERS = count(1)
ALARM = (
    "<mrq><ref>{ref}</ref><mty>ME</mty><cid>{cid}</cid><dty>0003</dty><stc>0010</stc>"
    "<crd>no-voice:</crd></mrq>"
)


def in_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run an asynchronous test in a loop of its own."""

    @wraps(test)
    def run(**given: Any) -> None:
        asyncio.run(test(**given))

    return run


class Heard:
    """One message as it came: start line, headers in small letters, body."""

    def __init__(self, raw: bytes) -> None:
        head, _, self.body = raw.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        self.start = lines[0]
        self.headers = [tuple(line.split(": ", 1)) for line in lines[1:]]

    def __getitem__(self, name: str) -> str:
        return next(value for key, value in self.headers if key.lower() == name)

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name]

    @property
    def status(self) -> int:
        return int(self.start.split()[1]) if self.start.startswith("SIP/") else 0

    @property
    def snu(self) -> str:
        return self.field("snu")

    def ok(self) -> bytes:
        """Make the 200 to it (RFC 3261 section 8.2.6)."""
        kept = [f"{k}: {v}" for k, v in self.headers if k.lower() in ("via", "from", "to", "call-id", "cseq")]
        return "\r\n".join(["SIP/2.0 200 OK", *kept, "Content-Length: 0", "", ""]).encode()

    def field(self, name: str) -> str:
        found = re.search(f"<{name}>(.*?)</{name}>", self.body.decode())
        return found[1] if found else ""


class Unit(asyncio.DatagramProtocol):
    """Sends what a test says, and answers every MESSAGE with 200 unless told to be deaf."""

    def __init__(self, user: str = "26317", *, transport: str = "UDP", deaf: bool = False) -> None:
        self.user, self.kind, self.deaf = user, transport, deaf
        self.responses: asyncio.Queue[Heard] = asyncio.Queue()
        self.replies: asyncio.Queue[Heard] = asyncio.Queue()
        self.own = ("127.0.0.1", 0)
        self._send = self._nowhere
        self._closing: list[asyncio.BaseTransport] = []
        self._reading: asyncio.Task[None] | None = None

    @staticmethod
    def _nowhere(_data: bytes) -> None:
        raise AssertionError("not connected")

    async def connect(self, port: int, context: ssl.SSLContext | None = None) -> "Unit":
        if self.kind == "UDP":
            loop = asyncio.get_running_loop()
            made, _ = await loop.create_datagram_endpoint(lambda: self, remote_addr=("127.0.0.1", port))
            self.own = made.get_extra_info("sockname")
            self._send = made.sendto
            self._closing.append(made)
        else:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
            self.own = writer.get_extra_info("sockname")
            self._send = writer.write
            self._closing.append(writer.transport)
            self._reading = asyncio.create_task(self._read(reader))
        return self

    async def close(self) -> None:
        for one in self._closing:
            one.close()
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait([self._reading])
        await asyncio.sleep(0)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"(?i)content-length: *(\d+)", head)
                self._heard(head + await reader.readexactly(int(length[1]) if length else 0))
        except (asyncio.IncompleteReadError, OSError):
            return

    def datagram_received(self, data: bytes, _addr: object) -> None:
        self._heard(data)

    def _heard(self, raw: bytes) -> None:
        heard = Heard(raw)
        if heard.status:
            self.responses.put_nowait(heard)
            return
        self.replies.put_nowait(heard)
        if not self.deaf:
            self.raw(heard.ok())

    def raw(self, data: bytes) -> None:
        self._send(data)

    def request(self, body: str, method: str = "MESSAGE", **headers: str) -> bytes:
        """Make a request; a keyword is a header's name with `_` for `-`, an empty one is left out."""
        number, payload = next(NUMBERS), body.encode()
        made = {
            "Via": f"SIP/2.0/{self.kind} {self.own[0]}:{self.own[1]};branch=z9hG4bK{number}u",
            "Max-Forwards": "70",
            "From": f"<sip:{self.user}@127.0.0.1>;tag=t{number}",
            "To": "<sip:arc@127.0.0.1>",
            "Call-ID": f"c{number}@unit",
            "CSeq": f"{number} {method}",
            "Contact": f"<sip:{self.user}@{self.own[0]}:{self.own[1]}>",
            "Content-Type": "application/scaip+xml",
            "Content-Length": str(len(payload)),
        } | {name.replace("_", "-"): value for name, value in headers.items()}
        lines = [f"{name}: {value}" for name, value in made.items() if value]
        return "\r\n".join([f"{method} sip:arc@127.0.0.1 SIP/2.0", *lines, "", ""]).encode() + payload

    async def ask(self, body: str, method: str = "MESSAGE", **headers: str) -> Heard:
        """Send a request and return its response."""
        self.raw(self.request(body, method, **headers))
        return await self.response()

    async def response(self) -> Heard:
        return await asyncio.wait_for(self.responses.get(), 60)

    async def reply(self) -> Heard:
        return await asyncio.wait_for(self.replies.get(), 60)


def alarm(ref: str = "1", cid: str = "26317") -> str:
    return ALARM.format(ref=ref, cid=cid)


def credentials(challenge: str, user: str, password: str, nc: int = 1, method: str = "MESSAGE") -> str:
    """Answer one WWW-Authenticate (RFC 7616 section 3.4)."""
    told = dict(re.findall(r'(\w+)="?([^",]+)"?', challenge))
    make = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}[told["algorithm"]]

    def h(text: str) -> str:
        return make(text.encode()).hexdigest()

    uri, count_text = "sip:arc@127.0.0.1", f"{nc:08x}"
    first, second = h(f"{user}:{told['realm']}:{password}"), h(f"{method}:{uri}")
    proof = h(f"{first}:{told['nonce']}:{count_text}:c0ffee:auth:{second}")
    return (
        f'Digest username="{user}", realm="{told["realm"]}", nonce="{told["nonce"]}", uri="{uri}", '
        f'algorithm={told["algorithm"]}, qop=auth, nc={count_text}, cnonce="c0ffee", response="{proof}"'
    )
