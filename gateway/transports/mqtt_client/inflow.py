"""From a broker's messages to the journal and back: held in order, bounded, acknowledged after the fsync."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime

from mqtt5 import PublishPacket

from gateway.config import BrokerSettings
from gateway.contract import Intake
from gateway.model.forwarded import longest
from gateway.model.frame import MAX_PAYLOAD_BYTES, Frame, Transport
from gateway.transports.mqtt_client.packets import QOS2, acknowledgements, status_topic
from gateway.transports.mqtt_client.standing import Standing
from gateway.transports.mqtt_codec import EVIDENCE_BYTES

OFFER_AGAIN_S = 0.01
"""How long to wait before offering again to a full queue; meanwhile nothing is read."""


class Inflow:
    """The Sender of one connection. At most `receive_maximum` of its frames wait for the disk.

    What the broker sends beyond that is held, and the connection is not read until there is room. A
    token is the packet id, QOS2 added for QoS 2, 0 for QoS 0. Packet ids mean nothing on the next
    connection, so after `stop` a late "durable" is not sent: the broker delivers those messages again.
    """

    def __init__(
        self,
        settings: BrokerSettings,
        intake: Intake,
        standing: Standing,
        *,
        write: Callable[[bytes], None],
        pause: Callable[[], None],
        resume: Callable[[], None],
    ) -> None:
        self._intake = intake
        self._standing = standing
        self._write = write
        self._pause = pause
        self._resume = resume
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
        """Take the messages of one read in their order, behind what is held.

        A full intake still takes urgent frames, so each is offered once when it arrives.
        """
        self._standing.received += len(messages)
        self._hand_over()
        for packet in messages:
            token = packet.packet_id or 0
            if packet.qos == 2:  # never asked for, but an older session may still hold such a subscription
                token |= QOS2
            if packet.topic == self._own_topic:  # the gateway's own status, matched by a wide filter
                self._write(acknowledgements([token]))
            else:
                self._offer(self._frame(packet, received_at), token)
        self._balance()

    def report(self, frame: Frame) -> None:
        """Journal a fault of the connection itself; it waits its turn like a message."""
        self._offer(frame, 0)

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
        if self._paused:
            self._paused = False
            self._resume()

    def _frame(self, packet: PublishPacket, received_at: datetime) -> Frame:
        payload, fault = packet.payload, ""
        if len(payload) > MAX_PAYLOAD_BYTES and len(payload) > longest(packet.topic):
            fault = f"payload of {len(payload)} bytes; allowed are {longest(packet.topic)}"
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

    def _offer(self, frame: Frame, token: int) -> None:
        if self._waiting < self._most and self._intake.offer(frame, self, token):
            self._waiting += 1
        else:
            self._held.append((frame, token))

    def _hand_over(self) -> None:
        """Offer again what is held, oldest first."""
        held = self._held
        while held and self._waiting < self._most and self._intake.offer(held[0][0], self, held[0][1]):
            held.popleft()
            self._waiting += 1
        self._balance()

    def _balance(self) -> None:
        """Read on or stop reading, as something is held or not."""
        full = bool(self._held)
        if full and self._waiting < self._most:
            self._offer_later()
        if full != self._paused:
            self._paused = full
            (self._pause if full else self._resume)()

    def _offer_later(self) -> None:
        if self._again is None:
            self._again = asyncio.get_running_loop().call_later(OFFER_AGAIN_S, self._offer_again)

    def _offer_again(self) -> None:
        self._again = None
        self._hand_over()
