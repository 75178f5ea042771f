"""The BTHome v2 codec: binary sensors as levels, buttons as happenings, measurements as details."""

from collections.abc import Sequence
from importlib.resources import files
from typing import Annotated

import msgspec

from adapters.bthome.advertisement import address_of, service_data
from adapters.bthome.objects import (
    BATTERY,
    BUTTON,
    DIMMER,
    FIRMWARE_3,
    FIRMWARE_4,
    PACKET,
    RAW,
    TEXT,
    Objects,
    read_objects,
)
from gateway.contract import Manifest, Undecodable
from gateway.contract.manifest import read_manifest
from gateway.model.frame import Frame
from gateway.model.reading import Ignored, Reading
from gateway.model.vocabulary import (
    VOCABULARY,
    DeviceKind,
    HealthValues,
    SensorValues,
    Values,
    battery_word,
)

Details = dict[str, str | int | float | bool]
ENCRYPTED, MAC_INCLUDED, ON_TRIGGER = 0x01, 0x02, 0x04
VERSION = 2

BINARY: dict[int, tuple[str, str]] = {
    0x11: ("door.opened", "door.closed"),
    0x1A: ("door.opened", "door.closed"),
    0x1B: ("door.opened", "door.closed"),
    0x2D: ("door.opened", "door.closed"),
    0x15: ("battery.low", "battery.ok"),
    0x16: ("charging.started", "charging.stopped"),
    0x17: ("smoke.detected", "smoke.cleared"),
    0x1C: ("smoke.detected", "smoke.cleared"),
    0x29: ("smoke.detected", "smoke.cleared"),
    0x1F: ("lock.unlocked", "lock.locked"),
    0x20: ("leak.detected", "leak.cleared"),
    0x21: ("motion.detected", ""),
    0x23: ("presence.detected", "presence.cleared"),
    0x25: ("presence.detected", "presence.cleared"),
    0x26: ("device.fault", "device.ok"),
    0x2B: ("device.tamper", "device.tamper_cleared"),
}
"""What a binary sensor means at 1 and at 0; the others are details."""
KINDS: dict[int, DeviceKind] = {
    BUTTON: DeviceKind.BUTTON, DIMMER: DeviceKind.BUTTON, 0x1F: DeviceKind.LOCK,
    0x11: DeviceKind.DOOR_CONTACT, 0x1A: DeviceKind.DOOR_CONTACT, 0x1B: DeviceKind.DOOR_CONTACT,
    0x2D: DeviceKind.DOOR_CONTACT, 0x29: DeviceKind.SMOKE_DETECTOR, 0x17: DeviceKind.SMOKE_DETECTOR,
    0x1C: DeviceKind.SMOKE_DETECTOR, 0x20: DeviceKind.LEAK_DETECTOR, 0x21: DeviceKind.MOTION_SENSOR,
    0x23: DeviceKind.MOTION_SENSOR, 0x25: DeviceKind.MOTION_SENSOR,
}  # fmt: skip
PRESSES = {
    0x01: "single", 0x02: "double", 0x03: "triple", 0x04: "long", 0x05: "long_double", 0x06: "long_triple",
    0x80: "hold",
}  # fmt: skip
TURNS = {0x01: "rotate_left", 0x02: "rotate_right"}
APART = frozenset({PACKET, BATTERY, BUTTON, DIMMER, TEXT, RAW, FIRMWARE_3, FIRMWARE_4})
"""Objects that are no measurement; text and raw bytes may hold anything and are never decoded."""


class BTHomeAdapter:
    """Reads advertisements of BTHome v2."""

    def __init__(self) -> None:
        self._manifest = read_manifest(files("adapters.bthome").joinpath("manifest.toml").read_text("utf-8"))

    @property
    def manifest(self) -> Manifest:
        """What it reads."""
        return self._manifest

    def decode(self, frame: Frame) -> Sequence[Reading | Ignored]:
        """Read one advertisement; raises Undecodable with the clause."""
        address = address_of(frame.channel)
        if frame.payload.startswith(b'{"rssi_dbm"'):
            return [_signal(frame.payload, address)]
        data = service_data(frame.payload, address)
        information, data = (data[0], data[1:]) if data else (0, data)
        if information >> 5 != VERSION:
            reason = f"version {information >> 5} of the format, expected 2"
            raise Undecodable(reason, clause="BTH-VERSION", native_id=address)
        if information & MAC_INCLUDED and len(data) >= 6:
            address, data = ":".join(f"{byte:02X}" for byte in reversed(data[:6])), data[6:]
        if information & ENCRYPTED:
            reason = "the data is encrypted; switch encryption off in the device, no key can be kept here"
            raise Undecodable(reason, clause="BTH-ENCRYPTED", native_id=address)
        return _Telling(
            address, read_objects(data, address), on_trigger=bool(information & ON_TRIGGER)
        ).items()


