"""The Frigate codec: whether a camera sees a person; faces, plates, names and pictures are never decoded."""

from collections.abc import Callable, Sequence
from datetime import datetime
from importlib.resources import files
from typing import Annotated, TypeVar

import msgspec

from gateway.contract import Manifest, Undecodable
from gateway.contract.manifest import read_manifest
from gateway.model.frame import Frame
from gateway.model.instant import from_epoch
from gateway.model.reading import Ignored, Reading
from gateway.model.vocabulary import ClockQuality, DeviceKind, HealthValues, Reference, SensorValues, Values

CLAUSES: dict[str, str] = {
    "FRI-TOPIC": "The topic is frigate/... with at least one level more.",
    "FRI-JSON": "The payload is one JSON object with the documented fields.",
    "FRI-TYPE": "type is new, update or end; the availability is online, offline or stopped.",
    "FRI-COUNT": "The count of persons of a camera or zone is a whole number.",
    "FRI-TIME": "Times are Unix times in seconds.",
}
"""Every clause by its id (docs/integrations/mqtt.md has no numbered ones)."""

Epoch = Annotated[float, msgspec.Meta(ge=0)]
Item = Reading | Ignored
PERSONS = frozenset({"person", "person-verified"})
"""`person-verified` is a person whom the recorder believes to know: who, is never read."""
PHASES = frozenset({"new", "update", "end", "genai"})
_LINKS = {"online": "device.online", "offline": "device.offline", "stopped": "device.offline"}
_SERVER = "frigate"
MAX_NAME = 128


class Tracked(msgspec.Struct, frozen=True, gc=False):
    """A tracked object as it is now; sub_label, attributes, plate and snapshot stand in it and stay there."""

    id: Reference
    camera: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NAME)]
    label: Reference
    frame_time: Epoch | None = None
    start_time: Epoch | None = None
    end_time: Epoch | None = None
    false_positive: bool | None = None
    stationary: bool | None = None
    current_zones: list[Reference] = []


class Event(msgspec.Struct, frozen=True, gc=False):
    """`frigate/events`: what was before is not read."""

    type: Reference
    after: Tracked


class Reviewed(msgspec.Struct, frozen=True, gc=False):
    """What a review is about; sub_labels and the thumbnail's path stay where they are."""

    objects: list[Reference] = []
    zones: list[Reference] = []


class Segment(msgspec.Struct, frozen=True, gc=False):
    """A review as it is now."""

    id: Reference
    camera: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NAME)]
    severity: Reference | None = None
    start_time: Epoch | None = None
    end_time: Epoch | None = None
    data: Reviewed = Reviewed()


class Review(msgspec.Struct, frozen=True, gc=False):
    """`frigate/reviews`."""

    type: Reference
    after: Segment


T = TypeVar("T", Event, Review)


def _reader(message: type[T]) -> Callable[[bytes], T]:
    decode = msgspec.json.Decoder(message).decode

    def read(payload: bytes) -> T:
        try:
            return decode(payload.decode("utf-8", "replace"))
        except (msgspec.DecodeError, RecursionError) as error:
            words = "nested too deep" if isinstance(error, RecursionError) else str(error)
            raise Undecodable(words, clause="FRI-JSON") from None

    return read


_read_event = _reader(Event)
_read_review = _reader(Review)


class FrigateAdapter:
    """Reads what Frigate publishes about persons and about itself."""

    def __init__(self) -> None:
        self._manifest = read_manifest(files("adapters.frigate").joinpath("manifest.toml").read_text("utf-8"))

    @property
    def manifest(self) -> Manifest:
        """What it reads."""
        return self._manifest

    def decode(self, frame: Frame) -> Sequence[Item]:
        """Read one message; raises Undecodable with the clause."""
        parts = frame.channel.split("/")
        if len(parts) < 2 or parts[0] != "frigate" or not all(parts) or len(frame.channel) > 256:
            raise Undecodable("the topic is not frigate/...", clause="FRI-TOPIC")
        if not frame.payload:
            return (Ignored(_SERVER, "a retained message was cleared"),)
        if parts[1:] == ["available"]:
            return (_link(_SERVER, DeviceKind.GATEWAY, frame.payload),)
        if parts[1:] == ["events"]:
            return (_event(_read_event(frame.payload)),)
        if parts[1:] == ["reviews"]:
            return (_review(_read_review(frame.payload)),)
        return (_of_camera(parts, frame.payload),)


