"""The bench over SIP: the alarm receiver by hand, which can be deaf, mute, busy, or answer another."""

import asyncio
from collections.abc import Callable
from xml.sax.saxutils import escape

from aiosipua.headers import stringify_uri
from aiosipua.message import SipRequest, SipResponse
from aiosipua.utils import format_addr

from gateway.conformance.declaration import Declaration, ScaipSection
from gateway.conformance.driving import Driving
from gateway.conformance.ports import Prompter, UpperTester
from gateway.conformance.record import Direction, Record
from gateway.conformance.scaip.message import Message, fields_of
from gateway.contract import Clock, ConfigurationError
from gateway.transports.sip.links import Address, Link
from gateway.transports.sip.transactions import GIVE_UP_S, Outgoing, Served
from gateway.transports.sip.wire import (
    SCAIP_TYPE,
    MalformedError,
    contact_of,
    message_request,
    parse,
    response_to,
    route,
    stamp,
    transaction_of,
)

LOOK_S = 0.05
RETRY_AFTER_S = 1
"""What a unit is told to wait when the receiver is busy."""
OTHER = "9"
"""What is put behind a ref to make it another's."""
Test = Callable[[Message], bool]


class ScaipBench(Driving):
    """One unit that comes to us. `deaf`: nothing is answered; `replying`: an `mrs` follows the 200.

    `mistaken`: the `mrs` names another ref; `busy`: requests are turned away with 503.
    """

    def __init__(
        self,
        declaration: Declaration,
        record: Record,
        clock: Clock,
        tester: UpperTester | None = None,
        prompter: Prompter | None = None,
    ) -> None:
        super().__init__(declaration, tester, prompter)
        self.record, self.clock = record, clock
        self.messages: list[Message] = []
        self.malformed: list[tuple[int, str]] = []
        self.taken: list[tuple[int, SipResponse | None]] = []
        """What the unit answered to our right replies: the record's number of the reply, None for nothing."""
        self.deaf = self.mistaken = self.busy = False
        self.replying = True
        self._served, self._outgoing = Served(), Outgoing()
        self._open_refs: set[str] = set()
        self._keys: set[str] = set()
        self._links: dict[tuple[str, Address], int] = {}

    @property
    def said(self) -> ScaipSection:
        """What is declared of SCAIP; ConfigurationError without it."""
        if self.declaration.scaip is None:
            raise ConfigurationError("scaip: found none; allowed: the section [scaip]")
        return self.declaration.scaip

    @property
    def margin_s(self) -> float:
        """What is added to the unit's own longest times."""
        return self.declaration.pixit.margin_s

    @property
    def again_s(self) -> float:
        """Within this time a request that was not replied to must come again."""
        return self.said.again_s + self.margin_s

    def calm(self) -> None:
        """Answer and reply as a receiver should."""
        self.deaf = self.mistaken = self.busy = False
        self.replying = True

    async def settle(self) -> None:
        """Give the unit the time to bring what is not replied to yet; what does not come is let go."""
        self.calm()
        await self.until(lambda: not self._open_refs, self.again_s)
        self._open_refs.clear()

    def close(self) -> None:
        """Give up what of ours waits for an answer."""
        self._outgoing.end()

    # -- what comes

    def received(self, data: bytes, link: Link) -> None:
        """Take one message of the unit's."""
        try:
            message = parse(data)
            named = message.from_addr is not None and message.to_addr is not None
        except MalformedError as error:
            self._amiss(data, link, f"no SIP message: {error}")
            return
        except Exception:  # noqa: BLE001 - a library's parser on a stranger's bytes
            named = False
        if not named:
            self._amiss(data, link, "its From or To cannot be read")
            return
        kind = message.method if isinstance(message, SipRequest) else str(message.status_code)
        number = self._note(link, Direction.UP, kind, data)
        if isinstance(message, SipResponse):
            self._outgoing.heard(transaction_of(message), message)
        elif message.method == "MESSAGE":
            self._message(number, message, link, data)
        elif message.method == "OPTIONS" and not self.deaf:
            to = stamp(message, link.peer)
            self._send(link, response_to(message, 200, Allow="MESSAGE, OPTIONS", Accept=SCAIP_TYPE), to)
        elif message.method != "ACK" and not self.deaf:
            to = stamp(message, link.peer)
            self._send(link, response_to(message, 405, Allow="MESSAGE, OPTIONS"), to)

    def uncut(self, head: bytes, link: Link) -> None:
        """Take what a stream could not be cut after."""
        self._amiss(head, link, "a stream cannot be cut after it: no Content-Length, or far too long")

    def _amiss(self, data: bytes, link: Link, why: str) -> None:
        self.malformed.append((self._note(link, Direction.UP, "MALFORMED", data), why))

    def _message(self, number: int, request: SipRequest, link: Link, raw: bytes) -> None:
        key, now = f"{link.peer[0]}|{transaction_of(request)}", self.record.now_s()
        to = stamp(request, link.peer)
        again = key in self._keys
        self._keys.add(key)
        root, fields, unread = fields_of(raw)
        one = Message(number, now, link, request, raw, key, again, root, fields, unread)
        self.messages.append(one)
        if one.ref and not one.heartbeat:
            self._open_refs.add(one.ref)
        if self.deaf:
            return
        if self._served.heard(key, now):
            if before := self._served.answer(key):
                self._put(link, before, to)
            return
        made = response_to(request, 503, Retry_After=str(RETRY_AFTER_S)) if self.busy else None
        made = made or response_to(request, 200)
        self._served.answered(key, bytes(made), now)
        self._send(link, made, to)
        if not self.busy and self.replying and one.ref:
            self._reply(one)

    # -- what goes

    def _reply(self, to: Message) -> None:
        ref = to.ref + OTHER if self.mistaken else to.ref
        body = f"<mrs><ref>{escape(ref)}</ref><snu>0</snu></mrs>".encode()
        made = message_request(_target(to), f"sip:kit@{format_addr(*to.link.own)}", body)
        right = not self.mistaken

        def told(response: SipResponse | None) -> None:
            if right:
                self.taken.append((number, response))

        number = self._ask(made, to, told)
        if right:
            self._open_refs.discard(to.ref)

    def _ask(self, made: SipRequest, to: Message, told: Callable[[SipResponse | None], None]) -> int:
        key = route(made, to.link.protocol, to.link.own)
        number = self._note(to.link, Direction.DOWN, made.method, bytes(made))
        if not self._outgoing.send(key, bytes(made), to.link, _address(to), told):
            told(None)
        return number

    async def options(self) -> tuple[int, SipResponse | None]:
        """Ask the unit what it understands, by the way of its last message; None when it said nothing."""
        last = self.messages[-1]
        made = message_request(_target(last), f"sip:kit@{format_addr(*last.link.own)}", b"")
        made.method = "OPTIONS"
        made.headers.set_single("CSeq", "1 OPTIONS")
        made.headers.set_single("Accept", SCAIP_TYPE)
        made.headers.remove("Content-Type")
        answered: asyncio.Future[SipResponse | None] = asyncio.get_running_loop().create_future()
        number = self._ask(made, last, answered.set_result)
        return number, await answered

    def _send(self, link: Link, response: SipResponse, to: Address) -> None:
        self._put(link, bytes(response), to)

    def _put(self, link: Link, data: bytes, to: Address) -> None:
        self._note(link, Direction.DOWN, data[8:11].decode("ascii", "replace"), data)
        link.send(data, to)

    def _note(self, link: Link, way: Direction, kind: str, data: bytes) -> int:
        place = (link.protocol, link.peer)
        if place not in self._links:
            self._links[place] = self.record.next_link()
        return self.record.add(self._links[place], way, kind, raw=data, remark=link.protocol).number

    # -- waiting

    async def until(self, test: Callable[[], bool], within_s: float) -> bool:
        """Wait until it is so; False when it was not in time."""
        loop = asyncio.get_running_loop()
        end = loop.time() + within_s
        while not test():
            if loop.time() >= end:
                return False
            await asyncio.sleep(LOOK_S)
        return True

    async def wait(self, test: Test, since: int, within_s: float) -> Message | None:
        """Return the first message of that kind from a place in `messages` on, None if too late."""

        def found() -> Message | None:
            return next((one for one in self.messages[since:] if test(one)), None)

        await self.until(lambda: found() is not None, within_s)
        return found()

    async def answered(self) -> None:
        """Wait until every reply of ours is answered or given up."""
        await self.until(lambda: not len(self._outgoing), GIVE_UP_S + self.margin_s)

    async def bring(self) -> tuple[Message, int] | None:
        """Have the unit alarm; return its first message and the place after it, None when none came."""
        known, since = {one.ref for one in self.messages}, len(self.messages)
        await self.trigger(self.declaration.operated[0])
        within_s = self.declaration.pixit.operate_s + self.margin_s

        def alarm(one: Message) -> bool:
            return not one.heartbeat and not one.again

        fresh = await self.wait(lambda one: alarm(one) and one.ref not in known, since, within_s)
        found = fresh or await self.wait(alarm, since, 0)
        return (found, self.messages.index(found) + 1) if found is not None else None


def _target(to: Message) -> str:
    contact, sender = contact_of(to.request), to.request.from_addr
    return stringify_uri(contact) if contact else stringify_uri(sender.uri) if sender else "sip:unit"


def _address(to: Message) -> Address | None:
    """Return where a datagram goes: to the Contact's port on the unit's own host, as the gateway does."""
    if to.link.reliable:
        return None
    contact = contact_of(to.request)
    own = contact is not None and contact.host.strip("[]") == to.link.peer[0]
    return (to.link.peer[0], contact.port) if contact and own and contact.port else to.link.peer
