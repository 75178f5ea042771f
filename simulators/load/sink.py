"""A do-nothing MQTT 3.1.1 sink: acknowledges at once and keeps nothing; the ceiling of a load generator."""

import asyncio
from collections.abc import Callable

import msgspec

from simulators.load.packets import CONNECT, PINGREQ, PUBLISH, split

CONNACK_OK = b"\x20\x02\x00\x00"
PINGRESP = b"\xd0\x00"


class Counts(msgspec.Struct):
    """What a sink saw: PUBLISH packets, those with DUP among them, and connections."""

    received: int = 0
    duplicates: int = 0
    connections: int = 0


class Sink(asyncio.Protocol):
    """One connection. `keep` is given every payload; each `cut_every` packets the link is cut, unanswered."""

    def __init__(
        self, counts: Counts, keep: Callable[[bytes], None] | None = None, cut_every: int = 0
    ) -> None:
        self.counts, self.keep, self.cut_every = counts, keep, cut_every
        self._rest = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - asyncio's promise for a stream
        self._transport = transport
        self.counts.connections += 1

    def data_received(self, data: bytes) -> None:
        """Answer what is whole with one write, and keep the rest."""
        data = self._rest + data if self._rest else data
        out, end = bytearray(), 0
        seen = self.counts.received
        for first, body, end in split(data):
            self._answer(data, first, body, end, out)
        self._rest = data[end:]
        if self._transport is None:
            return
        if self.cut_every and seen // self.cut_every != self.counts.received // self.cut_every:
            self._transport.abort()
        elif out:
            self._transport.write(bytes(out))

    def _answer(self, data: bytes, first: int, body: int, end: int, out: bytearray) -> None:
        kind = first & 0xF0
        if kind == PUBLISH:
            self.counts.received += 1
            self.counts.duplicates += first >> 3 & 1
            at = body + 2 + (data[body] << 8 | data[body + 1])
            if first & 0x06:
                out += b"\x40\x02" + data[at : at + 2]
                at += 2
            if self.keep is not None:
                self.keep(data[at:end])
        elif kind == CONNECT:
            out += CONNACK_OK
        elif kind == PINGREQ:
            out += PINGRESP


async def open_sink(
    host: str, port: int, counts: Counts, keep: Callable[[bytes], None] | None = None, cut_every: int = 0
) -> asyncio.Server:
    """Listen; port 0 takes a free one."""
    loop = asyncio.get_running_loop()
    return await loop.create_server(lambda: Sink(counts, keep, cut_every), host, port)


async def serve_sink(host: str, port: int, stop: asyncio.Event, say: Callable[[str], None]) -> None:
    """Listen until it is stopped, and tell what was received."""
    counts = Counts()
    server = await open_sink(host, port, counts)
    say(f"sink on {host}:{server.sockets[0].getsockname()[1]}")
    await stop.wait()
    server.close()
    say(msgspec.json.encode(counts).decode())
