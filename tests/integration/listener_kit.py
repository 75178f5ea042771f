"""A listener on a free port with two devices, and a raw peer that says exactly what a test wants."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import mqtt5
from honest_intake import HonestIntake

from gateway.config import ListenerSettings
from gateway.contract import Clock, Manifest, SessionStore
from gateway.model.registry import Device, Registry, RegistryDocument, Tenant
from gateway.model.vocabulary import DeviceKind
from gateway.service.logins import hash_secret
from gateway.stores.sessions import MemorySessionStore
from gateway.transports.mqtt_codec import Packet, PacketReader, encode
from gateway.transports.mqtt_listener import MqttListener, RegistryCredentials

PASSWORDS = {"lock-1": "pw-of-lock-1", "sos-1": "pw-of-sos-1"}
OWN = "vaka/1/t/lock-1/event"
OTHER = "vaka/1/t/sos-1/event"
COMMAND = "vaka/1/t/lock-1/command"
CONFIG = "vaka/1/t/lock-1/config"
QOS_0, QOS_1, QOS_2 = mqtt5.QoS.AT_MOST_ONCE, mqtt5.QoS.AT_LEAST_ONCE, mqtt5.QoS.EXACTLY_ONCE
LEVELS = (4, 5)

MANIFESTS = {
    "vaka": Manifest(
        id="vaka",
        product="the standard device interface",
        version="1",
        topics=("vaka/1/+/+/+",),
        branch="vaka/1/{native_id}/#",
        inbox="vaka/1/{native_id}/+",
    ),
    "zigbee2mqtt": Manifest(
        id="zigbee2mqtt",
        product="a bridge",
        version="1",
        topics=("zigbee2mqtt/#",),
        branch="{native_id}/#",
        inbox="{native_id}/#",
    ),
}


class HandClock:
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self.at = datetime(2026, 1, 31, 12, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def pass_s(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


def registry() -> Registry:
    devices = [
        Device(
            id=name,
            tenant="t",
            adapter="vaka",
            native_id=f"t/{name}",
            kind=DeviceKind.LOCK,
            secret=hash_secret(password),
            certificate=f"{name}.devices.example",
        )
        for name, password in PASSWORDS.items()
    ]
    bridge = Device(
        id="bridge-1",
        tenant="t",
        adapter="zigbee2mqtt",
        native_id="zigbee2mqtt",
        kind=DeviceKind.LOCK,
        secret=hash_secret("pw-of-bridge-1"),
    )
    return Registry(RegistryDocument(tenant=(Tenant(id="t", name="Testby"),), device=(*devices, bridge)))


class Served:
    """A listener that runs, and what its intake got."""

    def __init__(self, listener: MqttListener, intake: HonestIntake, clock: HandClock) -> None:
        self.listener = listener
        self.intake = intake
        self.clock = clock
        self.peers: list[Peer] = []

    @property
    def faults(self) -> list[str]:
        return [frame.fault for frame in self.intake.durable if frame.fault]

    async def peer(self, level: int = 5) -> "Peer":
        peer = Peer(level)
        peer.streams = await asyncio.open_connection("127.0.0.1", self.listener.port)
        self.peers.append(peer)
        return peer

    async def device(self, level: int = 5, name: str = "lock-1", **connect: Any) -> "Peer":
        """Connect as a device and take CONNACK."""
        peer = await self.peer(level)
        await peer.connect(name, **connect)
        assert int(peer.connack.reason_code) == 0
        return peer


class Peer:
    """Speaks MQTT by hand."""

    def __init__(self, level: int) -> None:
        self.level = level
        self.streams: tuple[asyncio.StreamReader, asyncio.StreamWriter]
        self.connack: mqtt5.ConnAckPacket
        self._reader = PacketReader(level, 1_000_000)
        self._packets: list[Packet] = []

    async def connect(self, name: str, **connect: Any) -> None:
        connect.setdefault("client_id", name)
        connect.setdefault("username", name)
        connect.setdefault("password", PASSWORDS.get(name, f"pw-of-{name}").encode())
        connect.setdefault("clean_start", True)
        self.send(mqtt5.ConnectPacket(connect.pop("client_id"), **connect))
        packet = await self.receive()
        assert isinstance(packet, mqtt5.ConnAckPacket)
        self.connack = packet

    def send(self, *packets: Packet) -> None:
        self.raw(b"".join(encode(packet, self.level) for packet in packets))

    def raw(self, data: bytes) -> None:
        self.streams[1].write(data)

    def publish(self, number: int | None, topic: str = OWN, payload: bytes = b"{}", **more: Any) -> None:
        qos = QOS_0 if number is None else QOS_1
        self.send(mqtt5.PublishPacket(topic, payload, **{"qos": qos, "packet_id": number, **more}))

    async def subscribe(self, *filters: str, number: int = 1, **options: Any) -> list[int]:
        options.setdefault("max_qos", QOS_1)
        wanted = [mqtt5.TopicFilter(pattern, **options) for pattern in filters]
        self.send(mqtt5.SubscribePacket(number, wanted))
        packet = await self.receive()
        assert isinstance(packet, mqtt5.SubAckPacket)
        return [int(code) for code in packet.reason_codes]

    async def receive(self, within_s: float = 5) -> Packet | None:
        """Return the next packet, None when the listener has closed the connection."""
        async with asyncio.timeout(within_s):
            while not self._packets:
                try:
                    data = await self.streams[0].read(65536)
                except ConnectionError:
                    return None
                if not data:
                    return None
                self._packets += self._reader.feed(data)
        return self._packets.pop(0)

    async def quiet(self, for_s: float = 0.15) -> bool:
        """Tell whether the listener says nothing for a while."""
        try:
            packet = await self.receive(for_s)
        except TimeoutError:
            return True
        raise AssertionError(f"said {packet}")

    async def acknowledgements(self, count: int) -> list[tuple[int, int]]:
        found: list[tuple[int, int]] = []
        while len(found) < count:
            packet = await self.receive()
            assert isinstance(packet, mqtt5.PubAckPacket), packet
            found.append((packet.packet_id, int(packet.reason_code)))
        return found

    async def alive(self) -> bool:
        """Tell whether the listener still answers."""
        self.send(mqtt5.PingReqPacket())
        return isinstance(await self.receive(), mqtt5.PingRespPacket)

    def cut(self) -> None:
        """Break the connection without a goodbye."""
        self.streams[1].transport.abort()

    async def leave(self) -> None:
        self.send(mqtt5.DisconnectPacket())
        assert await self.receive() is None
        self.cut()


@asynccontextmanager
async def serving(
    *,
    intake: HonestIntake | None = None,
    sessions: SessionStore | None = None,
    clock: HandClock | None = None,
    **settings: Any,
) -> AsyncIterator[Served]:
    intake = intake or HonestIntake()
    hand = clock or HandClock()
    given: Clock = hand
    listener = MqttListener(
        ListenerSettings(**{"port": 0, **settings}),
        intake,
        RegistryCredentials(registry),
        MANIFESTS,
        sessions or MemorySessionStore(),
        given,
    )
    await listener.start()
    served = Served(listener, intake, hand)
    try:
        yield served
    finally:
        await listener.stop()
        for peer in served.peers:
            peer.cut()


def certificates(folder: Path) -> dict[str, Path]:
    """Make a private authority, a server certificate, and one client certificate for lock-1."""
    import trustme

    authority = trustme.CA()
    made = {"ca": folder / "ca.pem"}
    authority.cert_pem.write_to_path(str(made["ca"]))
    for name, issued in {
        "server": authority.issue_cert("127.0.0.1", "localhost"),
        "client": authority.issue_cert("lock-1.devices.example", common_name="lock-1.devices.example"),
    }.items():
        made[f"{name}_key"] = folder / f"{name}.key"
        made[f"{name}_cert"] = folder / f"{name}.pem"
        issued.private_key_pem.write_to_path(str(made[f"{name}_key"]))
        for place, pem in enumerate(issued.cert_chain_pems):
            pem.write_to_path(str(made[f"{name}_cert"]), append=place > 0)
    return made
