"""The sockets below SIP: datagrams, and streams cut by Content-Length, each with its limits."""

import asyncio
import re
from collections.abc import Callable
from typing import Protocol, cast

from gateway.transports.sip.wire import MAX_HEADER_BYTES

Address = tuple[str, int]

MAX_BODY_BYTES = 64 * 1024
"""A longer body is not waited for: 413, and the connection ends."""
KEEP_ALIVE = b"\r\n\r\n"
PONG = b"\r\n"
"""Ping and pong of a connection (RFC 5626 section 4.4.1)."""
_LENGTH = re.compile(rb"(?im)^(?:content-length|l)[ \t]*:[ \t]*([0-9]{1,9})[ \t]*\r?$")


class Link(Protocol):
    """A way to one peer."""

    protocol: str
    peer: Address
    own: Address

    @property
    def reliable(self) -> bool:
        """True where nothing is sent twice."""
        ...

    def send(self, data: bytes, to: Address | None = None) -> bool:
        """Send; False when the peer is gone."""
        ...


Received = Callable[[bytes, Link], None]


class UdpLink:
    """One datagram's sender, answered through the socket that heard it."""

    protocol = "UDP"
    reliable = False

    def __init__(self, transport: asyncio.DatagramTransport, peer: Address, own: Address) -> None:
        self._transport, self.peer, self.own = transport, peer, own

    def send(self, data: bytes, to: Address | None = None) -> bool:
        """Send to the peer, or where its Via or Contact says; the system tells of nothing that is lost."""
        if self._transport.is_closing():
            return False
        self._transport.sendto(data, to or self.peer)
        return True


class Datagrams(asyncio.DatagramProtocol):
    """The UDP socket: each datagram is one message."""

    def __init__(self, received: Received) -> None:
        self._received = received
        self._transport: asyncio.DatagramTransport | None = None
        self.own: Address = ("", 0)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the socket."""
        self._transport = cast(asyncio.DatagramTransport, transport)
        self.own = transport.get_extra_info("sockname")[:2]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Hand one message up; keep-alives are bytes of white space."""
        if data.strip() and self._transport is not None:
            self._received(data, self.link_to((str(addr[0]), int(addr[1]))))

    def error_received(self, exc: Exception) -> None:
        """Go on: a port that is closed at a peer says nothing about the others."""

    def link_to(self, peer: Address) -> UdpLink:
        """Return a way to a peer through this socket."""
        if self._transport is None:
            raise OSError("the socket is not open")
        return UdpLink(self._transport, peer, self.own)

    def close(self) -> None:
        """Close the socket."""
        if self._transport is not None:
            self._transport.close()


class StreamLink(asyncio.Protocol):
    """One TCP or TLS connection, ours or the peer's; `left` is called once when it ends.

    Reading pauses while the peer does not take our bytes, and a message half told or bytes not taken for
    `slow_s` end the connection, as does silence of `idle_s`.
    """

    reliable = True

    def __init__(
        self,
        protocol: str,
        received: Received,
        refused: Callable[[bytes, "StreamLink"], None],
        joined: Callable[["StreamLink"], bool],
        left: Callable[["StreamLink"], None],
    ) -> None:
        self.protocol = protocol
        self.peer: Address = ("", 0)
        self.own: Address = ("", 0)
        self.proved_name = ""
        """Whose certificate was judged when we opened it, "" where none was."""
        self._told = (received, refused, joined, left)
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self.heard_at = self._loop.time()
        self.half_since: float | None = None
        self.stuck_since: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection, or close it when there are too many."""
        self._transport = cast(asyncio.Transport, transport)
        peer, own = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        self.peer, self.own = (str(peer[0]), int(peer[1])), (str(own[0]), int(own[1]))
        if not self._told[2](self):
            self.abort()

    def connection_lost(self, _exc: Exception | None) -> None:
        """Tell that it ended; what was half told is no message."""
        self._transport = None
        self._buffer.clear()
        self._told[3](self)

    def pause_writing(self) -> None:
        """Read no more from a peer that does not take our answers."""
        self.stuck_since = self._loop.time()
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Read again."""
        self.stuck_since = None
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        """Cut the stream into messages."""
        self.heard_at = self._loop.time()
        self._buffer += data
        while self._transport is not None and not self._transport.is_closing() and self._next():
            pass
        if not self._buffer.strip():
            self.half_since = None
        elif self.half_since is None:
            self.half_since = self.heard_at

    def _next(self) -> bool:
        """Hand up the first message if it is whole; True when there may be another."""
        self._answer_pings()
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0 or end > MAX_HEADER_BYTES:
            if len(self._buffer) > MAX_HEADER_BYTES:
                self._refuse(bytes(self._buffer[:MAX_HEADER_BYTES]))
            return False
        head = bytes(self._buffer[: end + 4])
        length = _LENGTH.search(head)
        if (
            length is None or int(length[1]) > MAX_BODY_BYTES
        ):  # a stream cannot be cut without it (RFC 3261 20.14)
            self._refuse(head)
            return False
        size = end + 4 + int(length[1])
        if len(self._buffer) < size:
            return False
        message = bytes(self._buffer[:size])
        del self._buffer[:size]
        self.half_since = None
        self._told[0](message, self)
        return bool(self._buffer)

    def _answer_pings(self) -> None:
        """Take white space between messages; a ping is answered, half of one waits for its other half."""
        while self._buffer[:2] == PONG and self._buffer not in (PONG, PONG + b"\r"):
            if self._buffer[:4] == KEEP_ALIVE:
                self.send(PONG)
                del self._buffer[:2]
            del self._buffer[:2]

    def _refuse(self, head: bytes) -> None:
        self._buffer.clear()
        self._told[1](head, self)
        self.close()

    def check(self, now: float, idle_s: float, slow_s: float) -> str:
        """Return why the connection must end, "" while it may go on."""
        for since, reason in ((self.half_since, "slow"), (self.stuck_since, "slow")):
            if since is not None and now - since > slow_s:
                return reason
        return "idle" if now - self.heard_at > idle_s else ""

    def send(self, data: bytes, to: Address | None = None) -> bool:  # noqa: ARG002 - a stream has one peer
        """Write; False when the connection is closed."""
        if self._transport is None or self._transport.is_closing():
            return False
        self._transport.write(data)
        return True

    @property
    def open(self) -> bool:
        """True while it can be written to."""
        return self._transport is not None and not self._transport.is_closing()

    def close(self) -> None:
        """End it after what is written."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """End it at once."""
        if self._transport is not None:
            self._transport.abort()