def _event(said: Event) -> Item:
    now = said.after
    _known_phase(said.type, now.camera)
    if now.label not in PERSONS:
        return Ignored(now.camera, "what is tracked is not a person")
    if now.false_positive:
        return Ignored(now.camera, "a false positive")
    ended = said.type == "end"
    at = now.end_time if ended and now.end_time is not None else now.frame_time
    lasted = at - now.start_time if ended and at is not None and now.start_time is not None else None
    details: dict[str, str | int | float | bool] = {"event": now.id, "phase": said.type, "label": "person"}
    if now.stationary is not None:
        details["stationary"] = now.stationary
    return _presence(now.camera, at, now.current_zones, details, lasted, ended=ended)


def _review(said: Review) -> Item:
    now = said.after
    _known_phase(said.type, now.camera)
    if not PERSONS & set(now.data.objects):
        return Ignored(now.camera, "no person in the review")
    ended = said.type == "end"
    at = now.end_time if ended and now.end_time is not None else now.start_time
    lasted = at - now.start_time if ended and at is not None and now.start_time is not None else None
    details: dict[str, str | int | float | bool] = {"review": now.id, "phase": said.type, "label": "person"}
    if now.severity is not None:
        details["severity"] = now.severity
    return _presence(now.camera, at, now.data.zones, details, lasted, ended=ended)


def _known_phase(phase: str, camera: str) -> None:
    if phase not in PHASES:
        raise Undecodable(f"`$.type`: unknown {phase[:40]!r}", clause="FRI-TYPE", native_id=camera)


def _presence(
    camera: str,
    seconds: float | None,
    zones: list[str],
    details: dict[str, str | int | float | bool],
    lasted_s: float | None,
    *,
    ended: bool,
) -> Reading:
    """Return presence as a level: one object is told of many times, and only the change is news."""
    if zones:
        details["zones"] = ",".join(zones)[:512]
    values = SensorValues(
        location=zones[0] if zones else None,
        duration_s=round(lasted_s, 3) if lasted_s is not None and 0 <= lasted_s <= 86_400 else None,
        details=details,
    )
    at = None
    if seconds is not None:
        at = from_epoch(seconds)
        if at is None:
            raise Undecodable(f"{seconds!r} is no Unix time", clause="FRI-TIME", native_id=camera)
    return _level(camera, DeviceKind.CAMERA, "presence.cleared" if ended else "presence.detected", values, at)


def _of_camera(parts: list[str], payload: bytes) -> Item:
    """Read camera health, motion and persons in view; other topics repeat them, hold pictures or names."""
    if len(parts) == 4 and parts[2] == "status":
        if parts[3] != "detect":
            return Ignored(parts[1], "the health of a role that sees no persons")
        if payload == b"disabled":
            return Ignored(parts[1], "the camera is switched off")
        return _link(parts[1], DeviceKind.CAMERA, payload)
    if len(parts) == 3 and parts[2] == "person":
        return _counted(parts[1], payload)
    if len(parts) == 3 and parts[2] == "motion" and payload == b"ON":
        return _level(parts[1], DeviceKind.CAMERA, "motion.detected", SensorValues(), None)
    return Ignored(parts[1], "a topic that repeats the events, is a setting, or holds pictures or names")


def _counted(native_id: str, payload: bytes) -> Item:
    """Read how many persons a camera or a zone holds now: with two of them, the end of one is not the end."""
    if not payload[:6].isdigit() or len(payload) > 6:
        raise Undecodable("expected a count of persons", clause="FRI-COUNT", native_id=native_id)
    values = SensorValues(details={"label": "person", "persons": int(payload)})
    word = "presence.detected" if int(payload) else "presence.cleared"
    return _level(native_id, DeviceKind.CAMERA, word, values, None)


def _link(native_id: str, kind: DeviceKind, payload: bytes) -> Reading:
    said = payload[:40].decode("utf-8", "replace").strip().lower()
    if said not in _LINKS:
        raise Undecodable(f"expected online or offline, got {said!r}", clause="FRI-TYPE", native_id=native_id)
    return _level(native_id, kind, _LINKS[said], HealthValues(code=said), None)


def _level(native_id: str, kind: DeviceKind, word: str, values: Values, at: datetime | None) -> Reading:
    return Reading(
        native_id=native_id,
        kind=kind,
        type=word,
        values=values,
        occurred_at=at,
        clock=ClockQuality.SYNCED if at else ClockQuality.NONE,
        happened=False,
    )
