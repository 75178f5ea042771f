"""Nuki's own MQTT API: one plain value a topic, and lock actions as a comma separated list."""

from collections.abc import Callable

from adapters.nuki.readings import Details, Items, charge, level, number, settled, truth
from gateway.contract import Undecodable
from gateway.model.reading import Ignored, Reading
from gateway.model.vocabulary import DeviceKind, DoorValues, HealthValues, LockValues, Means

ACTIONS: dict[int, str] = {
    1: "lock.unlocked",
    2: "lock.locked",
    3: "lock.unlatched",
    4: "lock.unlocked",  # lock'n'go: opens first and locks by itself later
    5: "lock.unlatched",  # lock'n'go with unlatch
    6: "lock.locked",  # full lock
}
"""Lock actions (MQTT API 1.5, section 3.4)."""

NO_ACTION = {80: "a fob was pressed that does nothing", 90: "the button was pressed and does nothing"}
"""Lock actions that move nothing (MQTT API 1.4, page 11; 80 is general knowledge)."""

STATES: dict[int, str] = {
    1: "lock.locked",
    3: "lock.unlocked",
    5: "lock.unlatched",
    6: "lock.unlocked",
    254: "lock.jammed",
}
"""Lock states that last (MQTT API 1.5, section 3.3)."""

PASSING = {2: "unlocking", 4: "locking", 7: "unlatching", 253: "boot run", 255: "undefined"}
UNCALIBRATED = 0

DOORS: dict[int, str] = {2: "door.closed", 3: "door.opened"}
DOOR_UNSAID = {
    0: "unavailable",
    1: "deactivated",
    4: "unknown",
    5: "calibrating",
    16: "uncalibrated",
    255: "unknown",
}
DOOR_TAMPERED = 240

SYSTEM, BUTTON, AUTOMATIC, AUTO_LOCK, HOMEKIT, MQTT = 0, 2, 3, 6, 171, 172
"""Triggers (MQTT API 1.5, section 3.7)."""

_MEANS = {
    BUTTON: Means.INSIDE_KNOB,
    AUTOMATIC: Means.AUTOMATIC,
    AUTO_LOCK: Means.AUTOMATIC,
    HOMEKIT: Means.REMOTE,
    MQTT: Means.REMOTE,
}
_KEYPAD_SOURCES = {0: "back_key", 1: "code", 2: "fingerprint"}
UNUSED = frozenset(
    {
        "lockAction", "lock", "unlock", "unlatch", "name", "firmware", "deviceType", "mode", "timestamp",
        "serverConnected", "ringactionTimestamp", "ringactionState",
    }
)  # fmt: skip
"""Topics that are commands to the lock or say nothing of the vocabulary."""


def decode(native_id: str, topic: str, text: str, *, retained: bool) -> Items:
    """Read one topic of a lock; raises Undecodable."""
    if not text:
        return [Ignored(native_id, "a retained value was cleared")]
    if topic == "lockActionEvent":
        if retained:
            return [Ignored(native_id, "the broker kept an old lock action")]
        return [_action(native_id, text)]
    read = _TOPICS.get(topic)
    if read is not None:
        return read(native_id, text)
    words = "says nothing of the vocabulary" if topic in UNUSED else "is not known to this adapter"
    return [Ignored(native_id, f"the topic {topic[:40]!r} {words}")]


def _action(native_id: str, text: str) -> Reading | Ignored:
    fields = text.split(",")
    if len(fields) != 5:
        reason = f"expected 5 comma separated numbers, got {len(fields)}"
        raise Undecodable(reason, clause="NUKI-EVENT", native_id=native_id)
    action, trigger, auth, code, extra = (number(native_id, field, "NUKI-EVENT") for field in fields)
    if action in NO_ACTION:
        return Ignored(native_id, NO_ACTION[action])
    if action not in ACTIONS:
        raise Undecodable(f"unknown lock action {action}", clause="NUKI-3.4", native_id=native_id)
    means, more = _by_what(trigger, auth, code, extra)
    details: Details = {"lock_action": action, "trigger": trigger, "auth_id": auth, "code_id": code, **more}
    values = LockValues(means=means, credential=f"auth:{auth}" if auth else None, details=details)
    return Reading(native_id=native_id, kind=DeviceKind.LOCK, type=ACTIONS[action], values=values)


