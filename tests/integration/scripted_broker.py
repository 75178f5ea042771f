"""A broker that says what a test wants it to say: for what no real broker can be made to do."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

import mqtt5

from gateway.transports.mqtt_codec import Packet, PacketReader, encode

T = TypeVar("T")
Answer = Callable[["Visit", Packet], None]


class Visit:
    """One connection of the client."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._packets = PacketReader(None, 1 << 20)
        self.heard: list[Packet] = []

    def say(self, *packets: Packet) -> None:
        self.raw(b"".join(encode(packet, self._packets.level or 5) for packet in packets))

    def raw(self, data: bytes) -> None:
        self._writer.write(data)

    def hang_up(self) -> None:
        self._writer.close()

    async def listen(self, answer: Answer) -> None:
        while data := await self._reader.read(65536):
            for packet in self._packets.feed(data):
                self.heard.append(packet)
                answer(self, packet)

    def of(self, kind: type[T]) -> list[T]:
        return [packet for packet in self.heard if isinstance(packet, kind)]


class ScriptedBroker:
    """Its visits in order; `url` is where it listens."""

    def __init__(self, port: int) -> None:
        self.url = f"mqtt://127.0.0.1:{port}"
        self.visits: list[Visit] = []


def politely(visit: Visit, packet: Packet) -> None:
    """Answer as any broker does, and grant everything."""
    if isinstance(packet, mqtt5.ConnectPacket):
        visit.say(mqtt5.ConnAckPacket())
    elif isinstance(packet, mqtt5.SubscribePacket):
        granted = mqtt5.SubAckReasonCode.GRANTED_QOS_AT_LEAST_ONCE
        visit.say(mqtt5.SubAckPacket(packet.packet_id, [granted] * len(packet.topic_filters)))
    elif isinstance(packet, mqtt5.PingReqPacket):
        visit.say(mqtt5.PingRespPacket())
    elif isinstance(packet, mqtt5.DisconnectPacket):
        visit.hang_up()


@asynccontextmanager
async def scripted(answer: Answer = politely) -> AsyncIterator[ScriptedBroker]:
    """Listen on a free port; every packet of the client goes through `answer`."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visit = Visit(reader, writer)
        broker.visits.append(visit)
        try:
            with suppress(ConnectionError):
                await visit.listen(answer)
        finally:  # a test that ends cancels this in the middle
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    broker = ScriptedBroker(server.sockets[0].getsockname()[1])
    async with server:
        yield broker
