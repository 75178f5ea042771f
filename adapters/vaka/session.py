"""The Vaka GATT profile, version 1, as a session: bond, clock, events in order, acknowledged once on disk."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from adapters.vaka import gatt
from adapters.vaka.cbor import as_map, write
from adapters.vaka.outbox import Outbox
from adapters.vaka.window import Window
from gateway.contract import Undecodable
from gateway.contract.gatt import (
    Advertisement,
    Bind,
    Cause,
    Disconnect,
    Fault,
    Hear,
    Link,
    Order,
    Pair,
    Read,
    Refuse,
    Request,
    Subscribe,
    Write,
)

SIGNAL_EVERY = timedelta(minutes=1)
"""So often at most the strength of the signal is told."""
MAX_SEQUENCE = 2**63 - 1
MAX_IDENTITY = 256
_TELLS = {gatt.MANUFACTURER: "manufacturer", gatt.MODEL: "model", gatt.FIRMWARE: "firmware"}
_OPTIONAL = frozenset({*gatt.DEVICE_INFORMATION, gatt.BATTERY_LEVEL, gatt.CURRENT_TIME})
"""What a device may lack or refuse, and still be heard."""


class VakaSession:
    """One device on the profile over all its connections."""

    def __init__(self, address: str, identity: str = "") -> None:
        self._address = address
        self._identity = identity
        self._window = Window()
        self._event, self._state, self._result = gatt.Joiner(), gatt.Joiner(), gatt.Joiner()
        self._outbox = Outbox()
        self._signal: int | None = None
        self._signalled_at: datetime | None = None
        self._begin(None)

    def _begin(self, link: Link | None) -> None:
        """Start from nothing: what the last connection left half done is gone."""
        self._link = link
        self._greeted = False
        self._ready = False
        self._backlog = 0
        self._oldest: int | None = None
        self._heard_any = False
        self._due: int | None = None
        self._writing = False
        self._about: dict[str, Any] = {}
        self._window.clear()
        self._outbox.clear()
        for joiner in (self._event, self._state, self._result):
            joiner.clear()

    @property
    def idle(self) -> bool:
        """True when every event of the backlog is on disk and acknowledged, and nothing is half sent."""
        busy = len(self._window) or self._writing or self._event.waiting or self._outbox.sending
        return self._link is None or (self._ready and self._backlog <= 0 and not busy)

    def connected(self, link: Link, now: datetime) -> Sequence[Order]:
        """Read who made it, and bond: before that nothing else can be read."""
        del now
        self._begin(link)
        if lacks := gatt.NEEDED - link.characteristics:
            return [Refuse(f"no device of the Vaka profile: it lacks {', '.join(sorted(lacks))}")]
        known = [Read(one) for one in gatt.DEVICE_INFORMATION if one in link.characteristics]
        return [*known, Pair()]

    def done(self, request: Request, payload: bytes, now: datetime) -> Sequence[Order]:
        """Take the next step of the greeting, or the next acknowledgement."""
        match request:
            case Pair():
                return [Read(gatt.STATE)]
            case Read(characteristic=gatt.STATE):
                return self._greet(payload, now)
            case Read(characteristic=found):
                self._learn(found, payload)
            case Subscribe(characteristic=gatt.EVENT):
                self._ready = True
                return self._tell_link(now)
            case Write(characteristic=gatt.ACKNOWLEDGE):
                self._writing = False
                return self._acknowledge()
            case Write(note=note):
                return self._outbox.written(note)
        return []

    def failed(self, request: Request, fault: Fault, now: datetime) -> Sequence[Order]:
        """Refuse a device that does not bond; begin again where the link failed."""
        del now
        if isinstance(request, Pair):
            if fault.cause in (Cause.REFUSED, Cause.SECURITY):
                return [Refuse(f"bonding refused: {fault.words}")]
            return [Disconnect(f"bonding failed: {fault.words}")]
        if request.characteristic in _OPTIONAL:
            return []
        if fault.cause is Cause.SECURITY:
            return [Refuse(f"the device no longer knows its bond: {fault.words}", forgotten=True)]
        return [Disconnect(f"{type(request).__name__.lower()} failed: {fault.words}")]

    def value(self, characteristic: str, payload: bytes, now: datetime) -> Sequence[Order]:
        """Join fragments; a whole value is heard exactly as it was sent."""
        del now
        if not self._greeted:
            return []  # sent to a subscription of the past: the device begins again at its oldest event
        try:
            if characteristic == gatt.EVENT:
                return self._take_event(self._event.take(payload))
            if characteristic == gatt.RESULT:
                return self._take_whole("result", self._result.take(payload))
            if characteristic == gatt.STATE:
                return self._take_whole("status", self._state.take(payload))
        except gatt.BrokenValueError as error:
            if characteristic != gatt.STATE:  # later events must not be acknowledged past the lost one
                return [Disconnect(f"a value was lost: {error}")]
            self._state.clear()
        return []

    def stored(self, tokens: Sequence[int], now: datetime) -> Sequence[Order]:
        """Acknowledge what is on disk with everything before it."""
        del now
        highest = self._window.stored(frozenset(tokens))
        if highest is not None:
            self._due = highest
        return self._acknowledge()

    def outward(self, topic: str, payload: bytes, now: datetime) -> Sequence[Order] | None:
        """Write a command or a configuration, once the device is greeted."""
        del now
        if self._link is None or not self._ready or inbox(topic) != self._identity:
            return None
        return self._outbox.put(topic, payload, self._link)

    def signal(self, rssi_dbm: int, now: datetime) -> Sequence[Order]:
        """Tell the strength of the signal, at most once a minute."""
        self._signal = rssi_dbm
        return self._tell_link(now)

    def tick(self, now: datetime) -> Sequence[Order]:
        """Nothing waits for a moment here: the device itself sends again."""
        del now
        return []

    def disconnected(self, now: datetime, *, ours: bool) -> Sequence[Order]:
        """Forget what was not stored: it comes again."""
        del now, ours
        self._begin(None)
        return []

    def _greet(self, payload: bytes, now: datetime) -> Sequence[Order]:
        """Believe the device's name if it is the bonded one; set its clock; listen, to events last."""
        try:
            said = as_map(payload)
        except Undecodable as error:
            return [self._hear("status", payload), Refuse(f"its State cannot be read: {error.reason}")]
        identity = _identity(said.get("device"))
        if not identity:
            return [self._hear("status", payload), Refuse("its State names no {tenant}/{device}")]
        if self._identity and identity != self._identity:
            why = f"its State names another device than {self._identity}, which this address belongs to"
            return [self._hear("status", payload), Refuse(why)]
        new = [] if self._identity else [Bind(identity)]
        self._identity = identity
        self._greeted = True
        self._backlog = _whole(said.get("backlog")) or 0
        self._oldest = _whole(said.get("next")) if self._backlog else None
        self._outbox.applied = _whole(said.get("config_revision"))
        return [*new, self._hear("status", payload), *self._rest(now)]

    def _rest(self, now: datetime) -> Sequence[Order]:
        there = self._link.characteristics if self._link else frozenset()
        rest: list[Order] = []
        if gatt.CURRENT_TIME in there:
            rest.append(Write(gatt.CURRENT_TIME, gatt.current_time(now)))
        if gatt.BATTERY_LEVEL in there:
            rest.append(Read(gatt.BATTERY_LEVEL))
        subscribed = (gatt.STATE, gatt.RESULT, gatt.EVENT)
        return [*rest, *(Subscribe(one) for one in subscribed if one in there)]

    def _learn(self, characteristic: str, payload: bytes) -> None:
        if characteristic == gatt.BATTERY_LEVEL:
            if len(payload) == 1 and payload[0] <= 100:
                self._about["battery_percent"] = payload[0]
        elif characteristic in _TELLS:
            self._about[_TELLS[characteristic]] = payload[:64].decode("utf-8", "replace").rstrip("\0")

    def _take_event(self, whole: bytes | None) -> Sequence[Order]:
        if whole is None or self._window.holds(whole):
            return []
        if self._window.full:
            return [Disconnect("more events unacknowledged than the profile allows")]
        sequence = _sequence(whole)
        first, self._heard_any = not self._heard_any, True
        if first and sequence is not None and self._oldest is not None and sequence > self._oldest:
            return [Disconnect(f"it began at event {sequence}, though {self._oldest} waits")]
        self._backlog -= 1
        return [self._hear("event", whole, self._window.add(sequence, whole))]

    def _take_whole(self, branch: str, whole: bytes | None) -> Sequence[Order]:
        return [] if whole is None else [self._hear(branch, whole)]

    def _hear(self, branch: str, payload: bytes, token: int = 0) -> Hear:
        return Hear(f"ble/vaka/1/{self._identity or f'-/{self._address}'}/{branch}", payload, token)

    def _tell_link(self, now: datetime) -> Sequence[Order]:
        recent = self._signalled_at is not None and now - self._signalled_at < SIGNAL_EVERY
        if not self._ready or recent or (self._signal is None and not self._about):
            return []
        self._signalled_at = now
        heard = {} if self._signal is None else {"rssi_dbm": self._signal}
        return [self._hear("link", write(heard | self._about))]

    def _acknowledge(self) -> Sequence[Order]:
        """Write the highest sequence that is due; what becomes due meanwhile goes with the next one."""
        if self._due is None or self._writing or not self._greeted:
            return []
        due, self._due, self._writing = self._due, None, True
        return [Write(gatt.ACKNOWLEDGE, due.to_bytes(8, "little"))]


