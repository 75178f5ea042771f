"""Requests of ours to a centre: its address looked up, digest answered, one response waited for."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable

from aiosipua.auth import SipDigestAuth, answer_challenge
from aiosipua.headers import SipUri
from aiosipua.message import SipRequest, SipResponse
from aiosipua.utils import format_addr

from gateway.contract import ChannelFault
from gateway.contract.messenger import Centre
from gateway.transports.sip.links import Address, Link
from gateway.transports.sip.transactions import Outgoing
from gateway.transports.sip.wire import message_request, read_uri, route

PORTS = {"UDP": 5060, "TCP": 5060, "TLS": 5061}
Dial = Callable[[str, Address, ssl.SSLContext | None, str], Awaitable[Link]]


def protocol_of(uri: SipUri) -> str:
    """Return how an address is reached: its `transport`, TLS for sips:, else UDP (RFC 3263, without DNS)."""
    if uri.scheme.lower() == "sips":
        return "TLS"
    named = (uri.params.get("transport") or "udp").upper()
    return named if named in PORTS else "UDP"


async def ask(centre: Centre, body: bytes, within_s: float, dial: Dial, outgoing: Outgoing) -> bytes:
    """Send one MESSAGE and return the body of its 2xx; ChannelFault says what came instead."""
    try:
        async with asyncio.timeout(within_s):
            link = await _reach(centre, dial)
            return await _asked(centre, body, link, outgoing)
    except TimeoutError as error:
        raise ChannelFault(f"the centre did not answer within {within_s:.0f} s") from error
    except (OSError, ValueError) as error:
        raise ChannelFault(f"no connection to the centre ({type(error).__name__})") from error


async def _reach(centre: Centre, dial: Dial) -> Link:
    uri = read_uri(centre.uri)
    protocol, host = protocol_of(uri), uri.host.strip("[]")
    found = await asyncio.get_running_loop().getaddrinfo(host, uri.port or PORTS[protocol])
    address: Address = (str(found[0][4][0]), int(found[0][4][1]))
    context = None
    if protocol == "TLS":
        context = await asyncio.to_thread(ssl.create_default_context, cafile=centre.ca or None)
    return await dial(protocol, address, context, host)


async def _asked(centre: Centre, body: bytes, link: Link, outgoing: Outgoing) -> bytes:
    sender = f"sip:{centre.sender}@{format_addr(*link.own)}"
    request = message_request(centre.uri, sender, body)
    response = await _exchange(request, link, outgoing)
    if response.status_code in (401, 407) and centre.username:
        proof = answer_challenge(
            SipDigestAuth(centre.username, centre.password),
            response,
            response.status_code,
            request.method,
            request.uri,
        )
        if proof is not None:
            request.set_header(*proof)
            request.set_header("CSeq", "2 MESSAGE")
            response = await _exchange(request, link, outgoing)
    if not 200 <= response.status_code < 300:
        raise ChannelFault(f"the centre refused with SIP {response.status_code}")
    return response.body


async def _exchange(request: SipRequest, link: Link, outgoing: Outgoing) -> SipResponse:
    heard: asyncio.Future[SipResponse | None] = asyncio.get_running_loop().create_future()

    def told(response: SipResponse | None) -> None:
        if not heard.done():
            heard.set_result(response)

    key = route(request, link.protocol, link.own)
    if not outgoing.send(key, bytes(request), link, None, told):
        raise ChannelFault("no connection to the centre")
    response = await heard
    if response is None:
        raise ChannelFault("the centre did not answer")
    return response
