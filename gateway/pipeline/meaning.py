"""Meaning: what a wired input says, by what its enrolment says that it is wired to.

A contact, a pull cord and a leak plate may hang at the same kind of input. The product knows only that it
closed; the registry knows the rest. What becomes a level is judged as that level; what becomes a happening is
first judged as the level of the input, so that a state repeated every few minutes is not pressed anew.
"""

from msgspec.structs import replace

from gateway.model.reading import Reading
from gateway.model.status import DeviceStatus
from gateway.model.vocabulary import SOS_ROLE, VOCABULARY, DeviceKind, SensorValues, Values

INPUTS = frozenset({"input.active", "input.inactive"})
_DOOR = ("door.opened", "door.closed")
_LEVELS: dict[str, tuple[str, str]] = {
    "entrance_door": _DOOR,
    DeviceKind.DOOR_CONTACT: _DOOR,
    DeviceKind.SMOKE_DETECTOR: ("smoke.detected", "smoke.cleared"),
    DeviceKind.LEAK_DETECTOR: ("leak.detected", "leak.cleared"),
    DeviceKind.BED_SENSOR: ("bed.enter", "bed.exit"),
}
"""The enrolment's role or the device's kind, and the levels that active and inactive are."""
_HAPPENINGS: dict[str, str] = {
    SOS_ROLE: "button.pressed",
    DeviceKind.BUTTON: "button.pressed",
    DeviceKind.SOCIAL_ALARM: "button.pressed",
    DeviceKind.MOTION_SENSOR: "motion.detected",
}
"""The same, and what happens when the input becomes active; becoming inactive again is only its end."""


def as_level(reading: Reading, kind: DeviceKind, role: str) -> Reading:
    """Return an input's reading as the level that it means here, any other reading as it is."""
    if reading.type not in INPUTS:
        return reading
    words = _LEVELS.get(role) or _LEVELS.get(kind)
    if words is None or role in _HAPPENINGS:
        return reading
    word = words[reading.type == "input.inactive"]
    return replace(reading, type=word, values=_shaped(word, reading.values))


def slot_of(reading: Reading) -> str:
    """Name the state that one input of a device has, "" for any other reading."""
    if reading.type not in INPUTS or not isinstance(reading.values, SensorValues):
        return ""
    return f"input {reading.values.button or ''}".strip()


def repeated(reading: Reading, status: DeviceStatus) -> str | None:
    """Say that an input is as it was heard before, None when it changed; each input has a state of its own.

    The first state heard is news when it is active: whatever hangs at it is pulled, wet or open now.
    """
    slot = slot_of(reading)
    if reading.happened or not slot:
        return None
    before = status.slots.get(slot)
    if before != reading.type:
        status.slots = {**status.slots, slot: reading.type}
    if before is None and reading.type == "input.inactive":
        return f"{reading.type} is the first state heard, not a change"
    return f"{reading.type} repeated: no change" if before == reading.type else None


def as_happening(reading: Reading, kind: DeviceKind, role: str) -> Reading:
    """Return an input that has become active as what happened by it, any other reading as it is."""
    if reading.type != "input.active":
        return reading
    word = _HAPPENINGS.get(role) or _HAPPENINGS.get(kind)
    return reading if word is None else replace(reading, type=word, values=_shaped(word, reading.values))


def _shaped(word: str, values: Values) -> Values:
    """Return what every event may carry in the shape of the word's own values."""
    shape = VOCABULARY[word].values
    if isinstance(values, shape):
        return values
    common = {name: getattr(values, name) for name in Values.__struct_fields__}
    return shape(**common)