def inbox(topic: str) -> str:
    """Return whose a command's or a configuration's topic is, "" for another topic."""
    parts = topic.split("/")
    mine = len(parts) == 5 and parts[:2] == ["vaka", "1"] and parts[4] in ("command", "config")
    return f"{parts[2]}/{parts[3]}" if mine else ""


def _identity(said: object) -> str:
    if not isinstance(said, str) or len(said) > MAX_IDENTITY:
        return ""
    parts = said.split("/")
    named = len(parts) == 2 and all(parts) and parts[0] != "-" and not set(said) & set("+#\0\n")
    return said if named else ""


def _whole(said: object) -> int | None:
    fits = isinstance(said, int) and not isinstance(said, bool) and 0 <= said <= MAX_SEQUENCE
    return said if isinstance(said, int) and fits else None


def _sequence(whole: bytes) -> int | None:
    """Return the sequence of an event, None for one that cannot be read: it goes to quarantine as it is."""
    try:
        return _whole(as_map(whole).get("sequence"))
    except Undecodable:
        return None


class VakaProfile:
    """Locks, pendants, dispensers and whatever else speaks the standard interface over GATT."""

    id = "vaka"
    service_uuids = (gatt.SERVICE,)
    announced = True
    connects = True
    stays = False

    def claims(self, advertisement: Advertisement) -> bool:
        """It advertises the service."""
        return gatt.SERVICE in advertisement.service_uuids

    def inbox(self, topic: str) -> str:
        """Commands and configurations of the standard interface."""
        return inbox(topic)

    def session(self, address: str, identity: str) -> VakaSession:
        """Return what talks with one device."""
        return VakaSession(address, identity)


PROFILE = VakaProfile()
