"""Nuki Hub: the whole state of a lock in one JSON message, with a name in it that is never decoded."""

from typing import Annotated

import msgspec

from adapters.nuki.readings import Details, Items, charge, level, settled
from gateway.contract import Undecodable
from gateway.model.reading import Ignored
from gateway.model.vocabulary import DoorValues, HealthValues, LockValues, Means, Reference

Id32 = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]


class LockJson(msgspec.Struct, frozen=True, gc=False):
    """`{base}/lock/json`; `auth_name` stands in it and is left there."""

    lock_state: Reference
    trigger: Reference | None = None
    last_lock_action: Reference | None = None
    lock_completion_status: Reference | None = None
    door_sensor_state: Reference | None = None
    auth_id: Id32 | None = None


class BatteryJson(msgspec.Struct, frozen=True, gc=False):
    """`{base}/battery/json`."""

    level: Reference | Id32 | None = None


STATES: dict[str, str] = {
    "locked": "lock.locked",
    "unlocked": "lock.unlocked",
    "unlatched": "lock.unlatched",
    "unlockedLnga": "lock.unlocked",
    "motorBlocked": "lock.jammed",
}
"""Lock states that last (technyon/nuki_hub README)."""

PASSING = frozenset({"unlatching", "unlocking", "locking", "bootRun", "undefined"})

_DOORS = {"doorClosed": "door.closed", "doorOpened": "door.opened"}
_MEANS = {
    "manual": Means.INSIDE_KNOB,
    "button": Means.INSIDE_KNOB,
    "automatic": Means.AUTOMATIC,
    "autoLock": Means.AUTOMATIC,
}
_LINKS = {"online": "device.online", "offline": "device.offline"}

_decode_lock = msgspec.json.Decoder(LockJson).decode
_decode_battery = msgspec.json.Decoder(BatteryJson).decode


def decode(native_id: str, topic: str, text: str) -> Items:
    """Read one topic under the hub's base; raises Undecodable."""
    if not text:
        return [Ignored(native_id, "a retained value was cleared")]
    if topic == "lock/json":
        return _lock(native_id, text)
    if topic == "battery/json":
        return _battery(native_id, text)
    if topic == "maintenance/mqttConnectionState":
        if text not in _LINKS:
            reason = f"expected online or offline, got {text[:40]!r}"
            raise Undecodable(reason, clause="NUKI-HUB-STATE", native_id=native_id)
        return [level(native_id, _LINKS[text], HealthValues())]
    return [
        Ignored(native_id, f"the topic {topic[:40]!r} repeats lock/json or says nothing of the vocabulary")
    ]


def _lock(native_id: str, text: str) -> Items:
    try:
        said = _decode_lock(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise _refuse(error, native_id) from None
    found: Items = []
    if said.lock_state == "uncalibrated":
        found.append(level(native_id, "device.fault", HealthValues(code="uncalibrated")))
    elif said.lock_state in STATES:
        found += settled(native_id, STATES[said.lock_state], _values(said))
    elif said.lock_state not in PASSING:
        reason = f"`$.lock_state`: unknown state {said.lock_state!r}"
        raise Undecodable(reason, clause="NUKI-HUB-STATE", native_id=native_id)
    if said.door_sensor_state in _DOORS:
        found.append(level(native_id, _DOORS[said.door_sensor_state], DoorValues()))
    return found or [Ignored(native_id, f"the lock is on its way: {said.lock_state}")]


def _values(said: LockJson) -> LockValues:
    """Keep what the hub says beside the state; the last action may contradict it, and the state wins."""
    details: Details = {}
    for name in ("trigger", "last_lock_action", "lock_completion_status", "door_sensor_state", "auth_id"):
        value = getattr(said, name)
        if value is not None:
            details[name] = value
    return LockValues(
        means=_MEANS.get(said.trigger or "", Means.UNKNOWN),
        credential=f"auth:{said.auth_id}" if said.auth_id else None,
        details=details,
    )


def _battery(native_id: str, text: str) -> Items:
    try:
        said = _decode_battery(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise _refuse(error, native_id) from None
    if said.level is None:
        return [Ignored(native_id, "no charge in it")]
    return charge(native_id, str(said.level))


def _refuse(error: Exception, native_id: str) -> Undecodable:
    words = "nested too deep" if isinstance(error, RecursionError) else str(error)
    return Undecodable(words, clause="NUKI-HUB-JSON", native_id=native_id)
