"""Zigbee devices behind a Tasmota bridge: each is a device of its own, by its address."""

from collections.abc import Iterator
from typing import Any

from adapters.tasmota.messages import number
from gateway.contract import Undecodable
from gateway.model.reading import Reading
from gateway.model.vocabulary import DeviceKind, DoorValues, HealthValues, SensorValues, Values, battery_word

LEVELS: tuple[tuple[str, str, str, DeviceKind, type[Values]], ...] = (
    ("Contact", "door.opened", "door.closed", DeviceKind.DOOR_CONTACT, DoorValues),
    ("Water", "leak.detected", "leak.cleared", DeviceKind.LEAK_DETECTOR, SensorValues),
    ("Fire", "smoke.detected", "smoke.cleared", DeviceKind.SMOKE_DETECTOR, SensorValues),
)
"""Attribute, word for 1, word for 0: a contact of 1 is open, the other way round than in Zigbee2MQTT."""

_PRESSES = {0: "off", 1: "on", 2: "toggle"}
_COMMANDS = frozenset({"0006!00", "0006!01", "0006!02", "0006!FD"})


def read(bridge: str, address: str, said: object, *, old: bool) -> Iterator[Reading]:
    """Yield what one Zigbee device says; `old` (retained) leaves the momentary out. Raises Undecodable."""
    if not isinstance(said, dict):
        reason = f"expected an object - at `$.ZbReceived['{address[:32]}']`"
        raise Undecodable(reason, clause="TAS-FIELD", native_id=bridge)
    native_id = f"{bridge}/{address[:64] or 'unknown'}"
    path = f"ZbReceived['{address[:32]}']"
    radio = number(said.get("LinkQuality"), f"{path}.LinkQuality", native_id, 0, 255)
    percent = number(said.get("BatteryPercentage"), f"{path}.BatteryPercentage", native_id, 0, 100)
    common: dict[str, Any] = {"link_quality": radio, "battery_percent": percent}
    kind = DeviceKind.UNKNOWN
    for name, when_one, when_zero, its, values in LEVELS:
        if (level := number(said.get(name), f"{path}.{name}", native_id, 0, 1)) is not None:
            kind = its
            yield _reading(native_id, its, when_one if level else when_zero, values(**common))
    if number(said.get("Occupancy"), f"{path}.Occupancy", native_id, 0, 1) and not old:
        kind = DeviceKind.MOTION_SENSOR
        yield _reading(native_id, kind, "motion.detected", SensorValues(**common), happened=True)
    if _COMMANDS & said.keys() and not old:
        kind = DeviceKind.BUTTON
        power = said.get("Power")
        press = _PRESSES.get(power, "press") if isinstance(power, int) else "press"
        yield _reading(native_id, kind, "button.pressed", SensorValues(press=press, **common), happened=True)
    if percent is not None:
        yield _reading(native_id, kind, battery_word(percent), HealthValues(**common))


def _reading(
    native_id: str, kind: DeviceKind, word: str, values: Values, *, happened: bool = False
) -> Reading:
    return Reading(native_id=native_id, kind=kind, type=word, values=values, happened=happened)
