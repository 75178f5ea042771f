"""One connection to a broker: greeting, keep-alive, control packets, and the end with its reason."""

import asyncio
import logging
from typing import cast

from mqtt5 import (
    ConnAckPacket,
    ConnAckReasonCode,
    DisconnectPacket,
    PingReqPacket,
    PubAckPacket,
    PubCompPacket,
    PublishPacket,
    PubRelPacket,
    SubAckPacket,
)

from gateway.config import BrokerSettings
from gateway.contract import Clock, Intake
from gateway.model.frame import Frame, Transport
from gateway.transports.mqtt_client.inflow import Inflow
from gateway.transports.mqtt_client.outflow import Outflow
from gateway.transports.mqtt_client.packets import MAX_PACKET_BYTES, connect_packet, status_packet
from gateway.transports.mqtt_client.refusals import Ending, disconnected, refused, unexplained
from gateway.transports.mqtt_client.standing import Standing
from gateway.transports.mqtt_client.subscriptions import Subscriptions
from gateway.transports.mqtt_codec import MQTT_5, Packet, PacketError, PacketReader, encode

log = logging.getLogger(__name__)

GREETING_S = 10.0
"""How long the broker may take to answer CONNECT."""

FAREWELL_S = 2.0
"""How long the broker may take to close after DISCONNECT before the connection is cut."""

STATUS_ID = 1
PING = encode(PingReqPacket(), MQTT_5)  # the same two bytes in both protocol levels


class Link(asyncio.Protocol):
    """Speaks MQTT over one connection; `ended` resolves with the reason once the connection is gone."""

    def __init__(
        self,
        settings: BrokerSettings,
        subscriptions: Subscriptions,
        intake: Intake,
        clock: Clock,
        standing: Standing,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[Ending] = self._loop.create_future()
        self._settings = settings
        self._subscriptions = subscriptions
        self._clock = clock
        self._standing = standing
        self._reader = PacketReader(settings.protocol, MAX_PACKET_BYTES)
        self._inflow = Inflow(
            settings, intake, standing, write=self._write, pause=self._pause, resume=self._resume
        )
        self.outflow = Outflow(self._send, settings.protocol)
        self._ending = unexplained(settings)
        self._keep_alive_s: float = settings.keep_alive_s
        self._greeted = False
        self._leaving = False
        self._heard = False
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet the broker. The loop has set TCP_NODELAY: acknowledgements leave at once."""
        self._transport = cast("asyncio.Transport", transport)
        self._send(connect_packet(self._settings, self._clock.now()))
        late = Ending(f"no answer to CONNECT within {GREETING_S:.0f} s")
        self._timer = self._loop.call_later(GREETING_S, self.end, late)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop everything that belongs to the connection, and tell why it ended."""
        if self._timer:
            self._timer.cancel()
        self._inflow.stop()
        self.outflow.stop()
        self._subscriptions.stop()
        self._standing.connected = False
        if exc is not None and self._ending.unexplained:
            self._ending = Ending(f"the connection broke: {exc}")
        if not self.ended.done():
            self.ended.set_result(self._ending)

    def end(self, ending: Ending) -> None:
        """Cut the connection for this reason; the broker publishes the last will."""
        self._ending = ending
        self._transport.abort()

    def close(self) -> None:
        """Say that the gateway stops and leave in order; the session stays at the broker.

        The broker closes after DISCONNECT. Were it done here, what the broker still sends would break
        the connection before it has read the farewell, and it would publish the last will.
        """
        if self._transport.is_closing():
            return
        self._ending = Ending("the gateway stops")
        self._leaving = True
        self._inflow.stop()
        if self._greeted:
            self._tell("offline", "stopped")
        self._send(DisconnectPacket())
        self._loop.call_later(FAREWELL_S, self._transport.abort)

    def data_received(self, data: bytes) -> None:
        """Read packets; the messages of one read share their time of receipt."""
        self._heard = True
        if self._leaving:
            return
        fault: PacketError | None = None
        try:
            packets = self._reader.feed(data)
        except PacketError as error:
            packets, fault = error.packets, error
        messages = [packet for packet in packets if type(packet) is PublishPacket]
        if len(messages) != len(packets):
            self._control([packet for packet in packets if type(packet) is not PublishPacket])
        if messages:
            self._inflow.take(messages, self._clock.now())
        if fault:
            self._invalid(fault)

    def _control(self, packets: list[Packet]) -> None:
        for packet in packets:
            if isinstance(packet, ConnAckPacket):
                self._answered(packet)
            elif isinstance(packet, SubAckPacket):
                self._subscriptions.answered(packet)
            elif isinstance(packet, PubAckPacket):
                self.outflow.acknowledged(packet)
            elif isinstance(packet, PubRelPacket):
                self._send(PubCompPacket(packet.packet_id))
            elif isinstance(packet, DisconnectPacket):
                self.end(disconnected(packet, self._settings))

    def _answered(self, packet: ConnAckPacket) -> None:
        if packet.reason_code != ConnAckReasonCode.SUCCESS:
            self.end(refused(packet))
            return
        self._greeted = self._standing.connected = True
        self._standing.connections += 1
        kept = "session resumed" if packet.session_present else "new session"
        log.info("broker %s: connected as %r, %s", self._settings.name, self._settings.client_id, kept)
        self._tell("online", "connected")
        self._subscriptions.start(self._send, session_present=packet.session_present)
        self._keep_alive_s = packet.server_keep_alive or self._keep_alive_s
        self._beat()

    def _beat(self) -> None:
        """Ping twice in a keep-alive period; silence after a ping means that the peer is gone."""
        if self._timer:
            self._timer.cancel()
        if not self._heard and not self._inflow.paused:
            self.end(Ending(f"no PINGRESP from the broker within {self._keep_alive_s / 2:g} s"))
            return
        if self._subscriptions.overdue() and not self._inflow.paused:
            self.end(Ending("no answer to SUBSCRIBE"))
            return
        self._heard = self._inflow.paused
        self._write(PING)
        self._timer = self._loop.call_later(self._keep_alive_s / 2, self._beat)

    def _invalid(self, fault: PacketError) -> None:
        """Journal the evidence and start over: after a fault nothing tells where the next packet begins."""
        self._standing.invalid += 1
        what = f"{fault.reason}; {fault.clause}"
        log.error("broker %s: sent an invalid packet: %s", self._settings.name, what)
        now = self._clock.now()
        ingress = f"broker:{self._settings.name}"
        self._inflow.report(Frame(Transport.MQTT, "", fault.evidence, now, ingress, fault=what))
        self.end(Ending(f"the broker sent an invalid packet: {what}"))

    def _tell(self, word: str, code: str) -> None:
        self._send(status_packet(self._settings, STATUS_ID, word, code, self._clock.now()))

    def _send(self, packet: Packet) -> None:
        self._write(encode(packet, self._settings.protocol))

    def _write(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(data)

    def _pause(self) -> None:
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def _resume(self) -> None:
        if not self._transport.is_closing():
            self._transport.resume_reading()
