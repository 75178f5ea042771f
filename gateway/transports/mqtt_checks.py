"""A walk over one MQTT packet, of either level, that finds what the Rust codec must not be fed.

The codec aborts (a panic) on text that is not UTF-8 and lets some forbidden values pass; after this
walk it only sees packets it reads. Sections are of MQTT 5.0 (2019) and MQTT 3.1.1 (2014).
"""

from collections.abc import Callable

CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP = range(1, 8)
SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, DISCONNECT, AUTH = range(8, 16)

NAMES = (
    *("reserved", "CONNECT", "CONNACK", "PUBLISH", "PUBACK", "PUBREC", "PUBREL", "PUBCOMP", "SUBSCRIBE"),
    *("SUBACK", "UNSUBSCRIBE", "UNSUBACK", "PINGREQ", "PINGRESP", "DISCONNECT", "AUTH"),
)

MQTT_5, MQTT_311 = 5, 4

_BYTE, _U16, _U32, _VARINT, _TEXT, _BINARY, _PAIR = range(7)
_PROPERTIES = {
    **dict.fromkeys((1, 23, 25, 36, 37, 40, 41, 42), _BYTE),
    **dict.fromkeys((19, 33, 34, 35), _U16),
    **dict.fromkeys((2, 17, 24, 39), _U32),
    **dict.fromkeys((3, 8, 18, 21, 26, 28, 31), _TEXT),
    **dict.fromkeys((9, 22), _BINARY),
    11: _VARINT,
    38: _PAIR,
}
"""MQTT 5.0 section 2.2.2.2: property identifier to type."""


