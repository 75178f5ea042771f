"""What both Nuki sources share: readings of a lock that has no clock, and the way to refuse a value."""

from gateway.contract import Undecodable
from gateway.model.reading import Ignored, Reading
from gateway.model.vocabulary import DeviceKind, HealthValues, Values, battery_word

Items = list[Reading | Ignored]
Details = dict[str, str | int | float | bool]


def level(native_id: str, word: str, values: Values, kind: DeviceKind = DeviceKind.LOCK) -> Reading:
    """Return a level as of receipt."""
    return Reading(native_id=native_id, kind=kind, type=word, values=values, happened=False)


def settled(native_id: str, word: str, values: Values) -> Items:
    """Return the state that a lock came to rest in; unless it is stuck, it is calibrated too."""
    state: Items = [level(native_id, word, values)]
    return state if word == "lock.jammed" else [*state, level(native_id, "device.ok", HealthValues())]


def charge(native_id: str, text: str) -> Items:
    """Read a charge in percent."""
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and int(text) <= 100):
        raise Undecodable(
            f"expected a charge of 0 to 100, got {text[:40]!r}", clause="NUKI-VALUE", native_id=native_id
        )
    percent = float(text)
    return [level(native_id, battery_word(percent), HealthValues(battery_percent=percent))]


def truth(native_id: str, text: str) -> bool:
    """Read true or false."""
    if text not in {"true", "false"}:
        reason = f"expected true or false, got {text[:40]!r}"
        raise Undecodable(reason, clause="NUKI-VALUE", native_id=native_id)
    return text == "true"


def number(native_id: str, text: str, clause: str) -> int:
    """Read a whole number that fits 32 bits."""
    digits = text.strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 10):
        raise Undecodable(f"expected a number, got {text[:40]!r}", clause=clause, native_id=native_id)
    return int(digits)
