"""The OwnTracks codec: positions, zone crossings and the loss of the connection."""

from collections.abc import Callable, Sequence
from datetime import datetime
from importlib.resources import files

from adapters.owntracks.messages import (
    Location,
    known,
    moment,
    read_kind,
    read_location,
    read_transition,
    read_will,
)
from gateway.contract import Manifest, Undecodable
from gateway.contract.manifest import read_manifest
from gateway.model.frame import Frame
from gateway.model.reading import Ignored, Reading
from gateway.model.vocabulary import (
    ClockQuality,
    DeviceKind,
    GeofenceValues,
    HealthValues,
    PositionValues,
    Values,
    battery_word,
)

UNUSED = frozenset(
    {"beacon", "card", "cmd", "configuration", "dump", "request", "status", "steps", "waypoint", "waypoints"}
)
"""Documented types that say nothing of the vocabulary."""

_CROSSINGS = {"enter": "geofence.enter", "leave": "geofence.exit"}
LOW_BATTERY = "9"
_TRIGGERS = {
    "e": "power.lost",
    "E": "power.restored",
    "2": "charging.stopped",
    "3": "charging.started",
}
"""Triggers of a bridged tracker that are news of the device itself (docs/tech/json.md, Queclink)."""
_CHARGING = {1: "charging.stopped", 2: "charging.started"}
MAX_ACCURACY_M = 20_100_000
MAX_SPEED_KMH = 2_000
Details = dict[str, str | int | float | bool]


class OwnTracksAdapter:
    """Reads OwnTracks over MQTT."""

    def __init__(self) -> None:
        text = files("adapters.owntracks").joinpath("manifest.toml").read_text("utf-8")
        self._manifest = read_manifest(text)

    @property
    def manifest(self) -> Manifest:
        """What it reads."""
        return self._manifest

    def decode(self, frame: Frame) -> Sequence[Reading | Ignored]:
        """Read one frame; raises Undecodable with the clause."""
        parts = frame.channel.split("/")
        if not 3 <= len(parts) <= 4 or parts[0] != "owntracks" or not all(parts) or len(frame.channel) > 256:
            raise Undecodable("the topic is not owntracks/{user}/{device}", clause="OT-TOPIC")
        native_id = f"{parts[1]}/{parts[2]}"
        if not frame.payload:
            return (Ignored(native_id, "a retained message was cleared"),)
        text = frame.payload.decode("utf-8", "replace")
        kind = read_kind(text, native_id).kind
        if kind in UNUSED:
            return (Ignored(native_id, f"a {kind} message says nothing of the vocabulary"),)
        if kind == "encrypted":
            reason = "the payload is encrypted; remove the secret key in the app, TLS protects the way"
            raise Undecodable(reason, clause="OT-ENCRYPTED", native_id=native_id)
        read = _READERS.get(kind)
        if read is None:
            raise Undecodable(f"`$._type`: unknown type {kind[:40]!r}", clause="OT-TYPE", native_id=native_id)
        readings = read(text, native_id)
        if kind != "lwt" and not frame.retained:
            # The app has no message for coming back after its last will: whatever is heard live means online.
            return [*readings, _level(native_id, "device.online", HealthValues(), None)]
        return readings


def _location(text: str, native_id: str) -> list[Reading | Ignored]:
    said = read_location(text, native_id)
    at = moment(said.tst, native_id)
    if said.acc is not None and (said.acc < 0 or said.acc > MAX_ACCURACY_M):
        return [Ignored(native_id, "the telephone marks the fix as invalid (acc)")]
    speed = known(said.vel)
    details: Details = {}
    if said.t is not None:
        details["trigger"] = said.t
    if said.conn is not None:
        details["connection"] = said.conn
    values = PositionValues(
        battery_percent=known(said.batt),
        latitude=said.lat,
        longitude=said.lon,
        accuracy_m=said.acc,
        altitude_m=said.alt,
        speed_kmh=speed if speed is not None and speed <= MAX_SPEED_KMH else None,
        details=details,
    )
    key = f"location:{said.tst:.0f}:{said.lat}:{said.lon}"
    return [_happened(native_id, "position.update", values, at, key), *_charge(native_id, said, at)]


def _charge(native_id: str, said: Location, at: datetime) -> list[Reading]:
    readings = []
    percent = known(said.batt)
    if percent is not None:
        charge = HealthValues(battery_percent=percent)
        readings.append(_level(native_id, battery_word(percent), charge, at))
    elif said.t == LOW_BATTERY:
        readings.append(_level(native_id, "battery.low", HealthValues(), at))
    if said.t in _TRIGGERS:
        readings.append(_level(native_id, _TRIGGERS[said.t], HealthValues(), at))
    if said.bs in _CHARGING:
        readings.append(_level(native_id, _CHARGING[said.bs], HealthValues(), at))
    return readings


def _transition(text: str, native_id: str) -> list[Reading | Ignored]:
    said = read_transition(text, native_id)
    at = moment(said.tst, native_id)
    word = _CROSSINGS.get(said.event)
    if word is None:
        reason = f"`$.event`: expected enter or leave, got {said.event!r}"
        raise Undecodable(reason, clause="OT-FIELD", native_id=native_id)
    accuracy = known(said.acc)
    details: Details = {}
    if said.rid is not None:
        details["rid"] = said.rid
    if said.t is not None:
        details["trigger"] = said.t
    values = GeofenceValues(
        geofence=said.desc[:200] if said.desc is not None else None,
        latitude=said.lat,
        longitude=said.lon,
        accuracy_m=accuracy if accuracy is not None and accuracy <= MAX_ACCURACY_M else None,
        details=details,
    )
    drawn = f"{said.wtst:.0f}" if said.wtst is not None else ""
    zone = said.rid or drawn or said.desc or ""
    return [_happened(native_id, word, values, at, f"transition:{said.tst:.0f}:{said.event}:{zone}")]


def _will(text: str, native_id: str) -> list[Reading | Ignored]:
    said = read_will(text, native_id)
    since = moment(said.tst, native_id) if said.tst is not None else None
    return [_level(native_id, "device.offline", HealthValues(connected_since=since), None)]


_READERS: dict[str, Callable[[str, str], list[Reading | Ignored]]] = {
    "location": _location,
    "transition": _transition,
    "lwt": _will,
}


def _happened(native_id: str, word: str, values: Values, at: datetime, key: str) -> Reading:
    return Reading(
        native_id=native_id,
        kind=DeviceKind.GPS_TRACKER,
        type=word,
        values=values,
        occurred_at=at,
        clock=ClockQuality.SYNCED,  # a telephone's clock is set by its network
        key=key,
    )


def _level(native_id: str, word: str, values: Values, at: datetime | None) -> Reading:
    return Reading(
        native_id=native_id,
        kind=DeviceKind.GPS_TRACKER,
        type=word,
        values=values,
        occurred_at=at,
        clock=ClockQuality.SYNCED if at else ClockQuality.NONE,
        happened=False,
    )
