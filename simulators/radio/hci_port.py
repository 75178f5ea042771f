"""HCI (H4) over TCP: where a stack of another process gets a controller on the virtual radio.

Each port is one controller. A vendor's firmware attaches as a peripheral, a gateway as an adapter. When the
process ends, its links break as those of a device without power do.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import cast

from bumble import hci
from bumble.transport.common import StreamPacketSink, StreamPacketSource

from simulators.radio.controller import RadioController
from simulators.radio.medium import Medium

LOOPBACK = "127.0.0.1"


class _Attached(StreamPacketSource):
    """One TCP connection: its controller lives as long as it does."""

    def __init__(self, port: "HciPort") -> None:
        super().__init__()
        self._port = port
        self._controller: RadioController | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A host attaches; a second one at the same port is sent away."""
        stream = cast("asyncio.Transport", transport)
        if self._port.attached is not None:
            stream.close()
            return
        self._port.attached = stream
        sink = StreamPacketSink(stream)
        self._controller = RadioController(self._port.name, self._port.medium, self._port.address, self, sink)

    def connection_lost(self, _error: Exception | None) -> None:
        """The host is gone."""
        if self._controller is not None:
            self._controller.power_off()
            self._controller = None
            self._port.attached = None
        self.on_transport_lost()


class HciPort:
    """A listening port with one controller; loopback only."""

    def __init__(self, medium: Medium, address: str, name: str = "hci") -> None:
        self.medium = medium
        self.address = hci.Address(address)
        self.name = name
        self.port = 0
        self.attached: asyncio.Transport | None = None
        self._server: asyncio.Server | None = None

    async def open(self, port: int = 0) -> int:
        """Listen; returns the port. OSError when it is taken."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Attached(self), LOOPBACK, port)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self.port

    async def close(self) -> None:
        """Send the host away and listen no more."""
        if self._server is not None:
            self._server.close()
            if self.attached is not None:
                self.attached.close()
            await self._server.wait_closed()


class _Dialled(StreamPacketSource):
    def connection_lost(self, _error: Exception | None) -> None:
        self.on_transport_lost()


@contextlib.asynccontextmanager
async def dial(port: int) -> AsyncIterator[tuple[StreamPacketSource, StreamPacketSink]]:
    """Attach to a port of another process: source and sink for a host; OSError when nobody listens."""
    loop = asyncio.get_running_loop()
    stream, source = await loop.create_connection(_Dialled, LOOPBACK, port)
    try:
        yield source, StreamPacketSink(stream)
    finally:
        stream.close()
        await asyncio.wait([source.terminated])
