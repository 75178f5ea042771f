"""One device's socket: when it is read, when it waits, and when it is given up."""

import asyncio
import socket
from typing import Protocol, cast

from gateway.contract import Clock
from gateway.transports.mqtt_codec import Packet, PacketError, PacketReader
from gateway.transports.mqtt_listener.dialogue import Dialogue
from gateway.transports.mqtt_listener.house import MAX_PACKET_BYTES, House

LINGER_S = 5.0
"""How long a closed connection may take to read its last bytes."""

_BATCH = 512
_WRITE_BUFFER_BYTES = 256 * 1024
_FULL, _UNACKNOWLEDGED, _UNREAD, _TURN = 1, 2, 4, 8

BATCHES_A_TURN = 8
"""After so many batches of one connection the others have their turn."""


class Watch(Protocol):
    """The listener's register of connections and their timeouts."""

    def __call__(self, connection: "Connection", *, gone: bool = False) -> None:
        """Enter a connection, or strike it out."""
        ...


class Connection(asyncio.Protocol):
    """A device's connection.

    Reading pauses while the intake is full, while an MQTT 3.1.1 device has `receive_maximum` frames
    unacknowledged, and while the device does not read what it is sent. What was read by then waits
    as packets (at most a batch) and as bytes (at most one read of the socket).
    """

    __slots__ = (
        *("_blocked", "_clock", "_closed", "_counters", "_heard_at", "_held", "_house", "_loop", "_reader"),
        *("_surplus", "_transport", "_turn_away", "_watch", "dialogue", "look_at", "number"),
    )

    def __init__(self, house: House, number: int, *, surplus: bool, turn_away: bool, watch: Watch) -> None:
        self._loop = house.loop
        self._clock: Clock = house.clock
        self._counters = house.counters
        self._watch = watch
        self._surplus = surplus
        self._turn_away = turn_away
        self._house = house
        self._reader = PacketReader(None, MAX_PACKET_BYTES)
        self._held: list[Packet] = []
        self._blocked = 0
        self._closed = False
        self._heard_at = 0.0
        self.number = number
        self.look_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the dialogue and its connect timeout."""
        self._transport = transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("socket")
        if peer is not None:
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        transport.set_write_buffer_limits(high=_WRITE_BUFFER_BYTES)
        self._heard_at = self._loop.time()
        self._counters.connections += 1
        certificate = transport.get_extra_info("peercert") or {}
        self.dialogue = Dialogue(self._house, self, common_name(certificate), surplus=self._surplus)
        self._watch(self)
        if self._turn_away:
            self._counters.refused += 1
            self._closed = True
            transport.abort()

    def data_received(self, data: bytes) -> None:
        """Read what arrived, or keep it for later."""
        self._heard_at = self._loop.time()
        if not self._closed:
            self._read(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - a reset is no other news
        """Take what was read before the cut, and tell the dialogue if the device did not say goodbye."""
        self._counters.connections -= 1
        self._watch(self, gone=True)
        if self._closed:
            return
        self._closed = True
        self._drain()
        self.dialogue.cut(self._reader.evidence if self._reader.pending else b"")

    def pause_writing(self) -> None:
        """The device does not read: neither do we."""
        self._block(_UNREAD)

    def resume_writing(self) -> None:
        """The device reads again."""
        self._unblock(_UNREAD)

    # the dialogue's side

    def write(self, raw: bytes) -> None:
        """Send bytes, unless it is too late."""
        if not self._closed:
            self._transport.write(raw)

    def close(self, farewell: bytes = b"") -> None:
        """Send a last packet and close; what the device has not read in time is given up."""
        if self._closed:
            return
        if farewell:
            self._transport.write(farewell)
        self._closed = True
        self._held = []
        self._heard_at = self._loop.time()
        self._transport.close()

    def abort(self) -> None:
        """Close without waiting for the device to read."""
        self._closed = True
        self._transport.abort()

    def acknowledged(self) -> None:
        """Room was made by acknowledgements; reading goes on in a turn of its own, not in the intake's."""
        if self._blocked & _UNACKNOWLEDGED and not self._closed:
            self._loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        if self._blocked & _UNACKNOWLEDGED and not self._closed:
            self._unblock(_UNACKNOWLEDGED)
            self._read(b"")

    def check(self, now: float) -> float | None:
        """Look for too long a silence; return when to look again, None when there is no more to watch."""
        if self._transport.is_closing() and not self._closed:
            return now + LINGER_S
        silence_s = LINGER_S if self._closed else self.dialogue.silence_s
        if self._blocked & ~_UNREAD and not self._closed:
            self._heard_at = now  # it is we who do not listen
        due = None if silence_s is None else self._heard_at + silence_s
        if due is not None and due <= now:
            if self._closed:
                self._transport.abort()
                return None
            self.dialogue.silent()
        return due if due is not None and due > now else now + LINGER_S

    # reading

    def _read(self, data: bytes) -> None:
        """Read packets and give them to the dialogue until it has no room, or nothing is left."""
        dialogue = self.dialogue
        for _ in range(BATCHES_A_TURN):
            room = min(dialogue.room, _BATCH)
            if self._held or self._blocked or room <= 0:
                self._stash(data)
                if room <= 0 and self._reader.pending:
                    self._block(_UNACKNOWLEDGED)
                return
            fault: PacketError | None = None
            try:
                packets = self._reader.feed(data, room)
            except PacketError as error:
                packets, fault = error.packets, error
            data = b""
            first = dialogue.level is None
            dialogue.level = self._reader.level
            if packets and not self._give(packets):
                return
            if first:
                self._watch(self)  # from here on the device's own keep alive counts
            if fault is not None:
                dialogue.broken(fault)
                return
            if self._closed or len(packets) < room:
                return
        if self._reader.pending:
            self._block(_TURN)
            self._loop.call_soon(self._next_turn)

    def _next_turn(self) -> None:
        if not self._closed:
            self._unblock(_TURN)
            self._read(b"")

    def _give(self, packets: list[Packet]) -> bool:
        """Give packets to the dialogue; hold those it has no room for, to be tried again soon."""
        taken = self.dialogue.take(packets, self._clock.now())
        if self._closed or taken == len(packets):
            return not self._closed
        self._held = packets[taken:]
        self._block(_FULL)
        self._house.waiting_room.add(self._retry)
        return False

    def _retry(self) -> bool:
        """Give the held packets again; False when there still is no room."""
        if self._closed:
            return True
        taken = self.dialogue.take(self._held, self._clock.now())
        self._held = self._held[taken:]
        if self._held:
            return False
        self._unblock(_FULL)
        self._read(b"")
        return True

    def _stash(self, data: bytes) -> None:
        try:
            self._reader.feed(data, 0)
        except PacketError:
            return  # known already; it is told after the packets before it are taken

    def _drain(self) -> None:
        """Take what was read before the connection went; what finds no room now was not acknowledged."""
        held, self._held = self._held, []
        fault: PacketError | None = None
        try:
            packets = held + self._reader.feed(b"")
        except PacketError as error:
            packets, fault = held + error.packets, error
        self.dialogue.take(packets, self._clock.now())
        if fault is not None:
            self.dialogue.broken(fault)

    def _block(self, why: int) -> None:
        if not self._blocked and not self._transport.is_closing():
            self._transport.pause_reading()
        self._blocked |= why

    def _unblock(self, why: int) -> None:
        self._blocked &= ~why
        if not self._blocked and not self._closed and not self._transport.is_closing():
            self._heard_at = self._loop.time()
            self._transport.resume_reading()
            if why == _UNREAD:
                self._read(b"")


def common_name(certificate: dict[str, tuple[tuple[tuple[str, str], ...], ...]]) -> str:
    """Return the common name of a verified client certificate, "" without one."""
    for part in certificate.get("subject", ()):
        for name, value in part:
            if name == "commonName":
                return value
    return ""