class WalkError(Exception):
    """What is wrong, and the sections that forbid it: MQTT 5.0, MQTT 3.1.1."""

    def __init__(self, reason: str, section_5: str, section_311: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.sections = {MQTT_5: section_5, MQTT_311: section_311 or section_5}


class WrongProtocolError(WalkError):
    """The protocol name or level in CONNECT is not ours; `asked` is the level."""

    def __init__(self, name: bytes, asked: int) -> None:
        super().__init__(f"protocol name {name[:8]!r} level {asked}", "3.1.2.2")
        self.asked = asked


class Cursor:
    """Walks over a packet's body and remembers in `gaps` where MQTT 5.0 would have properties."""

    def __init__(self, body: bytes, level: int, kind: int) -> None:
        self.body = body
        self.level = level
        self.kind = kind
        self.at = 0
        self.gaps: list[int] = []

    @property
    def left(self) -> int:
        """How many bytes have not been walked over."""
        return len(self.body) - self.at

    def take(self, count: int) -> bytes:
        """Step over so many bytes."""
        end = self.at + count
        if end > len(self.body):
            raise WalkError(f"{NAMES[self.kind]} ends inside a field", f"3.{self.kind}")
        taken = self.body[self.at : end]
        self.at = end
        return taken

    def number(self, size: int) -> int:
        """Step over an integer of so many bytes."""
        return int.from_bytes(self.take(size), "big")

    def packet_id(self) -> int:
        """Step over a packet identifier, which is never 0."""
        number = self.number(2)
        if number == 0:
            raise WalkError("packet identifier 0", "2.2.1", "2.3.1")
        return number

    def binary(self) -> bytes:
        """Step over bytes with their length before them."""
        return self.take(self.number(2))

    def text(self) -> str:
        """Step over a UTF-8 string."""
        raw = self.binary()
        try:
            text = raw.decode()
        except UnicodeDecodeError as error:
            raise WalkError(f"text is not UTF-8 at its byte {error.start}", "1.5.4", "1.5.3") from error
        if "\0" in text:
            raise WalkError("text holds U+0000", "1.5.4", "1.5.3")
        return text

    def topic(self) -> str:
        """Step over a topic name, which holds no wildcard."""
        topic = self.text()
        if "#" in topic or "+" in topic:
            raise WalkError("topic name holds a wildcard", "3.3.2.1")
        if not topic and self.level == MQTT_311:
            raise WalkError("topic name is empty", "4.7.3")
        return topic

    def varint(self) -> int:
        """Step over a variable byte integer."""
        value = 0
        for shift in (0, 7, 14, 21):
            byte = self.number(1)
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
        raise WalkError("variable byte integer of more than four bytes", "1.5.5", "2.2.3")

    def properties(self) -> None:
        """Step over properties, or mark where they would be at the older level."""
        if self.level == MQTT_311:
            self.gaps.append(self.at)
            return
        length = self.varint()
        end = self.at + length
        while self.at < end:
            self._property()
        if self.at != end:
            raise WalkError("property length and properties differ", "2.2.2.1")

    def end(self) -> None:
        """Refuse bytes behind the last field."""
        if self.left:
            raise WalkError(f"{self.left} bytes behind the end of {NAMES[self.kind]}", f"3.{self.kind}")

    def _property(self) -> None:
        name = self.varint()
        kind = _PROPERTIES.get(name)
        if kind is None:
            raise WalkError(f"unknown property {name}", "2.2.2.2")
        if kind in (_TEXT, _PAIR):
            self.text()
            if kind == _PAIR:
                self.text()
        elif kind == _BINARY:
            self.binary()
        elif kind == _VARINT:
            self.varint()
        else:
            self.take({_BYTE: 1, _U16: 2, _U32: 4}[kind])


def walk(kind: int, flags: int, body: bytes, level: int) -> Cursor:
    """Walk over a packet; WalkError if it must not be read. The cursor then holds the gaps."""
    cursor = Cursor(body, level, kind)
    wanted = 2 if kind in (PUBREL, SUBSCRIBE, UNSUBSCRIBE) else 0
    if kind == 0 or (kind == AUTH and level == MQTT_311):
        raise WalkError(f"packet type {kind} is reserved", "2.1.2", "2.2.1")
    if kind != PUBLISH and flags != wanted:
        raise WalkError(f"fixed header flags {flags:#x} of {NAMES[kind]}", "2.1.3", "2.2.2")
    _WALKS[kind](cursor, flags)
    return cursor


def _connect(cursor: Cursor, _flags: int) -> None:
    name = cursor.binary()
    level = cursor.number(1)
    if name != b"MQTT" or level != cursor.level:
        raise WrongProtocolError(name, level)
    flags = cursor.number(1)
    _connect_flags(flags, cursor.level)
    cursor.number(2)
    cursor.properties()
    cursor.text()
    if flags & 0x04:
        cursor.properties()
        if not cursor.topic():
            raise WalkError("will topic is empty", "4.7.3")
        cursor.binary()
    if flags & 0x80:
        cursor.text()
    if flags & 0x40:
        cursor.binary()
    cursor.end()


def _connect_flags(flags: int, level: int) -> None:
    if flags & 0x01:
        raise WalkError("reserved connect flag is set", "3.1.2.3")
    if not flags & 0x04 and flags & 0x38:
        raise WalkError("will QoS or will retain without a will", "3.1.2.6")
    if flags & 0x18 == 0x18:
        raise WalkError("will QoS 3", "3.1.2.6")
    if level == MQTT_311 and flags & 0xC0 == 0x40:
        raise WalkError("password without user name", "3.1.2.9")


def _connack(cursor: Cursor, _flags: int) -> None:
    cursor.number(1)
    code = cursor.number(1)
    if cursor.level == MQTT_311 and code > 5:
        raise WalkError(f"return code {code}", "3.2.2.3")
    cursor.properties()
    cursor.end()


def _publish(cursor: Cursor, flags: int) -> None:
    qos = flags >> 1 & 3
    if qos == 3:
        raise WalkError("QoS 3", "3.3.1.2")
    if qos == 0 and flags & 8:
        raise WalkError("DUP with QoS 0", "3.3.1.1")
    cursor.topic()
    if qos:
        cursor.packet_id()
    cursor.properties()


def _acknowledgement(cursor: Cursor, _flags: int) -> None:
    cursor.packet_id()
    _reason(cursor)


def _disconnect(cursor: Cursor, _flags: int) -> None:
    _reason(cursor)


def _reason(cursor: Cursor) -> None:
    if cursor.level == MQTT_5 and cursor.left:
        cursor.number(1)
        if cursor.left:
            cursor.properties()
    cursor.end()


def _subscribe(cursor: Cursor, _flags: int) -> None:
    cursor.packet_id()
    cursor.properties()
    _some(cursor)
    while cursor.left:
        _filter(cursor)
        options = cursor.number(1)
        if options & 3 == 3 or options & 0xC0 or (options >> 4) & 3 == 3:
            raise WalkError(f"subscription options {options:#x}", "3.8.3.1", "3.8.3")
        if cursor.level == MQTT_311 and options & 0xFC:
            raise WalkError(f"reserved bits in requested QoS {options:#x}", "3.8.3.1", "3.8.3")


def _suback(cursor: Cursor, _flags: int) -> None:
    cursor.packet_id()
    cursor.properties()
    while cursor.left:
        code = cursor.number(1)
        if cursor.level == MQTT_311 and code not in (0, 1, 2, 0x80):
            raise WalkError(f"return code {code:#x}", "3.9.3")


def _unsubscribe(cursor: Cursor, _flags: int) -> None:
    cursor.packet_id()
    cursor.properties()
    _some(cursor)
    while cursor.left:
        _filter(cursor)


def _unsuback(cursor: Cursor, _flags: int) -> None:
    cursor.packet_id()
    cursor.properties()
    if cursor.level == MQTT_311:
        cursor.end()


def _some(cursor: Cursor) -> None:
    if not cursor.left:
        raise WalkError(f"{NAMES[cursor.kind]} without a topic filter", f"3.{cursor.kind}.3")


def _filter(cursor: Cursor) -> None:
    if not cursor.text():
        raise WalkError("topic filter is empty", "4.7.3")


def _ping(cursor: Cursor, _flags: int) -> None:
    cursor.end()


_WALKS: dict[int, Callable[[Cursor, int], None]] = {
    CONNECT: _connect,
    CONNACK: _connack,
    PUBLISH: _publish,
    PUBACK: _acknowledgement,
    PUBREC: _acknowledgement,
    PUBREL: _acknowledgement,
    PUBCOMP: _acknowledgement,
    SUBSCRIBE: _subscribe,
    SUBACK: _suback,
    UNSUBSCRIBE: _unsubscribe,
    UNSUBACK: _unsuback,
    PINGREQ: _ping,
    PINGRESP: _ping,
    DISCONNECT: _disconnect,
    AUTH: _disconnect,
}
