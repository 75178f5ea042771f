"""MQTT packets for both ends of the network in memory: MQTT 5.0 by the package `mqtt5`, 3.1.1 by hand.

A reading of its own beside the gateway's: written from the two standards, sharing no code with it.
"""

import struct
from collections.abc import Iterator

import mqtt5

from simulators.load.packets import split, text, varint

V311, V5 = 4, 5
CONNECT, CONNACK, PUBLISH, PUBACK = 1, 2, 3, 4
SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK = 8, 9, 10, 11
PINGREQ, PINGRESP, DISCONNECT = 12, 13, 14
KEPT_S = 0xFFFF_FFFF
"""Session expiry of MQTT 5.0 that means what clean session 0 means in 3.1.1."""

QOS = (mqtt5.QoS.AT_MOST_ONCE, mqtt5.QoS.AT_LEAST_ONCE, mqtt5.QoS.EXACTLY_ONCE)
_Code = mqtt5.ConnAckReasonCode
REASONS = (
    _Code.SUCCESS,
    _Code.UNSUPPORTED_PROTOCOL_VERSION,
    _Code.CLIENT_ID_NOT_VALID,
    _Code.SERVER_UNAVAILABLE,
    _Code.BAD_USER_NAME_OR_PASSWORD,
    _Code.NOT_AUTHORIZED,
)
"""MQTT 5.0 reason codes by the 3.1.1 return code (table 3.1) that says the same."""
RETURN_CODES = {int(reason): code for code, reason in enumerate(REASONS)}


class Stream:
    """Cuts what arrives into packets of one level, which a server learns from CONNECT. ValueError: broken."""

    def __init__(self, level: int | None = None) -> None:
        self.level = level
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[mqtt5.Packet]:
        """Yield every packet that is whole."""
        data = self._rest + data if self._rest else data
        end = 0
        for first, body, end in split(data):
            if self.level is None:
                self.level = data[body + 6] if first >> 4 == CONNECT and end - body > 6 else None
                if self.level not in {V311, V5}:
                    raise ValueError("the first packet is no CONNECT of MQTT 3.1.1 or 5.0")
            if self.level == V5:
                raw = bytes([first]) + varint(end - body) + data[body:end]
                yield mqtt5.read(memoryview(raw))[0]
            else:
                yield read_311(first, data[body:end])
        self._rest = data[end:]


def write(packet: mqtt5.Packet, level: int) -> bytes:
    """Write a packet as a peer of that level reads it."""
    return packet.write() if level == V5 else write_311(packet)


# -- MQTT 3.1.1


class _Body:
    """Reads fields one after the other; ValueError past the end."""

    def __init__(self, raw: bytes) -> None:
        self.raw, self.at = raw, 0

    def take(self, count: int) -> bytes:
        found = self.raw[self.at : self.at + count]
        if len(found) != count:
            raise ValueError("a packet shorter than its fields")
        self.at += count
        return found

    def number(self) -> int:
        return int.from_bytes(self.take(2))

    def binary(self) -> bytes:
        return self.take(self.number())

    def string(self) -> str:
        return self.binary().decode()

    def rest(self) -> bytes:
        return self.take(len(self.raw) - self.at)

    @property
    def left(self) -> bool:
        return self.at < len(self.raw)


def read_311(first: int, raw: bytes) -> mqtt5.Packet:  # noqa: PLR0911 - one line a packet type
    """Read one packet of MQTT 3.1.1 into the form of 5.0; ValueError for what is none."""
    kind, body = first >> 4, _Body(raw)
    if kind == PUBLISH:
        return _publish_311(first, body)
    if kind == PUBACK:
        return mqtt5.PubAckPacket(body.number())
    if kind == PINGREQ:
        return mqtt5.PingReqPacket()
    if kind == PINGRESP:
        return mqtt5.PingRespPacket()
    if kind == CONNECT:
        return _connect_311(body)
    if kind == CONNACK:
        present, code = body.take(2)
        reason = REASONS[code] if code < len(REASONS) else _Code.UNSPECIFIED_ERROR
        return mqtt5.ConnAckPacket(session_present=bool(present & 1), reason_code=reason)
    if kind == SUBSCRIBE:
        return _subscribe_311(body)
    if kind == SUBACK:
        number = body.number()
        return mqtt5.SubAckPacket(number, [_suback_code(code) for code in body.rest()])
    if kind == DISCONNECT:
        return mqtt5.DisconnectPacket()
    raise ValueError(f"packet type {kind} is not spoken here")


