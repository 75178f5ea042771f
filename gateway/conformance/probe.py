"""The probe: stands between the device and our side, sees every packet, and makes the network's faults."""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

import mqtt5

from gateway.conformance.declaration import ConnectionSection
from gateway.conformance.link import Link
from gateway.conformance.record import Direction, Fate, Record
from gateway.conformance.wire import Cut, Wire
from gateway.transports.mqtt_codec import MQTT_5, encode
from gateway.transports.mqtt_listener.topics import matches

OWN_IDS_FROM = 60_000
"""Packet identifiers of the probe's own messages: far above those that a server gives one device."""


@dataclass(frozen=True)
class Address:
    """Where to listen or to dial; with `tls` over TLS."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None


class Swallow:
    """Packets of one kind that vanish; `left` None is until it is ended."""

    def __init__(self, kind: str, left: int | None, direction: Direction) -> None:
        self.kind, self.direction = kind, direction
        self.taken = 0
        self._left = left

    @property
    def on(self) -> bool:
        """Whether it still takes any."""
        return self._left is None or self._left > 0

    def end(self) -> None:
        """Take no more."""
        self._left = 0

    def takes(self, direction: Direction, kind: str) -> bool:
        """Take a packet, if it is one of its own."""
        if not self.on or direction is not self.direction or kind != self.kind:
            return False
        self.taken += 1
        if self._left is not None:
            self._left -= 1
        return True


class Probe:
    """A proxy in front of our side; `upstream` is asked at every connection, for our side may move."""

    def __init__(
        self, record: Record, device: ConnectionSection, listen: Address, upstream: Callable[[], Address]
    ) -> None:
        self.record = record
        self.tested: Callable[[bytes], None] = lambda _payload: None
        self._device, self._listen, self._upstream = device, listen, upstream
        self._links: list[Link] = []
        self._swallows: list[Swallow] = []
        self._delays = dict.fromkeys(Direction, 0.0)
        self._refusing = self._forgetting = False
        self._server: asyncio.Server | None = None
        self._dialling: set[asyncio.Task[None]] = set()
        self._ids = count(OWN_IDS_FROM)
        self._unanswered: set[int] = set()
        self._inbox: set[str] = set()
        self._retained: dict[str, bytes] = {}
        self._waiting: list[tuple[str, bytes]] = []

    @property
    def port(self) -> int:
        """The TCP port, also when the system has chosen it."""
        if self._server is None:
            return self._listen.port
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def start(self) -> None:
        """Listen; raises OSError."""
        self._loop = asyncio.get_running_loop()
        listen = self._listen
        self._server = await self._loop.create_server(
            lambda: self._accept().device, listen.host, listen.port, ssl=listen.tls
        )

    async def stop(self) -> None:
        """Cut what there is, and listen no more."""
        if self._server is None:
            return
        self._server.close()
        for link in self._links[:]:
            link.cut()
        for task in list(self._dialling):
            task.cancel()
        await asyncio.gather(*self._dialling, return_exceptions=True)
        await asyncio.sleep(0.05)  # the transports hear of it in a later turn of the loop
        await self._server.wait_closed()
        self._server = None

    # -- the faults that a bench can ask for

    def swallow(self, kind: str, count: int | None = None, direction: Direction = Direction.DOWN) -> Swallow:
        """Make the next packets of that kind vanish."""
        made = Swallow(kind, count, direction)
        self._swallows.append(made)
        return made

    def cut(self) -> None:
        """Break every connection of the device without a goodbye."""
        for link in self._links[:]:
            link.cut()

    def vanish(self) -> None:
        """Let nothing pass any more on the connections there are."""
        for link in self._links:
            link.silent = True

    def refuse(self, *, refusing: bool) -> None:
        """Close new connections at once, or take them again."""
        self._refusing = refusing

    def delay(self, direction: Direction, seconds: float) -> None:
        """Hold packets back for so long, in their order."""
        self._delays[direction] = seconds

    def send(self, data: bytes) -> None:
        """Put bytes on the present connection to the device; nothing where there is none."""
        if (link := self.present) is not None:
            link.send(data, "RAW", None)

    def calm(self) -> None:
        """End every fault; a connection on which everything vanished is cut."""
        for swallow in self._swallows:
            swallow.end()
        self._swallows.clear()
        self._delays = dict.fromkeys(Direction, 0.0)
        self._refusing = False
        for link in [link for link in self._links if link.silent]:
            link.silent = False
            link.cut()

    # -- what our side may need of it

    def forget(self) -> None:
        """Say "session present 0" in the next CONNACK, and keep nothing for the device."""
        self._forgetting = True

    @property
    def present(self) -> Link | None:
        """The newest connection of the device that stands."""
        return next((link for link in reversed(self._links) if link.number and link.standing), None)

    def tell(self, topic: str, payload: bytes, *, retain: bool = False, waiting: bool = False) -> bool:
        """Send the device a message of our own if it has subscribed; a retained one at each subscription.

        One that is `waiting` is sent when the device has subscribed again. Tells whether it went out now.
        """
        if retain:
            self._retained[topic] = payload
        link = self.present
        if link is not None and self._hears(topic):
            self._publish(link, topic, payload, retain=False)
            return True
        if waiting and not retain:
            self._waiting.append((topic, payload))
        return False

    # -- what a link asks

    def is_device(self, connect: mqtt5.ConnectPacket) -> bool:
        """Know the device by its declared login and client id; anybody is, where none is declared."""
        wanted = self._device
        return wanted.username in ("", connect.username) and wanted.client_id in ("", connect.client_id)

    def fate(self, link: Link, direction: Direction, cut: Cut) -> Fate:
        """Decide what becomes of a packet."""
        packet = cut.packet
        if direction is Direction.UP and packet is not None and self._is_ours(link, packet):
            return Fate.SWALLOWED
        if any(swallow.takes(direction, cut.kind) for swallow in self._swallows):
            return Fate.SWALLOWED
        if isinstance(packet, mqtt5.SubscribePacket):
            self._inbox |= {wanted.pattern for wanted in packet.topic_filters}
            self._unanswered.add(packet.packet_id)
        elif isinstance(packet, mqtt5.ConnAckPacket):
            if packet.session_present:
                self._loop.call_soon(self._tell_waiting)
            else:
                self._inbox.clear()
        elif isinstance(packet, mqtt5.SubAckPacket) and packet.packet_id in self._unanswered:
            self._unanswered.discard(packet.packet_id)
            self._loop.call_soon(self._tell_kept, link)
        return Fate.PASSED

    def delay_s(self, direction: Direction) -> float:
        """How long packets of that direction are held back."""
        return self._delays[direction]

    def rewritten(self, link: Link, cut: Cut) -> Cut:
        """Take the session from a CONNACK, where it is to be forgotten."""
        if not self._forgetting or not isinstance(cut.packet, mqtt5.ConnAckPacket):
            return cut
        self._forgetting = False
        flags = next(place for place in range(1, 5) if cut.wire[place] < 0x80) + 1
        wire = cut.wire[:flags] + b"\0" + cut.wire[flags + 1 :]
        (packet,) = Wire(link.level).feed(wire)
        return Cut(cut.kind, wire, wire, packet.packet, "session present taken away by the probe")

    def gone(self, link: Link) -> None:
        """Forget a link that is over."""
        if link in self._links:
            self._links.remove(link)

    # -- inside

    def _accept(self) -> Link:
        link = Link(self, self._loop, self._dial)
        self._links.append(link)
        return link

    def _dial(self, link: Link) -> None:
        if self._refusing:
            self.record.add(0, Direction.UP, "REFUSED", remark=link.remark)
            self._loop.call_soon(link.device.close)
            return
        task = self._loop.create_task(self._reach(link))
        self._dialling.add(task)
        task.add_done_callback(self._dialling.discard)

    async def _reach(self, link: Link) -> None:
        to = self._upstream()
        try:
            await self._loop.create_connection(lambda: link.side, to.host, to.port, ssl=to.tls)
        except OSError as error:
            why = f"our side cannot be reached: {error.strerror or error}"
            self.record.add(link.number, Direction.DOWN, "REFUSED", remark=why)
            link.device.close(abruptly=True)
        if link.device.over:
            link.side.close()

    def _is_ours(self, link: Link, packet: mqtt5.Packet) -> bool:
        """Take what the device says to the probe itself: acknowledgements, and the test hook's answers."""
        if isinstance(packet, mqtt5.PubAckPacket) and packet.packet_id in link.own_ids:
            link.own_ids.discard(packet.packet_id)
            return True
        if not isinstance(packet, mqtt5.PublishPacket) or packet.topic != self._device.topic("tested"):
            return False
        if packet.packet_id is not None:
            answer = mqtt5.PubAckPacket(packet.packet_id)
            self._loop.call_soon(link.send, encode(answer, link.level), "TEST", answer)
        self._loop.call_soon(self.tested, packet.payload or b"")
        return True

    def _hears(self, topic: str) -> bool:
        """Whether one of the device's subscriptions, in this session, matches the topic."""
        return any(matches(pattern, topic) for pattern in self._inbox)

    def _tell_kept(self, link: Link) -> None:
        """Send a device that has subscribed what is kept for it."""
        for topic, payload in self._retained.items():
            if self._hears(topic):
                self._publish(link, topic, payload, retain=True)
        self._tell_waiting()

    def _tell_waiting(self) -> None:
        kept, self._waiting = self._waiting, []
        for topic, payload in kept:
            self.tell(topic, payload, waiting=True)

    def _publish(self, link: Link, topic: str, payload: bytes, *, retain: bool) -> None:
        number = next(self._ids)
        if number >= 65_535:
            self._ids = count(OWN_IDS_FROM)
        link.own_ids.add(number)
        qos = mqtt5.QoS.AT_LEAST_ONCE
        packet = mqtt5.PublishPacket(topic, payload, qos=qos, retain=retain, packet_id=number)
        kind = "TEST" if topic == self._device.topic("test") else "PUBLISH"
        link.send(encode(packet, link.level or MQTT_5), kind, packet)
