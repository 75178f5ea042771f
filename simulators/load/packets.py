"""MQTT 3.1.1 packets as a load generator needs them: made by hand, from templates, in one formatting each."""

import struct
from collections.abc import Iterator

import msgspec

CONNECT, CONNACK, PUBLISH, PUBACK, PINGREQ = 0x10, 0x20, 0x30, 0x40, 0xC0
DUP = 0x08
PING = b"\xc0\x00"
BARE_PUBACK = 4
"""Length of a PUBACK without reason code and properties."""


def varint(number: int) -> bytes:
    """Encode a remaining length (MQTT 3.1.1, section 2.2.3)."""
    out = bytearray()
    while True:
        number, low = number >> 7, number & 0x7F
        out.append(low | (0x80 if number else 0))
        if not number:
            return bytes(out)


def text(value: str) -> bytes:
    """Encode a UTF-8 string with its length (section 1.5.3)."""
    raw = value.encode()
    return struct.pack("!H", len(raw)) + raw


def connect_packet(client_id: str, username: str | None, password: str | None, keep_alive_s: int) -> bytes:
    """Make CONNECT for a persistent session (section 3.1)."""
    flags = (0x80 if username is not None else 0) | (0x40 if password is not None else 0)
    body = text("MQTT") + bytes([4, flags]) + struct.pack("!H", keep_alive_s) + text(client_id)
    body += b"".join(text(part) for part in (username, password) if part is not None)
    return bytes([CONNECT]) + varint(len(body)) + body


def again(packet: bytes) -> bytes:
    """Return the PUBLISH with its DUP flag set."""
    return bytes([packet[0] | DUP]) + packet[1:]


class Template(msgspec.Struct, frozen=True):
    """A QoS 1 PUBLISH of constant length, with room for packet id, number, time and sequence."""

    form: bytes

    def packet(self, packet_id: int, number: int, time: bytes, sequence: int) -> bytes:
        """Fill in one message: number below 10^9, time of 32 characters, sequence of 16 digits."""
        return self.form % (packet_id >> 8, packet_id & 0xFF, number, time, sequence)


def template(device: str, run: str, kind: str, data: bytes) -> Template:
    """Make the template of one device's event of one type; `data` is the JSON object of its values."""
    payload = (
        b'{"specversion":"1.0","id":"%b-%%09d","source":"vaka:%b","type":"vaka.%b.v1","time":"%%b",'
        b'"sequence":%%016d,"clockquality":"synced","data":%b}'
    ) % (run.encode(), device.encode(), kind.encode(), data)
    head = text(f"vaka/1/{device}/event")
    length = len(head) + 2 + len(payload % (0, b" " * 32, 10**15))
    return Template(bytes([PUBLISH | 0x02]) + varint(length) + head + b"%c%c" + payload)


def puback_ids(chunk: bytes) -> tuple[int, ...] | None:
    """Return the packet ids of a chunk that is nothing but bare PUBACKs, else None."""
    count, odd = divmod(len(chunk), BARE_PUBACK)
    if odd or chunk[0::4].count(PUBACK) != count or chunk[1::4].count(2) != count:
        return None
    return struct.unpack(f"!{count * 2}H", chunk)[1::2]


def split(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield (first byte, start of body, end) of every whole packet; ValueError for a broken length."""
    at, size = 0, len(data)
    while at + 2 <= size:
        length, shift, body = 0, 0, at + 1
        while body < size:
            byte = data[body]
            length |= (byte & 0x7F) << shift
            body += 1
            shift += 7
            if not byte & 0x80:
                break
            if shift > 21:
                raise ValueError("a remaining length of more than four bytes")
        else:
            return
        if body + length > size:
            return
        yield data[at], body, body + length
        at = body + length
