"""How fast the broker client takes and acknowledges QoS 1 messages, beside mosquitto's own C subscriber.

Run: python benchmarks/client_only.py [--messages 200000] [--rounds 3]. Everything on loopback: a mosquitto of
its own, one publisher process that writes prepared packets, and one subscriber at a time that does nothing
but acknowledge. The figure is messages from the first to the last one received, and processor time each.
"""

import argparse
import asyncio
import contextlib
import multiprocessing
import os
import shutil
import socket
import statistics
import struct
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import uvloop

from gateway.config import BrokerSettings
from gateway.contract import Sender
from gateway.model.frame import Frame
from gateway.service.clock import SystemClock
from gateway.transports.mqtt_client import BrokerClient

SERVERS = f"{os.environ.get('PATH', '')}:/usr/sbin"
TOPIC = b"bench/device/event"
WINDOW = 4000
CHUNK = 200
CONFIG = """listener {port} 127.0.0.1
allow_anonymous true
set_tcp_nodelay true
max_inflight_messages 2048
max_queued_messages 0
"""


class AcknowledgeOnly:
    """An intake that keeps nothing: everything offered in one turn of the loop is at once "on disk"."""

    def __init__(self) -> None:
        self.count = 0
        self.first_at = 0.0
        self._tokens: list[int] = []
        self._sender: Sender | None = None

    def offer(self, _frame: Frame, sender: Sender | None = None, token: int = 0) -> bool:
        """Note the token; acknowledge with the others of this turn."""
        if not self._tokens:
            asyncio.get_running_loop().call_soon(self._commit)
        self._sender = sender
        self._tokens.append(token)
        return True

    async def accept(self, _frame: Frame) -> int:
        """Never called here."""
        raise NotImplementedError

    def _commit(self) -> None:
        self.first_at = self.first_at or time.perf_counter()
        tokens, self._tokens = self._tokens, []
        self.count += len(tokens)
        if self._sender:
            self._sender.durable(tokens)


def publish(port: int, messages: int, payload_bytes: int) -> None:
    """Write prepared MQTT 3.1.1 PUBLISH packets of QoS 1, at most WINDOW unacknowledged."""
    peer = socket.create_connection(("127.0.0.1", port))
    peer.sendall(b"\x10\x12\x00\x04MQTT\x04\x02\x00\x00\x00\x06loader")
    if peer.recv(4) != b"\x20\x02\x00\x00":
        raise SystemExit("the broker refuses the publisher")
    body = b'{"id":"0123456789","type":"vaka.bed.exit.v1","pad":"' + b"x" * (payload_bytes - 54) + b'"}'
    head = struct.pack(">H", len(TOPIC)) + TOPIC
    length = len(head) + 2 + len(body)
    first = bytes((0x32, length & 0x7F | 0x80, length >> 7)) + head
    sent = acknowledged_bytes = 0
    while sent < messages:
        count = min(CHUNK, messages - sent)
        ids = (struct.pack(">H", (sent + n) % 65535 + 1) for n in range(count))
        peer.sendall(b"".join(first + packet_id + body for packet_id in ids))
        sent += count
        while sent - acknowledged_bytes // 4 > WINDOW or (sent == messages and acknowledged_bytes < 4 * sent):
            acknowledged_bytes += len(peer.recv(65536))


@contextlib.contextmanager
def broker() -> Iterator[int]:
    """Run mosquitto on a free port."""
    binary = shutil.which("mosquitto", path=SERVERS)
    if binary is None:
        raise SystemExit("mosquitto is not installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "mosquitto.conf"
        config.write_text(CONFIG.format(port=port))
        process = subprocess.Popen([binary, "-c", str(config)], stderr=subprocess.DEVNULL)
        try:
            _until_it_answers(port)
            yield port
        finally:
            process.terminate()
            process.wait(10)


def _until_it_answers(port: int) -> None:
    for _ in range(500):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise SystemExit("mosquitto does not answer")


@contextlib.contextmanager
def publisher(port: int, options: argparse.Namespace) -> Iterator[None]:
    """Run the load in a process of its own."""
    load = multiprocessing.get_context("spawn").Process(
        target=publish, args=(port, options.messages, options.payload_bytes)
    )
    load.start()
    try:
        yield
    finally:
        load.join(60)
        load.kill()


def c_subscriber(port: int, options: argparse.Namespace) -> tuple[float, float]:
    """Measure mosquitto_sub: messages/s, 0 for its processor time."""
    reader = subprocess.Popen(
        [
            "mosquitto_sub",
            "-p",
            str(port),
            "-q",
            "1",
            "-V",
            "5",
            "-t",
            "bench/#",
            "-C",
            str(options.messages),
        ],
        stdout=subprocess.PIPE,
    )
    time.sleep(0.5)
    with publisher(port, options):
        if not reader.stdout:
            raise SystemExit("mosquitto_sub gives no output")
        reader.stdout.read(1)
        began = time.perf_counter()
        while reader.stdout.read(1 << 20):
            pass
        took = time.perf_counter() - began
        reader.wait(10)
    return options.messages / took, 0.0


async def client_subscriber(port: int, options: argparse.Namespace, protocol: int) -> tuple[float, float]:
    """Measure BrokerClient: messages/s and processor microseconds a message."""
    settings = BrokerSettings.model_validate(
        {"name": "bench", "url": f"mqtt://127.0.0.1:{port}", "protocol": protocol}
    )
    intake = AcknowledgeOnly()
    client = BrokerClient(settings, ("bench/#",), intake, SystemClock())
    task = asyncio.create_task(client.run())
    await _until(lambda: client.standing.subscribed)
    with publisher(port, options):
        await _until(lambda: intake.count)
        used = time.process_time()
        await _until(lambda: intake.count >= options.messages)
        took = time.perf_counter() - intake.first_at
        used = time.process_time() - used
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    return options.messages / took, used / options.messages * 1e6


async def _until(condition: Callable[[], object]) -> None:
    while not condition():  # noqa: ASYNC110 - looking is cheaper than telling for each message
        await asyncio.sleep(0.01)


def _on(loop: Callable[[], asyncio.AbstractEventLoop], protocol: int) -> Callable[..., tuple[float, float]]:
    def measure(port: int, options: argparse.Namespace) -> tuple[float, float]:
        with asyncio.Runner(loop_factory=loop) as runner:
            return runner.run(client_subscriber(port, options, protocol))

    return measure


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure every subscriber, in turn, so that a noisy machine is noisy for all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=200_000)
    parser.add_argument("--payload-bytes", type=int, default=250)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    cases: dict[str, Callable[..., tuple[float, float]]] = {
        "mosquitto_sub (C), MQTT 5": c_subscriber,
        "BrokerClient, MQTT 5, uvloop": _on(uvloop.new_event_loop, 5),
        "BrokerClient, MQTT 3.1.1, uvloop": _on(uvloop.new_event_loop, 4),
        "BrokerClient, MQTT 5, asyncio": _on(asyncio.new_event_loop, 5),
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in cases}
    for _ in range(options.rounds):
        for name, measure in cases.items():
            with broker() as port:
                found[name].append(measure(port, options))
    for name, results in found.items():
        rate = statistics.median(rate for rate, _ in results)
        each = statistics.median(each for _, each in results)
        rates = ", ".join(f"{rate:,.0f}" for rate, _ in results)
        print(f"{name:34} {rate:>8,.0f}/s  {f'{each:.1f} us' if each else '':8} ({rates})")


if __name__ == "__main__":
    main()
