"""One device's real MQTT connection: paho under asyncio, persistent session, QoS 1 kept until PUBACK."""

import asyncio
import socket
from collections import deque
from random import uniform
from time import monotonic, time
from typing import Any, Protocol
from zlib import crc32

import msgspec
from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from simulators.broker import Broker
from simulators.devices import Device
from simulators.outputs import Message

KEEP_ALIVE_S = 20
SESSION_EXPIRY_S = 86_400
FIRST_RETRY_S, LAST_RETRY_S, REFUSED_RETRY_S = 0.5, 15.0, 30.0
MAX_QUEUED = 10_000
"""Messages that one device keeps while it has no link; the newest beyond it are refused and counted."""

WINDOW = 20
"""Messages that one device has unacknowledged; so what was handed to paho was written to the socket."""


class Sent(msgspec.Struct):
    """A message and its wall times in seconds: when it was meant to be sent, was sent, and was answered."""

    message: Message
    intended: float
    token: int
    written: float = 0.0
    answered: float = 0.0


class Ears(Protocol):
    """Who hears of the messages of all wires."""

    def heard(self, device: str, leaf: str, payload: bytes) -> None:
        """A command or a configuration came for a device."""
        ...

    def written(self, sent: Sent) -> None:
        """A message was written to its socket."""
        ...

    def acknowledged(self, sent: Sent) -> None:
        """Its PUBACK came."""
        ...


def protocol_of(device: str) -> MQTTProtocolVersion:
    """Return the MQTT version of a device: 5, and 3.1.1 for about every fourth."""
    old = crc32(device.encode()) % 4 == 0
    return MQTTProtocolVersion.MQTTv311 if old else MQTTProtocolVersion.MQTTv5


def _session_kept() -> Properties:
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho leaves it untyped
    properties.SessionExpiryInterval = SESSION_EXPIRY_S
    return properties


class Wire:
    """Connects when wanted, again after a loss, and publishes; call `mind` about twice a second."""

    def __init__(self, device: Device, broker: Broker, password: str | None, ears: Ears) -> None:
        self.device, self.broker, self.ears = device, broker, ears
        self.wanted = self.connected = False
        self.refused = ""
        self.sent = self.acknowledged = self.dropped = 0
        self._queue: deque[Sent] = deque()
        self._flying: dict[int, Sent] = {}
        self._retry_at, self._retry_s = 0.0, FIRST_RETRY_S
        self._loop = asyncio.get_running_loop()
        self._client = self._make_client(password)

    def _make_client(self, password: str | None) -> Client:
        protocol = protocol_of(self.device.id)
        five = protocol == MQTTProtocolVersion.MQTTv5
        client = Client(
            CallbackAPIVersion.VERSION2,
            self.device.id,
            clean_session=None if five else False,
            protocol=protocol,
            reconnect_on_failure=False,
        )
        client.username_pw_set(self.device.id, password)
        will = self.device.will()
        client.will_set(will.topic, will.payload, will.qos, will.retain)
        client.max_inflight_messages_set(WINDOW)
        client.connect_timeout = 5
        if (context := self.broker.context()) is not None:
            client.tls_set_context(context)
        client.on_connect, client.on_disconnect = self._connected, self._disconnected
        client.on_message, client.on_publish = self._heard, self._acknowledged
        client.on_socket_open, client.on_socket_close = self._opened, self._closed
        client.on_socket_register_write = self._wants_write
        client.on_socket_unregister_write = self._has_written
        host, port = self.broker.host, self.broker.port
        if five:
            client.connect_async(host, port, KEEP_ALIVE_S, clean_start=False, properties=_session_kept())
        else:
            client.connect_async(host, port, KEEP_ALIVE_S)
        return client

    # -- what the driver asks

    def up(self) -> None:
        """Want a link from now on."""
        self.wanted, self._retry_at = True, 0.0
        self.mind()

    def down(self) -> None:
        """Break the link without a goodbye, so that the last will is spoken."""
        self.wanted = False
        sock = self._client.socket()
        if isinstance(sock, socket.socket):
            sock.shutdown(socket.SHUT_RDWR)

    def publish(self, message: Message, intended: float | None = None, token: int = 0) -> None:
        """Send, or keep until there is a link; QoS 1 is sent again until acknowledged, QoS 0 is not kept."""
        if not message.qos and not self.connected:
            return
        if len(self._queue) >= MAX_QUEUED:
            self.dropped += 1
            return
        self._queue.append(Sent(message, time() if intended is None else intended, token))
        self._pump()

    @property
    def settled(self) -> bool:
        """Everything is acknowledged that has a link to be acknowledged on."""
        return not self.wanted or bool(self.refused) or not (self._queue or self._flying)

    def _pump(self) -> None:
        while self.connected and self._queue and len(self._flying) < WINDOW:
            sent = self._queue.popleft()
            message, sent.written = sent.message, time()
            told = self._client.publish(message.topic, message.payload, message.qos, message.retain)
            self.sent += 1
            self.ears.written(sent)
            if message.qos:
                self._flying[told.mid] = sent
            else:
                self.acknowledged += 1

    def mind(self) -> None:
        """Keep alive, and connect again when it is time."""
        if self._client.socket() is not None:
            self._client.loop_misc()
        elif self.wanted and monotonic() >= self._retry_at:
            try:
                self._client.reconnect()
            except OSError:
                self._later(min(LAST_RETRY_S, self._retry_s * 2))

    def close(self) -> None:
        """Say goodbye: no last will."""
        self.wanted = False
        self._client.disconnect()

    # -- what paho tells

    def _later(self, seconds: float) -> None:
        self._retry_s = seconds
        self._retry_at = monotonic() + uniform(0.5, 1) * seconds  # noqa: S311 - spreads reconnections

    def _connected(
        self, client: Client, _data: object, _flags: ConnectFlags, code: ReasonCode, _properties: object
    ) -> None:
        if code.is_failure:
            self.refused = str(code)
            return
        self._retry_s, self.refused = FIRST_RETRY_S, ""
        self.connected = True
        client.subscribe([(self.device.topic("command"), 1), (self.device.topic("config"), 1)])
        self._pump()

    def _disconnected(
        self, _client: Client, _data: object, _flags: DisconnectFlags, _code: ReasonCode, _properties: object
    ) -> None:
        self.connected = False
        self._later(REFUSED_RETRY_S if self.refused else min(LAST_RETRY_S, self._retry_s * 2))

    def _heard(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        self.ears.heard(self.device.id, message.topic.rpartition("/")[2], bytes(message.payload))

    def _acknowledged(
        self, _client: Client, _data: object, mid: int, _code: ReasonCode, _properties: object
    ) -> None:
        sent = self._flying.pop(mid, None)
        if sent is not None:
            self.acknowledged += 1
            sent.answered = time()
            self.ears.acknowledged(sent)
            self._pump()

    def _opened(self, client: Client, _data: object, sock: Any) -> None:
        self._loop.add_reader(sock, client.loop_read)

    def _closed(self, _client: Client, _data: object, sock: Any) -> None:
        self._loop.remove_reader(sock)

    def _wants_write(self, client: Client, _data: object, sock: Any) -> None:
        self._loop.add_writer(sock, client.loop_write)

    def _has_written(self, _client: Client, _data: object, sock: Any) -> None:
        self._loop.remove_writer(sock)
