"""The codec of the standard device interface, version 1: topic and bytes in, readings out."""

from collections.abc import Callable, Sequence
from importlib.resources import files

import msgspec

from adapters.vaka.faults import ENVELOPE_CLAUSES, DecodeFault, undecodable
from adapters.vaka.reports import result, status, telemetry
from adapters.vaka.wire import CLOCK, moment
from adapters.vaka.words import WORDS
from gateway.contract import Manifest, Undecodable
from gateway.contract.manifest import read_manifest
from gateway.model.frame import Frame
from gateway.model.reading import Ignored, Reading
from gateway.model.wire import Envelope

MAX_NATIVE_ID = 256


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


def _own_branch(branch: str) -> Callable[[bytes, str], Sequence[Reading | Ignored]]:
    def ignore(_payload: bytes, native_id: str) -> Sequence[Reading | Ignored]:
        return (Ignored(native_id, f"the gateway's own message to the device: {branch}"),)

    return ignore


_BRANCHES: dict[str, Callable[[bytes, str], Sequence[Reading | Ignored]]] = {
    "event": event,
    "status": status,
    "telemetry": telemetry,
    "result": result,
    "command": _own_branch("command"),
    "config": _own_branch("config"),
}


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
