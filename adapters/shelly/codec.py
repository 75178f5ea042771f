"""The Shelly codec: presses are happenings, everything else is a level that a status repeats."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from importlib.resources import files

import msgspec

from adapters.shelly.messages import Event, Events, Notification, Status, moment, read
from gateway.contract import Manifest, Undecodable
from gateway.contract.manifest import read_manifest
from gateway.model.frame import Frame
from gateway.model.reading import Ignored, Reading
from gateway.model.vocabulary import (
    ClockQuality,
    DeviceKind,
    HealthValues,
    SensorValues,
    Values,
    battery_word,
)

PRESSES = {"single_push": 1, "double_push": 2, "triple_push": 3, "long_push": 1, "long_double_push": 2,
           "long_triple_push": 3, "hold_press": 1}  # fmt: skip
"""Events that are a press of a button, and how often it was pressed."""

EDGES = frozenset({"btn_down", "btn_up"})
_BUTTONS = frozenset({"input", "bthomedevice", "bthomesensor", "blutrv"})
_ALARMS = {
    "flood": ("leak", DeviceKind.LEAK_DETECTOR),
    "smoke": ("smoke", DeviceKind.SMOKE_DETECTOR),
}
_ALARM_EVENTS = {"alarm": "detected", "alarm_off": "cleared"}
_LINKS = {b"true": "device.online", b"false": "device.offline"}
_STATUSES = frozenset({"NotifyStatus", "NotifyFullStatus"})
_MAX_COMPONENTS = 128
NULL = b"null"
"""What stands for a part that is not there."""
Items = list[Reading | Ignored]


class ShellyAdapter:
    """Reads Shelly devices by their MQTT prefix, which is the device's id unless it was changed."""

    def __init__(self) -> None:
        text = files("adapters.shelly").joinpath("manifest.toml").read_text("utf-8")
        self._manifest = read_manifest(text)

    @property
    def manifest(self) -> Manifest:
        """What it reads."""
        return self._manifest

    def decode(self, frame: Frame) -> Sequence[Reading | Ignored]:
        """Read one frame; raises Undecodable with the clause."""
        parts = frame.channel.split("/")
        if not all(parts) or len(frame.channel) > 256 or not 2 <= len(parts) <= 3:
            raise Undecodable("the topic has empty or too many levels", clause="SH-TOPIC")
        device = parts[0]
        if parts[1:] == ["online"]:
            return (_online(frame.payload.strip(), device),)
        if parts[1:] == ["events", "rpc"]:
            return _notification(frame, device)
        if parts[1] == "status" and len(parts) == 3:
            if not frame.payload:
                return (Ignored(device, "a retained status was cleared"),)
            return list(_component(device, parts[2], msgspec.Raw(frame.payload), None, "$")) or (
                Ignored(device, f"the status of {parts[2][:40]} says nothing of the vocabulary"),
            )
        raise Undecodable("the topic is none of events/rpc, status/{component} and online", clause="SH-TOPIC")


def _online(payload: bytes, device: str) -> Reading | Ignored:
    if not payload:
        return Ignored(device, "the retained state was cleared")
    if payload not in _LINKS:
        reason = f"expected true or false, got {payload[:40].decode('utf-8', 'replace')!r}"
        raise Undecodable(reason, clause="SH-ONLINE", native_id=device)
    return Reading(
        native_id=device, kind=DeviceKind.UNKNOWN, type=_LINKS[payload], values=HealthValues(), happened=False
    )


def _notification(frame: Frame, device: str) -> Sequence[Reading | Ignored]:
    said = read(frame.payload, Notification, device)
    if said.method == "NotifyEvent":
        if frame.retained:
            return (Ignored(device, "the broker kept old events"),)
        params = read(said.params, Events, device, "$.params")
        found = [item for event in params.events for item in _event(device, event, params.ts)]
        return found or (Ignored(device, "a list of events without one"),)
    if said.method in _STATUSES:
        return _status(said.params, device)
    if said.method is None:
        return (Ignored(device, "an answer to somebody's question"),)
    reason = f"`$.method`: unknown method {said.method[:40]!r}"
    raise Undecodable(reason, clause="SH-METHOD", native_id=device)


def _event(device: str, event: Event, ts: float | None) -> Iterator[Reading | Ignored]:
    name, _, number = event.component.partition(":")
    at = moment(event.ts if event.ts is not None else ts)
    key = f"{event.component}:{event.event}:{event.idx}:{event.ts}" if at and event.ts is not None else ""
    if event.event in PRESSES and name in _BUTTONS:
        button = number if name == "input" else str(event.idx if event.idx is not None else 0)
        yield Reading(
            native_id=device if name == "input" else f"{device}/{event.component}",
            kind=DeviceKind.BUTTON,
            type="button.pressed",
            values=_press(event, button, is_input=name == "input"),
            occurred_at=at,
            clock=ClockQuality.SYNCED if at else ClockQuality.NONE,
            key=key,
        )
    elif name in _ALARMS and event.event.rpartition(".")[2] in {*_ALARM_EVENTS, "alarm_test"}:
        yield _alarm_event(device, event, at)
    elif event.event in EDGES:
        yield Ignored(device, "an edge beside the press, which is told by itself")
    else:
        yield Ignored(device, f"the event {event.event[:40]!r} of {event.component[:40]!r} is no happening")


