"""The SIP endpoint: its sockets, the units' requests, and the requests of ours that go out."""

import asyncio
import contextlib
import ssl
from collections.abc import Callable

from aiosipua.headers import parse_address, stringify_uri
from aiosipua.message import SipRequest, SipResponse
from aiosipua.utils import format_addr

from gateway.contract import ChannelFault
from gateway.contract.messenger import Centre
from gateway.sip_settings import SipSettings, SipTls
from gateway.transports.sip.asking import ask
from gateway.transports.sip.digest import Digest, UserFile
from gateway.transports.sip.links import Address, Datagrams, Link, StreamLink
from gateway.transports.sip.serving import Consumer, Ports, Service
from gateway.transports.sip.standing import Standing
from gateway.transports.sip.transactions import Outgoing
from gateway.transports.sip.wire import (
    MalformedError,
    contact_of,
    message_request,
    parse,
    response_to,
    route,
    transaction_of,
)

TICK_S = 1.0
"""How often connections are looked at for silence."""
DIAL_S = 5.0
"""So long a connection of ours may take to open."""
MAX_DIALS = 64
"""Connections of ours that open at once, to units that closed theirs; a further reply is left unsent."""
BACKLOG = 1024


class SipEndpoint:
    """Takes MESSAGE requests in and sends our own; opened by `start`, closed by `stop`."""

    def __init__(self, settings: SipSettings, ports: Ports) -> None:
        self._settings = settings
        self.standing = Standing()
        digest = Digest(settings.realm, UserFile(settings.users, settings.realm)) if settings.users else None
        self._service = Service(settings, ports, digest, self.standing, self._reply)
        self._datagrams: Datagrams | None = None
        self._servers: dict[str, asyncio.Server] = {}
        self._streams: dict[tuple[str, Address], StreamLink] = {}
        self._dials: set[asyncio.Task[None]] = set()
        self._ticking: asyncio.Task[None] | None = None
        self._outgoing: Outgoing | None = None

    @property
    def ports(self) -> dict[str, int]:
        """The ports listened on by udp, tcp and tls, also when the system has chosen them."""
        found = {name: server.sockets[0].getsockname()[1] for name, server in self._servers.items()}
        return found | ({"udp": self._datagrams.own[1]} if self._datagrams else {})

    def on_answer(self, consumer: Consumer) -> None:
        """Let somebody look first at bodies that come in, for answers to requests of ours."""
        self._service.consumers.append(consumer)

    async def start(self) -> None:
        """Open the sockets; raises OSError or ssl.SSLError, with all of them closed again."""
        self._outgoing = Outgoing()
        try:
            await self._open()
        except BaseException:
            await self.stop()
            raise
        self._ticking = asyncio.create_task(self._tick(), name="sip")

    async def _open(self) -> None:
        loop, wanted = asyncio.get_running_loop(), self._settings
        if wanted.udp_port is not None:
            _, self._datagrams = await loop.create_datagram_endpoint(
                lambda: Datagrams(self.received), local_addr=(wanted.host, wanted.udp_port)
            )
        for name, port, tls in (("tcp", wanted.tcp_port, None), ("tls", wanted.tls_port, wanted.tls)):
            if port is not None:
                self._servers[name] = await loop.create_server(
                    self._accepting(name.upper()),
                    wanted.host,
                    port,
                    backlog=BACKLOG,
                    ssl=_server_context(tls) if tls else None,
                    ssl_handshake_timeout=wanted.slow_s if tls else None,
                )

    async def stop(self) -> None:
        """Close every socket; replies that did not leave are sent when a unit repeats its message."""
        if self._ticking is not None:
            self._ticking.cancel()
            await asyncio.wait([self._ticking])
            self._ticking = None
        for server in self._servers.values():
            server.close()
        for dial in list(self._dials):
            dial.cancel()
        if self._dials:
            await asyncio.wait(list(self._dials))
        if self._outgoing is not None:
            self._outgoing.end()
        for stream in list(self._streams.values()):
            stream.close()
        if self._datagrams is not None:
            self._datagrams.close()
            self._datagrams = None
        await asyncio.sleep(0)
        for stream in list(self._streams.values()):
            stream.abort()
        for server in self._servers.values():
            await server.wait_closed()
        self._servers.clear()

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(TICK_S)
            now = loop.time()
            for stream in list(self._streams.values()):
                reason = stream.check(now, self._settings.idle_s, self._settings.slow_s)
                if reason:
                    self.standing.slow += reason == "slow"
                    stream.abort()

    def _accepting(self, protocol: str) -> Callable[[], StreamLink]:
        return lambda: StreamLink(protocol, self.received, self._uncut, self._joined, self._left)

    def _joined(self, stream: StreamLink) -> bool:
        if len(self._streams) >= self._settings.max_connections:
            self.standing.surplus += 1
            return False
        self._streams[stream.protocol, stream.peer] = stream
        self.standing.connections = len(self._streams)
        return True

    def _left(self, stream: StreamLink) -> None:
        if self._streams.get((stream.protocol, stream.peer)) is stream:
            del self._streams[stream.protocol, stream.peer]
        self.standing.connections = len(self._streams)
        if self._outgoing is not None:
            self._outgoing.lost(stream)

    def received(self, data: bytes, link: Link) -> None:
        """Take one message; whatever is wrong with it concerns its sender alone."""
        try:
            message = parse(data)
        except MalformedError:
            self.standing.malformed += 1
            return
        if isinstance(message, SipRequest):
            self._service.request(message, link, data)
        elif self._outgoing is not None:
            self._outgoing.heard(transaction_of(message), message)

    def _uncut(self, head: bytes, stream: StreamLink) -> None:
        """Answer what a stream cannot be cut after: no length (400), or too long (413)."""
        self.standing.malformed += 1
        try:
            message = parse(head)
            if isinstance(message, SipRequest):
                status = 413 if message.headers.get("content-length") else 400
                stream.send(bytes(response_to(message, status)))
        except (MalformedError, ValueError):
            return

    def _reply(self, request: SipRequest, link: Link, body: bytes) -> None:
        """Send a reply as a MESSAGE of our own: by the unit's connection, or to its Contact on its own host.

        Never to another host than the request came from: a Contact is a sender's word.
        """
        contact = contact_of(request)
        sender = request.from_addr
        target = stringify_uri(contact) if contact else stringify_uri(sender.uri) if sender else "sip:unit"
        made = message_request(target, _own_uri(request, link), body)
        if link.protocol == "UDP":
            port = contact.port if contact and contact.host.strip("[]") == link.peer[0] else None
            self._send(made, link, (link.peer[0], port) if port else link.peer, self._replied)
            return
        if isinstance(link, StreamLink) and not link.open:
            port = (contact.port if contact else None) or (5061 if link.protocol == "TLS" else 5060)
            self._dial_and_send(made, link.protocol, (link.peer[0], port))
            return
        self._send(made, link, None, self._replied)

    def _replied(self, response: SipResponse | None) -> None:
        if response is None or response.status_code >= 300:
            self.standing.unanswered += 1

    def _send(
        self,
        request: SipRequest,
        link: Link,
        to: Address | None,
        told: Callable[[SipResponse | None], None],
    ) -> bool:
        own = link.own
        key = route(request, link.protocol, own)
        sent = self._outgoing is not None and self._outgoing.send(key, bytes(request), link, to, told)
        self.standing.replies += sent
        self.standing.unsent += not sent
        return sent

    def _dial_and_send(self, request: SipRequest, protocol: str, address: Address) -> None:
        if len(self._dials) >= MAX_DIALS:
            self.standing.unsent += 1
            return
        dial = asyncio.create_task(self._dialled(request, protocol, address))
        self._dials.add(dial)
        dial.add_done_callback(self._dials.discard)

    async def _dialled(self, request: SipRequest, protocol: str, address: Address) -> None:
        with contextlib.suppress(OSError, TimeoutError):
            link = await self.connect(protocol, address)
            if self._send(request, link, None, self._replied):
                return
        self.standing.unsent += 1

    async def message(self, centre: Centre, body: bytes, within_s: float) -> bytes:
        """Send a MESSAGE and return the body of its 2xx; ChannelFault when none came in time."""
        if self._outgoing is None:
            raise ChannelFault("the SIP endpoint is not open")
        return await ask(centre, body, within_s, self._reach, self._outgoing)

    async def _reach(
        self, protocol: str, address: Address, context: ssl.SSLContext | None, name: str
    ) -> Link:
        """Return an open way to a centre, or open one; over TLS only one whose certificate was judged."""
        if protocol == "UDP":
            if self._datagrams is None:
                raise ChannelFault("no socket: sip.udp_port is not set")
            return self._datagrams.link_to(address)
        kept = self._streams.get((protocol, address))
        if kept is not None and kept.open and kept.proved_name == (name if context else ""):
            return kept
        return await self.connect(protocol, address, context, name)

    async def connect(
        self, protocol: str, address: Address, context: ssl.SSLContext | None = None, name: str | None = None
    ) -> StreamLink:
        """Open a connection; raises OSError or TimeoutError.

        Without `context` a unit's certificate is not judged: the reply says nothing but a number.
        """
        proved = name if context is not None and name else ""
        if protocol == "TLS" and context is None:
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        async with asyncio.timeout(DIAL_S):
            _, link = await asyncio.get_running_loop().create_connection(
                self._accepting(protocol),
                *address,
                ssl=context if protocol == "TLS" else None,
                server_hostname=name if protocol == "TLS" else None,
            )
        link.proved_name = proved
        return link


def _own_uri(request: SipRequest, link: Link) -> str:
    """Return who the reply is from: whom the unit wrote to, as far as that can be read."""
    try:
        to = parse_address(request.headers.get("to")[0])
        return stringify_uri(to.uri)
    except (IndexError, ValueError):
        return f"sip:vaka@{format_addr(*link.own)}"


def _server_context(tls: SipTls) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(tls.certificate, tls.key)
    if tls.client_ca is not None:
        context.load_verify_locations(tls.client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context
