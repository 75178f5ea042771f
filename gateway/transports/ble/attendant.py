"""Attendant: one device over all its connections: its session, what waits for it, when to try again."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from random import Random

from bleak.backends.device import BLEDevice

from gateway.ble_settings import BleSettings
from gateway.contract import Clock, Intake
from gateway.contract.gatt import (
    Bind,
    Disconnect,
    Fault,
    Hear,
    Link,
    Order,
    Pair,
    Profile,
    Read,
    Refuse,
    Request,
    Sent,
    Session,
    WakeAt,
)
from gateway.transports.ble.backoff import Backoff
from gateway.transports.ble.outlet import Outlet
from gateway.transports.ble.radio import TROUBLE, Radio, secured, words
from gateway.transports.ble.standing import Standing
from gateway.transports.ble.visit import Visit

log = logging.getLogger(__name__)

SETTLED_S = 10.0
"""A link that held so long worked: the next wait is a short one."""
SENT_WITHIN_S = 10.0
"""So long a command may take on its way to a device that is connected."""


@dataclass(frozen=True)
class Surroundings:
    """What all attendants of one adapter share."""

    radio: Radio
    settings: BleSettings
    intake: Intake
    clock: Clock
    standing: Standing
    random: Random
    connecting: asyncio.Lock
    ingress: str
    sent: Callable[[str, bytes], None]
    bound: Callable[[str, str], None]


class Attendant:
    """Looks after one device; the roster says when it may have a connection."""

    def __init__(self, address: str, profile: Profile, session: Session, around: Surroundings) -> None:
        self.address = address
        self.profile = profile
        self._session = session
        self._around = around
        self._outlet = Outlet(around.intake, around.clock, around.ingress, around.standing, self._stored)
        self._backoff = Backoff(around.settings.reconnect_max_s, around.random)
        self._visit: Visit | None = None
        self._device: BLEDevice | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._kept: dict[str, bytes] = {}
        self._offered: dict[str, bytes] = {}
        self._awaited: dict[tuple[str, bytes], asyncio.Future[bool]] = {}
        self._unpair_first = False
        self._trouble = ""
        self.rebond = False
        self.refused = ""
        self.not_before_s = 0.0
        self.since_s = 0.0
        """When its last turn began or ended, on the loop's clock."""

    @property
    def wants(self) -> bool:
        """True when the device was heard, is not connected, and it is time."""
        waited = asyncio.get_running_loop().time() >= self.not_before_s
        return self._device is not None and self._visit is None and waited

    @property
    def idle(self) -> bool:
        """True while its link may be lent to another device."""
        return self._session.idle and not self._outlet.waiting and not self._awaited

    @property
    def connected(self) -> bool:
        """True while it has a connection, or makes one."""
        return self._visit is not None

    def seen(self, device: BLEDevice, rssi_dbm: int | None) -> None:
        """The device advertises, or a link to it was found: it can be connected now."""
        self._device = device
        if rssi_dbm is not None:
            self._feed(lambda now: self._session.signal(rssi_dbm, now))

    def keep(self, topic: str, payload: bytes) -> None:
        """Bring a configuration to the device, now or when it is connected."""
        self._kept[topic] = payload
        self._send_kept()

    async def send(self, topic: str, payload: bytes) -> bool:
        """Send a command; False when the device is not there, or is gone before it has it."""
        if self._visit is None:
            return False
        orders = self._session.outward(topic, payload, self._around.clock.now())
        if orders is None:
            return False
        future = self._awaited.setdefault((topic, payload), asyncio.get_running_loop().create_future())
        self._obey(orders)
        try:
            async with asyncio.timeout(SENT_WITHIN_S):
                return await asyncio.shield(future)
        except TimeoutError:
            return False
        finally:
            self._awaited.pop((topic, payload), None)

    def lend(self) -> None:
        """Give the link to another device that waits."""
        if self._visit is not None:
            self._visit.end("its turn is over")

    async def attend(self) -> None:
        """Have one connection, from the call to its end; never raises for what a device or a radio does."""
        device, self._device = self._device, None
        if device is None:
            return
        loop = asyncio.get_running_loop()
        self.since_s = loop.time()
        visit = self._visit = Visit(self._around.radio, device, self._around.settings)
        self._offered.clear()
        connected = False
        try:
            link = await self._connect(visit)
            connected, self._trouble = True, ""
            self._around.standing.connections += 1
            self._show("connected")
            self._feed(lambda now: self._session.connected(link, now))
            self._around.standing.connected += 1
            try:
                await visit.hold(self._value, self._done, self._failed)
            finally:
                self._around.standing.connected -= 1
        except asyncio.CancelledError:
            visit.end("the gateway stops")  # by our own will: no device is told as lost for it
            raise
        except TROUBLE as error:
            self._failed_to_connect(error)
        except Exception as error:  # a backend may raise anything, and the other devices must not feel it
            log.exception("a connection failed")
            self._failed_to_connect(error)
        finally:
            await visit.close()
            self._ended(visit, connected=connected)

    def close(self) -> None:
        """Stop what still waits for a moment."""
        self._outlet.close()
        if self._timer is not None:
            self._timer.cancel()

    async def _connect(self, visit: Visit) -> Link:
        """Connect, one device of the adapter at a time; a lost bond is forgotten on our side first."""
        async with self._around.connecting:
            if self._unpair_first:
                self._unpair_first = False
                await visit.unpair()
            return await visit.connect()

    def _ended(self, visit: Visit, *, connected: bool) -> None:
        """Note how it ended, and when to try again."""
        now_s = asyncio.get_running_loop().time()
        self._visit = None
        if connected:
            self._feed(lambda now: self._session.disconnected(now, ours=visit.ours))
        self._outlet.forget()
        for future in self._awaited.values():
            if not future.done():
                future.set_result(False)
        good = connected and (now_s - self.since_s >= SETTLED_S or self._session_was_whole(visit))
        if good:
            self._backoff.reset()
        wait_s = self._around.settings.refused_again_s if self.refused else self._backoff.next_s()
        self.not_before_s = now_s + wait_s
        self.since_s = now_s
        self._show(self.refused or self._trouble or visit.why)

    def _session_was_whole(self, visit: Visit) -> bool:
        return visit.ours and not self._trouble and not self.refused

    def _failed_to_connect(self, error: BaseException) -> None:
        self._around.standing.failed += 1
        self._trouble = words(error)
        if secured(error):
            self._refuse(Refuse(f"the bond is not what it was: {self._trouble}", forgotten=True))

    def _feed(self, tell: Callable[[datetime], Sequence[Order]]) -> None:
        """Give the session an input and do what it says; a session that fails costs its own link."""
        try:
            orders = tell(self._around.clock.now())
        except Exception:  # a profile may be a stranger's
            log.exception("the profile %s failed", self.profile.id)
            self._obey([Disconnect("the profile failed")])
            return
        self._obey(orders)
        self._send_kept()

    def _obey(self, orders: Sequence[Order]) -> None:
        for order in orders:
            match order:
                case Hear():
                    self._outlet.hear(order, self.address)
                case Bind(identity=identity):
                    self._around.bound(self.address, identity)
                case Sent(topic=topic, payload=payload):
                    self._sent(topic, payload)
                case WakeAt(moment=moment):
                    self._wake_at(moment)
                case Disconnect(why=why):
                    self._trouble = why
                    self._end(why)
                case Refuse():
                    self._refuse(order)
                    self._end(order.why)
                case _:
                    if self._visit is not None:
                        self._visit.ask(order)

    def _end(self, why: str) -> None:
        if self._visit is not None:
            self._visit.end(why)

    def _refuse(self, refusal: Refuse) -> None:
        if refusal.why != self.refused:
            log.warning("Bluetooth device %s is refused: %s", self.address, refusal.why)
        self.refused = refusal.why
        if refusal.forgotten and self.rebond:
            self.refused, self._trouble, self._unpair_first = "", refusal.why, True

    def _wake_at(self, moment: datetime) -> None:
        if self._timer is not None:
            self._timer.cancel()
        wait_s = self._around.clock.wait_s(moment)
        self._timer = asyncio.get_running_loop().call_later(wait_s, lambda: self._feed(self._session.tick))

    def _sent(self, topic: str, payload: bytes) -> None:
        if self._kept.get(topic) == payload:
            del self._kept[topic]
        future = self._awaited.get((topic, payload))
        if future is not None and not future.done():
            future.set_result(True)
        self._around.sent(topic, payload)

    def _send_kept(self) -> None:
        """Offer the session what waits; what it takes is waited for no more on this connection."""
        if self._visit is None:
            return
        for topic, payload in list(self._kept.items()):
            if self._offered.get(topic) == payload:
                continue
            orders = self._session.outward(topic, payload, self._around.clock.now())
            if orders is not None:
                self._offered[topic] = payload
                self._obey(orders)

    def _stored(self, tokens: Sequence[int]) -> None:
        self._feed(lambda now: self._session.stored(tokens, now))

    def _value(self, characteristic: str, payload: bytes) -> None:
        self._feed(lambda now: self._session.value(characteristic, payload, now))

    def _done(self, request: Request, payload: bytes) -> None:
        self.refused = "" if not isinstance(request, Pair | Read) else self.refused
        self._feed(lambda now: self._session.done(request, payload, now))

    def _failed(self, request: Request, fault: Fault) -> None:
        self._feed(lambda now: self._session.failed(request, fault, now))

    def _show(self, state: str) -> None:
        self._around.standing.devices[self.address] = f"{self.profile.id}: {state}"
