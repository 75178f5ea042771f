"""MQTT 3.1.1 for a codec that knows MQTT 5.0 only: packets made newer on the way in, older on the way out.

The codec's codes look like enums and are not: always true, not hashable, not ordered. Hence int().
"""

import struct
from collections.abc import Callable
from typing import Any

import mqtt5

from gateway.transports.mqtt_checks import CONNACK, CONNECT, DISCONNECT, PINGREQ, PINGRESP, PUBLISH, Cursor

FOREVER_S = 0xFFFF_FFFF
"""MQTT 5.0 section 3.1.2.11.2: a session that does not expire; what "clean session 0" means."""

_CODES_TO_5 = (0x00, 0x84, 0x85, 0x88, 0x86, 0x87)
"""MQTT 3.1.1 table 3.1 to MQTT 5.0 section 3.2.2.2; the index is the return code."""

_CODES_TO_311 = {0x00: 0, 0x84: 1, 0x85: 2, 0x86: 4, 0x87: 5, 0x8A: 5, 0x8C: 5}
_UNAVAILABLE = 3

_KEPT_FOREVER = b"\x05\x11" + FOREVER_S.to_bytes(4, "big")


def upgraded(first: int, cursor: Cursor) -> bytes:
    """Return the MQTT 5.0 form of a walked MQTT 3.1.1 packet."""
    body = cursor.body
    parts: list[bytes] = []
    start = 0
    for gap in cursor.gaps:
        parts += (body[start:gap], b"\0")
        start = gap
    parts.append(body[start:])
    kind = first >> 4
    if kind == CONNECT:
        clean = body[7] & 0x02
        parts[0] = body[:6] + b"\x05" + body[7:10]
        parts[1] = b"\0" if clean else _KEPT_FOREVER
    elif kind == CONNACK:
        parts[0] = bytes((body[0], _CODES_TO_5[body[1]]))
    return packed(first, b"".join(parts))


def packed(first: int, body: bytes) -> bytes:
    """Put the fixed header before a body."""
    length = len(body)
    if length < 0x80:
        return bytes((first, length)) + body
    header = bytearray((first,))
    while length >= 0x80:
        header.append(length & 0x7F | 0x80)
        length >>= 7
    header.append(length)
    return bytes(header) + body


def encode_311(packet: mqtt5.Packet) -> bytes:
    """Write a packet as MQTT 3.1.1: without properties, with its own codes.

    Empty for what that level cannot say: AUTH, and a DISCONNECT with a reason.
    """
    return _WRITERS[type(packet)](packet)


def _connack(packet: mqtt5.ConnAckPacket) -> bytes:
    code = _CODES_TO_311.get(int(packet.reason_code), _UNAVAILABLE)
    return bytes((CONNACK << 4, 2, packet.session_present and code == 0, code))


def _subscribe(packet: mqtt5.SubscribePacket) -> bytes:
    filters = (_text(wanted.pattern) + bytes((int(wanted.max_qos),)) for wanted in packet.topic_filters)
    return packed(0x82, struct.pack(">H", packet.packet_id) + b"".join(filters))


def _suback(packet: mqtt5.SubAckPacket) -> bytes:
    codes = bytes(min(int(code), 0x80) for code in packet.reason_codes)
    return packed(0x90, struct.pack(">H", packet.packet_id) + codes)


def _unsubscribe(packet: mqtt5.UnsubscribePacket) -> bytes:
    return packed(0xA2, struct.pack(">H", packet.packet_id) + b"".join(map(_text, packet.patterns)))


def _acknowledgement(first: int) -> Callable[[Any], bytes]:
    return lambda packet: struct.pack(">BBH", first, 2, packet.packet_id)


def _publish(packet: mqtt5.PublishPacket) -> bytes:
    first = PUBLISH << 4 | packet.duplicate << 3 | int(packet.qos) << 1 | packet.retain
    packet_id = b"" if packet.packet_id is None else struct.pack(">H", packet.packet_id)
    return packed(first, _text(packet.topic) + packet_id + packet.payload)


def _connect(packet: mqtt5.ConnectPacket) -> bytes:
    flags = packet.clean_start << 1
    payload = [_text(packet.client_id)]
    if packet.will is not None:
        flags |= 0x04 | int(packet.will.qos) << 3 | packet.will.retain << 5
        payload += (_text(packet.will.topic), _binary(packet.will.payload or b""))
    if packet.username is not None:
        flags |= 0x80
        payload.append(_text(packet.username))
    if packet.password is not None:
        flags |= 0x40
        payload.append(_binary(packet.password))
    head = b"\0\4MQTT\4" + struct.pack(">BH", flags, packet.keep_alive)
    return packed(CONNECT << 4, head + b"".join(payload))


def _text(text: str) -> bytes:
    return _binary(text.encode())


def _binary(raw: bytes) -> bytes:
    if len(raw) > 0xFFFF:
        raise ValueError("a field of more than 65535 bytes")
    return struct.pack(">H", len(raw)) + raw


_WRITERS: dict[type[Any], Callable[[Any], bytes]] = {
    mqtt5.ConnectPacket: _connect,
    mqtt5.ConnAckPacket: _connack,
    mqtt5.PublishPacket: _publish,
    mqtt5.PubAckPacket: _acknowledgement(0x40),
    mqtt5.PubRecPacket: _acknowledgement(0x50),
    mqtt5.PubRelPacket: _acknowledgement(0x62),
    mqtt5.PubCompPacket: _acknowledgement(0x70),
    mqtt5.SubscribePacket: _subscribe,
    mqtt5.SubAckPacket: _suback,
    mqtt5.UnsubscribePacket: _unsubscribe,
    mqtt5.UnsubAckPacket: _acknowledgement(0xB0),
    mqtt5.PingReqPacket: lambda _: bytes((PINGREQ << 4, 0)),
    mqtt5.PingRespPacket: lambda _: bytes((PINGRESP << 4, 0)),
    mqtt5.DisconnectPacket: lambda packet: b"" if int(packet.reason_code) else bytes((DISCONNECT << 4, 0)),
    mqtt5.AuthPacket: lambda _: b"",
}
