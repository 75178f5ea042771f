"""Link: one MQTT connection of the edge to the centre, from the greeting to its end with the reason."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from mqtt5 import (
    ConnAckPacket,
    ConnAckReasonCode,
    ConnectPacket,
    DisconnectPacket,
    PingReqPacket,
    PubAckPacket,
    PublishPacket,
    QoS,
    SubAckPacket,
    SubscribePacket,
    TopicFilter,
    Will,
)

from gateway.edge import words
from gateway.edge.settings import IdentitySettings, LinkSettings, UplinkSettings
from gateway.model.forwarded import BRANCH
from gateway.transports.mqtt_client.refusals import disconnected, refused
from gateway.transports.mqtt_codec import MQTT_5, Packet, PacketError, PacketReader, encode

log = logging.getLogger(__name__)

MAX_PACKET_BYTES = 256 * 1024
"""The largest packet that is read: a configuration."""
SESSION_S = 3600
"""So long the centre keeps the edge's session: the delay of the will ends with it."""
LAST_ID = 0xFFFF
OWN_WORDS = 4
"""Of what the centre takes unanswered, so many messages are left to what the edge says of itself."""
NO_SUBSCRIBER = 0x10
REFUSED_FROM = 0x80
PING = encode(PingReqPacket(), MQTT_5)


@dataclass(frozen=True)
class Ending:
    """Why a connection ended; `silent` when the other side just did not answer any more."""

    why: str
    silent: bool = False


@dataclass(frozen=True)
class Hooks:
    """Who hears what comes from the centre: a number that is safe, a configuration."""

    safe: Callable[[int], None]
    configured: Callable[[bytes], None]


