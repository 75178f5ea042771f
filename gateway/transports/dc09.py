"""The DC-09 way in: a line of an alarm panel becomes a frame, and is answered when it is on disk."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from itertools import count
from typing import cast

from gateway.contract import Clock, Intake, Outcome
from gateway.dc09_settings import Dc09Settings
from gateway.model.frame import Frame, Transport

CHANNEL = "sia/dc09"
MAX_LINE_BYTES = 2048
"""A longer line ends its connection: what stands in it is kept as evidence."""
MAX_PENDING = 5_000
"""Lines that wait for the disk; further ones are not answered, so that the panel sends them again."""
TICK_S = 1.0

Replies = Callable[[Frame, Outcome], bytes]
"""Makes the answer to a line of the adapter that reads it, b"" for none."""
Answer = Callable[[bytes], None]


@dataclass(slots=True)
class Standing:
    """Counted since the start: lines taken, those turned away by a full gateway, connections let go."""

    connections: int = 0
    received: int = 0
    turned_away: int = 0
    too_long: int = 0
    surplus: int = 0
    strangers: int = 0
    slow: int = 0


class Dc09Listener:
    """Listens for panels; nothing is acknowledged before the fsync."""

    def __init__(self, settings: Dc09Settings, intake: Intake, clock: Clock, replies: Replies) -> None:
        self._settings, self._intake, self._clock, self._replies = settings, intake, clock, replies
        self.standing = Standing()
        self._trusted = tuple(map(ip_network, settings.trusted))
        self._pending: dict[int, tuple[Frame, Answer]] = {}
        self._numbers = count()
        self._lines: set[_Panel] = set()
        self._server: asyncio.Server | None = None
        self._datagrams: asyncio.DatagramTransport | None = None
        self._ticking: asyncio.Task[None] | None = None

    @property
    def ports(self) -> dict[str, int]:
        """The ports listened on by tcp and udp, also when the system has chosen them."""
        found = {"tcp": self._server.sockets[0].getsockname()[1]} if self._server else {}
        return found | ({"udp": self._datagrams.get_extra_info("sockname")[1]} if self._datagrams else {})

    async def start(self) -> None:
        """Open the sockets; raises OSError."""
        loop, wanted = asyncio.get_running_loop(), self._settings
        if wanted.tcp_port is not None:
            self._server = await loop.create_server(lambda: _Panel(self), wanted.host, wanted.tcp_port)
        try:
            if wanted.udp_port is not None:
                place = (wanted.host, wanted.udp_port)
                self._datagrams, _ = await loop.create_datagram_endpoint(
                    lambda: _Datagrams(self), local_addr=place
                )
        except BaseException:
            await self.stop()
            raise
        self._ticking = asyncio.create_task(self._tick(), name="dc09")

    async def stop(self) -> None:
        """Close every socket; what was not answered the panels send again."""
        if self._ticking is not None:
            self._ticking.cancel()
            await asyncio.wait([self._ticking])
        if self._datagrams is not None:
            self._datagrams.close()
        if self._server is not None:
            self._server.close()
            for panel in list(self._lines):
                panel.abort()
            await self._server.wait_closed()
        await asyncio.sleep(0)

    def line(self, line: bytes, answer: Answer, *, whole: bool = True) -> None:
        """Take one line; `answer` sends what the panel is told."""
        fault = "" if whole else f"SIA-LINE: the line is longer than {MAX_LINE_BYTES} bytes"
        frame = Frame(Transport.TCP, CHANNEL, line, self._clock.now(), "dc09", fault=fault)
        token = next(self._numbers)
        self._pending[token] = (frame, answer)
        if len(self._pending) > MAX_PENDING or not self._intake.offer(frame, self, token):
            del self._pending[token]
            self.standing.turned_away += 1
            return
        self.standing.received += 1
        self.standing.too_long += not whole

    def durable(self, tokens: Sequence[int]) -> None:
        """Answer those whose lines are on disk now."""
        for token in tokens:
            frame, answer = self._pending.pop(token)
            body = self._replies(frame, Outcome.TOO_LONG if frame.fault else Outcome.TAKEN)
            if body:
                answer(body)

    def heard(self, host: str) -> bool:
        """Tell whether an address may speak; a stranger is counted."""
        address = ip_address(host.partition("%")[0])
        if not self._trusted or any(address in network for network in self._trusted):
            return True
        self.standing.strangers += 1
        return False

    def joined(self, panel: "_Panel", host: str) -> bool:
        """Note a connection; False for a stranger, or when there are too many."""
        if not self.heard(host):
            return False
        if len(self._lines) >= self._settings.max_connections:
            self.standing.surplus += 1
            return False
        self._lines.add(panel)
        self.standing.connections = len(self._lines)
        return True

    def left(self, panel: "_Panel") -> None:
        """Note that a connection ended."""
        self._lines.discard(panel)
        self.standing.connections = len(self._lines)

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(min(TICK_S, self._settings.slow_s / 2))
            now = loop.time()
            for panel in list(self._lines):
                slow = panel.half_since is not None and now - panel.half_since > self._settings.slow_s
                if slow or now - panel.heard_at > self._settings.idle_s:
                    self.standing.slow += slow
                    panel.abort()


class _Panel(asyncio.Protocol):
    """One connection of a panel, cut into lines at each carriage return."""

    def __init__(self, listener: Dc09Listener) -> None:
        self._listener = listener
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self.heard_at = self._loop.time()
        self.half_since: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if not self._listener.joined(self, str(transport.get_extra_info("peername")[0])):
            self.abort()

    def connection_lost(self, _exc: Exception | None) -> None:
        self._transport = None
        self._listener.left(self)

    def pause_writing(self) -> None:
        """Let go a panel that sends and does not take its answers."""
        self.abort()

    def data_received(self, data: bytes) -> None:
        self.heard_at = self._loop.time()
        self._buffer += data
        while (end := self._buffer.find(b"\r")) >= 0 and end <= MAX_LINE_BYTES:
            line = bytes(self._buffer[:end]).strip()
            del self._buffer[: end + 1]
            self.half_since = None
            if line:
                self._listener.line(line, self._answer)
        if len(self._buffer) > MAX_LINE_BYTES:
            self._listener.line(bytes(self._buffer[:MAX_LINE_BYTES]), self._answer, whole=False)
            self._buffer.clear()
            if self._transport is not None:
                self._transport.pause_reading()
            self.half_since = self.heard_at  # the answer may leave, then the connection ends
        elif not self._buffer.strip():
            self.half_since = None
        elif self.half_since is None:
            self.half_since = self.heard_at

    def _answer(self, line: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(line)

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()


class _Datagrams(asyncio.DatagramProtocol):
    """The UDP socket: each datagram is one line."""

    def __init__(self, listener: Dc09Listener) -> None:
        self._listener = listener
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        line = data.strip()
        if line and self._listener.heard(str(addr[0])):
            whole = len(line) <= MAX_LINE_BYTES
            self._listener.line(line[:MAX_LINE_BYTES], lambda body: self._answer(body, addr), whole=whole)

    def _answer(self, line: bytes, address: tuple[str, int]) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(line, address)
