"""Requests served: answered, checked, offered as frames, and replied to when they are on disk."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from itertools import count

import msgspec
from aiosipua.message import SipRequest, SipResponse

from gateway.contract import Clock, Intake, Outcome
from gateway.model.frame import Frame, Transport
from gateway.sip_settings import SipSettings
from gateway.transports.sip.digest import Digest
from gateway.transports.sip.links import Address, Link
from gateway.transports.sip.standing import Standing
from gateway.transports.sip.transactions import Served
from gateway.transports.sip.wire import (
    KNOWN,
    METHODS,
    SCAIP_TYPE,
    fault_of,
    response_to,
    stamp,
    transaction_of,
    user_of,
)

RETRY_AFTER_S = "5"
"""What a unit is told to wait while the gateway is full."""
MAX_PENDING = 10_000
"""Requests that wait for the disk; further ones are turned away (503)."""
UNNAMED = "scaip"
"""The channel's user where a From has none."""
ALLOW = ", ".join(METHODS)

FAULTS = {
    Outcome.TOO_LONG: "SCAIP-LENGTH: the body is {found} bytes, allowed {most} (reply 1)",
    Outcome.FOREIGN: "SCAIP-SENDER: the unit is not the user that sent it (reply 5)",
}
"""What becomes evidence instead of a reading."""

Judge = Callable[[Frame], Outcome]
Replies = Callable[[Frame, Outcome], bytes]
"""Makes the reply to a frame of the adapter that reads it, b"" for none."""
SendReply = Callable[[SipRequest, Link, bytes], None]
Consumer = Callable[[bytes, Address], bool]
"""Takes a body that is an answer to one of ours; True when it did."""


class Trade(msgspec.Struct):
    """A request, the link it came by, where its response goes, and its transaction."""

    request: SipRequest
    link: Link
    to: Address
    key: str


class Pending(msgspec.Struct):
    """A frame on its way to the disk, and how its sender is to hear of it."""

    trade: Trade
    frame: Frame
    outcome: Outcome
    in_body: bool


@dataclass(frozen=True)
class Ports:
    """What the service joins: where frames go, what judges them and makes their replies."""

    intake: Intake
    clock: Clock
    replies: Replies
    judge: Judge


