"""What the gateway wants to hear from a broker, asked again where the broker refuses."""

import asyncio
import logging
from collections.abc import Callable, Sequence

from mqtt5 import SubAckPacket, SubAckReasonCode

from gateway.transports.mqtt_client.packets import subscribe_packet
from gateway.transports.mqtt_client.refusals import spoken
from gateway.transports.mqtt_client.standing import Standing
from gateway.transports.mqtt_codec import Packet

log = logging.getLogger(__name__)

ASK_AGAIN_S = 30.0
"""How long to wait before asking again for a refused filter: rights are given while we run."""

ANSWER_S = 30.0
"""How long the broker may take to answer SUBSCRIBE."""

FIRST_ID = 2
"""Packet id of the first SUBSCRIBE; 1 is the status message's."""


class Subscriptions:
    """The filters of one broker over all its connections.

    The first connection of a process always asks, because the configuration may have changed since the
    session was made; a later one only if the broker has forgotten the session.
    """

    def __init__(
        self, broker: str, filters: Sequence[str], standing: Standing, again_s: float = ASK_AGAIN_S
    ) -> None:
        self._broker = broker
        self._filters = tuple(filters)
        self._standing = standing
        self._again_s = again_s
        self._missing = set(filters)
        self._asked: dict[int, tuple[str, ...]] = {}
        self._asked_at = 0.0
        self._next_id = FIRST_ID
        self._timer: asyncio.TimerHandle | None = None
        self._send: Callable[[Packet], None] | None = None

    def overdue(self) -> bool:
        """Tell whether the broker has owed a SUBACK for longer than ANSWER_S."""
        return bool(self._asked) and asyncio.get_running_loop().time() - self._asked_at > ANSWER_S

    def start(self, send: Callable[[Packet], None], *, session_present: bool) -> None:
        """Ask on a new connection for what the broker does not hold."""
        self._send = send
        self._next_id = FIRST_ID
        if not session_present:
            self._missing = set(self._filters)
        self._standing.subscribed = not self._missing
        self._ask()

    def stop(self) -> None:
        """The connection is gone, and with it every question."""
        self._standing.subscribed = False
        self._send = None
        self._asked.clear()
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def answered(self, packet: SubAckPacket) -> None:
        """Note what was granted; refused filters are logged, shown and asked for again."""
        filters = self._asked.pop(packet.packet_id, ())
        for pattern, code in zip(filters, packet.reason_codes, strict=False):
            if int(code) < 0x80:
                self._granted(pattern, code)
            else:
                reason = spoken(code)
                log.error(
                    "broker %s: refuses the subscription to %r: %s; asked again in %.0f s",
                    self._broker,
                    pattern,
                    reason,
                    self._again_s,
                )
        self._standing.refused = tuple(pattern for pattern in self._filters if pattern in self._missing)
        self._standing.subscribed = not self._missing
        if self._missing and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._again_s, self._ask_again)

    def _granted(self, pattern: str, code: SubAckReasonCode) -> None:
        self._missing.discard(pattern)
        if code == SubAckReasonCode.GRANTED_QOS_AT_MOST_ONCE:
            log.warning(
                "broker %s: grants only QoS 0 for %r: messages can be lost on the way", self._broker, pattern
            )
        if pattern in self._standing.refused:
            log.info("broker %s: grants the subscription to %r now", self._broker, pattern)

    def _ask_again(self) -> None:
        self._timer = None
        self._ask()

    def _ask(self) -> None:
        wanted = tuple(pattern for pattern in self._filters if pattern in self._missing)
        if wanted and self._send:
            packet_id, self._next_id = self._next_id, self._next_id % 0xFFFF + 1
            self._asked[packet_id] = wanted
            self._asked_at = asyncio.get_running_loop().time()
            self._send(subscribe_packet(packet_id, wanted))
