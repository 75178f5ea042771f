"""From a broker's messages to the journal and back: held in order, bounded, acknowledged after the fsync."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime

from mqtt5 import PublishPacket

from gateway.config import BrokerSettings
from gateway.contract import Intake
from gateway.model.frame import MAX_PAYLOAD_BYTES, Frame, Transport
from gateway.transports.mqtt_client.packets import QOS2, acknowledgements, status_topic
from gateway.transports.mqtt_client.standing import Standing
from gateway.transports.mqtt_codec import EVIDENCE_BYTES

OFFER_AGAIN_S = 0.01
"""How long to wait before offering again to a full queue; meanwhile nothing is read."""


class Inflow:
    """The Sender of one connection. At most `receive_maximum` of its frames wait for the disk.

    What the broker sends beyond that is held, and `reading(False)` stops the connection until there is
    room. A token is the packet id, QOS2 added for QoS 2, 0 for QoS 0. Packet ids mean nothing on the next
    connection, so after `stop` a late "durable" is not sent: the broker delivers those messages again.
    """

    def __init__(
        self,
        settings: BrokerSettings,
        intake: Intake,
        standing: Standing,
        write: Callable[[bytes], None],
        reading: Callable[[bool], None],
    ) -> None:
        self._intake = intake
        self._standing = standing
        self._write = write
        self._reading = reading
        self._most = settings.receive_maximum
        self._ingress = f"broker:{settings.name}"
        self._own_topic = status_topic(settings.client_id)
        self._held: deque[tuple[Frame, int]] = deque()
        self._waiting = 0
        self._paused = False
        self._again: asyncio.TimerHandle | None = None
        self._stopped = False

    @property
    def paused(self) -> bool:
        """True while the connection is not read because frames must wait."""
        return self._paused

    def take(self, messages: Sequence[PublishPacket], received_at: datetime) -> None:
        """Take the messages of one read in their order."""
        self._standing.received += len(messages)
        for packet in messages:
            token = packet.packet_id or 0
            if packet.qos == 2:  # never asked for, but an older session may still hold such a subscription
                token |= QOS2
            if packet.topic == self._own_topic:  # the gateway's own status, matched by a wide filter
                self._write(acknowledgements([token]))
            else:
                self._held.append((self._frame(packet, received_at), token))
        self._hand_over()

    def report(self, frame: Frame) -> None:
        """Journal a fault of the connection itself; it waits its turn like a message."""
        self._held.append((frame, 0))
        self._hand_over()

    def durable(self, tokens: Sequence[int]) -> None:
        """Acknowledge a commit's messages with one write."""
        self._waiting -= len(tokens)
        if self._stopped:
            return
        if joined := acknowledgements(tokens):
            self._write(joined)
        self._standing.acknowledged += len(joined) // 4
        if self._held:
            self._hand_over()

    def stop(self) -> None:
        """Forget what is held: it is not acknowledged, so the broker keeps it."""
        self._stopped = True
        self._held.clear()
        if self._again:
            self._again.cancel()

    def _frame(self, packet: PublishPacket, received_at: datetime) -> Frame:
        payload, fault = packet.payload, ""
        if len(payload) > MAX_PAYLOAD_BYTES:
            fault = f"payload of {len(payload)} bytes; allowed are {MAX_PAYLOAD_BYTES}"
            payload = payload[:EVIDENCE_BYTES]
        return Frame(
            Transport.MQTT,
            packet.topic,
            payload,
            received_at,
            self._ingress,
            "",
            packet.retain,
            packet.duplicate,
            fault,
        )

    def _hand_over(self) -> None:
        held = self._held
        while held and self._waiting < self._most:
            frame, token = held[0]
            if not self._intake.offer(frame, self, token):
                self._offer_later()
                break
            held.popleft()
            self._waiting += 1
        if bool(held) != self._paused:
            self._paused = bool(held)
            self._reading(not held)

    def _offer_later(self) -> None:
        if self._again is None:
            self._again = asyncio.get_running_loop().call_later(OFFER_AGAIN_S, self._offer_again)

    def _offer_again(self) -> None:
        self._again = None
        self._hand_over()
