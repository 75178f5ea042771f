"""A network in memory under the virtual loop: streams with flow control, latency, cuts, half-open links."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from simulators.protocol.loop import VirtualLoop

Factory = Callable[[], asyncio.BaseProtocol]

HIGH_BYTES, LOW_BYTES = 64 * 1024, 16 * 1024
"""A writer is told to wait above the first, and to go on below the second."""


GATEWAY = "gateway"
"""The name of the connection that the gateway itself opens, to a broker."""


class Pipe(asyncio.Transport):
    """One end of a connection. What it writes reaches the other end in order, after `latency_s`.

    `silent`: what this end writes, its closing too, vanishes on the way, as on a half-open link.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, protocol: asyncio.Protocol, latency_s: float) -> None:
        super().__init__()
        self._loop, self._protocol, self._latency_s = loop, protocol, latency_s
        self.peer: Pipe = self
        self.silent = False
        self._coming: deque[tuple[float, bytes | None]] = deque()
        self._underway = 0
        self._high, self._low = HIGH_BYTES, LOW_BYTES
        self._reading, self._closing, self._lost, self._held_back = True, False, False, False
        self._timer: asyncio.Handle | None = None

    # -- asyncio.Transport

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Nothing is known of the other end: there is no socket and no certificate."""
        return ("127.0.0.1", 0) if name == "peername" else default

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send; what is written after the closing goes nowhere."""
        if self._closing or not data:
            return
        if self.silent:
            return
        self._underway += len(data)
        self.peer.come(bytes(data))
        if self._underway > self._high and not self._held_back:
            self._held_back = True
            self._protocol.pause_writing()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set the limits of what may be under way and unread."""
        self._high = HIGH_BYTES if high is None else high
        self._low = self._high // 4 if low is None else low

    def get_write_buffer_size(self) -> int:
        """Return the bytes under way and unread."""
        return self._underway

    def pause_reading(self) -> None:
        """Leave what comes unread."""
        self._reading = False

    def resume_reading(self) -> None:
        """Read on."""
        self._reading = True
        self._later()

    def is_reading(self) -> bool:
        """Tell whether it reads."""
        return self._reading and not self._closing

    def is_closing(self) -> bool:
        """Tell whether it is closed, or about to be."""
        return self._closing

    def close(self) -> None:
        """Close in order: the other end reads what was written, then sees the end."""
        if not self._closing:
            self._closing = True
            if not self.silent:
                self.peer.come(None)
            self._loop.call_soon(self.lose, None)

    def abort(self) -> None:
        """Close at once."""
        self.close()

    # -- the network's side

    def come(self, data: bytes | None) -> None:
        """Take what the other end wrote, None for its end."""
        self._coming.append((self._loop.time() + self._latency_s, data))
        self._later()

    def lose(self, error: Exception | None) -> None:
        """End it here and now."""
        if not self._lost:
            self._closing = self._lost = True
            self._coming.clear()
            if self._timer is not None:
                self._timer.cancel()
            self._protocol.connection_lost(error)

    def _later(self) -> None:
        if self._timer is None and self._coming and self._reading and not self._lost:
            at_s = self._coming[0][0]
            if at_s <= self._loop.time():
                self._timer = self._loop.call_soon(self._deliver)
            else:
                self._timer = self._loop.call_at(at_s, self._deliver)

    def _deliver(self) -> None:
        self._timer = None
        now_s, parts, ended = self._loop.time(), [], False
        while self._coming and self._coming[0][0] <= now_s and self._reading and not ended:
            data = self._coming.popleft()[1]
            ended = data is None
            if data:
                parts.append(data)
        if parts and not self._closing:
            data = b"".join(parts)
            self.peer.read_on(len(data))
            self._protocol.data_received(data)
        if ended and not self._lost:
            self._closing = True
            self.lose(None)
        self._later()

    def read_on(self, count: int) -> None:
        """Hear how much the other end has read."""
        self._underway -= count
        if self._held_back and self._underway <= self._low and not self._lost:
            self._held_back = False
            self._protocol.resume_writing()


class _Socket:
    """As much of a listening socket as a server shows of it."""

    def __init__(self, port: int) -> None:
        self._port = port

    def getsockname(self) -> tuple[str, int]:
        return ("127.0.0.1", self._port)


class Door:
    """A listening port, as `asyncio.Server` where the gateway's listener uses it."""

    def __init__(self, network: "Network", port: int, factory: Factory) -> None:
        self.factory = factory
        self.port = port
        self._network = network
        self.sockets = (_Socket(port),)

    def close(self) -> None:
        """Take no more connections."""
        if self._network.doors.get(self.port) is self:
            del self._network.doors[self.port]

    async def wait_closed(self) -> None:
        """It is closed at once."""


