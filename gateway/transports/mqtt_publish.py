"""One message over MQTT 5.0 with QoS 1, and the proof that it was taken: a device's own way, done by us."""

import asyncio
import ssl
from dataclasses import dataclass
from pathlib import Path

from mqtt5 import (
    ConnAckPacket,
    ConnAckReasonCode,
    ConnectPacket,
    DisconnectPacket,
    PubAckPacket,
    PublishPacket,
    QoS,
)

from gateway.contract import VakaError
from gateway.transports.mqtt_codec import MQTT_5, Packet, PacketReader, encode

MAX_PACKET_BYTES = 64 * 1024
READ_BYTES = 4096


class NotTakenError(VakaError):
    """The message was not acknowledged; the text says why."""


@dataclass(frozen=True)
class Sender:
    """Who sends to where; with `certificate` (PEM) the server is known by it and must show it."""

    host: str
    port: int
    username: str
    password: str
    certificate: Path | None = None


async def publish(sender: Sender, topic: str, payload: bytes) -> None:
    """Connect, publish, wait for the PUBACK, disconnect; raises NotTakenError or OSError.

    Takes as long as the other side does: the caller sets the time.
    """
    context = _trusting(sender.certificate)
    reader, writer = await asyncio.open_connection(sender.host, sender.port, ssl=context)
    try:
        packets = _Packets(reader)
        connect = ConnectPacket(
            sender.username, username=sender.username, password=sender.password.encode(), clean_start=True
        )
        writer.write(encode(connect, MQTT_5))
        answer = await packets.next()
        if not isinstance(answer, ConnAckPacket) or answer.reason_code != ConnAckReasonCode.SUCCESS:
            raise NotTakenError(f"the connection was refused: {answer}")
        message = PublishPacket(topic, payload, qos=QoS.AT_LEAST_ONCE, packet_id=1)
        writer.write(encode(message, MQTT_5))
        answer = await packets.next()
        if not isinstance(answer, PubAckPacket):
            raise NotTakenError(f"the message was not acknowledged: {answer}")
        writer.write(encode(DisconnectPacket(), MQTT_5))
        await writer.drain()
    finally:
        writer.close()


class _Packets:
    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self._cutter = PacketReader(MQTT_5, MAX_PACKET_BYTES)
        self._waiting: list[Packet] = []

    async def next(self) -> Packet:
        while not self._waiting:
            data = await self._reader.read(READ_BYTES)
            if not data:
                raise NotTakenError("the other side closed the connection")
            self._waiting += self._cutter.feed(data)
        return self._waiting.pop(0)


def _trusting(certificate: Path | None) -> ssl.SSLContext | None:
    """Trust one certificate and no other; its name says nothing, for we call it by a loopback address."""
    if certificate is None:
        return None
    context = ssl.create_default_context(cafile=certificate)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context
