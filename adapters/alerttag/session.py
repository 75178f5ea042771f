"""An alert tag as a session: its charge, its key, a beep on command, and the link whose loss is a message."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from adapters.alerttag.codec import LinkState, Outcome
from gateway.contract.gatt import (
    Advertisement,
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
    Sent,
    Subscribe,
    WakeAt,
    Write,
)
from gateway.model.wire import Command

_SIG = "0000{number:04x}-0000-1000-8000-00805f9b34fb"
IMMEDIATE_ALERT = _SIG.format(number=0x1802)
LINK_LOSS = _SIG.format(number=0x1803)
_LEVEL = _SIG.format(number=0x2A06)
ALERT_NOW = f"{IMMEDIATE_ALERT}/{_LEVEL}"
ALERT_LOST = f"{LINK_LOSS}/{_LEVEL}"
BATTERY = _SIG.format(number=0x2A19)
KEY = _SIG.format(number=0xFFE1)
QUIET, LOUD = b"\x00", b"\x02"
"""Alert levels (Immediate Alert Service 1.0, section 3.1): no alert, high alert."""
BEEP = timedelta(seconds=10)
"""So long it beeps when it is to be found."""


class AlertTagSession:
    """One tag over all its connections."""

    def __init__(self, address: str, level: bytes = QUIET) -> None:
        self._address = address
        self._level = level
        self._link: Link | None = None
        self._paired = False
        self._signal: int | None = None
        self._commands: dict[int, tuple[Sent, str]] = {}
        self._last = 0

    @property
    def idle(self) -> bool:
        """Never while a command is under way."""
        return not self._commands

    def connected(self, link: Link, now: datetime) -> Sequence[Order]:
        """Tell that it is there, read and follow its charge, and listen for its key."""
        del now
        self._link, self._paired = link, False
        if not {ALERT_NOW, ALERT_LOST} & link.characteristics:
            return [Refuse("no alert tag: it has neither Immediate Alert nor Link Loss")]
        wanted: list[tuple[str, Order]] = [
            (ALERT_LOST, Write(ALERT_LOST, self._level)),
            (BATTERY, Read(BATTERY)),
            (BATTERY, Subscribe(BATTERY)),
            (KEY, Subscribe(KEY)),
        ]
        return [self._tell("connected"), *(order for name, order in wanted if name in link.characteristics)]

    def done(self, request: Request, payload: bytes, now: datetime) -> Sequence[Order]:
        """Hear what was read; a beep ends by itself after a while."""
        if isinstance(request, Read):
            return [self._hear("battery", payload)]
        found = self._commands.pop(request.note, None) if isinstance(request, Write) else None
        if found is None:
            return []
        return [found[0], self._result(found[1], done=True), WakeAt(now + BEEP)]

    def failed(self, request: Request, fault: Fault, now: datetime) -> Sequence[Order]:
        """Bond where a tag asks for it; what it lacks it may lack, but not its key."""
        del now
        if isinstance(request, Pair):
            return [Refuse(f"bonding refused: {fault.words}")]
        if fault.cause is Cause.SECURITY and not self._paired:
            self._paired = True
            return [Pair(), request]
        if isinstance(request, Write) and request.note:
            _sent, order_id = self._commands.pop(request.note)
            return [self._result(order_id, done=False)]
        if fault.cause is Cause.TIMEOUT or request.characteristic == KEY:
            return [Disconnect(f"{type(request).__name__.lower()} failed: {fault.words}")]
        return []

    def value(self, characteristic: str, payload: bytes, now: datetime) -> Sequence[Order]:
        """Hear the key and the charge as they come."""
        del now
        branch = {KEY: "alert", BATTERY: "battery"}.get(characteristic)
        return [self._hear(branch, payload)] if branch else []

    def stored(self, tokens: Sequence[int], now: datetime) -> Sequence[Order]:
        """A tag knows no acknowledgement."""
        del tokens, now
        return []

    def outward(self, topic: str, payload: bytes, now: datetime) -> Sequence[Order] | None:
        """Let it beep on `locate`; it can do nothing else."""
        del now
        if self._link is None or inbox(topic) != self._address:
            return None
        try:
            command = msgspec.json.decode(payload, type=Command)
        except msgspec.DecodeError:
            return None
        if command.do != "locate" or ALERT_NOW not in self._link.characteristics:
            return [Sent(topic, payload), self._result(command.id, done=False)]
        self._last += 1
        self._commands[self._last] = Sent(topic, payload), command.id
        return [Write(ALERT_NOW, LOUD, response=False, note=self._last)]

    def signal(self, rssi_dbm: int, now: datetime) -> Sequence[Order]:
        """Keep how strongly it was heard, for the next word on its link."""
        del now
        self._signal = rssi_dbm
        return []

    def tick(self, now: datetime) -> Sequence[Order]:
        """End the beep."""
        del now
        return [Write(ALERT_NOW, QUIET, response=False)] if self._link is not None else []

    def disconnected(self, now: datetime, *, ours: bool) -> Sequence[Order]:
        """Tell that the link is lost, where it was not ended by us."""
        del now
        stood, self._link = self._link is not None, None
        self._commands.clear()
        return [self._tell("lost")] if stood and not ours else []

    def _tell(self, state: str) -> Hear:
        rssi = self._signal if state == "connected" else None
        said = LinkState("connected" if state == "connected" else "lost", rssi)
        return self._hear("link", msgspec.json.encode(said))

    def _result(self, order_id: str, *, done: bool) -> Hear:
        return self._hear("result", msgspec.json.encode(Outcome(order_id, "done" if done else "rejected")))

    def _hear(self, branch: str, payload: bytes) -> Hear:
        return Hear(f"ble/tag/{self._address}/{branch}", payload)


def inbox(topic: str) -> str:
    """Return the address that a command's topic names, "" for another topic."""
    parts = topic.split("/")
    return parts[2] if len(parts) == 4 and parts[:2] == ["ble", "tag"] and parts[3] == "command" else ""


class AlertTagProfile:
    """Tags with Immediate Alert and Link Loss, of whatever maker."""

    id = "alerttag"
    service_uuids = (IMMEDIATE_ALERT, LINK_LOSS)
    announced = False  # many tags advertise a name only: they are known by their address
    connects = True
    stays = True  # for the loss of the link is what they tell

    def claims(self, advertisement: Advertisement) -> bool:
        """It advertises one of the services."""
        return any(one in advertisement.service_uuids for one in self.service_uuids)

    def inbox(self, topic: str) -> str:
        """Commands to a tag."""
        return inbox(topic)

    def session(self, address: str, identity: str) -> AlertTagSession:
        """Return what talks with one tag, whose address is its name."""
        del identity
        return AlertTagSession(address)


PROFILE = AlertTagProfile()
