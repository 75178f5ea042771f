"""Locks: an action is what happened and by what means; the state is only what the lock last reported."""

from adapters.zigbee2mqtt.message import NO_USER, Message
from gateway.model.vocabulary import LockValues, Means

ACTIONS: dict[str, str] = {
    "lock": "lock.locked",
    "one_touch_lock": "lock.locked",
    "key_lock": "lock.locked",
    "auto_lock": "lock.locked",
    "schedule_lock": "lock.locked",
    "manual_lock": "lock.locked",
    "unlock": "lock.unlocked",
    "key_unlock": "lock.unlocked",
    "schedule_unlock": "lock.unlocked",
    "manual_unlock": "lock.unlocked",
    "lock_failure_invalid_pin_or_id": "lock.denied",
    "lock_failure_invalid_schedule": "lock.denied",
    "unlock_failure_invalid_pin_or_id": "lock.denied",
    "unlock_failure_invalid_schedule": "lock.denied",
    "non_access_user_operational_event": "lock.denied",
}
"""Values of `action` on a lock (docs/devices, exposes of locks)."""

STATES: dict[str, str] = {
    "locked": "lock.locked",
    "unlocked": "lock.unlocked",
    "not_fully_locked": "lock.not_fully_locked",
}
"""Values of `lock_state` (docs/devices, exposes of locks)."""

_SWITCH = {"LOCK": "lock.locked", "UNLOCK": "lock.unlocked"}

_MEANS_OF_ACTION = {
    "key_lock": Means.KEY,
    "key_unlock": Means.KEY,
    "auto_lock": Means.AUTOMATIC,
    "schedule_lock": Means.AUTOMATIC,
    "schedule_unlock": Means.AUTOMATIC,
    "manual_lock": Means.INSIDE_KNOB,
    "manual_unlock": Means.INSIDE_KNOB,
}

_MEANS_OF_SOURCE = {"keypad": Means.CODE, "rfid": Means.TAG, "rf": Means.REMOTE}


def state_of(message: Message) -> str | None:
    """Return the word for the reported state; `lock_state` knows more than the switch `state`."""
    if message.lock_state is not None:
        return STATES.get(message.lock_state)
    return _SWITCH.get(message.state) if isinstance(message.state, str) else None


def action_values(message: Message) -> LockValues:
    """Return by what means and whose credential an action was, with the reported state beside it."""
    action, source = message.action or "", message.action_source_name
    method = source or action.partition("_")[0]
    details: dict[str, str | int | float | bool] = {"action": action, "method": method}
    user = message.action_user
    if user is not None:
        details["action_user"] = user
    if message.lock_state is not None:
        details["lock_state_reported"] = message.lock_state
    return LockValues(
        battery_percent=message.percent,
        link_quality=message.linkquality,
        means=_MEANS_OF_ACTION.get(action) or _MEANS_OF_SOURCE.get(source or "", Means.UNKNOWN),
        credential=f"user:{user}" if user is not None and user != NO_USER else None,
        details=details,
    )
