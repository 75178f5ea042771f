"""Publishes at an even rate and watches the live stream as a page does; the clock is this process's own."""

import asyncio
import json
import time
from datetime import UTC, datetime
from pathlib import Path

import mqtt5

from gateway.transports.mqtt_codec import encode


async def latencies(
    page_port: int, url: str, folder: Path, *, rate: int, seconds: int, share: float = 0.1
) -> list[float]:
    """Return milliseconds from the intended publish of each SOS to its alert on the stream.

    `share` of the events are SOS, each from a device that has no open alert yet; the others are motion.
    """
    passwords: dict[str, str] = json.loads((folder / "secrets.json").read_text())
    devices = sorted(passwords)
    seen: dict[str, float] = {}
    meant: dict[str, float] = {}
    listening = asyncio.Event()
    watcher = asyncio.create_task(_watch(page_port, seen, listening))
    await listening.wait()
    host, port = url.removeprefix("mqtt://").split(":")
    senders = [
        await _Sender.open(host, int(port), name, passwords[name]) for name in devices[: rate * seconds]
    ]
    every = max(1, round(1 / share))
    start = time.time() + 0.2
    alarms = 0
    for number in range(rate * seconds):
        intended = start + number / rate
        await asyncio.sleep(max(0.0, intended - time.time()))
        if number % every == 0 and alarms < len(senders):
            sender = senders[alarms]
            alarms += 1
            meant[sender.device] = intended
            sender.publish(number, "alarm.manual", intended)
        else:
            senders[number % len(senders)].publish(number, "motion.detected", intended)
    for _ in range(200):
        if len(seen) >= len(meant):
            break
        await asyncio.sleep(0.05)
    watcher.cancel()
    for sender in senders:
        sender.close()
    return [(seen[name] - at) * 1000 for name, at in meant.items() if name in seen]


class _Sender:
    """One device's connection; acknowledgements are read and dropped."""

    def __init__(self, device: str, writer: asyncio.StreamWriter) -> None:
        self.device = device
        self._writer = writer
        self._reading: asyncio.Task[None] | None = None
        self._id = 0

    @classmethod
    async def open(cls, host: str, port: int, device: str, password: str) -> "_Sender":
        reader, writer = await asyncio.open_connection(host, port)
        connect = mqtt5.ConnectPacket(
            f"page-{device}", username=device, password=password.encode(), clean_start=True, keep_alive=600
        )
        writer.write(encode(connect, 5))
        await reader.readexactly(4)
        sender = cls(device, writer)
        sender._reading = asyncio.create_task(_drop(reader))
        return sender

    def publish(self, number: int, word: str, intended: float) -> None:
        self._id = self._id % 65535 + 1
        event = {
            "specversion": "1.0",
            "id": f"page-{number}",
            "source": f"vaka:{self.device}",
            "type": f"vaka.{word}.v1",
            "time": datetime.fromtimestamp(intended, UTC).isoformat(),
            "clockquality": "synced",
            "data": {},
        }
        packet = mqtt5.PublishPacket(
            f"vaka/1/{self.device}/event",
            json.dumps(event).encode(),
            qos=mqtt5.QoS.AT_LEAST_ONCE,
            packet_id=self._id,
        )
        self._writer.write(packet.write())

    def close(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
        self._writer.close()


async def _drop(reader: asyncio.StreamReader) -> None:
    while await reader.read(65536):
        pass


async def _watch(port: int, seen: dict[str, float], listening: asyncio.Event) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 24)
    writer.write(b"GET /api/v1/live HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n")
    while line := await reader.readline():
        listening.set()
        if line.startswith(b"data:"):
            now = time.time()
            for alert in json.loads(line[5:]).get("alerts", ()):
                if alert["rule"] == "sos":
                    seen.setdefault(alert["device"], now)