class Link(asyncio.Protocol):
    """`ready` resolves once the centre has accepted the edge, `ended` when the connection is gone.

    A frame whose PUBACK refuses it, or says that nobody is there to take it, ends the connection: the frame
    stays in the queue, and somebody must set the centre right.
    """

    def __init__(
        self, settings: LinkSettings, uplink: UplinkSettings, identity: IdentitySettings, hooks: Hooks
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self.settings = settings
        self._uplink, self._identity, self._hooks = uplink, identity, hooks
        self.ready: asyncio.Future[None] = self._loop.create_future()
        self.ended: asyncio.Future[Ending] = self._loop.create_future()
        self.gone: asyncio.Future[None] = self._loop.create_future()
        self._ending = Ending("the centre closed the connection")
        self._reader = PacketReader(settings.protocol, MAX_PACKET_BYTES)
        self._transport: asyncio.Transport | None = None
        self._most = uplink.in_flight
        self._on_their_way: dict[int, tuple[int, float]] = {}
        self._next_id = 1
        self._heard = True
        self._beating: asyncio.TimerHandle | None = None
        self._frames = words.topic(identity.native_id, BRANCH)

    # --- the outlet of the queue ---

    def room(self) -> int:
        """Return how many more frames may be on their way."""
        return 0 if self.ended.done() else max(0, self._most - len(self._on_their_way))

    def send(self, number: int, envelope: bytes) -> None:
        """Send one frame; its PUBACK means that it is on the centre's disk."""
        packet_id = self._publish(self._frames, envelope, retain=False)
        self._on_their_way[packet_id] = (number, self._loop.time())

    def say(self, branch: str, payload: bytes, *, retain: bool = False) -> None:
        """Say something of the edge itself; nothing is lost with it when it does not arrive."""
        self._publish(words.topic(self._identity.native_id, branch), payload, retain=retain)

    # --- the connection ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet the centre."""
        self._transport = cast("asyncio.Transport", transport)
        self._send(self._greeting())

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell why it ended."""
        if self._beating:
            self._beating.cancel()
        if exc is not None and self._ending.why == "the centre closed the connection":
            self._ending = Ending(f"the connection broke: {exc}", silent=isinstance(exc, TimeoutError))
        if not self.ended.done():
            self.ended.set_result(self._ending)
        self.gone.set_result(None)
        if not self.ready.done():
            self.ready.set_exception(ConnectionError(self._ending.why))
            self.ready.exception()  # whoever waits hears it; nobody must

    def end(self, ending: Ending) -> None:
        """Cut the connection."""
        self._ending = ending
        if not self.ended.done():
            self.ended.set_result(ending)
        if self._transport is not None:
            self._transport.abort()

    def close(self, farewell: bytes | None = None) -> None:
        """Leave in order, so that the will is not told; `farewell` is the last status."""
        if farewell is not None:
            self.say("status", farewell, retain=True)
        self._ending = Ending("the edge leaves")
        self._send(DisconnectPacket())
        if not self.ended.done():
            self.ended.set_result(self._ending)
        if self._transport is not None:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Read packets."""
        self._heard = True
        try:
            packets = self._reader.feed(data)
        except PacketError as error:
            self.end(Ending(f"the centre sent an invalid packet: {error.reason}"))
            return
        for packet in packets:
            self._take(packet)

    def _take(self, packet: Packet) -> None:
        if isinstance(packet, PubAckPacket):
            self._answered(packet)
        elif isinstance(packet, ConnAckPacket):
            self._greeted(packet)
        elif isinstance(packet, PublishPacket):
            self._configured(packet)
        elif isinstance(packet, SubAckPacket):
            if int(packet.reason_codes[0]) >= REFUSED_FROM:
                log.warning("link %s: the centre grants the edge no configuration", self.settings.name)
        elif isinstance(packet, DisconnectPacket):
            self.end(Ending(disconnected(packet, self.settings.broker()).why))

    def _greeted(self, packet: ConnAckPacket) -> None:
        if packet.reason_code != ConnAckReasonCode.SUCCESS:
            self.end(Ending(refused(packet).why))
            return
        self._most = max(1, min(self._most, (packet.receive_max or LAST_ID) - OWN_WORDS))
        config = words.topic(self._identity.native_id, "config")
        self._send(SubscribePacket(self._free_id(), [TopicFilter(config, max_qos=QoS.AT_LEAST_ONCE)]))
        if not self.ready.done():
            self.ready.set_result(None)
        self._beat()

    def _answered(self, packet: PubAckPacket) -> None:
        number, _ = self._on_their_way.pop(packet.packet_id, (0, 0.0))
        if not number:
            return
        reason = int(packet.reason_code)
        if reason >= REFUSED_FROM or reason == NO_SUBSCRIBER:
            why = "has nobody who takes frames" if reason == NO_SUBSCRIBER else f"refuses them ({reason:#x})"
            self.end(Ending(f"the centre does not take frames on {self._frames}: it {why}"))
            return
        self._hooks.safe(number)

    def _configured(self, packet: PublishPacket) -> None:
        if packet.topic == words.topic(self._identity.native_id, "config"):
            self._hooks.configured(packet.payload)
        if packet.packet_id:
            self._send(PubAckPacket(packet.packet_id))

    def _beat(self) -> None:
        """Ping twice in a keep-alive period; silence after a ping, or a frame unanswered, is a dead link."""
        now = self._loop.time()
        waiting_since = min((at for _, at in self._on_their_way.values()), default=now)
        if not self._heard:
            self.end(Ending(f"no answer to a ping within {self._uplink.keep_alive_s / 2:g} s", silent=True))
            return
        if now - waiting_since > self._uplink.ack_within_s:
            self.end(Ending(f"a frame unanswered for {self._uplink.ack_within_s:g} s", silent=True))
            return
        self._heard = False
        self._write(PING)
        every_s = min(self._uplink.keep_alive_s / 2, self._uplink.ack_within_s)
        self._beating = self._loop.call_later(every_s, self._beat)

    # --- packets ---

    def _greeting(self) -> ConnectPacket:
        identity, delay_s = self._identity, self._uplink.lost_after_s
        five = self.settings.protocol == MQTT_5
        will = Will(
            words.topic(identity.native_id, "status"),
            payload=words.LOST,
            qos=QoS.AT_LEAST_ONCE,
            retain=True,
            will_delay_interval=delay_s if five else 0,
        )
        password = identity.password.get_secret_value().encode() if identity.password else None
        return ConnectPacket(
            f"edge-{identity.native_id}".replace("/", "-"),
            username=identity.username or identity.native_id,
            password=password,
            clean_start=False,
            will=will,
            keep_alive=self._uplink.keep_alive_s,
            session_expiry_interval=max(SESSION_S, delay_s),
            max_packet_size=MAX_PACKET_BYTES,
        )

    def _publish(self, topic: str, payload: bytes, *, retain: bool) -> int:
        packet_id = self._free_id()
        self._send(PublishPacket(topic, payload, qos=QoS.AT_LEAST_ONCE, retain=retain, packet_id=packet_id))
        return packet_id

    def _free_id(self) -> int:
        while self._next_id in self._on_their_way:
            self._next_id = self._next_id % LAST_ID + 1
        found, self._next_id = self._next_id, self._next_id % LAST_ID + 1
        return found

    def _send(self, packet: Packet) -> None:
        self._write(encode(packet, self.settings.protocol))

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)
