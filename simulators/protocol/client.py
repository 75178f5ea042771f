"""A device's MQTT client in virtual time, MQTT 5.0 or 3.1.1: persistent session, QoS 1 kept until PUBACK."""

import asyncio
from collections import deque
from collections.abc import Callable
from random import Random
from zlib import crc32

import mqtt5
import msgspec

from simulators.outputs import Message
from simulators.protocol.network import NetworkLoop, Pipe
from simulators.protocol.packets import QOS, V5, V311, Stream, write

KEEP_ALIVE_S = 300
SESSION_S = 86_400
ANSWER_S = 20.0
"""How long a client waits for a CONNACK or a PINGRESP before it takes the link for dead."""
FIRST_RETRY_S, LAST_RETRY_S = 0.5, 15.0
WINDOW = 20
"""Messages that a client has unacknowledged, where the server allows no fewer."""
KEPT = 10_000
"""Messages that a device keeps; the newest beyond it are refused and counted."""

Heard = Callable[[str, str, bytes], None]
"""(device, topic leaf, payload) of a command or a configuration."""


def speaks_old(device: str) -> bool:
    """Tell whether a device speaks MQTT 3.1.1: about every fourth; the others speak 5.0."""
    return crc32(device.encode()) % 4 == 0


class Login(msgspec.Struct, frozen=True):
    """Who a client is, and which port it dials."""

    name: str
    password: str | None
    port: int


class Tally(msgspec.Struct):
    """What one client did."""

    connections: int = 0
    sent: int = 0
    resent: int = 0
    acknowledged: int = 0
    dropped: int = 0
    refused: str = ""


class Waiting(msgspec.Struct):
    """A message that its device keeps; `token` is what its sender hears when it is acknowledged."""

    message: Message
    token: int
    again: bool


