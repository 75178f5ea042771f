"""Publishes at an even rate and watches the live stream as a page does; the clock is this process's own.

Threads and blocking sockets: an event loop's timers are as coarse as a millisecond, half of what is measured.
"""

import json
import socket
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import mqtt5

from gateway.transports.mqtt_codec import encode

ALL_SEEN_WITHIN_S = 10.0


def latencies(
    page_port: int, url: str, folder: Path, *, rate: int, seconds: int, share: float = 0.1
) -> list[float]:
    """Return milliseconds from the intended publish of each SOS to its alert on the stream.

    `share` of the events are SOS, each from a device that has no open alert yet; the others are motion.
    """
    passwords: dict[str, str] = json.loads((folder / "secrets.json").read_text())
    devices = sorted(passwords)[: rate * seconds]
    host, port = url.removeprefix("mqtt://").split(":")
    senders = [_Sender((host, int(port)), name, passwords[name]) for name in devices]
    meant: dict[str, float] = {}
    with Watcher(page_port) as watcher:
        start = time.time() + 0.2
        every = max(1, round(1 / share))
        for number in range(rate * seconds):
            intended = start + number / rate
            time.sleep(max(0.0, intended - time.time()))
            alarm = number % every == 0 and len(meant) < len(senders)
            sender = senders[len(meant) if alarm else number % len(senders)]
            if alarm:
                meant[sender.device] = intended
            sender.publish(number, "alarm.manual" if alarm else "motion.detected", intended)
        until = time.monotonic() + ALL_SEEN_WITHIN_S
        while len(watcher.seen) < len(meant) and time.monotonic() < until:
            time.sleep(0.05)
    for sender in senders:
        sender.close()
    return [(watcher.seen[name] - at) * 1000 for name, at in meant.items() if name in watcher.seen]


class _Sender:
    """One device's connection; its acknowledgements stay unread in the socket, being few."""

    def __init__(self, address: tuple[str, int], device: str, password: str) -> None:
        self.device = device
        self._id = 0
        self._link = socket.create_connection(address)
        self._link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connect = mqtt5.ConnectPacket(
            f"page-{device}", username=device, password=password.encode(), clean_start=True, keep_alive=600
        )
        self._link.sendall(encode(connect, 5))
        self._link.recv(4096)

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
        topic, payload = f"vaka/1/{self.device}/event", json.dumps(event).encode()
        packet = mqtt5.PublishPacket(topic, payload, qos=mqtt5.QoS.AT_LEAST_ONCE, packet_id=self._id)
        self._link.sendall(packet.write())

    def close(self) -> None:
        self._link.close()


class Watcher:
    """A live stream read in a thread of its own; `seen` is when each device's first alert came."""

    def __init__(self, port: int) -> None:
        self.seen: dict[str, float] = {}
        self._link = socket.create_connection(("127.0.0.1", port))
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Self:
        self._link.sendall(
            b"GET /api/v1/live HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n"
        )
        self._thread.start()
        assert self._listening.wait(10), "the live stream did not begin"
        return self

    def __exit__(self, *_: object) -> None:
        self._link.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        self._link.close()

    def _read(self) -> None:
        with self._link.makefile("rb") as lines:
            for line in lines:
                self._listening.set()
                if line.startswith(b"data:"):
                    now = time.time()
                    for alert in json.loads(line[5:]).get("alerts", ()):
                        if alert["rule"] == "sos":
                            self.note(alert, now)

    def note(self, alert: dict[str, Any], now: float) -> None:
        """Keep when a device's first alert came."""
        self.seen.setdefault(alert["device"], now)