def _publish_311(first: int, body: _Body) -> mqtt5.PublishPacket:
    topic, qos = body.string(), QOS[first >> 1 & 3]
    number = body.number() if first & 6 else None
    return mqtt5.PublishPacket(
        topic, body.rest(), qos=qos, retain=bool(first & 1), packet_id=number, duplicate=bool(first & 8)
    )


def _connect_311(body: _Body) -> mqtt5.ConnectPacket:
    body.take(7)  # protocol name and level, known by now
    flags, keep_alive_s, client = body.take(1)[0], body.number(), body.string()
    will = None
    if flags & 0x04:
        topic, payload = body.string(), body.binary()
        will = mqtt5.Will(topic, payload=payload, qos=QOS[flags >> 3 & 3], retain=bool(flags & 0x20))
    username = body.string() if flags & 0x80 else None
    clean = bool(flags & 0x02)
    return mqtt5.ConnectPacket(
        client,
        username=username,
        password=body.binary() if flags & 0x40 else None,
        clean_start=clean,
        will=will,
        keep_alive=keep_alive_s,
        session_expiry_interval=0 if clean else KEPT_S,
    )


def _subscribe_311(body: _Body) -> mqtt5.SubscribePacket:
    number, filters = body.number(), []
    while body.left:
        pattern = body.string()
        filters.append(
            mqtt5.TopicFilter(pattern, max_qos=QOS[body.take(1)[0] & 3], retain_as_published=False)
        )
    return mqtt5.SubscribePacket(number, filters)


def _suback_code(code: int) -> mqtt5.SubAckReasonCode:
    codes = mqtt5.SubAckReasonCode
    granted = (
        codes.GRANTED_QOS_AT_MOST_ONCE,
        codes.GRANTED_QOS_AT_LEAST_ONCE,
        codes.GRANTED_QOS_EXACTLY_ONCE,
    )
    return granted[code] if code < len(granted) else codes.UNSPECIFIED_ERROR


def write_311(packet: mqtt5.Packet) -> bytes:  # noqa: PLR0911 - one line a packet type
    """Write one packet as MQTT 3.1.1 has it; empty for what it does not know."""
    if isinstance(packet, mqtt5.PublishPacket):
        first = PUBLISH << 4 | packet.duplicate << 3 | int(packet.qos) << 1 | packet.retain
        number = b"" if packet.packet_id is None else struct.pack("!H", packet.packet_id)
        return _packed(first, text(packet.topic) + number + packet.payload)
    if isinstance(packet, mqtt5.PubAckPacket):
        return struct.pack("!BBH", PUBACK << 4, 2, packet.packet_id)
    if isinstance(packet, mqtt5.PingReqPacket):
        return bytes((PINGREQ << 4, 0))
    if isinstance(packet, mqtt5.PingRespPacket):
        return bytes((PINGRESP << 4, 0))
    if isinstance(packet, mqtt5.ConnectPacket):
        return _packed(CONNECT << 4, _connect_body(packet))
    if isinstance(packet, mqtt5.ConnAckPacket):
        code = RETURN_CODES.get(int(packet.reason_code), 3)
        return bytes((CONNACK << 4, 2, packet.session_present and not code, code))
    if isinstance(packet, mqtt5.SubscribePacket):
        wanted = b"".join(text(one.pattern) + bytes([int(one.max_qos)]) for one in packet.topic_filters)
        return _packed(SUBSCRIBE << 4 | 2, struct.pack("!H", packet.packet_id) + wanted)
    if isinstance(packet, mqtt5.SubAckPacket):
        codes = bytes(min(int(code), 0x80) for code in packet.reason_codes)
        return _packed(SUBACK << 4, struct.pack("!H", packet.packet_id) + codes)
    if isinstance(packet, mqtt5.DisconnectPacket):
        return b"" if int(packet.reason_code) else bytes((DISCONNECT << 4, 0))
    raise ValueError(f"{type(packet).__name__} is not spoken here")


def _connect_body(packet: mqtt5.ConnectPacket) -> bytes:
    flags, parts = packet.clean_start << 1, [text(packet.client_id)]
    if packet.will is not None:
        flags |= 0x04 | int(packet.will.qos) << 3 | packet.will.retain << 5
        payload = packet.will.payload or b""
        parts += [text(packet.will.topic), struct.pack("!H", len(payload)) + payload]
    if packet.username is not None:
        flags |= 0x80
        parts.append(text(packet.username))
    if packet.password is not None:
        flags |= 0x40
        parts.append(struct.pack("!H", len(packet.password)) + packet.password)
    return text("MQTT") + bytes([V311, flags]) + struct.pack("!H", packet.keep_alive) + b"".join(parts)


def _packed(first: int, body: bytes) -> bytes:
    return bytes([first]) + varint(len(body)) + body
