"""What is said on one connection: CONNECT, frames in, messages out, and every way it can end."""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import takewhile
from typing import Any

import mqtt5

from gateway.model.forwarded import longest
from gateway.model.frame import MAX_PAYLOAD_BYTES, Frame, Transport
from gateway.transports.mqtt_codec import (
    MQTT_5,
    MQTT_311,
    Packet,
    PacketError,
    PacketTooLargeError,
    WrongLevelError,
    encode,
)
from gateway.transports.mqtt_listener.faults import INGRESS
from gateway.transports.mqtt_listener.handshake import (
    Admission,
    RejectedError,
    admit,
    open_session,
    welcome,
)
from gateway.transports.mqtt_listener.house import House
from gateway.transports.mqtt_listener.outbound import REFUSED, Outbound, Wire, pubacks
from gateway.transports.mqtt_listener.sessions import Session
from gateway.transports.mqtt_listener.subscriptions import Grant, grant, withdraw

KEEP_ALIVE_FACTOR = 1.5
_KNOWN_TOPICS = 64
_PINGRESP = b"\xd0\x00"

_Code = mqtt5.ConnAckReasonCode
_Bye = mqtt5.DisconnectReasonCode
_QOS_2 = mqtt5.QoS.EXACTLY_ONCE
_Publish = mqtt5.PublishPacket
_MQTT = Transport.MQTT

log = logging.getLogger("gateway.transports.mqtt_listener")