def _press(event: Event, button: str, *, is_input: bool) -> SensorValues:
    details: dict[str, str | int | float | bool] = {"presses": PRESSES[event.event]}
    if is_input and button.isascii() and button.isdigit() and len(button) < 10:
        details["input"] = int(button)
    return SensorValues(button=button or None, press=event.event, details=details)


def _alarm_event(device: str, event: Event, at: datetime | None) -> Reading:
    word, kind = _ALARMS[event.component.partition(":")[0]]
    ending = _ALARM_EVENTS.get(event.event.rpartition(".")[2])
    if ending is None:
        return _level(device, kind, "test", HealthValues(code=word), at, happened=True)
    return _level(_part(device, event.component), kind, f"{word}.{ending}", SensorValues(), at)


def _status(params: msgspec.Raw, device: str) -> Items:
    """Read the components of a status by their names; `ts` stands among them."""
    parts = read(params, dict[str, msgspec.Raw], device, "$.params")
    if len(parts) > _MAX_COMPONENTS:
        reason = f"{len(parts)} components in one status"
        raise Undecodable(reason, clause="SH-FIELD", native_id=device)
    raw = parts.pop("ts", None)
    at = moment(read(raw, float, device, "$.params.ts")) if raw is not None and bytes(raw) != NULL else None
    found: Items = []
    for name, status in parts.items():
        found += _component(device, name, status, at, f"$.params['{name[:64]}']")
    return found or [Ignored(device, "a status in which nothing of the vocabulary changed")]


def _component(
    device: str, name: str, raw: msgspec.Raw, at: datetime | None, path: str
) -> Iterator[Reading | Ignored]:
    kind = name.partition(":")[0]
    read_kind = _COMPONENTS.get(kind)
    if read_kind is None or bytes(raw) == NULL:
        return
    said = read(raw, Status, device, path)
    yield from read_kind(_part(device, name), name, said, at)
    if said.errors is not None:
        code = f"{name[:60]} {said.errors[0][:60]}" if said.errors else ""
        word = "device.fault" if said.errors else "device.ok"
        yield _level(_part(device, name), DeviceKind.UNKNOWN, word, HealthValues(code=code or None), at)
    elif path == "$" and kind in _ALARMS:  # a whole status without errors is one without faults
        yield _level(_part(device, name), DeviceKind.UNKNOWN, "device.ok", HealthValues(), at)


def _part(device: str, component: str) -> str:
    """Name a component: the first of its kind is the device, every further one a device of its own."""
    kind, _, number = component.partition(":")
    own = kind in {"bthomedevice", "bthomesensor", "presencezone"} or number not in {"", "0"}
    return f"{device}/{component[:64]}" if own and kind != "devicepower" else device


def _input(native_id: str, name: str, said: Status, at: datetime | None) -> Iterator[Reading]:
    if said.state is not None:
        number = name.partition(":")[2][:9]
        word = "input.active" if said.state else "input.inactive"
        yield _level(native_id, DeviceKind.UNKNOWN, word, SensorValues(button=number or None), at)


def _sensor(native_id: str, name: str, said: Status, at: datetime | None) -> Iterator[Reading]:
    if said.alarm is not None:
        word, kind = _ALARMS[name.partition(":")[0]]
        ending = "detected" if said.alarm else "cleared"
        yield _level(native_id, kind, f"{word}.{ending}", SensorValues(), at)


def _power(native_id: str, _name: str, said: Status, at: datetime | None) -> Iterator[Reading]:
    battery = said.battery
    percent = battery if isinstance(battery, float | int) else battery.percent if battery else None
    if percent is not None and 0 <= percent <= 100:
        details: dict[str, str | int | float | bool] = {}
        if battery is not None and not isinstance(battery, float | int) and battery.volts is not None:
            details["voltage_mv"] = round(battery.volts * 1000)
        values = HealthValues(battery_percent=percent, link_quality=said.rssi, details=details)
        yield _level(native_id, DeviceKind.UNKNOWN, battery_word(percent), values, at)


def _presence(native_id: str, _name: str, said: Status, at: datetime | None) -> Iterator[Reading]:
    if isinstance(said.value, bool):
        word = "presence.detected" if said.value else "presence.cleared"
        yield _level(native_id, DeviceKind.MOTION_SENSOR, word, SensorValues(), at)


def _bthome(native_id: str, _name: str, said: Status, at: datetime | None) -> Iterator[Reading]:
    """A truth that a Bluetooth sensor reports: its enrolment says what it means."""
    if isinstance(said.value, bool):
        word = "input.active" if said.value else "input.inactive"
        yield _level(native_id, DeviceKind.UNKNOWN, word, SensorValues(), at)


_COMPONENTS = {
    "input": _input,
    "flood": _sensor,
    "smoke": _sensor,
    "devicepower": _power,
    "bthomedevice": _power,
    "bthomesensor": _bthome,
    "presencezone": _presence,
}


def _level(
    native_id: str,
    kind: DeviceKind,
    word: str,
    values: Values,
    at: datetime | None,
    *,
    happened: bool = False,
) -> Reading:
    return Reading(
        native_id=native_id,
        kind=kind,
        type=word,
        values=values,
        occurred_at=at,
        clock=ClockQuality.SYNCED if at else ClockQuality.NONE,
        happened=happened,
    )
