"""How many QoS 1 publishes a second the MQTT listener alone takes, with an intake that answers at once.

Run: python benchmarks/listener_only.py [--level 4|5] [--seconds 5] [--connections 50]
The load comes from another process with packets encoded beforehand; both share the machine.
"""

import argparse
import asyncio
import multiprocessing
import socket
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from selectors import EVENT_READ, DefaultSelector

import mqtt5
import uvloop

from gateway.config import ListenerSettings
from gateway.contract import Manifest, Sender
from gateway.model.frame import Frame
from gateway.model.registry import Device, Registry, RegistryDocument, Tenant
from gateway.model.vocabulary import DeviceKind
from gateway.service.logins import hash_secret
from gateway.stores.sessions import MemorySessionStore
from gateway.transports.mqtt_codec import encode
from gateway.transports.mqtt_listener import MqttListener, RegistryCredentials

PAYLOAD = b'{"specversion":"1.0","id":"00000000","type":"vaka.heartbeat.v1","data":{}}'.ljust(250, b" ")
WINDOW = 64
PUBACK_BYTES = 4


class WallClock:
    """Now, UTC."""

    def now(self) -> datetime:
        """Return the present moment."""
        return datetime.now(UTC)


class InstantIntake:
    """Says "durable" once a turn of the loop, as a group commit would."""

    def __init__(self) -> None:
        self.frames = 0
        self._waiting: dict[Sender, list[int]] = {}

    def offer(self, frame: Frame, sender: Sender | None = None, token: int = 0) -> bool:
        """Take every frame."""
        assert frame.payload is not None
        self.frames += 1
        if sender is not None:
            if not self._waiting:
                asyncio.get_running_loop().call_soon(self._commit)
            self._waiting.setdefault(sender, []).append(token)
        return True

    async def accept(self, frame: Frame) -> int:
        """Not used here."""
        raise NotImplementedError(frame)

    def _commit(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for sender, tokens in waiting.items():
            sender.durable(tokens)


class Load:
    """One connection that always has a window of publishes on its way."""

    def __init__(self, port: int, number: int, level: int) -> None:
        name = f"d{number}"
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connect = mqtt5.ConnectPacket(name, username=name, password=b"pw", clean_start=True)
        self.socket.sendall(encode(connect, level))
        self.socket.recv(1024)
        self.packets = [
            encode(
                mqtt5.PublishPacket(
                    f"vaka/1/{name}/event", PAYLOAD, qos=mqtt5.QoS.AT_LEAST_ONCE, packet_id=number
                ),
                level,
            )
            for number in range(1, WINDOW + 1)
        ]
        self.next = 0
        self.odd = 0

    def send(self, count: int) -> None:
        """Send the next packets."""
        ring = self.packets
        self.socket.sendall(b"".join(ring[(self.next + place) % WINDOW] for place in range(count)))
        self.next = (self.next + count) % WINDOW


def load(port: int, connections: int, level: int, seconds: float, result: Connection) -> None:
    """Keep every window full for a while; tell how many were acknowledged, and in what time."""
    selector = DefaultSelector()
    for number in range(connections):
        one = Load(port, number, level)
        selector.register(one.socket, EVENT_READ, one)
        one.send(WINDOW)
    acknowledged = 0
    started = time.perf_counter()
    while time.perf_counter() - started < seconds:
        for key, _ in selector.select(1):
            one = key.data
            received = len(one.socket.recv(65536)) + one.odd
            count, one.odd = divmod(received, PUBACK_BYTES)
            acknowledged += count
            one.send(count)
    result.send((acknowledged, time.perf_counter() - started))


async def measure(arguments: argparse.Namespace) -> None:
    """Serve, load, print."""
    secret = hash_secret("pw")
    devices = tuple(
        Device(id=f"d{n}", tenant="t", adapter="vaka", native_id=f"d{n}", kind=DeviceKind.LOCK, secret=secret)
        for n in range(arguments.connections)
    )
    registry = Registry(RegistryDocument(tenant=(Tenant(id="t", name="T"),), device=devices))
    manifest = Manifest(
        id="vaka", product="p", version="1", topics=("vaka/#",), branch="vaka/1/{native_id}/#"
    )
    intake = InstantIntake()
    listener = MqttListener(
        ListenerSettings(port=0, receive_maximum=arguments.receive_maximum),
        intake,
        RegistryCredentials(lambda: registry),
        {"vaka": manifest},
        MemorySessionStore(),
        WallClock(),
    )
    await listener.start()
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=load,
        args=(listener.port, arguments.connections, arguments.level, arguments.seconds, theirs),
    )
    process.start()
    cpu, frames = time.process_time(), intake.frames
    acknowledged, seconds = await asyncio.to_thread(ours.recv)
    cpu, frames = time.process_time() - cpu, intake.frames - frames
    process.join()
    print(
        f"MQTT level {arguments.level}: {acknowledged / seconds:,.0f} acknowledged/s on "
        f"{arguments.connections} connections; {cpu / frames * 1e6:.1f} us CPU a frame = "
        f"{frames / cpu:,.0f} frames/s of one core"
    )
    await listener.stop()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run once."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--level", type=int, choices=(4, 5), default=5)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--connections", type=int, default=50)
    parser.add_argument("--receive-maximum", type=int, default=WINDOW)
    uvloop.run(measure(parser.parse_args(arguments)))


if __name__ == "__main__":
    main()
