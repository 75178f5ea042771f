"""Last wills: armed with the connection, due when it is lost, kept over a restart until journalled."""

from collections.abc import Callable, Sequence
from datetime import timedelta

import msgspec

from gateway.contract import Clock, Intake
from gateway.model.frame import Frame, Transport
from gateway.transports.mqtt_listener.faults import INGRESS
from gateway.transports.mqtt_listener.keeper import Keeper
from gateway.transports.mqtt_listener.records import WILL, WillRecord, key_of, kind_of

RESTART_GRACE_S = 120.0
"""How long devices have to come back after a restart before their wills are believed."""

_encode = msgspec.msgpack.Encoder().encode


class Wills:
    """Every will by (device, client id); a due one is offered until the intake takes it.

    It is a Sender to the intake: only what is on disk as a frame is forgotten here. A will says that a
    device is gone, so one that falls due while another connection of its device is open is void: a device
    that has come back under another client id must not be reported lost by the connection it left behind.
    """

    def __init__(
        self, keeper: Keeper, intake: Intake, clock: Clock, connected: Callable[[str], bool]
    ) -> None:
        self._keeper = keeper
        self._intake = intake
        self._clock = clock
        self._connected = connected
        self._armed: dict[str, WillRecord] = {}
        self._due: dict[str, WillRecord] = {}
        self._offered: dict[int, str] = {}
        self._token = 0

    def restore(self, records: dict[str, bytes]) -> None:
        """Take the kept wills back: of a device that was connected, due after a time of grace."""
        for key, raw in records.items():
            if kind_of(key)[0] != WILL:
                continue
            will = msgspec.msgpack.decode(raw, type=WillRecord)
            if will.due_at is None:
                delay = timedelta(seconds=max(will.delay_s, RESTART_GRACE_S))
                will = msgspec.structs.replace(will, due_at=self._clock.now() + delay)
                self._keeper.put(key, _encode(will))
            self._due[key] = will

    def arm(self, will: WillRecord) -> None:
        """A device has connected with this will."""
        key = key_of(WILL, will.device, will.client_id)
        self._armed[key] = will
        self._keeper.put(key, _encode(will))

    def cancel(self, device: str, client_id: str) -> None:
        """The device has left as it should: its will is void."""
        key = key_of(WILL, device, client_id)
        if self._armed.pop(key, None) is not None:
            self._keeper.put(key, None)

    def returned(self, device: str, client_id: str, *, clean: bool) -> None:
        """The device is back: a will still in its delay is void, or due now if it began a new session."""
        key = key_of(WILL, device, client_id)
        will = self._due.get(key)
        now = self._clock.now()
        if will is None or will.due_at is None or will.due_at <= now:
            return
        if clean:
            self._due[key] = msgspec.structs.replace(will, due_at=now)
            self.offer_due()
        else:
            self._void(key)

    def lost(self, device: str, client_id: str, session_s: float) -> None:
        """The connection broke: its will is due after its delay, or with the end of the session."""
        key = key_of(WILL, device, client_id)
        will = self._armed.pop(key, None)
        if will is None:
            return
        delay = timedelta(seconds=min(will.delay_s, session_s))
        self._due[key] = msgspec.structs.replace(will, due_at=self._clock.now() + delay)
        self._keeper.put(key, _encode(self._due[key]))
        if not delay:
            self.offer_due()

    def offer_due(self) -> None:
        """Offer the wills whose time has come; what does not fit waits for the next call."""
        if not self._due:
            return
        now = self._clock.now()
        for key, will in list(self._due.items()):
            if will.due_at is not None and will.due_at <= now:
                if will.device and self._connected(will.device):
                    self._void(key)
                    continue
                self._token += 1
                frame = Frame(Transport.MQTT, will.topic, will.payload, now, INGRESS, will.device)
                if not self._intake.offer(frame, self, self._token):
                    return
                self._offered[self._token] = key
                del self._due[key]

    def _void(self, key: str) -> None:
        del self._due[key]
        if key not in self._armed:
            self._keeper.put(key, None)

    def durable(self, tokens: Sequence[int]) -> None:
        """The frames are on disk: these wills are done."""
        for token in tokens:
            key = self._offered.pop(token)
            if key not in self._armed:
                self._keeper.put(key, None)
