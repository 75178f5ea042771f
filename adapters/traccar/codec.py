"""The Traccar codec: what the server saw happen, where, and what the tracker says of itself."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from importlib.resources import files
from typing import Any

from adapters.traccar.messages import KMH_PER_KNOT, Event, Forwarded, Position, moment, read
from adapters.traccar.words import ALARMS, EVENTS, HELP, UNUSED
from gateway.contract import Manifest, Undecodable
from gateway.contract.manifest import read_manifest
from gateway.model.frame import Frame
from gateway.model.reading import Ignored, Reading
from gateway.model.vocabulary import (
    VOCABULARY,
    AlarmValues,
    ClockQuality,
    DeviceKind,
    GeofenceValues,
    HealthValues,
    PositionValues,
    Values,
    battery_word,
)

MAX_ACCURACY_M = 20_100_000
MAX_SPEED_KMH = 2_000
LOWEST_M, HIGHEST_M = -12_000, 100_000
Items = list[Reading | Ignored]


class TraccarAdapter:
    """Reads what one Traccar server forwards, by HTTP or MQTT, as JSON."""

    def __init__(self) -> None:
        text = files("adapters.traccar").joinpath("manifest.toml").read_text("utf-8")
        self._manifest = read_manifest(text)

    @property
    def manifest(self) -> Manifest:
        """What it reads."""
        return self._manifest

    def decode(self, frame: Frame) -> Sequence[Reading | Ignored]:
        """Read one frame; raises Undecodable with the clause."""
        if not frame.channel.startswith("traccar/") or len(frame.channel) > 256:
            raise Undecodable("the channel is not traccar/...", clause="TC-TOPIC")
        said = read(frame.payload)
        if said.event is None and said.position is None:
            raise Undecodable("neither `event` nor `position` in it", clause="TC-JSON")
        if not said.native_id:
            raise Undecodable("neither device.uniqueId nor deviceId in it", clause="TC-DEVICE")
        found: Items = []
        if said.event is not None:
            found = _event(said, said.event)
        elif said.position is not None:
            found = _position(said, said.position)
        return found or (Ignored(said.native_id, "nothing in it that the vocabulary speaks of"),)


def _event(said: Forwarded, event: Event) -> Items:
    native_id = said.native_id
    key = f"event:{event.id}" if event.id else ""
    if event.type == "alarm":
        return _alarms(said, event.alarm or _attribute_alarm(said), key)
    if event.type == "test":
        return [_reading(said, "test", HealthValues(), _said_at(said), key)]
    if event.type in UNUSED:
        return [Ignored(native_id, f"an event of the type {event.type} says nothing of the vocabulary")]
    word = EVENTS.get(event.type)
    if word is None:
        reason = f"`$.event.type`: unknown type {event.type!r}"
        raise Undecodable(reason, clause="TC-TYPE", native_id=native_id)
    return [_told(said, word, event.type, key), *_online(said, word)]


def _alarms(said: Forwarded, kinds: str, key: str) -> Items:
    """Read the kinds of alarm, which newer servers list with commas."""
    found: Items = []
    for kind in dict.fromkeys(part.strip() for part in kinds.split(",")[:16]):
        word = ALARMS.get(kind)
        if word is None:
            found.append(
                Ignored(said.native_id, f"an alarm of the kind {kind[:40]!r} is none of the vocabulary")
            )
        else:
            found.append(_told(said, word, kind, key and f"{key}:{kind}"))
    return [*found, *_online(said, "alarm")]


def _told(said: Forwarded, word: str, kind: str, key: str) -> Reading:
    """Return what the server or tracker told, with the place where the word has one."""
    at = _said_at(said) if word in HELP or said.position is None else _fixed_at(said) or _said_at(said)
    if word.startswith("device.o"):
        at = _said_at(said)
    return _reading(said, word, _values(said, word, kind), at, key)


def _values(said: Forwarded, word: str, kind: str) -> Values:
    shape = VOCABULARY[word].values
    common: dict[str, Any] = {"details": {"traccar": kind}}
    if said.position is not None and shape in (AlarmValues, GeofenceValues):
        common |= {
            "latitude": said.position.latitude,
            "longitude": said.position.longitude,
            "accuracy_m": _accuracy(said.position),
            "battery_percent": _percent(said.position),
        }
    if shape is GeofenceValues and said.geofence is not None:
        common["geofence"] = said.geofence.name or (str(said.geofence.id) if said.geofence.id else None)
    if shape is HealthValues and word not in {"device.offline", "device.online"}:
        common["code"] = kind
    return shape(**common)


def _position(said: Forwarded, position: Position) -> Items:
    key = f"position:{position.id}" if position.id else ""
    found: Items = []
    if kinds := _attribute_alarm(said):
        found += _alarms(said, kinds, key and f"{key}:alarm")
    if position.outdated or not position.valid:
        words = "the last one again" if position.outdated else "marked as invalid"
        found.append(Ignored(said.native_id, f"the position is {words}"))
    else:
        values = _place(position)
        found.append(_reading(said, "position.update", values, _fixed_at(said), key))
    found += _health(said, position)
    return found if kinds else [*found, *_online(said, "position")]


def _place(position: Position) -> PositionValues:
    speed = None if position.speed is None or position.speed < 0 else round(position.speed * KMH_PER_KNOT, 3)
    altitude = position.altitude
    details: dict[str, str | int | float | bool] = {}
    if isinstance(motion := position.more.get("motion"), bool):
        details["motion"] = motion
    return PositionValues(
        battery_percent=_percent(position),
        latitude=position.latitude,
        longitude=position.longitude,
        accuracy_m=_accuracy(position),
        altitude_m=altitude if altitude is not None and LOWEST_M <= altitude <= HIGHEST_M else None,
        speed_kmh=speed if speed is not None and speed <= MAX_SPEED_KMH else None,
        source="cell" if position.more.get("approximate") is True else None,
        details=details,
    )


def _health(said: Forwarded, position: Position) -> Iterator[Reading]:
    at = moment(position.device_time, said.native_id) or _fixed_at(said)
    percent = _percent(position)
    if percent is not None:
        yield _reading(said, battery_word(percent), HealthValues(battery_percent=percent), at, "", level=True)
    if isinstance(charging := position.more.get("charge"), bool):
        word = "charging.started" if charging else "charging.stopped"
        yield _reading(said, word, HealthValues(), at, "", level=True)


def _online(said: Forwarded, word: str) -> Iterator[Reading]:
    """Yield that the server has the device on the line, unless the message is about just that."""
    if said.device is not None and said.device.status == "online" and not word.startswith("device."):
        yield _reading(said, "device.online", HealthValues(), None, "", level=True)


def _reading(
    said: Forwarded, word: str, values: Values, at: datetime | None, key: str, *, level: bool = False
) -> Reading:
    return Reading(
        native_id=said.native_id,
        kind=DeviceKind.GPS_TRACKER,
        type=word,
        values=values,
        occurred_at=at,
        clock=ClockQuality.SYNCED if at else ClockQuality.NONE,  # satellites or the server's own clock
        key=key,
        happened=not level,
    )


def _fixed_at(said: Forwarded) -> datetime | None:
    """Return when the place was fixed, unless it is the last known one again."""
    position = said.position
    if position is None or position.outdated:
        return None
    return moment(position.fix_time or position.device_time, said.native_id)


def _said_at(said: Forwarded) -> datetime | None:
    """Return when the server or the tracker says that it happened."""
    event, position = said.event, said.position
    if event is not None and (told := event.event_time or event.server_time):
        return moment(told, said.native_id)
    return None if position is None else moment(position.device_time or position.fix_time, said.native_id)


def _attribute_alarm(said: Forwarded) -> str:
    found = said.position.more.get("alarm") if said.position is not None else None
    return found[:512] if isinstance(found, str) else ""


def _accuracy(position: Position) -> float | None:
    found = position.accuracy
    return found if found is not None and 0 < found <= MAX_ACCURACY_M else None


def _percent(position: Position) -> float | None:
    found = position.more.get("batteryLevel")
    known = isinstance(found, int | float) and not isinstance(found, bool) and 0 <= found <= 100
    return float(found) if known else None  # type: ignore[arg-type] # known says that it is a number
