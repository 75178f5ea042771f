"""A flood through the real listener: technical alerts of many homes, and a few calls for help among them."""

import asyncio
import http.server
import json
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import mqtt5

from gateway.model.registry import RegistryDocument
from gateway.transports.mqtt_codec import encode
from tests.integration.gateway_process import GatewayProcess

SINCE = "2026-01-01T00:00:00Z"
LATE = timedelta(minutes=10)
SECRET = "whsec_" + "QUFB" * 10  # of this test alone
CONNECTIONS = 20
WINDOW = 60
"""Fewer than the 64 that the listener lets a connection have unacknowledged."""
PUBACK_BYTES = 4


@dataclass(frozen=True)
class Message:
    """What one device sends, and when: seconds after the start."""

    at_s: float
    device: str
    sos: bool


@dataclass
class Sink:
    """A receiver of webhooks on loopback; keeps when each came and what it said."""

    port: int = 0
    got: list[tuple[float, Any]] = field(default_factory=list)


def schedule(alerts: int, sos: int, seconds: float) -> list[Message]:
    """Spread the technical messages evenly, and the calls for help evenly among them."""
    total = alerts + sos
    every = total // sos
    marks = {every * n + every // 2 for n in range(sos)}
    found, lock, pendant = [], 0, 0
    for number in range(total):
        at_s = seconds * number / total
        if number in marks:
            found.append(Message(at_s, f"t/sos-{pendant}", sos=True))
            pendant += 1
        else:
            found.append(Message(at_s, f"t/lock-{lock}", sos=False))
            lock += 1
    return found


def registry(alerts: int, sos: int) -> str:
    """Write the registry of a municipality of as many homes: a ladder for care, one for technology."""
    numbers = range(max(alerts, sos))
    parts: dict[str, Any] = {
        "tenant": [{"id": "t", "name": "Floding"}],
        "unit": [{"id": "u", "tenant": "t", "name": "Unit"}],
        "team": [{"id": name, "unit": "u", "name": name} for name in ("day", "tech")],
        "ladder": [
            {"id": "care", "tenant": "t", "steps": [{"to": ["day"]}]},
            {"id": "tech", "tenant": "t", "steps": [{"to": ["tech"]}]},
        ],
        "home": [
            {"id": f"h{n}", "tenant": "t", "unit": "u", "care_ladder": "care", "technical_ladder": "tech"}
            for n in numbers
        ],
        "person": [{"ref": f"p{n}", "home": f"h{n}"} for n in range(sos)],
    }
    kinds = [("lock", "lock", alerts), ("sos", "social_alarm", sos)]
    names = [(f"t/{name}-{n}", kind, n) for name, kind, count in kinds for n in range(count)]
    parts["device"] = [
        {"id": name, "tenant": "t", "adapter": "vaka", "native_id": name, "kind": kind}
        for name, kind, _ in names
    ]
    parts["enrolment"] = [{"device": name, "home": f"h{n}", "since": SINCE} for name, _, n in names]
    return RegistryDocument.of(parts).to_json()


def toml_of(document: str) -> str:
    """Write a registry as the TOML that a gateway reads."""
    lines: list[str] = []
    for kind, records in json.loads(document).items():
        for record in records:
            lines.append(f"[[{kind}]]")
            for key, value in record.items():
                told = json.dumps(value) if kind != "ladder" or key != "steps" else _steps(value)
                lines.append(f"{key} = {told}")
    return "\n".join(lines) + "\n"


def _steps(steps: list[dict[str, Any]]) -> str:
    return "[" + ", ".join("{ to = " + json.dumps(step["to"]) + " }" for step in steps) + "]"


@contextmanager
def sink() -> Iterator[Sink]:
    """Run a receiver in a thread of this process."""
    found = Sink()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            found.got.append((time.time(), json.loads(body)))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_words: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


@contextmanager
def flooded_gateway(folder: Path, alerts: int, sos: int, webhook: int) -> Iterator[GatewayProcess]:
    """Run a gateway with that municipality, which posts every offer to the webhook's port."""
    (folder / "registry.toml").write_text(toml_of(registry(alerts, sos)))
    channel = {"url": f"http://127.0.0.1:{webhook}/", "secret": SECRET}
    process = GatewayProcess(
        folder,
        listener={"anonymous": True},
        registry=str(folder / "registry.toml"),
        **{"channels.webhook": channel},
    )
    process.start()
    try:
        yield process
    finally:
        process.stop()


@dataclass
class Seen:
    """When the intended moment of each call for help was, and when it stood on the live page."""

    meant: dict[str, float] = field(default_factory=dict)
    page: dict[str, float] = field(default_factory=dict)
    alert_of: dict[str, str] = field(default_factory=dict)

    def waits_s(self) -> list[float]:
        """Return the seconds from each intended press to the page; endless for one that never came."""
        return sorted(self.page.get(device, float("inf")) - at for device, at in self.meant.items())


async def send_all(process: GatewayProcess, messages: list[Message]) -> Seen:
    """Send at the intended moments, and watch the page until every call is there and all is acknowledged.

    The locks share a few connections, as behind bridges; every pendant has its own.
    """
    seen = Seen()
    listening = asyncio.Event()
    watcher = asyncio.create_task(_watch(process.page_port, seen, listening))
    await listening.wait()
    shared = [await Line.open(process.listener_port, f"lines-{n}") for n in range(CONNECTIONS)]
    own = {one.device: await Line.open(process.listener_port, one.device) for one in messages if one.sos}
    start = time.time() + 0.2
    sending: list[asyncio.Task[None]] = []
    for number, message in enumerate(messages):
        wait_s = start + message.at_s - time.time()
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        if message.sos:
            seen.meant[message.device] = start + message.at_s
        line = own[message.device] if message.sos else shared[number % CONNECTIONS]
        sending.append(asyncio.create_task(line.send(number, message)))
    async with asyncio.timeout(120):
        await asyncio.gather(*sending)
        for line in (*shared, *own.values()):
            await line.close()
        while len(seen.page) < len(seen.meant):
            await asyncio.sleep(0.02)
    watcher.cancel()
    with suppress(asyncio.CancelledError):
        await watcher
    return seen


class Line:
    """One connection, which never has more unacknowledged than the listener allows."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._free = asyncio.Semaphore(WINDOW)
        self._reading = asyncio.create_task(self._read(reader))

    @classmethod
    async def open(cls, port: int, name: str) -> "Line":
        """Connect and be taken."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        hello = mqtt5.ConnectPacket(f"flood-{name}", clean_start=True, keep_alive=600)
        writer.write(encode(hello, 5))
        head = await reader.readexactly(2)
        await reader.readexactly(head[1])
        return cls(reader, writer)

    async def send(self, number: int, message: Message) -> None:
        """Send when there is room."""
        await self._free.acquire()
        self._writer.write(_packet(number, message))

    async def close(self) -> None:
        """Wait until everything is acknowledged, and go."""
        for _ in range(WINDOW):
            await self._free.acquire()
        self._reading.cancel()
        self._writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while True:
            await reader.readexactly(PUBACK_BYTES)
            self._free.release()


def _packet(number: int, message: Message) -> bytes:
    """A pendant is pressed; a lock tells now what happened ten minutes ago: Low and technical."""
    now = datetime.now(UTC)
    event = {
        "specversion": "1.0",
        "id": f"flood-{number}",
        "source": f"vaka:{message.device}",
        "type": "vaka.alarm.manual.v1" if message.sos else "vaka.lock.locked.v1",
        "time": (now if message.sos else now - LATE).isoformat(),
        "clockquality": "synced",
        "data": {},
    }
    packet = mqtt5.PublishPacket(
        f"vaka/1/{message.device}/event",
        json.dumps(event).encode(),
        qos=mqtt5.QoS.AT_LEAST_ONCE,
        packet_id=number % 65535 + 1,
    )
    return bytes(packet.write())


async def _watch(port: int, seen: Seen, listening: asyncio.Event) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 26)
    writer.write(b"GET /api/v1/live HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n")
    try:
        while line := await reader.readline():
            listening.set()
            if line.startswith(b"data:") and b'"sos"' in line:
                now = time.time()
                for alert in json.loads(line[5:]).get("alerts", ()):
                    if alert["rule"] == "sos":
                        seen.page.setdefault(alert["device"], now)
                        seen.alert_of[alert["device"]] = alert["id"]
    finally:
        writer.close()


def post(url: str, words: Any) -> None:
    """Post JSON and take any answer."""
    body = json.dumps(words).encode()
    request = urllib.request.Request(url, body, {"content-type": "application/json"})  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - loopback
        answer.read()
