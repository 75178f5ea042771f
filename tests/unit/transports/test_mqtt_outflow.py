"""What goes to devices through a broker: waited for, refused by name, ended with the connection."""

import asyncio

import pytest
from mqtt5 import PubAckPacket, PubAckReasonCode, PublishPacket

from gateway.contract import Refused
from gateway.transports.mqtt_client.outflow import FIRST_ID, Outflow
from gateway.transports.mqtt_codec import MQTT_5, MQTT_311, Packet


class Sent:
    """Remembers what was sent, so that a test can answer it."""

    def __init__(self) -> None:
        self.packets: list[PublishPacket] = []

    def __call__(self, packet: Packet) -> None:
        assert isinstance(packet, PublishPacket)
        self.packets.append(packet)


async def begun(outflow: Outflow, expiry_s: float | None = 30.0) -> "asyncio.Task[None]":
    task = asyncio.create_task(outflow.publish("t/command", b"{}", retain=False, expiry_s=expiry_s))
    await asyncio.sleep(0)
    return task


def test_a_message_is_done_when_the_broker_has_acknowledged_it() -> None:
    async def work() -> None:
        sent = Sent()
        outflow = Outflow(sent, MQTT_5)
        first, second = await begun(outflow), await begun(outflow, None)
        ids = [packet.packet_id for packet in sent.packets]
        assert ids == [FIRST_ID, FIRST_ID + 1]
        assert [packet.message_expiry_interval for packet in sent.packets] == [30, None]
        outflow.acknowledged(PubAckPacket(FIRST_ID + 1))
        await second
        assert not first.done()
        outflow.acknowledged(PubAckPacket(FIRST_ID))
        await first

    asyncio.run(work())


def test_a_refusal_is_told_and_a_lost_connection_too() -> None:
    async def work() -> None:
        outflow = Outflow(Sent(), MQTT_5)
        refused, lost = await begun(outflow), await begun(outflow)
        outflow.acknowledged(PubAckPacket(FIRST_ID, reason_code=PubAckReasonCode.NOT_AUTHORIZED))
        with pytest.raises(Refused, match="0x87"):
            await refused
        outflow.stop()
        with pytest.raises(ConnectionError):
            await lost

    asyncio.run(work())


def test_the_older_protocol_has_no_expiry_on_the_wire() -> None:
    async def work() -> None:
        sent = Sent()
        outflow = Outflow(sent, MQTT_311)
        task = await begun(outflow)
        assert sent.packets[0].message_expiry_interval is None
        outflow.acknowledged(PubAckPacket(FIRST_ID))
        await task

    asyncio.run(work())
