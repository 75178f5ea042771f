"""One direction of a connection: bytes cut into packets, each read by the gateway's own codec."""

import mqtt5
import msgspec

from gateway.transports.mqtt_checks import NAMES
from gateway.transports.mqtt_codec import Packet, PacketError, PacketReader

LARGEST_PACKET_BYTES = 1024 * 1024
"""What the probe reads at most, far above the interface's own limit, so that it can show who passes that."""


class Cut(msgspec.Struct, frozen=True):
    """One packet: `wire` as it must be passed on, `raw` as it may be shown (without a password)."""

    kind: str
    wire: bytes
    raw: bytes
    packet: Packet | None = None
    remark: str = ""


class Wire:
    """Cuts and reads a direction; what cannot be read is passed on as it is, and marked once."""

    def __init__(self, level: int | None) -> None:
        self._reader = PacketReader(level, LARGEST_PACKET_BYTES + 16)
        self._rest = bytearray()
        self._broken = False

    @property
    def level(self) -> int | None:
        """The level of the peer, once it is known."""
        return self._reader.level

    def feed(self, data: bytes) -> list[Cut]:
        """Return the packets completed by the bytes."""
        self._rest += data
        found: list[Cut] = []
        while (cut := self._next()) is not None:
            found.append(cut)
        return found

    def _next(self) -> Cut | None:
        """Return the next whole packet; once one was malformed, all that comes as it is."""
        size = len(self._rest) if self._broken else _size(self._rest)
        if size < 0 or size > LARGEST_PACKET_BYTES:
            return self._give_up(self._take(len(self._rest)), size)
        if size == 0 or len(self._rest) < size:
            return None
        raw = self._take(size)
        return Cut("UNREAD", raw, b"") if self._broken else self._read(raw)

    def _take(self, size: int) -> bytes:
        taken = bytes(self._rest[:size])
        del self._rest[:size]
        return taken

    def _read(self, raw: bytes) -> Cut:
        try:
            (packet,) = self._reader.feed(raw)
        except PacketError as error:
            self._broken = True
            return Cut("MALFORMED", raw, error.evidence, remark=f"{error.reason} ({error.clause})")
        return Cut(NAMES[raw[0] >> 4], raw, _shown(raw, packet), packet)

    def _give_up(self, raw: bytes, size: int) -> Cut:
        self._broken = True
        why = "a length of more than four bytes" if size < 0 else f"a packet of {size} bytes"
        return Cut("MALFORMED", raw, raw[:1024], remark=why)


def _size(data: bytearray) -> int:
    """Return the size of the packet that begins the bytes; 0 while unknown, -1 when it can have none."""
    length = 0
    for place in range(1, 5):
        if len(data) <= place:
            return 0
        length |= (data[place] & 0x7F) << 7 * (place - 1)
        if data[place] < 0x80:
            return 1 + place + length
    return -1


def _shown(raw: bytes, packet: Packet) -> bytes:
    """Return a packet's bytes with the password of a CONNECT, its last field, overwritten."""
    if isinstance(packet, mqtt5.ConnectPacket) and packet.password:
        size = len(packet.password)
        return raw[:-size] + b"*" * size
    return raw
