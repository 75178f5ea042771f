"""Uplink: which link to the centre is used: the first that answers, and again an earlier one that holds."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random, SystemRandom
from typing import Protocol

from gateway.contract import ConfigurationError
from gateway.edge.link import Ending, Hooks, Link
from gateway.edge.settings import EdgeSettings, LinkSettings
from gateway.sections import is_loopback
from gateway.transports.mqtt_client.dialling import Backoff, address, tls_context

log = logging.getLogger(__name__)

FAREWELL_S = 1.0
"""So long the last words may take to leave."""
PROBES = 3
"""So often in a row an earlier link must answer, spread over `return_after_s`, before it is used again."""


class Source(Protocol):
    """Where frames come from."""

    def attach(self, outlet: Link) -> None:
        """Send by this connection from now on."""
        ...

    def detach(self, outlet: Link) -> None:
        """Send no more by this connection."""
        ...

    def acknowledged(self, number: int) -> None:
        """A frame is on the centre's disk."""
        ...


@dataclass(slots=True)
class Counters:
    """What passed since the start."""

    connections: int = 0
    failovers: int = 0


class Uplink:
    """Keeps one connection at a time: the centre knows the edge by one session."""

    def __init__(
        self,
        settings: EdgeSettings,
        source: Source,
        *,
        connected: Callable[[Link], None],
        configured: Callable[[bytes], None],
        random: Random | None = None,
    ) -> None:
        self._settings, self._source, self._connected = settings, source, connected
        self._hooks = Hooks(source.acknowledged, configured)
        self._backoff = Backoff(settings.uplink.reconnect_max_s, random or SystemRandom())
        self.link: Link | None = None
        self._returning = False
        self.counters = Counters()
        for link in settings.link:
            tls_context(link.broker())  # a wrong file is told at the start

    @property
    def name(self) -> str:
        """The link in use, "" while none is."""
        return self.link.settings.name if self.link else ""

    async def run(self) -> None:
        """Stay connected until cancelled."""
        self._warn()
        links: Sequence[LinkSettings] = self._settings.link
        while True:
            link: Link | None = await self._any(links)
            while link is not None:
                links, link = await self._serve(link)

    async def leave(self, farewell: bytes) -> None:
        """Say that the edge stops, and close; the frames stay in the queue."""
        link, self.link = self.link, None
        if link is not None:
            self._source.detach(link)
            link.close(farewell)
            await asyncio.wait((link.gone,), timeout=FAREWELL_S)

    def _warn(self) -> None:
        for link in self._settings.link:
            host, _ = address(link.broker())
            if not (link.url.startswith("mqtts:") or is_loopback(host)):
                log.warning("link %s: everything, a password too, goes unencrypted to %s", link.name, host)

    async def _any(self, links: Sequence[LinkSettings]) -> Link:
        """Try the links in turn until one is accepted."""
        while True:
            for settings in links:
                try:
                    return await self._open(settings)
                except (OSError, ConfigurationError) as error:  # TimeoutError and ssl.SSLError are OSErrors
                    log.warning("link %s: %s", settings.name, str(error) or "no answer")
            await asyncio.sleep(self._backoff.next_s())
            links = self._settings.link

    async def _serve(self, link: Link) -> tuple[Sequence[LinkSettings], Link | None]:
        """Use a connection to its end; returns what to try next, or the better connection that is there."""
        self._use(link)
        better: asyncio.Future[Link] = asyncio.ensure_future(self._better(link.settings))
        found: Link | None = None
        try:
            await asyncio.wait((better, link.ended), return_when=asyncio.FIRST_COMPLETED)
            if self._returning:  # the centre has let go of this connection for the sake of the other one
                await asyncio.wait((better,), timeout=self._settings.uplink.connect_within_s)
            found = _result(better)
        finally:
            self._source.detach(link)
            better.cancel()
            self._returning = False
            if found is None and (unused := _result(better)) is not None:
                unused.end(Ending("not used"))
        if found is not None:
            log.info("back to the link %s", found.settings.name)
            link.close()
            return self._settings.link, found
        ending = link.ended.result()
        self._lost(link, ending)
        return self._after(link.settings, ending), None

    def _use(self, link: Link) -> None:
        if self.link is not None and self.link.settings != link.settings:
            self.counters.failovers += 1
        self.link = link
        self.counters.connections += 1
        log.info("link %s: connected", link.settings.name)
        self._connected(link)
        self._source.attach(link)
        asyncio.get_running_loop().call_later(2 * self._settings.uplink.reconnect_max_s, self._proven, link)

    def _proven(self, link: Link) -> None:
        if not link.ended.done():
            self._backoff.reset()

    def _lost(self, link: Link, ending: Ending) -> None:
        self.link = None
        log.warning("link %s: %s", link.settings.name, ending.why)

    def _after(self, lost: LinkSettings, ending: Ending) -> Sequence[LinkSettings]:
        """Return the links in the order to try: one that fell silent last, one that was closed first."""
        links = self._settings.link
        others = [one for one in links if one is not lost]
        return [*others, lost] if ending.silent else links

    async def _better(self, used: LinkSettings) -> Link:
        """Wait until an earlier link has answered for a while, and connect by it."""
        earlier = self._settings.link[: self._settings.link.index(used)]
        pause_s = self._settings.uplink.return_after_s / PROBES
        answered = dict.fromkeys((one.name for one in earlier), 0)
        while True:
            await asyncio.sleep(pause_s)
            for settings in earlier:
                answered[settings.name] = answered[settings.name] + 1 if await self._answers(settings) else 0
                if answered[settings.name] >= PROBES:
                    self._returning = True
                    with contextlib.suppress(OSError, ConfigurationError):
                        return await self._open(settings)
                    self._returning = False
                    answered[settings.name] = 0

    async def _answers(self, settings: LinkSettings) -> bool:
        """Tell whether a link takes a connection; it is closed again without a word."""
        try:
            async with asyncio.timeout(self._settings.uplink.connect_within_s):
                transport, _ = await self._dial(settings, asyncio.Protocol)
        except (OSError, ConfigurationError):
            return False
        transport.abort()
        return True

    async def _open(self, settings: LinkSettings) -> Link:
        """Connect and be accepted; raises OSError."""
        link = Link(settings, self._settings.uplink, self._settings.identity, self._hooks)
        try:
            async with asyncio.timeout(self._settings.uplink.connect_within_s):
                await self._dial(settings, lambda: link)
                await asyncio.shield(link.ready)
        except BaseException as error:
            link.end(Ending(f"not connected: {error!r}"))
            raise
        return link

    async def _dial(
        self, settings: LinkSettings, make: Callable[[], asyncio.BaseProtocol]
    ) -> tuple[asyncio.Transport, asyncio.BaseProtocol]:
        loop = asyncio.get_running_loop()
        host, port = address(settings.broker())
        context = tls_context(settings.broker())
        name = host if context else None
        if settings.interface is None:
            local = (settings.address, 0) if settings.address else None
            return await loop.create_connection(
                make, host, port, ssl=context, server_hostname=name, local_addr=local
            )
        by = await self._by_interface(settings, host, port)
        try:
            return await loop.create_connection(make, sock=by, ssl=context, server_hostname=name)
        except BaseException:
            by.close()
            raise

    async def _by_interface(self, settings: LinkSettings, host: str, port: int) -> socket.socket:
        """Connect by one network interface alone, whatever the routes of the others say."""
        loop = asyncio.get_running_loop()
        family, kind, proto, _, where = (await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM))[0]
        by = socket.socket(family, kind, proto)
        try:
            by.setblocking(False)  # noqa: FBT003 - the standard library's own signature
            by.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, (settings.interface or "").encode())
            if settings.address:
                by.bind((settings.address, 0))
            await loop.sock_connect(by, where)
        except BaseException:
            by.close()
            raise
        return by


def _result(work: asyncio.Future[Link]) -> Link | None:
    """Return what came of it, None when nothing did, or nothing yet."""
    return work.result() if work.done() and not work.cancelled() and work.exception() is None else None
