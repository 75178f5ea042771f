"""The codec of Home Assistant's discovery: who announces itself, and what the announced topics say."""

from collections.abc import Iterable, Sequence
from importlib.resources import files
from zlib import crc32

import msgspec

from adapters.homeassistant.entity import CLASSES, Entity, entities
from gateway.contract import Manifest, Undecodable
from gateway.contract.manifest import read_manifest
from gateway.model.frame import Frame
from gateway.model.reading import Ignored, Reading
from gateway.model.vocabulary import VOCABULARY, DeviceKind, HealthValues, LockValues, SensorValues

ROOT = "homeassistant"
_STATES = {"ON": "input.active", "OFF": "input.inactive"}
_LOCKS = {"LOCKED": "lock.locked", "UNLOCKED": "lock.unlocked", "JAMMED": "lock.jammed"}
_UNSURE = frozenset({"", "none", "unknown", "unavailable", "locking", "unlocking", "opening"})
Items = list[Reading | Ignored]


class HomeAssistantAdapter:
    """Reads discovery messages, and the state topics of the entities it is told of when it is made.

    It has no memory: what an announcement says reaches the state topics only through `announced`, topic and
    payload of configurations (docs/adr/0011-discovery-without-memory.md).
    """

    def __init__(self, announced: Iterable[tuple[str, bytes]] = ()) -> None:
        text = files("adapters.homeassistant").joinpath("manifest.toml").read_text("utf-8")
        self._known = {entity.state_topic: entity for each in announced for entity in _announced(*each)}
        own = tuple(topic for topic in self._known if not topic.startswith(f"{ROOT}/"))
        manifest = read_manifest(text)
        self._manifest = msgspec.structs.replace(manifest, topics=(*manifest.topics, *own))

    @property
    def manifest(self) -> Manifest:
        """What it reads."""
        return self._manifest

    def decode(self, frame: Frame) -> Sequence[Reading | Ignored]:
        """Read one frame; raises Undecodable with the clause."""
        known = self._known.get(frame.channel)
        text = frame.payload.decode("utf-8", "replace")
        if known is not None:
            return (_state(known, text.strip(), old=frame.retained),)
        parts = frame.channel.split("/")
        if parts[0] != ROOT or not all(parts) or len(frame.channel) > 256 or len(parts) < 2:
            reason = f"the topic is not {ROOT}/{{component}}/{{object}}/config or a state topic beneath it"
            raise Undecodable(reason, clause="HA-TOPIC")
        path = "/".join(parts[1:-1]) or ROOT
        if len(parts) == 2:
            return (Ignored(ROOT, "what the home automation says of itself"),)
        if parts[-1] == "config":
            return _discovered(frame.channel, frame.payload, path)
        return (_unannounced(parts[1], path, parts[-1], text.strip()),)


def _announced(topic: str, payload: bytes) -> list[Entity]:
    """Read one configuration; raises Undecodable."""
    parts = topic.split("/")
    if len(parts) < 3 or parts[-1] != "config":
        raise Undecodable(f"{topic[:80]!r} is no configuration topic", clause="HA-TOPIC")
    path = "/".join(parts[1:-1])
    try:
        config = msgspec.json.decode(payload.decode("utf-8", "replace"))
    except (msgspec.DecodeError, RecursionError) as error:
        words = "nested too deep" if isinstance(error, RecursionError) else f"not JSON: {error}"
        raise Undecodable(words, clause="HA-JSON", native_id=path) from None
    if not isinstance(config, dict):
        raise Undecodable("expected one JSON object", clause="HA-JSON", native_id=path)
    return list(entities(config, parts[1], path))


def _discovered(topic: str, payload: bytes, path: str) -> Items:
    if not payload:
        return [Ignored(path, "the entity was removed")]
    found: Items = []
    for entity in _announced(topic, payload):
        key = f"config:{path}:{entity.unique_id}:{crc32(payload):08x}"
        found.append(
            Reading(
                native_id=entity.native_id,
                kind=entity.kind,
                type="device.discovered",
                values=_described(entity),
                key=key[:256],
            )
        )
    return found or [Ignored(path, "a device without an entity that can be read")]


def _described(entity: Entity) -> HealthValues:
    """Tell an engineer what is needed to enrol it: topics and model, no name that a person gave."""
    details: dict[str, str | int | float | bool] = {"component": entity.component}
    for name in ("unique_id", "device_class", "state_topic", "availability_topic", "manufacturer", "model"):
        if value := getattr(entity, name):
            details[name] = value
    if entity.template is None:
        details["value_template"] = "not of the safe kind: its states are not read"
    return HealthValues(code="announced", firmware=entity.firmware or None, details=details)


def _state(entity: Entity, text: str, *, old: bool) -> Reading | Ignored:
    """Read the state of an entity that was announced."""
    native_id = entity.native_id
    if entity.template is None:
        raise Undecodable("the template is not of the safe kind", clause="HA-TEMPLATE", native_id=native_id)
    value = entity.template.value(text) if text else ""
    if value is None:
        raise Undecodable("the template finds nothing in it", clause="HA-STATE", native_id=native_id)
    if value.lower() in _UNSURE:
        return Ignored(native_id, "the entity does not know its state, or is on its way")
    word = _word(entity, value)
    if word is None:
        reason = f"the state {value[:40]!r} is none that a {entity.component} has"
        raise Undecodable(reason, clause="HA-STATE", native_id=native_id)
    if not word or (old and word == "motion.detected"):
        return Ignored(native_id, "the end of motion, or motion that the broker kept")
    values = VOCABULARY[word].values()
    return Reading(
        native_id=native_id, kind=entity.kind, type=word, values=values, happened=word == "motion.detected"
    )


def _word(entity: Entity, value: str) -> str | None:
    if entity.component == "lock":
        return entity.words.get(value)
    if entity.component != "binary_sensor" or value not in (entity.on, entity.off):
        return None
    on = value == entity.on
    _, when_on, when_off = CLASSES.get(
        entity.device_class, (DeviceKind.UNKNOWN, "input.active", "input.inactive")
    )
    return when_on if on else when_off


def _unannounced(component: str, path: str, ending: str, text: str) -> Reading | Ignored:
    """Read a state beneath the discovery's own root by its component alone: the enrolment says what it is."""
    if ending != "state" or component not in {"binary_sensor", "lock"} or text.lower() in _UNSURE:
        return Ignored(path, f"{ending[:40]} of a {component[:40]} says nothing of the vocabulary")
    words = _STATES if component == "binary_sensor" else _LOCKS
    if text not in words:
        reason = f"expected {' or '.join(words)}, got {text[:40]!r}"
        raise Undecodable(reason, clause="HA-STATE", native_id=path)
    kind = DeviceKind.LOCK if component == "lock" else DeviceKind.UNKNOWN
    values = LockValues() if component == "lock" else SensorValues()
    return Reading(native_id=path, kind=kind, type=words[text], values=values, happened=False)
