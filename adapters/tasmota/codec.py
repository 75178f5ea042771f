"""The Tasmota codec: which device and which part of it speaks, and what switches and buttons did."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from importlib.resources import files
from typing import Any

from adapters.tasmota import zigbee
from adapters.tasmota.messages import Details, moment, number, read
from gateway.contract import Manifest, Undecodable
from gateway.contract.manifest import read_manifest
from gateway.model.frame import Frame
from gateway.model.reading import Ignored, Reading
from gateway.model.vocabulary import ClockQuality, DeviceKind, HealthValues, SensorValues, Values

PREFIXES = ("tele", "stat")
PRESSES = {"SINGLE": 1, "DOUBLE": 2, "TRIPLE": 3, "QUAD": 4, "PENTA": 5, "HOLD": 1, "TOGGLE": 1}
"""Actions of a button and how often it was pressed; CLEAR ends a hold."""

_PERIPHERAL = re.compile(r"(Switch|Button)([1-9]\d?)?\Z")
_STATES = {"ON": "input.active", "OFF": "input.inactive"}
_LINKS = {"online": "device.online", "offline": "device.offline"}
_READ = frozenset({"STATE", "SENSOR", "RESULT"})
Items = list[Reading | Ignored]


class TasmotaAdapter:
    """Reads Tasmota devices by their topic, in both usual orders of prefix and topic."""

    def __init__(self) -> None:
        text = files("adapters.tasmota").joinpath("manifest.toml").read_text("utf-8")
        self._manifest = read_manifest(text)

    @property
    def manifest(self) -> Manifest:
        """What it reads."""
        return self._manifest

    def decode(self, frame: Frame) -> Sequence[Reading | Ignored]:
        """Read one frame; raises Undecodable with the clause."""
        parts = frame.channel.split("/")
        if not all(parts) or len(parts) < 3 or len(frame.channel) > 256:
            raise Undecodable("the topic has empty, too few or endless levels", clause="TAS-TOPIC")
        if parts[:2] == ["tasmota", "discovery"]:
            return (_discovery(frame.payload, parts[-1], parts[2]),)
        if parts[0] in PREFIXES:
            device = "/".join(parts[1:-1])
        elif parts[-2] in PREFIXES:
            device = "/".join(parts[:-2])
        else:
            raise Undecodable("the topic has neither tele nor stat where they belong", clause="TAS-TOPIC")
        if not frame.payload:
            return (Ignored(device, "a retained message was cleared"),)
        if parts[-1] == "LWT":
            return (_link(frame.payload, device),)
        if parts[-1] not in _READ:
            return (
                Ignored(device, f"{parts[-1][:40]} says nothing of the vocabulary, or RESULT says it too"),
            )
        return _message(read(frame.payload, device), device, parts[-1], old=frame.retained)


def _link(payload: bytes, device: str) -> Reading:
    text = payload.decode("utf-8", "replace").strip()
    word = _LINKS.get(text.lower())
    if word is None:
        reason = f"expected Online or Offline, got {text[:40]!r}"
        raise Undecodable(reason, clause="TAS-LWT", native_id=device)
    return _reading(device, word, HealthValues())


def _message(said: dict[str, Any], device: str, part: str, *, old: bool) -> Items:
    found = list(_peripherals(said, device, old=old))
    if part == "STATE" and not old:
        found.append(_alive(said, device))
    if not found and part == "SENSOR" and not old:
        found.append(_reading(device, "heartbeat", HealthValues(), happened=True))
    return found or [Ignored(device, "nothing in it that the vocabulary speaks of")]


def _peripherals(said: dict[str, Any], device: str, *, old: bool) -> Iterator[Reading | Ignored]:
    at = moment(said.get("Time"))
    local = said.get("Time") if at is None and isinstance(said.get("Time"), str) else None
    for name, value in said.items():
        if match := _PERIPHERAL.match(name):
            yield _operated(device, match[1], int(match[2] or 1), value, (at, local), old=old)
        elif name == "ZbReceived" and isinstance(value, dict):
            for address, words in value.items():
                yield from zigbee.read(device, address, words, old=old)
        elif name == "RfReceived" and isinstance(value, dict) and not old:
            yield _remote(device, value)


def _operated(
    device: str,
    what: str,
    which: int,
    value: object,
    time: tuple[datetime | None, str | None],
    *,
    old: bool,
) -> Reading | Ignored:
    """Read {"Switch1": "ON"}, and {"Button1": {"Action": "DOUBLE"}} as newer firmware writes it."""
    action = value.get("Action") if isinstance(value, dict) else value
    if not isinstance(action, str) or not 0 < len(action) <= 32:
        reason = f"expected an action - at `$.{what}{which}`"
        raise Undecodable(reason, clause="TAS-FIELD", native_id=device)
    action, (at, local) = action.upper(), time
    details: Details = {what.lower(): which, "state": action}
    if local is not None:
        details["device_time"] = local[:64]
    if what == "Switch" and action in _STATES:
        values = SensorValues(button=str(which), details=details)
        return _reading(device if which == 1 else f"{device}/Switch{which}", _STATES[action], values, at=at)
    if old or action not in PRESSES:
        words = "the broker kept an old action" if old else f"the action {action!r} is no press"
        return Ignored(device, words)
    details["presses"] = PRESSES[action]
    values = SensorValues(button=str(which), press=action.lower(), details=details)
    return _reading(device, "button.pressed", values, at=at, kind=DeviceKind.BUTTON, happened=True)


def _remote(device: str, said: dict[str, Any]) -> Reading:
    """Read a code of a radio remote or contact at 433 MHz: which one it is, its enrolment says."""
    code = said.get("Data")
    if not isinstance(code, str | int) or isinstance(code, bool) or not 0 < len(str(code)[:65]) <= 64:
        raise Undecodable("expected a code - at `$.RfReceived.Data`", clause="TAS-FIELD", native_id=device)
    values = SensorValues(button=str(code), press="rf")
    native_id = f"{device}/rf/{code}"
    return _reading(native_id, "button.pressed", values, kind=DeviceKind.BUTTON, happened=True)


def _alive(said: dict[str, Any], device: str) -> Reading:
    wifi = said.get("Wifi")
    signal = number(wifi.get("Signal") if isinstance(wifi, dict) else None, "Wifi.Signal", device, -200, 255)
    values = HealthValues(link="wifi" if isinstance(wifi, dict) else None, link_quality=signal)
    return _reading(device, "heartbeat", values, at=moment(said.get("Time")), happened=True)


def _discovery(payload: bytes, part: str, mac: str) -> Reading | Ignored:
    """Read tasmota/discovery/{mac}/config: the names that people gave stand in it and stay there."""
    if part != "config" or not payload:
        return Ignored(
            mac, "the device was removed" if not payload else f"{part[:40]} is read from its own topic"
        )
    said = read(payload, mac)
    topic = said.get("t")
    if not isinstance(topic, str) or not 0 < len(topic) <= 128:
        raise Undecodable("expected the device's topic - at `$.t`", clause="TAS-FIELD", native_id=mac)
    details: Details = {"mac": mac[:64]}
    if isinstance(model := said.get("md"), str):
        details["model"] = model[:128]
    firmware = said.get("sw")
    values = HealthValues(
        code="discovered", firmware=firmware[:128] if isinstance(firmware, str) else None, details=details
    )
    return _reading(
        topic, "device.discovered", values, key=f"config:{mac[:64]}:{firmware!s:.64}", happened=True
    )


def _reading(
    native_id: str,
    word: str,
    values: Values,
    *,
    at: datetime | None = None,
    kind: DeviceKind = DeviceKind.UNKNOWN,
    key: str = "",
    happened: bool = False,
) -> Reading:
    return Reading(
        native_id=native_id,
        kind=kind,
        type=word,
        values=values,
        occurred_at=at,
        clock=ClockQuality.SYNCED if at else ClockQuality.NONE,
        key=key,
        happened=happened,
    )
