"""What the gateway remembers between frames: device status, discovered devices, timers."""

from datetime import datetime

import msgspec

from gateway.model.vocabulary import DeviceKind


class DeviceStatus(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The latest word of one enrolled device. Owned and changed by the single writer only.

    `slots` holds each state slot's present event type and `since` when it was entered. `newest_at`
    is the latest device time of all its events, the watermark that makes most events provably new.
    `recent` holds digests of its last payloads, for protocols without an idempotency key. `ingress` is the
    way in that it last came by. `silent_s` is how long it was silent past what it promised, of all the time
    since `watched_since`; `late` and `rejected` count events that came late and frames in quarantine. The
    containers are replaced, never changed, so that a shallow copy is a true picture.
    """

    device: str
    last_seen_at: datetime | None = None
    newest_at: datetime | None = None
    slots: dict[str, str] = {}
    since: dict[str, datetime] = {}
    battery_percent: float | None = None
    uncertain: list[str] = []
    recent: dict[str, datetime] = {}
    firmware: str = ""
    link_quality: float | None = None
    ingress: str = ""
    watched_since: datetime | None = None
    silent_s: float = 0.0
    late: int = 0
    rejected: int = 0

    @property
    def offline(self) -> bool:
        """True when the device's own link state says so."""
        return self.slots.get("link") == "device.offline"


class Discovered(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A device that spoke and is not enrolled: shown to engineers, silent for staff."""

    adapter: str
    native_id: str
    kind: DeviceKind
    first_seen_at: datetime
    last_seen_at: datetime
    frames: int = 1
    last_frame: int = 0
    last_type: str = ""
    ingress: str = ""


class Timer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A durable promise to look again. `set_at` survives restarts: an overdue timer fires at once, marked.

    `owner` is a rule's id, or "alert" for an alert's own deadline; `subject` a device, home or alert;
    `cause` the event for which it was set, if one.
    """

    owner: str
    subject: str
    name: str
    due_at: datetime
    set_at: datetime
    note: str = ""
    cause: str | None = None

    @property
    def key(self) -> str:
        """The timer's identity: arming it again moves it."""
        return f"{self.owner}\0{self.subject}\0{self.name}"

    def __lt__(self, other: "Timer") -> bool:
        """Tell whether it is due before the other, or stands before it among those due with it."""
        return self.due_at < other.due_at if self.due_at != other.due_at else self.key < other.key
