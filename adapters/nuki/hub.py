"""Nuki Hub: the whole state of a lock in one JSON message, with a name in it that is never decoded."""

from collections.abc import Callable
from typing import Annotated

import msgspec

from adapters.nuki.readings import Details, Items, charge, level, settled
from gateway.contract import Undecodable
from gateway.model.reading import Ignored, Reading
from gateway.model.vocabulary import (
    DeviceKind,
    DoorValues,
    HealthValues,
    LockValues,
    Means,
    Reference,
    Values,
)

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

FAILURES: dict[str, tuple[str, Values]] = {
    "motorBlocked": ("lock.jammed", LockValues()),
    "clutchFailure": ("device.fault", HealthValues(code="clutchFailure")),
    "motorPowerFailure": ("device.fault", HealthValues(code="motorPowerFailure")),
    "incompleteFailure": ("lock.not_fully_locked", LockValues()),
    "lowMotorVoltage": ("battery.low", HealthValues(code="lowMotorVoltage")),
    "invalidCode": ("lock.denied", LockValues(means=Means.CODE)),
}
"""Ways for an action to end that somebody must know of (technyon/nuki_hub README, lock/completionStatus)."""
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


def decode(native_id: str, topic: str, text: str, *, retained: bool) -> Items:
    """Read one topic under the hub's base; raises Undecodable."""
    if not text:
        return [Ignored(native_id, "a retained value was cleared")]
    if topic == "lock/json":
        return _lock(native_id, text)
    if topic == "battery/json":
        return _battery(native_id, text)
    if topic == "lock/completionStatus":
        return [_completion(native_id, text, old=retained)]
    read = _PLAIN.get(topic)
    if read is not None:
        return read(native_id, text)
    return [
        Ignored(native_id, f"the topic {topic[:40]!r} repeats lock/json or says nothing of the vocabulary")
    ]


def _link(native_id: str, text: str) -> Items:
    if text not in _LINKS:
        reason = f"expected online or offline, got {text[:40]!r}"
        raise Undecodable(reason, clause="NUKI-HUB-STATE", native_id=native_id)
    return [level(native_id, _LINKS[text], HealthValues())]


def _state(native_id: str, text: str) -> Items:
    """Read lock/state: the same words as in lock/json, without what stands beside them there."""
    found = _rest(native_id, text, LockValues(), "lock/state")
    return found or [Ignored(native_id, f"the lock is on its way: {text[:40]}")]


def _hastate(native_id: str, text: str) -> Items:
    """Read lock/hastate: a word for a stuck bolt that lock/state has too; the others are repeated there."""
    if text == "jammed":
        return [level(native_id, "lock.jammed", LockValues())]
    return [Ignored(native_id, "lock/hastate repeats lock/state")]


def _door(native_id: str, text: str) -> Items:
    if text in _DOORS:
        return [level(native_id, _DOORS[text], DoorValues())]
    return [Ignored(native_id, f"the door sensor does not say: {text[:40]!r}")]


def _completion(native_id: str, text: str, *, old: bool) -> Reading | Ignored:
    """Read how the last action ended: an old failure that the broker kept may be mended long since."""
    if old or text not in FAILURES:
        return Ignored(native_id, f"the last action ended with {text[:40]!r}")
    word, values = FAILURES[text]
    return Reading(native_id=native_id, kind=DeviceKind.LOCK, type=word, values=values)


def _flag(native_id: str, text: str) -> bool:
    if text not in {"0", "1"}:
        raise Undecodable(f"expected 0 or 1, got {text[:40]!r}", clause="NUKI-VALUE", native_id=native_id)
    return text == "1"


def _critical(native_id: str, text: str) -> Items:
    if _flag(native_id, text):
        return [level(native_id, "battery.low", HealthValues(code="the lock's own flag"))]
    return [Ignored(native_id, "battery/level says it with a number")]


def _keypad(native_id: str, text: str) -> Items:
    word = "battery.low" if _flag(native_id, text) else "battery.ok"
    return [level(f"{native_id}/keypad", word, HealthValues(), DeviceKind.UNKNOWN)]


def _charging(native_id: str, text: str) -> Items:
    word = "charging.started" if _flag(native_id, text) else "charging.stopped"
    return [level(native_id, word, HealthValues())]


_PLAIN: dict[str, Callable[[str, str], Items]] = {
    "maintenance/mqttConnectionState": _link,
    "lock/state": _state,
    "lock/hastate": _hastate,
    "lock/doorSensorState": _door,
    "battery/level": charge,
    "battery/critical": _critical,
    "battery/keypadCritical": _keypad,
    "battery/charging": _charging,
}


def _lock(native_id: str, text: str) -> Items:
    try:
        said = _decode_lock(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise _refuse(error, native_id) from None
    found = _rest(native_id, said.lock_state, _values(said), "`$.lock_state`")
    if said.door_sensor_state in _DOORS:
        found.append(level(native_id, _DOORS[said.door_sensor_state], DoorValues()))
    return found or [Ignored(native_id, f"the lock is on its way: {said.lock_state}")]


def _rest(native_id: str, state: str, values: LockValues, where: str) -> Items:
    """Return the state that the lock came to rest in, nothing while it is on its way."""
    if state == "uncalibrated":
        return [level(native_id, "device.fault", HealthValues(code="uncalibrated"))]
    if state in STATES:
        return settled(native_id, STATES[state], values)
    if state in PASSING:
        return []
    reason = f"{where}: unknown state {state[:40]!r}"
    raise Undecodable(reason, clause="NUKI-HUB-STATE", native_id=native_id)


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
