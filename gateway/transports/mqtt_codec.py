"""MQTT bytes to packets and back, MQTT 5.0 and 3.1.1 alike, over the Rust codec `mqtt5`."""

import mqtt5

from gateway.transports.mqtt_311 import encode_311, upgraded
from gateway.transports.mqtt_checks import (
    AUTH,
    CONNECT,
    MQTT_5,
    MQTT_311,
    NAMES,
    WalkError,
    WrongProtocolError,
    walk,
)
from gateway.transports.mqtt_errors import (
    EVIDENCE_BYTES,
    MalformedPacketError,
    PacketError,
    PacketTooLargeError,
    WrongLevelError,
)

__all__ = [
    "EVIDENCE_BYTES",
    "MQTT_5",
    "MQTT_311",
    "MalformedPacketError",
    "Packet",
    "PacketError",
    "PacketReader",
    "PacketTooLargeError",
    "WrongLevelError",
    "encode",
]

Packet = mqtt5.Packet

_UNLIMITED = 1 << 62
_TITLES = {MQTT_5: "MQTT 5.0", MQTT_311: "MQTT 3.1.1"}
_PING = mqtt5.PingReqPacket()
_PING_FIRST = 0xC0
_PLAIN = frozenset((0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0x3A, 0x3B, 0x3C, 0x3D, _PING_FIRST))
_QOS = (mqtt5.QoS.AT_MOST_ONCE, mqtt5.QoS.AT_LEAST_ONCE, mqtt5.QoS.EXACTLY_ONCE)
_KNOWN_TOPICS = 64
_UNKNOWN_PEER_EVIDENCE_BYTES = 14  # as far as keep alive: what follows may be credentials
_LARGEST_BODY_BYTES = 268_435_455


