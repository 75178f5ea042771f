"""Commissioning: what is tried of each kind of device before it is relied on, and the protocol of it."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

import msgspec

from gateway.model.vocabulary import ClockQuality, DeviceKind

MARK = "check"
"""Among an alert's values: who tried its device when it was raised."""


class Tried(msgspec.Struct, frozen=True):
    """A step that somebody carries out: which events show it, whether it must be, how long it waits.

    `events` empty means any event. `key` names the sentence that people read.
    """

    key: str
    events: frozenset[str]
    must: bool = True
    within_s: float = 120.0


class Watched(msgspec.Struct, frozen=True):
    """A step that nobody carries out: what the device tells of itself while it is tried."""

    key: str
    must: bool


def _tried(key: str, *events: str, must: bool = True, within_s: float = 120.0) -> Tried:
    return Tried(key, frozenset(events), must, within_s)


_PRESS = _tried("press", "alarm.manual")
_POSITION = _tried("position", "position.update", within_s=600)
_K = DeviceKind
TRIED: Mapping[DeviceKind, tuple[Tried, ...]] = {
    _K.LOCK: (_tried("lock", "lock.locked"), _tried("unlock", "lock.unlocked", "lock.unlatched")),
    _K.GPS_ALARM: (_PRESS, _POSITION),
    _K.GPS_TRACKER: (_POSITION,),
    _K.DISPENSER: (
        _tried("dose", "medication.dispensed", "medication.taken", "medication.reminded", within_s=900),
        _tried("take", "medication.taken", must=False, within_s=300),
    ),
    _K.CAMERA: (
        _tried("look", "stream.opened", "supervision.started", "supervision.performed", within_s=300),
        _tried("cover", "lens.covered", must=False),
    ),
    _K.SOCIAL_ALARM: (_PRESS,),
    _K.DOOR_CONTACT: (_tried("open", "door.opened"), _tried("close", "door.closed")),
    _K.MOTION_SENSOR: (_tried("move", "motion.detected", "presence.detected", within_s=300),),
    _K.BED_SENSOR: (
        _tried("lie_down", "bed.enter", "presence.detected", within_s=300),
        _tried("get_up", "bed.exit", "presence.cleared", within_s=300),
    ),
    _K.FALL_DETECTOR: (_tried("fall", "fall.detected"),),
    _K.SMOKE_DETECTOR: (
        _tried("smoke", "smoke.detected"),
        _tried("smoke_over", "smoke.cleared", must=False, within_s=300),
    ),
    _K.LEAK_DETECTOR: (
        _tried("leak", "leak.detected"),
        _tried("leak_over", "leak.cleared", must=False, within_s=300),
    ),
    _K.ENURESIS_DETECTOR: (_tried("moisten", "enuresis.detected", within_s=300),),
    _K.BUTTON: (_tried("press_button", "button.pressed", "alarm.manual"),),
    _K.GATEWAY: (
        _tried("unplug", "power.lost", must=False, within_s=300),
        _tried("plug", "power.restored", must=False, within_s=300),
    ),
    _K.UNKNOWN: (_tried("use"),),
}
"""In this order they are asked for."""
HEARD, BATTERY, CLOCK, FIRMWARE, SIGNAL, HEARTBEAT = (
    "heard",
    "battery",
    "clock",
    "firmware",
    "signal",
    "heartbeat",
)
ON_MAINS = frozenset({DeviceKind.CAMERA, DeviceKind.GATEWAY, DeviceKind.UNKNOWN})
LONGEST_HEARTBEAT_S = 1800.0
"""A heartbeat that comes less often cannot be waited for."""


def watched_of(kind: DeviceKind, heartbeat_s: float | None) -> tuple[Watched, ...]:
    """Return what a device of that kind shows of itself while it is tried."""
    found = [
        Watched(HEARD, must=True),
        Watched(BATTERY, must=kind not in ON_MAINS),
        Watched(CLOCK, must=True),
        Watched(FIRMWARE, must=False),
        Watched(SIGNAL, must=False),
    ]
    if heartbeat_s is not None and heartbeat_s <= LONGEST_HEARTBEAT_S:
        found.append(Watched(HEARTBEAT, must=False))
    return tuple(found)


class Outcome(StrEnum):
    """How far a step has come. `waiting` was not asked for yet; only `asked` waits for an event.

    `unheard` stands in a protocol alone: a step that need not be, and that nothing fulfilled.
    """

    WAITING = "waiting"
    ASKED = "asked"
    FULFILLED = "fulfilled"
    FAILED = "failed"
    SKIPPED = "skipped"
    UNHEARD = "unheard"


class Item(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One step of a check as it stands.

    `event`, its times and `clock` are those of what fulfilled it, `offset_s` how much later it arrived than
    the device says it happened. `evidence` is what was told, as `name=value`; `why` a code or a person's
    reason.
    """

    key: str
    must: bool
    passive: bool = False
    outcome: Outcome = Outcome.WAITING
    asked_at: datetime | None = None
    tries: int = 0
    done_at: datetime | None = None
    actor: str = ""
    event: str = ""
    type: str = ""
    occurred_at: datetime | None = None
    received_at: datetime | None = None
    clock: ClockQuality | None = None
    offset_s: float | None = None
    frame: int = 0
    evidence: str = ""
    why: str = ""

    @property
    def settled(self) -> bool:
        """True when a sign-off need not wait for it."""
        return self.outcome in {Outcome.FULFILLED, Outcome.SKIPPED} or not self.must


class Check(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An open check: who tries which device since when, and how far it has come."""

    actor: str
    adapter: str
    native_id: str
    kind: DeviceKind
    opened_at: datetime
    expires_at: datetime
    frame: int
    items: tuple[Item, ...]

    @property
    def current(self) -> Item | None:
        """The step that waits for an event now."""
        return next((one for one in self.items if not one.passive and one.outcome is Outcome.ASKED), None)

    @property
    def missing(self) -> tuple[str, ...]:
        """The steps for which a sign-off waits."""
        return tuple(one.key for one in self.items if not one.settled)


class Protocol(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was tried of a device, signed by who tried it; `frame` is the journalled sign-off."""

    device: str
    kind: DeviceKind
    adapter: str
    native_id: str
    model: str
    firmware: str
    home: str
    opened_at: datetime
    opened_by: str
    signed_at: datetime
    signed_by: str
    frame: int
    items: tuple[Item, ...]


class End(StrEnum):
    """How a check ended."""

    SIGNED = "signed"
    GIVEN_UP = "given_up"
    EXPIRED = "expired"
    REPLACED = "replaced"
    UNENROLLED = "unenrolled"


class Ended(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """When and how the last check ended."""

    at: datetime
    how: End
    actor: str = ""
    reason: str = ""


class Standing(StrEnum):
    """Whether a device may be relied on, as far as it was tried."""

    NOT_CHECKED = "not_checked"
    OPEN = "open"
    SIGNED = "signed"
    LAPSED = "lapsed"


class Checked(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All that is kept of one device's commissioning: the open check, and the protocols, oldest first.

    `signed` counts all sign-offs there ever were, also those whose protocol has given way.
    """

    device: str
    open: Check | None = None
    ended: Ended | None = None
    protocols: tuple[Protocol, ...] = ()
    signed: int = 0

    def standing(self, adapter: str, native_id: str) -> Standing:
        """Return how the device stands that its adapter calls so now."""
        if self.open is not None:
            return Standing.OPEN
        if not self.protocols:
            return Standing.NOT_CHECKED
        last = self.protocols[-1]
        same = (last.adapter, last.native_id) == (adapter, native_id)
        return Standing.SIGNED if same else Standing.LAPSED