class Network:
    """Doors by port, and the connections between them by the name of who opened each."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.latency_s = 0.0
        self.doors: dict[int, Door] = {}
        self._open: dict[str, tuple[Pipe, Pipe, int]] = {}

    def listen(self, port: int, factory: Factory) -> Door:
        """Open a port; OSError if it is taken."""
        if port in self.doors:
            raise OSError(98, "Address already in use")
        door = self.doors[port] = Door(self, port, factory)
        return door

    def dial(self, name: str, port: int, protocol: asyncio.Protocol) -> Pipe:
        """Connect; ConnectionRefusedError if nobody listens."""
        door = self.doors.get(port)
        if door is None:
            raise ConnectionRefusedError(111, "Connection refused")
        guest = door.factory()
        if not isinstance(guest, asyncio.Protocol):
            raise TypeError("a stream protocol is needed")
        near, far = Pipe(self._loop, protocol, self.latency_s), Pipe(self._loop, guest, self.latency_s)
        near.peer, far.peer = far, near
        self._open[name] = (near, far, port)
        guest.connection_made(far)
        protocol.connection_made(near)
        return near

    # -- what can go wrong

    def cut(self, name: str) -> None:
        """Break a connection without a goodbye: both ends see a reset, what was under way is gone."""
        for pipe in self._ends(name):
            pipe.lose(ConnectionResetError(104, "Connection reset by peer"))

    def half_open(self, name: str) -> None:
        """Let everything vanish from now on, both ways, and neither end be told."""
        for pipe in self._ends(name):
            pipe.silent = True

    def deafen(self, name: str) -> None:
        """Let vanish what is sent to whoever opened the connection: acknowledgements above all."""
        if ends := self._ends(name):
            ends[1].silent = True

    def power_off(self, port: int) -> None:
        """Stop whoever listens there as a power cut would; both ends of its connections are lost."""
        if port in self.doors:
            self.doors[port].close()
        for name, (_, _, at) in list(self._open.items()):
            if at == port:
                self.cut(name)

    def _ends(self, name: str) -> tuple[Pipe, ...]:
        """Return the ends that still are there, the opener's first."""
        near, far, _ = self._open.get(name, (None, None, 0))
        if near is None or far is None:
            return ()
        if near.is_closing() and far.is_closing():
            del self._open[name]
            return ()
        return (near, far)


class NetworkLoop(VirtualLoop):
    """A virtual loop whose servers and connections are in memory; TLS is not spoken there."""

    def __init__(self) -> None:
        super().__init__()
        self.network = Network(self)

    async def create_server(self, protocol_factory: Any, *where: Any, **more: Any) -> Any:
        """Open a port of the network in memory."""
        _plain(more)
        return self.network.listen(where[1], protocol_factory)

    async def create_connection(self, protocol_factory: Any, *where: Any, **more: Any) -> Any:
        """Connect inside the network in memory; the gateway's own connection is named `gateway`."""
        _plain(more)
        protocol = protocol_factory()
        return self.network.dial(GATEWAY, where[1], protocol), protocol


def _plain(more: dict[str, Any]) -> None:
    if more.get("ssl") is not None:
        raise OSError(93, "the network in memory speaks no TLS")
