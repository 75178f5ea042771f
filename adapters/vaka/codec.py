"""The codec of the standard device interface, version 1: channel and bytes in, readings out."""

from collections.abc import Callable, Sequence
from importlib.resources import files

import msgspec

from adapters.vaka.cbor import as_json, as_map
from adapters.vaka.faults import ENVELOPE_CLAUSES, DecodeFault, undecodable
from adapters.vaka.reports import link, result, status, telemetry
from adapters.vaka.wire import CLOCK, moment
from adapters.vaka.words import WORDS
from gateway.contract import Manifest, Undecodable
from gateway.contract.manifest import read_manifest
from gateway.model.frame import Frame
from gateway.model.reading import Ignored, Reading
from gateway.model.wire import Envelope

MAX_NATIVE_ID = 256


_Branch = Callable[[bytes, str], Sequence[Reading | Ignored]]
_decode_envelope = msgspec.json.Decoder(Envelope).decode


def event(payload: bytes, native_id: str) -> Sequence[Reading | Ignored]:
    """Read one event; this is the hot path."""
    try:
        if not payload.isascii():
            payload.decode()
        envelope = _decode_envelope(payload)
    except DecodeFault as error:
        raise undecodable(
            error, native_id, clause="VDI-EVT-07", clauses=ENVELOPE_CLAUSES, payload=payload
        ) from None
    word = WORDS.get(envelope.type)
    if word is None:
        reason = f"`$.type`: unknown type {envelope.type[:80]!r}"
        raise Undecodable(reason, clause="VDI-EVT-03", native_id=native_id)
    try:
        values = word.decode(envelope.data)
    except DecodeFault as error:
        raise undecodable(error, native_id, clause="VDI-EVT-07", root="$.data") from None
    source = envelope.source
    if source and not source.endswith(native_id):
        _check_source(source, native_id)
    return (
        Reading(
            native_id=native_id,
            kind=word.kind,
            type=word.name,
            values=values,
            occurred_at=moment(envelope.time, native_id, "$.time"),
            clock=CLOCK[envelope.clockquality],
            key=envelope.id,
            sequence=envelope.sequence,
        ),
    )


def _check_source(source: str, native_id: str) -> None:
    """Let a source name the device alone (after a slash or a colon); anything else contradicts the topic."""
    if source.replace(":", "/").rpartition("/")[2] != native_id.rpartition("/")[2]:
        reason = f"`$.source`: {source[:80]!r} is not the device of the topic"
        raise Undecodable(reason, clause="VDI-EVT-05", native_id=native_id)


def _own_branch(branch: str) -> _Branch:
    def ignore(_payload: bytes, native_id: str) -> Sequence[Reading | Ignored]:
        return (Ignored(native_id, f"the gateway's own message to the device: {branch}"),)

    return ignore


def _gatt_status(payload: bytes, native_id: str) -> Sequence[Reading | Ignored]:
    """Read the State characteristic, which also says who it is: another is not believed."""
    said = as_map(payload, native_id).get("device", native_id)
    if said != native_id:
        reason = f"`$.device`: {str(said)[:80]!r} is not the device that the address is bonded for"
        raise Undecodable(reason, clause="VDI-BLE-05", native_id=native_id)
    return status(as_json(payload, native_id), native_id)


def _gatt(branch: _Branch) -> _Branch:
    def read(payload: bytes, native_id: str) -> Sequence[Reading | Ignored]:
        return branch(as_json(payload, native_id), native_id)

    return read


_GATT: dict[str, _Branch] = {
    "event": _gatt(event),
    "status": _gatt_status,
    "result": _gatt(result),
    "link": _gatt(link),
}
"""What a session hears (adapters.vaka.session): the same fields as over MQTT, in CBOR."""
_BRANCHES: dict[str, _Branch] = {
    "event": event,
    "status": status,
    "telemetry": telemetry,
    "result": result,
    "command": _own_branch("command"),
    "config": _own_branch("config"),
}


def _read_gatt(frame: Frame, parts: Sequence[str]) -> Sequence[Reading | Ignored]:
    if len(parts) != 5 or parts[0] != "vaka" or parts[1] != "1" or not parts[2] or not parts[3]:
        reason = "the channel is not ble/vaka/1/{tenant}/{device}/{branch}"
        raise Undecodable(reason, clause="VDI-BLE-01")
    native_id = f"{parts[2]}/{parts[3]}"
    if len(native_id) > MAX_NATIVE_ID:
        raise Undecodable(f"tenant and device exceed {MAX_NATIVE_ID} characters", clause="VDI-BLE-01")
    if parts[2] == "-":
        raise Undecodable(f"the device at {parts[3]} does not say who it is", clause="VDI-BLE-05")
    read = _GATT.get(parts[4])
    if read is None:
        reason = f"no branch {parts[4][:40]!r} for a device"
        raise Undecodable(reason, clause="VDI-BLE-01", native_id=native_id)
    return read(frame.payload, native_id)


class VakaAdapter:
    """Reads the standard device interface, version 1."""

    def __init__(self) -> None:
        text = files("adapters.vaka").joinpath("manifest.toml").read_text("utf-8")
        self._manifest = read_manifest(text)

    @property
    def manifest(self) -> Manifest:
        """What it reads."""
        return self._manifest

    def decode(self, frame: Frame) -> Sequence[Reading | Ignored]:
        """Read one frame; raises Undecodable with the clause."""
        parts = frame.channel.split("/")
        if parts[0] == "ble":
            return _read_gatt(frame, parts[1:])
        if len(parts) != 5 or parts[0] != "vaka" or parts[1] != "1" or not parts[2] or not parts[3]:
            raise Undecodable("the topic is not vaka/1/{tenant}/{device}/{branch}", clause="VDI-MQTT-01")
        native_id = f"{parts[2]}/{parts[3]}"
        if len(native_id) > MAX_NATIVE_ID:
            raise Undecodable(f"tenant and device exceed {MAX_NATIVE_ID} characters", clause="VDI-MQTT-01")
        read = _BRANCHES.get(parts[4])
        if read is None:
            raise Undecodable(
                f"no branch {parts[4][:40]!r} for a device", clause="VDI-MQTT-02", native_id=native_id
            )
        return read(frame.payload, native_id)
