"""What goes to devices through a broker: messages of QoS 1, each waited for until the broker has it."""

import asyncio
from collections.abc import Callable

from mqtt5 import PubAckPacket, PublishPacket, QoS

from gateway.contract import Refused
from gateway.transports.mqtt_codec import MQTT_5, Packet

FIRST_ID, LAST_ID = 0x8000, 0xFFFF
"""Packet identifiers of our own messages; the lower ones are those of status and subscriptions."""
WITHIN_S = 10.0
"""How long the broker may take to acknowledge."""
REFUSED_FROM = 0x80


class Outflow:
    """The messages of one connection; they end with it, and whoever waits hears an OSError."""

    def __init__(self, send: Callable[[Packet], None], protocol: int) -> None:
        self._send = send
        self._protocol = protocol
        self._next = FIRST_ID
        self._waiting: dict[int, asyncio.Future[int]] = {}

    async def publish(self, topic: str, payload: bytes, *, retain: bool, expiry_s: float | None) -> None:
        """Send and wait; raises Refused when the broker refuses, OSError or TimeoutError when it is lost."""
        if len(self._waiting) > LAST_ID - FIRST_ID:
            raise Refused("too many messages wait for the broker: the limit")
        packet_id = self._free()
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting[packet_id] = answer
        expiry = None if expiry_s is None or self._protocol != MQTT_5 else max(1, int(expiry_s))
        try:
            self._send(
                PublishPacket(
                    topic,
                    payload,
                    qos=QoS.AT_LEAST_ONCE,
                    retain=retain,
                    packet_id=packet_id,
                    message_expiry_interval=expiry,
                )
            )
            async with asyncio.timeout(WITHIN_S):
                reason = await answer
        finally:
            self._waiting.pop(packet_id, None)
        if reason >= REFUSED_FROM:
            raise Refused(f"the broker refuses a message to {topic!r}: reason {reason:#x}")

    def acknowledged(self, packet: PubAckPacket) -> None:
        """The broker has a message, or refuses it."""
        answer = self._waiting.get(packet.packet_id)
        if answer is not None and not answer.done():
            answer.set_result(int(packet.reason_code))

    def stop(self) -> None:
        """The connection is gone, and with it every answer."""
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(ConnectionResetError("the connection to the broker was lost"))

    def _free(self) -> int:
        while self._next in self._waiting:
            self._step()
        found = self._next
        self._step()
        return found

    def _step(self) -> None:
        self._next = FIRST_ID if self._next == LAST_ID else self._next + 1