class Dialogue:
    """One device's protocol state; the Sender of its frames, whose tokens are packet identifiers.

    `silence_s` is how long the device may say nothing, None for as long as it likes.
    """

    __slots__ = (
        *("_admission", "_common_name", "_device", "_house", "_limit", "_outbound", "_over", "_owed"),
        *("_pings", "_session", "_surplus", "_topics", "_unacknowledged", "_wire", "level", "silence_s"),
    )

    def __init__(self, house: House, wire: Wire, common_name: str, *, surplus: bool) -> None:
        self.level: int | None = None
        self.silence_s: float | None = house.settings.connect_timeout_s
        self._house = house
        self._wire = wire
        self._common_name = common_name
        self._surplus = surplus
        self._limit = house.settings.receive_maximum
        self._unacknowledged = 0
        self._owed: dict[int, bool] = {}  # in order; whether it is on disk; an idle one is small
        self._topics: set[str] = set()
        self._device = ""
        self._admission: Admission | None = None
        self._session: Session | None = None
        self._outbound: Outbound | None = None
        self._over = False
        self._pings = 0

    @property
    def room(self) -> int:
        """How many packets may be taken now.

        An MQTT 5 device was told the limit: one more than it is enough to catch it.
        """
        room = self._limit - self._unacknowledged
        return max(room, 0) if self.level == MQTT_311 else room + 1

    def take(self, packets: Sequence[Packet], now: datetime) -> int:
        """Take packets in order and return how many; fewer when the intake has no room."""
        publish = self._publish
        for place, packet in enumerate(packets):
            if type(packet) is _Publish and self._session is not None:
                if not publish(packet, now):
                    return place
            else:
                self._other(packet)
            if self._over:
                break
        if self._pings:
            self._wire.write(_PINGRESP * self._pings)
            self._pings = 0
        return len(packets)

    def durable(self, tokens: Sequence[int]) -> None:
        """These frames are on disk: acknowledge with one write what is so far, in the order it came.

        An urgent frame overtakes others on the way to the disk, its PUBACK does not (MQTT-4.6.0-2).
        """
        if self._over:
            return
        ready = self._in_order(tokens)
        if ready:
            self._unacknowledged -= len(ready)
            self._wire.write(pubacks(ready, self.level))
            self._wire.acknowledged()

    def _in_order(self, tokens: Sequence[int]) -> Sequence[int]:
        """Return those that are owed next now that these are on disk."""
        owed = self._owed
        if [*owed] == tokens:  # nearly always
            owed.clear()
            return tokens
        ready: list[int] = []
        for token in tokens:
            if owed.get(token) is False:
                owed[token] = True
            else:  # an identifier that was used again before its PUBACK: its second frame
                ready.append(token)
        in_order = list(takewhile(owed.__getitem__, owed))
        for token in in_order:
            del owed[token]
        return ready + in_order

    def broken(self, error: PacketError) -> None:
        """The bytes cannot be read any further."""
        if isinstance(error, WrongLevelError):
            level = MQTT_5 if error.asked > MQTT_5 else MQTT_311
            refusal = mqtt5.ConnAckPacket(reason_code=_Code.UNSUPPORTED_PROTOCOL_VERSION)
            self._report(f"{error.clause}: {error.reason}", error.evidence)
            self._finish(encode(refusal, level))
            return
        large = isinstance(error, PacketTooLargeError)
        code = _Bye.PACKET_TOO_LARGE if large else _Bye.MALFORMED_PACKET
        self._violation(code, f"{error.clause}: {error.reason}", error.evidence)

    def cut(self, evidence: bytes) -> None:
        """The connection is gone without a goodbye."""
        if evidence and not self._over:
            self._report(f"MQTT {self._edition} section 4.2: connection lost inside a packet", evidence)
        self._finish()

    def silent(self) -> None:
        """The device has said nothing for too long."""
        self._house.counters.timeouts += 1
        if self._session is None:
            self._report("MQTT 5.0 section 3.1: no CONNECT in time")
            self._finish()
        else:
            self._farewell(_Bye.KEEP_ALIVE_TIMEOUT)

    def taken_over(self, *, clean: bool) -> None:
        """The same device has connected again with the same client id."""
        self._house.counters.taken_over += 1
        self._farewell(_Bye.SESSION_TAKEN_OVER, session_ends=clean)

    def shut_down(self) -> None:
        """The listener stops; the device's will and session wait for it to come back."""
        self._over = True
        self._wire.close(self._disconnect(_Bye.SERVER_SHUTTING_DOWN))
        if self._session is not None:
            self._house.book.left(self._session)

    # frames in

    def _publish(self, packet: mqtt5.PublishPacket, now: datetime) -> bool:
        """Offer a frame; False when the intake has no room and the device must wait."""
        topic = packet.topic
        packet_id = packet.packet_id
        payload = packet.payload
        if topic not in self._topics or len(payload) > MAX_PAYLOAD_BYTES:
            verdict = self._judge(packet)
            if verdict is not None:
                return verdict
        house = self._house
        # The retain flag is left out: straight from the device it is fresh news and only means "keep it".
        frame = Frame(_MQTT, topic, payload, now, INGRESS, self._device, False, packet.duplicate)  # noqa: FBT003 - by place it is twice as fast, and this is the hottest line
        if packet_id is None:
            if house.intake.offer(frame):
                house.counters.frames += 1
            else:
                house.counters.qos0_dropped += 1
            return True
        if packet.qos == _QOS_2 or (self._unacknowledged >= self._limit and self.level == MQTT_5):
            self._overstepped(packet)
            return True
        if not house.intake.offer(frame, self, packet_id):
            return False
        self._unacknowledged += 1
        self._owed.setdefault(packet_id, False)
        house.counters.frames += 1
        return True

    def _judge(self, packet: mqtt5.PublishPacket) -> bool | None:
        """Judge a topic for the first time; None when the packet may go on."""
        topic = packet.topic
        if not topic or packet.topic_alias is not None:
            self._violation(
                _Bye.TOPIC_ALIAS_INVALID, "MQTT 5.0 section 3.3.2.3.4: no topic alias was allowed"
            )
            return True
        if len(packet.payload) > longest(topic):
            found = f"payload of {len(packet.payload)} bytes, allowed {longest(topic)}"
            fault = f"standard device interface, version 1, limits: {found}"
            self._violation(_Bye.PACKET_TOO_LARGE, fault, packet.payload, topic)
            return True
        if self._admission is None or not self._admission.rights.may_publish(topic):
            self._refuse(packet)
            return True
        if len(self._topics) >= _KNOWN_TOPICS:
            self._topics.clear()
        self._topics.add(topic)
        return None

    def _refuse(self, packet: mqtt5.PublishPacket) -> None:
        """A topic outside the device's branch: keep the evidence, then say so."""
        fault = f"MQTT {self._edition} section 5.4.2: topic outside the device's branch"
        packet_id = packet.packet_id
        if packet_id is None:
            self._report(fault, packet.payload, packet.topic)
            return
        if packet.qos == _QOS_2 or (self._unacknowledged >= self._limit and self.level == MQTT_5):
            self._overstepped(packet)
            return
        self._unacknowledged += 1
        token = packet_id | REFUSED
        self._owed.setdefault(token, False)
        if not self._report(fault, packet.payload, packet.topic, token):
            self.durable((token,))

    def _overstepped(self, packet: mqtt5.PublishPacket) -> None:
        if packet.qos == _QOS_2:
            section = "3.2.2.3.4" if self.level == MQTT_5 else "4.3.3"
            fault = f"MQTT {self._edition} section {section}: QoS 2 is not offered"
            self._violation(_Bye.QOS_NOT_SUPPORTED, fault, packet.payload, packet.topic)
        else:
            fault = f"MQTT 5.0 section 3.3.4: more than {self._limit} frames unacknowledged"
            self._violation(_Bye.RECEIVE_MAX_EXCEEDED, fault, packet.payload, packet.topic)

    # everything else the device says

    def _other(self, packet: Packet) -> None:
        handler = self._HANDLERS.get(type(packet)) if self._session is not None else None
        if type(packet) is mqtt5.ConnectPacket and self._session is None:
            self._connect(packet)
        elif handler is not None:
            handler(self, packet)
        else:
            name = type(packet).__name__
            self._violation(_Bye.PROTOCOL_ERROR, f"MQTT {self._edition} section 4.13: {name} out of place")

    def _connect(self, packet: mqtt5.ConnectPacket) -> None:
        try:
            self._welcome(packet)
        except RejectedError as error:
            self._house.counters.refused += 1
            self._report(error.fault, source=error.source)
            self._finish(self._encoded(mqtt5.ConnAckPacket(reason_code=error.code)))

    def _welcome(self, packet: mqtt5.ConnectPacket) -> None:
        house = self._house
        if self._surplus:
            limit = house.settings.max_connections
            raise RejectedError(_Code.SERVER_BUSY, f"limit: {limit} connections, no more are taken")
        level = self.level or MQTT_5
        admission = admit(house, packet, level, self._common_name)
        place = (admission.device, admission.client_id)
        before = house.open.get(place)
        if before is not None:
            before.taken_over(clean=packet.clean_start)
        session, present = open_session(house, admission, clean=packet.clean_start)
        house.wills.returned(*place, clean=packet.clean_start)
        if admission.will is not None:
            house.wills.arm(admission.will)
        house.open[place] = self
        house.counters.accepted += 1
        self._device, self._admission, self._session = admission.device, admission, session
        self.silence_s = admission.keep_alive_s * KEEP_ALIVE_FACTOR or None
        self._outbound = Outbound(session, house.book, house.clock, self._wire.write, (level, packet))
        self._wire.write(self._encoded(welcome(house, admission, packet, present=present)))
        self._outbound.start()

    def _subscribe(self, packet: mqtt5.SubscribePacket) -> None:
        session, admission = self._session, self._admission
        if session is None or admission is None:
            return
        if packet.subscription_id is not None:
            fault = "MQTT 5.0 section 3.2.2.3.12: subscription identifiers are not offered"
            self._violation(_Bye.SUBSCRIPTION_IDS_NOT_SUPPORTED, fault)
            return
        granted = grant(self._house.book, session, admission.rights, packet)
        for topic_filter in granted.refused:
            fault = f"MQTT {self._edition} section 5.4.2: subscription outside the device's inbox"
            self._report(fault, topic_filter.encode())
        self._once_saved(lambda error: self._granted(packet.packet_id, granted, error))

    def _granted(self, packet_id: int, granted: Grant, error: BaseException | None) -> None:
        if error is not None:
            failed = [mqtt5.SubAckReasonCode.UNSPECIFIED_ERROR] * len(granted.codes)
            self._wire.write(self._encoded(mqtt5.SubAckPacket(packet_id, failed)))
            return
        self._wire.write(self._encoded(mqtt5.SubAckPacket(packet_id, granted.codes)))
        for topic_filter, qos in granted.retained:
            if self._session is not None:
                self._house.book.send_retained(self._session, topic_filter, qos)

    def _unsubscribe(self, packet: mqtt5.UnsubscribePacket) -> None:
        if self._session is not None:
            codes = withdraw(self._house.book, self._session, packet)
            raw = self._encoded(mqtt5.UnsubAckPacket(packet.packet_id, codes))
            self._once_saved(lambda _: self._wire.write(raw))

    def _acknowledged(self, packet: mqtt5.PubAckPacket) -> None:
        if self._outbound is not None:
            self._outbound.acknowledged(packet.packet_id)

    def _ping(self, _packet: mqtt5.PingReqPacket) -> None:
        self._pings += 1

    def _goodbye(self, packet: mqtt5.DisconnectPacket) -> None:
        admission, session = self._admission, self._session
        if admission is None or session is None:
            return
        if packet.session_expiry_interval is not None:
            if packet.session_expiry_interval and not session.record.expiry_s:
                fault = "MQTT 5.0 section 3.14.2.2.2: session expiry in DISCONNECT although it was 0"
                self._violation(_Bye.PROTOCOL_ERROR, fault)
                return
            limit_s = self._house.settings.session_expiry_s
            session.record.expiry_s = min(packet.session_expiry_interval, limit_s)
        if int(packet.reason_code) == 0:
            self._house.wills.cancel(admission.device, admission.client_id)
        self._finish()

    _HANDLERS: dict[type[Any], Callable[["Dialogue", Any], None]] = {  # noqa: RUF012 - never changed
        mqtt5.SubscribePacket: _subscribe,
        mqtt5.UnsubscribePacket: _unsubscribe,
        mqtt5.PubAckPacket: _acknowledged,
        mqtt5.PingReqPacket: _ping,
        mqtt5.DisconnectPacket: _goodbye,
    }

    # the end

    def _violation(self, code: _Bye, fault: str, evidence: bytes = b"", topic: str = "") -> None:
        self._report(fault, evidence, topic)
        self._farewell(code)

    def _farewell(self, code: _Bye, *, session_ends: bool = False) -> None:
        self._finish(self._disconnect(code), session_ends=session_ends)

    def _disconnect(self, code: _Bye) -> bytes:
        """Return a DISCONNECT: none before CONNACK, where the device would not expect it."""
        return self._encoded(mqtt5.DisconnectPacket(reason_code=code)) if self._session is not None else b""

    def _finish(self, farewell: bytes = b"", *, session_ends: bool = False) -> None:
        """Close, and leave the session and the will to those who keep them; only the first call counts."""
        if self._over:
            return
        self._over = True
        self._wire.close(farewell)
        admission, session = self._admission, self._session
        if admission is None or session is None:
            return
        place = (admission.device, admission.client_id)
        if self._house.open.get(place) is self:
            del self._house.open[place]
        self._house.book.left(session)
        self._house.wills.lost(*place, 0 if session_ends else session.record.expiry_s)

    def _once_saved(self, then: Callable[[BaseException | None], None]) -> None:
        """Go on when the session is on disk; at once for a session that does not outlive its connection."""
        if self._session is None or not self._session.lasting:
            then(None)
            return
        saved = self._house.keeper.saved()
        saved.add_done_callback(lambda future: None if self._over else then(future.exception()))

    def _report(
        self, fault: str, evidence: bytes = b"", topic: str = "", token: int = 0, *, source: str = ""
    ) -> bool:
        acknowledge = (self, token) if token else None
        return self._house.faults.report(
            fault, evidence, channel=topic, source=self._device or source, acknowledge=acknowledge
        )

    def _encoded(self, packet: Packet) -> bytes:
        return encode(packet, self.level or MQTT_5)

    @property
    def _edition(self) -> str:
        return "3.1.1" if self.level == MQTT_311 else "5.0"
