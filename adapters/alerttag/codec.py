"""The codec of alert tags: key, charge and link, as the session hears them."""

import re
from collections.abc import Callable, Sequence
from importlib.resources import files
from typing import Annotated, Literal

import msgspec

from gateway.contract import Manifest, Undecodable
from gateway.contract.manifest import read_manifest
from gateway.model.frame import Frame
from gateway.model.reading import CommandResult, Ignored, Reading
from gateway.model.vocabulary import DeviceKind, HealthValues, SensorValues, Values, battery_word

CLAUSES: dict[str, str] = {
    "TAG-CHANNEL": "The channel is ble/tag/{address}/{battery|alert|link|result}.",
    "TAG-BATTERY": "Battery Level is one byte, 0 to 100 percent (Battery Service 1.0, section 3.1).",
    "TAG-KEY": "The key's value is one byte, one bit a key (TI Simple Keys Service, FFE1).",
    "TAG-LINK": "What the gateway says of the link has its fields and limits.",
    "TAG-RESULT": "What the gateway says of a command has its fields and limits.",
}
"""Every clause by its id."""
_ADDRESS = re.compile(r"[0-9A-F]{2}(:[0-9A-F]{2}){5}")
KEYS = {0x01: "1", 0x02: "2", 0x04: "3"}
"""The bits of the key's value, and the key each stands for."""

Told = Sequence[Reading | Ignored]


class LinkState(msgspec.Struct, frozen=True, omit_defaults=True):
    """The link as the session saw it change, RSSI in dBm."""

    state: Literal["connected", "lost"]
    rssi_dbm: Annotated[int, msgspec.Meta(ge=-128, le=127)] | None = None


class Outcome(msgspec.Struct, frozen=True):
    """What the session made of a command."""

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    outcome: Literal["done", "rejected"]


_decode_link = msgspec.json.Decoder(LinkState).decode
_decode_outcome = msgspec.json.Decoder(Outcome).decode
_FAULTS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def _battery(payload: bytes, address: str) -> Told:
    if len(payload) != 1 or payload[0] > 100:
        raise Undecodable(f"{payload[:8].hex(' ')}: no percentage", clause="TAG-BATTERY", native_id=address)
    values = HealthValues(battery_percent=payload[0])
    return [_reading(address, battery_word(payload[0]), values, happened=False)]


def _alert(payload: bytes, address: str) -> Told:
    if len(payload) != 1:
        raise Undecodable(f"{payload[:8].hex(' ')}: not one byte", clause="TAG-KEY", native_id=address)
    pressed = [key for bit, key in KEYS.items() if payload[0] & bit]
    told = [_reading(address, "button.pressed", SensorValues(button=key, press="single")) for key in pressed]
    return told or [Ignored(address, "the key was let go")]


def _link(payload: bytes, address: str) -> Told:
    try:
        said = _decode_link(payload)
    except _FAULTS:
        reason = "not the link's state"
        raise Undecodable(reason, clause="TAG-LINK", native_id=address) from None
    values = HealthValues(link="ble", link_quality=said.rssi_dbm)
    if said.state == "lost":
        return [_reading(address, "device.offline", HealthValues(link="ble", code="link_lost"))]
    return [_reading(address, "device.online", values, happened=False)]


def _result(payload: bytes, address: str) -> Told:
    try:
        said = _decode_outcome(payload)
    except _FAULTS:
        reason = "not the outcome of a command"
        raise Undecodable(reason, clause="TAG-RESULT", native_id=address) from None
    reason = f"result of a command: {said.outcome}"
    return [CommandResult(native_id=address, reason=reason, id=said.id, outcome=said.outcome)]


def _reading(address: str, word: str, values: Values, *, happened: bool = True) -> Reading:
    return Reading(native_id=address, kind=DeviceKind.BUTTON, type=word, values=values, happened=happened)


_BRANCHES: dict[str, Callable[[bytes, str], Told]] = {
    "battery": _battery,
    "alert": _alert,
    "link": _link,
    "result": _result,
}


class AlertTagAdapter:
    """Reads alert tags."""

    def __init__(self) -> None:
        text = files("adapters.alerttag").joinpath("manifest.toml").read_text("utf-8")
        self._manifest = read_manifest(text)

    @property
    def manifest(self) -> Manifest:
        """What it reads."""
        return self._manifest

    def decode(self, frame: Frame) -> Told:
        """Read one frame; raises Undecodable with the clause."""
        parts = frame.channel.split("/")
        if len(parts) != 4 or parts[:2] != ["ble", "tag"] or not _ADDRESS.fullmatch(parts[2]):
            raise Undecodable("the channel is not ble/tag/{address}/{branch}", clause="TAG-CHANNEL")
        read = _BRANCHES.get(parts[3])
        if read is None:
            reason = f"no branch {parts[3][:40]!r} for a tag"
            raise Undecodable(reason, clause="TAG-CHANNEL", native_id=parts[2])
        return read(frame.payload, parts[2])
