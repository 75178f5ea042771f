"""Transactions without INVITE (RFC 3261 section 17): what was answered, and what of ours waits."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable

from aiosipua.message import SipResponse

from gateway.transports.sip.links import Address, Link

T1_S = 0.5
T2_S = 4.0
GIVE_UP_S = 32.0
"""Timers E, F and J: 64 x T1 (RFC 3261 section 17.1.2.2)."""
EARLY_S = 0.001
"""So much before its time a timer may fire: what is left then is no wait, but would be one more repeat."""
MAX_SERVED = 20_000
"""Requests remembered; past it the oldest is forgotten, and its retransmission is taken as new: the event's
own key still makes it one."""
MAX_OWN = 4096
"""Requests of ours that wait for an answer; a further one is sent once and not repeated."""

Answered = Callable[[SipResponse | None], None]


class Served:
    """Requests heard in the last 32 s with their responses, None while they wait."""

    def __init__(self, most: int = MAX_SERVED) -> None:
        self._most = most
        self._known: OrderedDict[str, tuple[float, bytes | None]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def heard(self, key: str, now: float) -> bool:
        """Note a request; True when it was heard before."""
        self.forget(now)
        if key in self._known:
            return True
        self._known[key] = (now + GIVE_UP_S, None)
        if len(self._known) > self._most:
            self._known.popitem(last=False)
        return False

    def answer(self, key: str) -> bytes | None:
        """Return what the request was answered with, None while it waits."""
        return self._known.get(key, (0.0, None))[1]

    def answered(self, key: str, response: bytes, now: float) -> None:
        """Keep the response for retransmissions."""
        if key in self._known:
            self._known[key] = (now + GIVE_UP_S, response)
            self._known.move_to_end(key)

    def drop(self, key: str) -> None:
        """Forget a request, so that it may be tried again."""
        self._known.pop(key, None)

    def forget(self, now: float) -> None:
        """Drop what is past its time from the front; a waiting one behind it only waits a little longer."""
        while self._known and next(iter(self._known.values()))[0] <= now:
            self._known.popitem(last=False)


class _Own:
    """A request of ours on its way."""

    __slots__ = ("data", "gives_up_at", "link", "timer", "to", "told", "wait_s")

    def __init__(
        self, data: bytes, link: Link, to: Address | None, told: Answered, gives_up_at: float
    ) -> None:
        self.data, self.link, self.to, self.told = data, link, to, told
        self.gives_up_at, self.wait_s = gives_up_at, T1_S
        self.timer: asyncio.TimerHandle | None = None


class Outgoing:
    """Our requests: repeated over UDP until somebody answers, given up after 32 s."""

    def __init__(self, most: int = MAX_OWN) -> None:
        self._most = most
        self._waiting: dict[str, _Own] = {}
        self._loop = asyncio.get_running_loop()

    def __len__(self) -> int:
        return len(self._waiting)

    def send(self, key: str, data: bytes, link: Link, to: Address | None, told: Answered) -> bool:
        """Send a request; `told` hears the final response, or None. False when it did not leave."""
        if not link.send(data, to):
            return False
        if len(self._waiting) >= self._most:
            return True
        own = self._waiting[key] = _Own(data, link, to, told, self._loop.time() + GIVE_UP_S)
        own.timer = self._loop.call_later(GIVE_UP_S if link.reliable else T1_S, self._again, key)
        return True

    def heard(self, key: str, response: SipResponse) -> None:
        """Give a response to its request; a provisional one only slows the repeating."""
        own = self._waiting.get(key)
        if own is None:
            return
        if response.status_code < 200:
            own.wait_s = T2_S
            return
        self._end(key, response)

    def lost(self, link: Link) -> None:
        """Give up what waits for an answer by a connection that ended: it can come no more."""
        for key in [key for key, own in self._waiting.items() if own.link is link]:
            self._end(key, None)

    def end(self) -> None:
        """Give everything up."""
        for key in list(self._waiting):
            self._end(key, None)

    def _again(self, key: str) -> None:
        own = self._waiting[key]
        now = self._loop.time()
        if now >= own.gives_up_at - EARLY_S or own.link.reliable or not own.link.send(own.data, own.to):
            self._end(key, None)
            return
        own.wait_s = min(own.wait_s * 2, T2_S)
        own.timer = self._loop.call_later(min(own.wait_s, own.gives_up_at - now), self._again, key)

    def _end(self, key: str, response: SipResponse | None) -> None:
        own = self._waiting.pop(key)
        if own.timer is not None:
            own.timer.cancel()
        own.told(response)