class Signal(msgspec.Struct, frozen=True):
    """How strongly the gateway's own scanner hears a device."""

    rssi_dbm: Annotated[int, msgspec.Meta(ge=-128, le=127)]


_decode_signal = msgspec.json.Decoder(Signal).decode


def _signal(payload: bytes, address: str) -> Reading:
    try:
        rssi_dbm = _decode_signal(payload).rssi_dbm
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        reason = "not the strength of a signal in dBm"
        raise Undecodable(reason, clause="BTH-SIGNAL", native_id=address) from None
    values = HealthValues(link="ble", link_quality=rssi_dbm)
    kind = DeviceKind.UNKNOWN
    return Reading(native_id=address, kind=kind, type="link.changed", values=values, happened=False)


class _Telling:
    """One advertisement as readings, all with the packet id that tells a repeat."""

    def __init__(self, address: str, objects: Objects, *, on_trigger: bool) -> None:
        self.address = address
        self.on_trigger = on_trigger
        self.found = objects.found
        self.kind = next((KINDS[one.id] for one in self.found if one.id in KINDS), DeviceKind.UNKNOWN)
        self.packet = next((str(one.raw[0]) for one in self.found if one.id == PACKET), "")
        self.details = _details(objects)

    def items(self) -> list[Reading | Ignored]:
        """Return what it says; a device that says only measurements is alive."""
        items: list[Reading | Ignored] = [*self._buttons(), *self._levels(), *self._charge()]
        if items:
            return items
        firmware = next((_version(one.raw) for one in self.found if one.id in (FIRMWARE_3, FIRMWARE_4)), None)
        if any(one.id in (BUTTON, DIMMER) for one in self.found):
            return [Ignored(self.address, "no button was pressed")]
        return [self._reading("heartbeat", HealthValues(firmware=firmware, details=self.details))]

    def _buttons(self) -> list[Reading]:
        pressed = []
        buttons = [one for one in self.found if one.id == BUTTON]
        for number, one in enumerate(buttons, 1):
            press = PRESSES.get(one.raw[0])
            if press:
                values = SensorValues(button=str(number), press=press, details=self.details)
                pressed.append(self._reading("button.pressed", values, part=f":b{number}"))
        for number, one in enumerate((one for one in self.found if one.id == DIMMER), 1):
            turn = TURNS.get(one.raw[0])
            if turn:
                details: Details = {**self.details, "steps": one.raw[1]}
                values = SensorValues(button=f"dimmer{number}", press=turn, details=details)
                pressed.append(self._reading("button.pressed", values, part=f":d{number}"))
        return pressed

    def _levels(self) -> list[Reading]:
        said: dict[str, Reading] = {}
        for one in self.found:
            word = BINARY[one.id][0 if one.value else 1] if one.id in BINARY else ""
            slot = VOCABULARY[word].slot if word else ""
            if word and (slot or word) not in said:
                happened = not slot and self.on_trigger
                said[slot or word] = self._reading(word, self._values(word), happened=happened)
        return list(said.values())

    def _charge(self) -> list[Reading]:
        charge = next((one.value for one in self.found if one.id == BATTERY and one.value <= 100), None)
        if charge is None or any(one.id == 0x15 for one in self.found):
            return []
        values = HealthValues(battery_percent=charge)
        return [self._reading(battery_word(charge), values, happened=False)]

    def _values(self, word: str) -> Values:
        return VOCABULARY[word].values(details=self.details)

    def _reading(self, word: str, values: Values, *, happened: bool = True, part: str = "") -> Reading:
        counted = self.packet and (happened or not VOCABULARY[word].slot)
        return Reading(
            native_id=self.address,
            kind=self.kind,
            type=word,
            values=values,
            happened=happened,
            packet=f"{self.packet}{part}" if counted else "",
        )


def _details(objects: Objects) -> Details:
    """Return measurements and the unused binary sensors by name; a name heard twice gets a number."""
    told: Details = {}
    for one in objects.found:
        if one.id in APART:
            continue
        number = 2
        name = one.name
        while name in told and number < 60:
            name, number = f"{one.name}_{number}", number + 1
        if len(told) < 60:
            told[name] = (
                bool(one.value) if 0x0F <= one.id <= 0x2D and one.id not in (0x12, 0x13, 0x14) else one.value
            )
    if objects.unread is not None:
        told["unread_object"] = f"0x{objects.unread:02X}"
    return told


def _version(raw: bytes) -> str:
    return ".".join(str(byte) for byte in reversed(raw))