class PacketReader:
    """Cuts a byte stream into packets; `level` None learns it from the peer's CONNECT (a server).

    Keeps at most one unfinished packet of `max_packet_bytes`, and what a call's `limit` left over.
    """

    __slots__ = ("_fault", "_max", "_needed", "_rest", "_topics", "level")

    def __init__(self, level: int | None, max_packet_bytes: int) -> None:
        self.level = level
        self._max = max_packet_bytes
        self._rest = bytearray()
        self._needed = 0
        self._topics: dict[bytes, str] = {}
        self._fault: PacketError | None = None

    @property
    def pending(self) -> int:
        """How many bytes wait for the rest of their packet, or for a call with room for more."""
        return len(self._rest)

    @property
    def evidence(self) -> bytes:
        """The start of an unfinished packet, without anything that may be a credential."""
        return self._evidence(bytes(self._rest[:EVIDENCE_BYTES]))

    def feed(self, data: bytes, limit: int = _UNLIMITED) -> list[Packet]:
        """Return the packets completed by `data`, at most `limit`; the others come with the next call.

        Raises MalformedPacketError or PacketTooLargeError, now and ever after; the error holds the
        packets before the fault.
        """
        if self._fault is not None:
            self._fault.packets = []
            raise self._fault
        if self._rest:
            self._rest += data
            if len(self._rest) < self._needed:
                return []
            data = bytes(self._rest)
            self._rest.clear()
        packets: list[Packet] = []
        try:
            consumed = self._read(data, packets, limit)
        except PacketError as error:
            error.packets = packets
            self._fault = error
            self._rest.clear()
            raise
        if consumed < len(data):
            self._rest += data[consumed:]
        return packets

    def _read(self, data: bytes, packets: list[Packet], limit: int) -> int:
        at = 0
        size = len(data)
        largest = self._max
        self._needed = 0
        while size - at >= 2 and len(packets) < limit:
            length = data[at + 1]
            body = at + 2
            if length >= 0x80:
                if size > body and data[body] < 0x80:  # two bytes: the usual case by hand, for speed
                    length += (data[body] << 7) - 0x80
                    body += 1
                else:
                    body, length = self._long_length(data, at)
                    if not body:
                        break
            end = body + length
            if end - at > largest:
                raise self._too_large(data[at:], end - at)
            if end > size:
                self._needed = end - at
                break
            packet = self._plain(data, at, body, end) if data[at] in _PLAIN else None
            packets.append(packet or self._other(data, at, body, end))
            at = end
        return at

    def _long_length(self, data: bytes, at: int) -> tuple[int, int]:
        """Return where the body starts and its length; (0, 0) while the header is not complete."""
        length = data[at + 1] & 0x7F
        shift = 7
        for place in range(at + 2, min(at + 5, len(data))):
            length |= (data[place] & 0x7F) << shift
            if data[place] < 0x80:
                return place + 1, length
            shift += 7
        if len(data) - at >= 5:
            raise self._malformed(
                data[at:], WalkError("remaining length of more than four bytes", "2.1.4", "2.2.3")
            )
        return 0, 0

    def _plain(self, data: bytes, at: int, body: int, end: int) -> Packet | None:
        """Return a PUBLISH to a known topic without properties, or a PINGREQ: no walk; else None."""
        if end - body < 4:
            return _PING if end == body and data[at] == _PING_FIRST and self.level is not None else None
        mark = body + 2 + (data[body] << 8 | data[body + 1])
        topic = self._topics.get(data[body:mark])
        if topic is None:
            return None
        first = data[at]
        packet_id = None
        if first & 6:
            packet_id = data[mark] << 8 | data[mark + 1] if mark + 1 < end else 0
            mark += 2
            if packet_id == 0:
                return None
        if self.level == MQTT_5:
            if mark >= end or data[mark] != 0:
                return None
            mark += 1
        return mqtt5.PublishPacket(
            topic,
            data[mark:end],
            qos=_QOS[first >> 1 & 3],
            retain=first & 1 == 1,
            packet_id=packet_id,
            duplicate=first & 8 == 8,
        )

    def _other(self, data: bytes, at: int, body: int, end: int) -> Packet:
        first = data[at]
        content = data[body:end]
        level = self._level_of(data[at:end], content)
        try:
            cursor = walk(first >> 4, first & 15, content, level)
        except WalkError as error:
            raise self._malformed(data[at:end], error, level) from error
        if level == MQTT_311:
            raw = upgraded(first, cursor)
        elif first == AUTH << 4 and not content:
            raw = b"\xf0\x02\0\0"  # the short form of section 3.15.2.1, which the codec does not know
        else:
            raw = data[at:end]
        packet = self._decoded(memoryview(raw), data, at)
        self.level = level
        if isinstance(packet, mqtt5.PublishPacket) and packet.topic:
            self._remember(content, packet.topic)
        return packet

    def _remember(self, content: bytes, topic: str) -> None:
        """The topic has been walked over: its bytes need not be again."""
        if len(self._topics) >= _KNOWN_TOPICS:
            self._topics.clear()
        self._topics[content[: 2 + (content[0] << 8 | content[1])]] = topic

    def _level_of(self, raw: bytes, content: bytes) -> int:
        """Return the peer's level, from its CONNECT if need be."""
        if self.level is not None:
            return self.level
        kind = raw[0] >> 4
        if kind != CONNECT:
            reason = f"the first packet is {NAMES[kind]}, not CONNECT"
            raise self._malformed(raw, WalkError(reason, "3.1"))
        return MQTT_311 if content[:7] == b"\0\4MQTT\4" else MQTT_5

    def _decoded(self, raw: memoryview, data: bytes, at: int) -> Packet:
        try:
            return mqtt5.read(raw)[0]
        except (ValueError, IndexError) as error:
            section = f"3.{raw[0] >> 4}"
            raise self._malformed(data[at:], WalkError(str(error), section)) from error
        except BaseException as error:  # a Rust panic derives from BaseException: see below
            if type(error).__name__ != "PanicException":
                raise
            section = f"3.{raw[0] >> 4}"
            raise self._malformed(data[at:], WalkError("the codec gave up", section)) from error

    def _malformed(self, raw: bytes, error: WalkError, level: int | None = None) -> MalformedPacketError:
        level = level or self.level or MQTT_5
        clause = f"{_TITLES[level]} section {error.sections[level]}"
        evidence = self._evidence(raw)
        if isinstance(error, WrongProtocolError):
            return WrongLevelError(error.reason, clause, evidence, level=self.level, asked=error.asked)
        return MalformedPacketError(error.reason, clause, evidence, level=self.level)

    def _too_large(self, raw: bytes, size: int) -> PacketTooLargeError:
        level = self.level or MQTT_5
        section = "3.2.2.3.6" if level == MQTT_5 else "2.2.3"
        reason = f"{NAMES[raw[0] >> 4]} of {size} bytes; the limit is {self._max}"
        clause = f"{_TITLES[level]} section {section}"
        return PacketTooLargeError(reason, clause, self._evidence(raw), level=self.level)

    def _evidence(self, raw: bytes) -> bytes:
        secret = self.level is None or raw[:1] == b"\x10"
        return raw[: _UNKNOWN_PEER_EVIDENCE_BYTES if secret else EVIDENCE_BYTES]


def encode(packet: Packet, level: int) -> bytes:
    """Write a packet for a peer of that level; ValueError when a field is too long.

    MQTT 3.1.1 has no properties, no reason but in CONNACK and SUBACK, no AUTH, and a DISCONNECT from
    the client alone: what it cannot say is left out, and may leave nothing.
    """
    if isinstance(packet, mqtt5.PublishPacket) and len(packet.payload) > _LARGEST_BODY_BYTES - 0x1FFFF:
        raise ValueError("a payload of more than MQTT can carry")
    return encode_311(packet) if level == MQTT_311 else packet.write()