def _by_what(trigger: int, auth: int, code: int, extra: int) -> tuple[Means, Details]:
    """Say by what means, and what the last field is: it depends on the trigger (MQTT API 1.4, page 11)."""
    if trigger == SYSTEM and (code or extra == 2):
        source = _KEYPAD_SOURCES.get(extra, "unknown")
        return Means.CODE if source == "code" else Means.UNKNOWN, {"keypad_source": source}
    if trigger == SYSTEM:
        return Means.PHONE if auth else Means.UNKNOWN, {"auto_unlock": extra == 1}
    if trigger == AUTOMATIC and auth and extra:
        return Means.TAG, {"presses": extra}  # a fob, as in the manual's own example
    if trigger == BUTTON:
        return Means.INSIDE_KNOB, {"presses": extra}
    return _MEANS.get(trigger, Means.UNKNOWN), {}


def _connected(native_id: str, text: str) -> Items:
    there = truth(native_id, text)
    word = "device.online" if there else "device.offline"
    return [level(native_id, word, HealthValues(details={"connected": there}))]


def _state(native_id: str, text: str) -> Items:
    state = number(native_id, text, "NUKI-3.3")
    if state in PASSING:
        return [Ignored(native_id, f"the lock is on its way: {PASSING[state]}")]
    if state == UNCALIBRATED:
        return [level(native_id, "device.fault", HealthValues(code="uncalibrated"))]
    if state not in STATES:
        raise Undecodable(f"unknown lock state {state}", clause="NUKI-3.3", native_id=native_id)
    return settled(native_id, STATES[state], LockValues(details={"lock_state": state}))


def _door(native_id: str, text: str) -> Items:
    state = number(native_id, text, "NUKI-DOOR")
    if state in DOOR_UNSAID:
        return [Ignored(native_id, f"the door sensor does not say: {DOOR_UNSAID[state]}")]
    if state == DOOR_TAMPERED:
        return [level(native_id, "device.tamper", HealthValues(code="door sensor"))]
    if state not in DOORS:
        raise Undecodable(f"unknown door sensor state {state}", clause="NUKI-DOOR", native_id=native_id)
    return [
        level(native_id, DOORS[state], DoorValues()),
        level(native_id, "device.tamper_cleared", HealthValues(code="door sensor")),
    ]


def _battery_flag(native_id: str, text: str) -> Items:
    if truth(native_id, text):
        return [level(native_id, "battery.low", HealthValues(code="the lock's own flag"))]
    return [Ignored(native_id, "the charge state says it with a number")]


def _accessory(part: str, kind: DeviceKind) -> Callable[[str, str], Items]:
    def read(native_id: str, text: str) -> Items:
        word = "battery.low" if truth(native_id, text) else "battery.ok"
        return [level(f"{native_id}/{part}", word, HealthValues(), kind)]

    return read


def _charging(native_id: str, text: str) -> Items:
    word = "charging.started" if truth(native_id, text) else "charging.stopped"
    return [level(native_id, word, HealthValues())]


def _response(native_id: str, text: str) -> Items:
    code = number(native_id, text, "NUKI-VALUE")
    return [Ignored(native_id, f"result of a command: {'done' if code == 0 else f'error {code}'}")]


_TOPICS: dict[str, Callable[[str, str], Items]] = {
    "connected": _connected,
    "state": _state,
    "doorsensorState": _door,
    "batteryCritical": _battery_flag,
    "batteryChargeState": charge,
    "batteryCharging": _charging,
    "keypadBatteryCritical": _accessory("keypad", DeviceKind.UNKNOWN),
    "doorsensorBatteryCritical": _accessory("doorsensor", DeviceKind.DOOR_CONTACT),
    "commandResponse": _response,
}