class Client(asyncio.Protocol):
    """Connects when wanted, again after a loss, and publishes; it reads no clock but the loop's."""

    def __init__(
        self, loop: NetworkLoop, login: Login, rng: Random, acknowledged: Callable[[int], None]
    ) -> None:
        self.level = V311 if speaks_old(login.name) else V5
        self.tally = Tally()
        self.heard: Heard | None = None
        self._loop, self._login, self._rng, self._acknowledged = loop, login, rng, acknowledged
        self._will: Message | None = None
        self._wanted = self._ready = False
        self._writable = True
        self._pipe: Pipe | None = None
        self._queue: deque[Waiting] = deque()
        self._flying: dict[int, Waiting] = {}
        self._packet_id = 0
        self._window = WINDOW
        self._retry_s = FIRST_RETRY_S
        self._timer: asyncio.TimerHandle | None = None
        self._stream = Stream(self.level)

    # -- what the device asks

    def up(self, will: Message | None) -> None:
        """Want a link from now on, with that last will."""
        self._wanted, self._will = True, will
        if self._pipe is None:
            self._dial()

    def down(self) -> None:
        """Break the link without a goodbye, and want none."""
        self._wanted = False
        self._loop.network.cut(self._login.name)
        self._stop_timer()

    def publish(self, message: Message, token: int = 0, *, again: bool = False) -> None:
        """Send, or keep until there is a link; QoS 0 is not kept."""
        if not message.qos and not self._ready:
            return
        if len(self._queue) >= KEPT:
            self.tally.dropped += 1
            return
        self._queue.append(Waiting(message, token, again))
        self._pump()

    @property
    def settled(self) -> bool:
        """Nothing waits to be sent or acknowledged."""
        return not (self._queue or self._flying)

    # -- the link

    def _dial(self) -> None:
        self._stop_timer()
        self._stream = Stream(self.level)
        try:
            self._loop.network.dial(self._login.name, self._login.port, self)
        except OSError:
            self._later()

    def _later(self) -> None:
        """Dial again after a while, which doubles."""
        wait_s = self._rng.uniform(0.5, 1) * self._retry_s
        self._retry_s = min(LAST_RETRY_S, self._retry_s * 2)
        self._set_timer(wait_s, self._dial)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say who we are."""
        if not isinstance(transport, Pipe):
            raise TypeError("a client of the network in memory only")
        self._pipe, self._writable = transport, True
        name, password = self._login.name, self._login.password
        will = self._will
        self._send(
            mqtt5.ConnectPacket(
                name,
                username=name if password is not None else None,
                password=password.encode() if password is not None else None,
                clean_start=False,
                will=mqtt5.Will(will.topic, payload=will.payload, qos=QOS[will.qos], retain=will.retain)
                if will
                else None,
                keep_alive=KEEP_ALIVE_S,
                session_expiry_interval=SESSION_S,
            )
        )
        self._set_timer(ANSWER_S, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the reason changes nothing
        """Dial again; what was not acknowledged is kept."""
        self._pipe, self._ready = None, False
        self._stop_timer()
        if self._wanted:
            self._later()

    def _give_up(self) -> None:
        """Nothing is heard any more: the link is dead, whatever it looks like."""
        if self._pipe is not None:
            self._pipe.abort()

    def _ping(self) -> None:
        self._send(mqtt5.PingReqPacket())
        self._set_timer(ANSWER_S, self._give_up)

    def _beat(self) -> None:
        self._set_timer(KEEP_ALIVE_S * 0.8, self._ping)

    def _set_timer(self, wait_s: float, do: Callable[[], None]) -> None:
        self._stop_timer()
        self._timer = self._loop.call_later(wait_s, do)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # -- what comes

    def data_received(self, data: bytes) -> None:
        """Read packets; a broken one ends the link."""
        try:
            for packet in self._stream.feed(data):
                self._take(packet)
        except ValueError:
            self._give_up()

    def _take(self, packet: mqtt5.Packet) -> None:
        if isinstance(packet, mqtt5.PubAckPacket):
            self._puback(packet.packet_id)
        elif isinstance(packet, mqtt5.ConnAckPacket):
            self._connack(packet)
        elif isinstance(packet, mqtt5.PingRespPacket):
            self._beat()
        elif isinstance(packet, mqtt5.PublishPacket):
            if packet.packet_id is not None:
                self._send(mqtt5.PubAckPacket(packet.packet_id))
            if self.heard is not None:
                self.heard(self._login.name, packet.topic.rpartition("/")[2], packet.payload)
        elif isinstance(packet, mqtt5.DisconnectPacket):
            self._give_up()

    def _connack(self, packet: mqtt5.ConnAckPacket) -> None:
        if int(packet.reason_code):
            self.tally.refused = packet.reason_code.name.lower().replace("_", " ")
            self._retry_s = LAST_RETRY_S
            self._give_up()
            return
        self.tally.refused, self._retry_s = "", FIRST_RETRY_S
        self.tally.connections += 1
        self._ready = True
        self._window = min(WINDOW, packet.receive_max)
        branch = f"vaka/1/{self._login.name}"
        wanted = [mqtt5.TopicFilter(f"{branch}/{leaf}", max_qos=QOS[1]) for leaf in ("command", "config")]
        self._send(mqtt5.SubscribePacket(self._next_id(), wanted))
        for number, waiting in self._flying.items():
            self.tally.resent += 1
            self._send(_publish(waiting.message, number, again=True))
        self._beat()
        self._pump()

    def _puback(self, number: int) -> None:
        waiting = self._flying.pop(number, None)
        if waiting is not None:
            self.tally.acknowledged += 1
            if waiting.token:
                self._acknowledged(waiting.token)
            self._pump()

    # -- what goes

    def pause_writing(self) -> None:
        """The link is full."""
        self._writable = False

    def resume_writing(self) -> None:
        """The link has room."""
        self._writable = True
        self._pump()

    def _pump(self) -> None:
        while self._ready and self._writable and self._queue and len(self._flying) < self._window:
            waiting = self._queue.popleft()
            number = self._next_id() if waiting.message.qos else None
            if number is not None:
                self._flying[number] = waiting
            self.tally.sent += 1
            self._send(_publish(waiting.message, number, again=waiting.again))

    def _next_id(self) -> int:
        while True:
            self._packet_id = self._packet_id % 65_535 + 1
            if self._packet_id not in self._flying:
                return self._packet_id

    def _send(self, packet: mqtt5.Packet) -> None:
        if self._pipe is not None:
            self._pipe.write(write(packet, self.level))


def _publish(message: Message, number: int | None, *, again: bool) -> mqtt5.PublishPacket:
    return mqtt5.PublishPacket(
        message.topic,
        message.payload,
        qos=QOS[message.qos],
        retain=message.retain,
        packet_id=number,
        duplicate=again and number is not None,
    )
