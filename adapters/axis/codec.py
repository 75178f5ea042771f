"""The Axis MQTT codec: events of the camera's own event service as JSON, all values as text."""

from collections.abc import Sequence
from importlib.resources import files
from typing import Annotated, Any

import msgspec

from gateway.contract import Manifest, Undecodable
from gateway.contract.manifest import read_manifest
from gateway.model.codes.topics import bare, find, say, values_of
from gateway.model.frame import Frame
from gateway.model.instant import from_epoch
from gateway.model.reading import Ignored, Reading
from gateway.model.vocabulary import VOCABULARY, ClockQuality, DeviceKind, HealthValues

CLAUSES: dict[str, str] = {
    "AXIS-TOPIC": "The topic is {prefix}/{serial}/event/{event topic} with the default prefix axis.",
    "AXIS-JSON": "The payload is one JSON object with topic, timestamp and message.",
    "AXIS-EVENT": "The event topic is one of the known ones.",
    "AXIS-STATE": "The state is one of the documented values, written as text.",
    "AXIS-TIME": "timestamp is a Unix time in milliseconds.",
}
"""Every clause by its id (VAPIX MQTT event bridge)."""

Item = Reading | Ignored
Fields = dict[str, Any]


class Message(msgspec.Struct, frozen=True, gc=False):
    """`message` of an event: where, which, and what."""

    source: Fields | None = None
    key: Fields | None = None
    data: Fields | None = None


class Event(msgspec.Struct, frozen=True, gc=False):
    """One event, or the connection's own message (`connected`)."""

    topic: Annotated[str, msgspec.Meta(max_length=512)] | None = None
    timestamp: Annotated[float, msgspec.Meta(ge=0)] | None = None
    message: Message | None = None
    connected: bool | None = None


_decode = msgspec.json.Decoder(Event, strict=False).decode
_CONNECTION = {"connected": True, "online": True, "disconnected": False, "offline": False}


class AxisAdapter:
    """Reads the MQTT event bridge with its default topics."""

    def __init__(self) -> None:
        self._manifest = read_manifest(files("adapters.axis").joinpath("manifest.toml").read_text("utf-8"))

    @property
    def manifest(self) -> Manifest:
        """What it reads."""
        return self._manifest

    def decode(self, frame: Frame) -> Sequence[Item]:
        """Read one event; raises Undecodable with the clause."""
        parts = frame.channel.split("/")
        if len(parts) < 4 or parts[0] != "axis" or parts[2] != "event" or not parts[1] or len(parts[1]) > 64:
            raise Undecodable("the topic is not axis/{serial}/event/...", clause="AXIS-TOPIC")
        serial = parts[1]
        if not frame.payload:
            return (Ignored(serial, "a retained message was cleared"),)
        if parts[3:] == ["connection"]:
            return (_connection(serial, frame.payload),)
        said = _read(serial, frame.payload)
        path = bare(said.topic or "/".join(parts[3:]).partition("/$")[0])
        return (_event(serial, path, said, retained=frame.retained),)


def _read(serial: str, payload: bytes) -> Event:
    try:
        return _decode(payload.decode("utf-8", "replace"))
    except (msgspec.DecodeError, RecursionError) as error:
        words = "nested too deep" if isinstance(error, RecursionError) else str(error)
        raise Undecodable(words, clause="AXIS-JSON", native_id=serial) from None


def _connection(serial: str, payload: bytes) -> Reading:
    """Read birth and last will: JSON with `connected`, or the word that the technician entered."""
    text = payload[:64].decode("utf-8", "replace").strip().strip('"').lower()
    up = _CONNECTION.get(text)
    if up is None:
        up = _read(serial, payload).connected
    if up is None:
        reason = "expected connected true or false"
        raise Undecodable(reason, clause="AXIS-JSON", native_id=serial)
    return Reading(
        native_id=serial,
        kind=DeviceKind.CAMERA,
        type="device.online" if up else "device.offline",
        values=HealthValues(),
        happened=False,
    )


def _event(serial: str, path: str, said: Event, *, retained: bool) -> Item:
    row = find(path)
    if row is None:
        raise Undecodable(f"unknown event topic {path[:80]!r}", clause="AXIS-EVENT", native_id=serial)
    message = said.message or Message()
    data = _texts(message.data)
    told = say(row, data)
    if told.reason:
        return Ignored(serial, told.reason)
    if not told.word:
        reason = f"{path[:80]}: unknown state {told.state[:40]!r}"
        raise Undecodable(reason, clause="AXIS-STATE", native_id=serial)
    at = None
    if said.timestamp is not None:
        at = from_epoch(said.timestamp / 1000)
        if at is None:
            raise Undecodable("`$.timestamp`: no Unix time", clause="AXIS-TIME", native_id=serial)
    level = bool(VOCABULARY[told.word].slot)
    return Reading(
        native_id=serial,
        kind=DeviceKind.CAMERA,
        type=told.word,
        values=values_of(row, told.word, _texts(message.source) | data),
        occurred_at=at,
        clock=ClockQuality.SYNCED if at else ClockQuality.NONE,
        happened=not level and not retained,
    )


def _texts(found: Fields | None) -> dict[str, str]:
    """Return the items as text, as they are on the wire; what is nested is no item."""
    return {
        name: str(value) if not isinstance(value, bool) else str(int(value))
        for name, value in (found or {}).items()
        if isinstance(value, str | int | float) and len(str(value)) <= 512
    }
