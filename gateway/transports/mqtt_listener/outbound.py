"""What goes to one connected device: messages within its receive maximum and packet size, PUBACKs."""

import logging
import struct
from collections.abc import Callable, Sequence
from typing import Protocol

import mqtt5

from gateway.contract import Clock
from gateway.transports.mqtt_codec import MQTT_5, encode
from gateway.transports.mqtt_listener.records import Message
from gateway.transports.mqtt_listener.sessions import Session, SessionBook

_PACKET_IDS = 65_535

REFUSED = 0x1_0000
"""Added to a packet identifier: the frame was kept as a fault, and an MQTT 5 device is told so."""

_PUBACK = 0x4002_0000
_NOT_AUTHORIZED = 0x87

log = logging.getLogger("gateway.transports.mqtt_listener")


class Wire(Protocol):
    """The connection's socket, as the dialogue sees it."""

    def write(self, raw: bytes) -> None:
        """Send bytes."""
        ...

    def close(self, farewell: bytes = b"") -> None:
        """Send a last packet and close."""
        ...

    def acknowledged(self) -> None:
        """Room was made by acknowledgements."""
        ...


class Outbound:
    """Sends a session's messages on its connection, QoS 1 in order and no more than the device takes.

    A message's packet identifier follows from its number, so a message that is sent again, even after
    a restart, is the same to the device.
    """

    __slots__ = (
        *("_book", "_clock", "_in_flight", "_level", "_max_bytes", "_queue", "_receive_max", "_session"),
        "_write",
    )

    def __init__(
        self,
        session: Session,
        book: SessionBook,
        clock: Clock,
        write: Callable[[bytes], None],
        connect: tuple[int, mqtt5.ConnectPacket],
    ) -> None:
        self._session = session
        self._book = book
        self._clock = clock
        self._write = write
        self._level, packet = connect
        self._receive_max = packet.receive_max
        self._max_bytes = packet.max_packet_size
        self._in_flight: dict[int, int] = {}
        self._queue: dict[int, None] = {}  # in order; an idle one is ten times smaller than a deque

    def start(self) -> None:
        """Send what waited, and from now on what comes."""
        self._queue.update(dict.fromkeys(self._session.waiting))
        self._session.on_message = self.take
        self.pump()

    def take(self, message: Message, qos: int) -> None:
        """Send a message, at once or in its turn."""
        if qos:
            self._queue[message.number] = None
            self.pump()
        elif (raw := self._packet(message, None)) is not None:
            self._write(raw)

    def acknowledged(self, packet_id: int) -> bool:
        """The device has a message; False when none with that identifier was sent."""
        number = self._in_flight.pop(packet_id, None)
        if number is None:
            return False
        self._book.acknowledged(self._session, number)
        self.pump()
        return True

    def pump(self) -> None:
        """Send what the device's receive maximum allows, as one write."""
        raws: list[bytes] = []
        record = self._session.record
        sent_before = record.sent
        while self._queue and len(self._in_flight) < self._receive_max:
            number = next(iter(self._queue))
            packet_id = (number - 1) % _PACKET_IDS + 1
            if packet_id in self._in_flight:
                break
            del self._queue[number]
            message = self._session.waiting.get(number)
            if message is None:
                continue
            raw = self._packet(message, packet_id)
            if raw is None:
                self._book.done(self._session, number)
                continue
            self._in_flight[packet_id] = number
            record.sent = max(record.sent, number)
            raws.append(raw)
        if record.sent != sent_before:
            self._book.keep(self._session)
        if raws:
            self._write(b"".join(raws))

    def _packet(self, message: Message, packet_id: int | None) -> bytes | None:
        """Write the packet; None when it has expired or is larger than the device takes."""
        remaining_s = None
        if message.expires_at is not None:
            remaining_s = int((message.expires_at - self._clock.now()).total_seconds())
            if remaining_s <= 0:
                log.info("a message to device %s has expired", self._session.record.device)
                return None
        packet = mqtt5.PublishPacket(
            message.topic,
            message.payload,
            qos=mqtt5.QoS.AT_MOST_ONCE if packet_id is None else mqtt5.QoS.AT_LEAST_ONCE,
            retain=message.retain,
            packet_id=packet_id,
            duplicate=packet_id is not None and message.number <= self._session.record.sent,
            message_expiry_interval=remaining_s,
        )
        raw = encode(packet, self._level)
        if self._max_bytes is not None and len(raw) > self._max_bytes:
            log.warning("a message is larger than device %s takes", self._session.record.device)
            return None
        return raw


def pubacks(tokens: Sequence[int], level: int | None) -> bytes:
    """Return the PUBACKs of these tokens, in their order."""
    if max(tokens) < REFUSED:
        return struct.pack(f">{len(tokens)}I", *[_PUBACK | token for token in tokens])
    return b"".join(_puback(token, level) for token in tokens)


def _puback(token: int, level: int | None) -> bytes:
    if token >= REFUSED and level == MQTT_5:
        return struct.pack(">BBHB", 0x40, 3, token & 0xFFFF, _NOT_AUTHORIZED)
    return struct.pack(">BBH", 0x40, 2, token & 0xFFFF)