class Service:
    """Serves requests from any link; `durable` is called after the fsync."""

    def __init__(
        self,
        settings: SipSettings,
        ports: Ports,
        digest: Digest | None,
        standing: Standing,
        send_reply: SendReply,
    ) -> None:
        self._settings, self._ports, self._digest = settings, ports, digest
        self._standing, self._send_reply = standing, send_reply
        self._served = Served()
        self._pending: dict[int, Pending] = {}
        self._numbers = count(1)
        self._trusted = tuple(map(ip_network, settings.trusted))
        self._in_body = tuple(
            (frozenset(peer.users), (ip_network(peer.network),) if peer.network else ())
            for peer in settings.peer
            if peer.reply == "body"
        )
        self.consumers: list[Consumer] = []

    def request(self, request: SipRequest, link: Link, data: bytes) -> None:
        """Serve one request; retransmissions are answered as before, or wait with it.

        One with another body is no retransmission, whatever a careless unit calls it: it may be a new alarm.
        """
        if request.method == "ACK":
            return
        body = blake2b(request.body, digest_size=16).hexdigest()
        key = f"{link.peer[0]}|{transaction_of(request)}|{body}"
        trade = Trade(request, link, stamp(request, link.peer), key)
        if self._served.heard(key, self._now()):
            self._standing.repeated += 1
            before = self._served.answer(key)
            if before is not None:
                link.send(before, trade.to)
        elif fault := fault_of(request, data):
            self._answer(trade, 400, Warning=f'399 vaka "{fault}"')
        elif request.method == "OPTIONS":
            self._answer(trade, 200, Allow=ALLOW, Accept=SCAIP_TYPE)
        elif request.method != "MESSAGE":
            status = 481 if request.method == "CANCEL" else 405 if request.method in KNOWN else 501
            self._answer(trade, status, Allow=ALLOW)
        elif required := request.headers.get("require"):
            self._answer(trade, 420, Unsupported=", ".join(required)[:128])
        else:
            self._message(trade)

    def _message(self, trade: Trade) -> None:
        """Take a MESSAGE: is it an answer to ours, who sends it, is there room.

        An answer needs no password: it names a reference of ours that nobody else has heard.
        """
        if any(consumer(trade.request.body, trade.link.peer) for consumer in self.consumers):
            self._answer(trade, 200)
            return
        user = user_of(trade.request)
        proved = self._proved(trade)
        if proved is None:
            return
        if proved and user != proved:
            self._answer(trade, 403, Warning='399 vaka "From is another user"')
        else:
            self._offer(self._framed(trade, user, proved))

    def _proved(self, trade: Trade) -> str | None:
        """Return the user that is proved, "" where no proof is asked for; None when it was answered 401."""
        if self._digest is None or _within(trade.link.peer[0], self._trusted):
            return ""
        user, stale = self._digest.judge(trade.request, self._now())
        if user:
            return user
        self._standing.unauthorised += 1
        made = response_to(trade.request, 401)
        for value in self._digest.challenges(self._now(), stale=stale):
            made.headers.append("WWW-Authenticate", value)
        self._respond(trade, made)
        return None

    def _framed(self, trade: Trade, user: str, proved: str) -> Pending:
        """Make the frame; a body that is too long is evidence, and a fault of the transport's own."""
        body, most = trade.request.body, self._settings.max_body_bytes
        frame = Frame(Transport.SIP, f"sip/{user or UNNAMED}", body, self._ports.clock.now(), "sip", proved)
        outcome = Outcome.TOO_LONG if len(body) > most else self._ports.judge(frame)
        fault = FAULTS.get(outcome, "").format(found=len(body), most=most)
        if fault:
            frame = msgspec.structs.replace(frame, payload=body[:most], fault=fault)
        host = trade.link.peer[0]
        in_body = any(user in users or _within(host, networks) for users, networks in self._in_body)
        return Pending(trade, frame, outcome, in_body)

    def _offer(self, pending: Pending) -> None:
        token = next(self._numbers)
        self._pending[token] = pending
        if len(self._pending) > MAX_PENDING or not self._ports.intake.offer(pending.frame, self, token):
            del self._pending[token]
            self._standing.turned_away += 1
            trade = pending.trade
            trade.link.send(bytes(response_to(trade.request, 503, Retry_After=RETRY_AFTER_S)), trade.to)
            self._served.drop(trade.key)
            return
        self._standing.received += 1

    def durable(self, tokens: Sequence[int]) -> None:
        """Acknowledge and reply to those whose frames are on disk now; the others go on asking."""
        for token in tokens:
            pending = self._pending.pop(token)
            trade = pending.trade
            whole = msgspec.structs.replace(pending.frame, payload=trade.request.body, fault="")
            body = self._ports.replies(whole, pending.outcome)
            if pending.in_body:
                self._respond(trade, self._with_body(trade.request, body))
                continue
            self._answer(trade, self._settings.accepted)
            if body:
                self._send_reply(trade.request, trade.link, body)

    def _with_body(self, request: SipRequest, body: bytes) -> SipResponse:
        made = response_to(request, 200)
        if body:
            made.headers.set_single("Content-Type", SCAIP_TYPE)
            made.body = body
            self._standing.replies += 1
        return made

    def _answer(self, trade: Trade, status: int, **headers: str) -> None:
        self._standing.refused += status >= 400
        self._respond(trade, response_to(trade.request, status, **headers))

    def _respond(self, trade: Trade, response: SipResponse) -> None:
        data = bytes(response)
        self._served.answered(trade.key, data, self._now())
        trade.link.send(data, trade.to)

    def _now(self) -> float:
        return self._ports.clock.now().timestamp()


def _within(host: str, networks: Sequence[IPv4Network | IPv6Network]) -> bool:
    if not networks:
        return False
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return any(address in network for network in networks)
