"""The VKP codec: what the dispenser, the camera or the tracker says; who it is about is never read."""

from collections.abc import Sequence
from datetime import datetime
from importlib.resources import files

import msgspec

from adapters.vkp.bundle import any_value, codes, device_of, extension, identifier, moment, resources, sender
from adapters.vkp.words import alert_word, dispense_word, text_word
from gateway.contract import Manifest, Undecodable
from gateway.contract.manifest import read_manifest
from gateway.contract.markup import Node
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
    SupervisionValues,
    Values,
)

Item = Reading | Ignored
Details = dict[str, str | int | float | bool]
Found = dict[str, list[Node]]

SIGNALS = ("Flag", "DetectedIssue", "Observation")
WITHOUT_NEWS = frozenset(
    {
        "MessageHeader",
        "Patient",
        "CarePlan",
        "Composition",
        "OperationOutcome",
        "Device",
        "Location",
        "Practitioner",
    }
)
"""Resources that tell who and why: known, and never read for a reading alone."""
_KINDS = (
    ("medication.", DeviceKind.DISPENSER),
    ("geofence.", DeviceKind.GPS_TRACKER),
    ("position.", DeviceKind.GPS_TRACKER),
    ("supervision.", DeviceKind.CAMERA),
    ("alarm.", DeviceKind.SOCIAL_ALARM),
    ("bed.", DeviceKind.BED_SENSOR),
    ("fall.", DeviceKind.FALL_DETECTOR),
    ("door.", DeviceKind.DOOR_CONTACT),
)


class VkpAdapter:
    """Reads FHIR messages as the Norwegian welfare-technology hub carries them."""

    def __init__(self) -> None:
        self._manifest = read_manifest(files("adapters.vkp").joinpath("manifest.toml").read_text("utf-8"))

    @property
    def manifest(self) -> Manifest:
        """What it reads."""
        return self._manifest

    def decode(self, frame: Frame) -> Sequence[Item]:
        """Read one message; raises Undecodable with the clause."""
        if not frame.channel.startswith("fhir/") or len(frame.channel) > 256:
            raise Undecodable("the channel is not fhir/...", clause="VKP-CHANNEL")
        found = resources(frame.payload)
        items: list[Item] = [_dispense(found, one) for one in found.get("MedicationDispense", ())]
        items += [_look(found, one) for one in found.get("Encounter", ())]
        if not items:
            items += [_signal(found, name, one) for name in SIGNALS for one in found.get(name, ())]
        if not items:
            items += [_position(found, one) for one in found.get("Location", ()) if one.first("position")]
        if items:
            return items
        if found.keys() & WITHOUT_NEWS:
            named = sender(found) or "fhir"
            return (Ignored(named, "a message about persons and plans, not from a device"),)
        raise Undecodable(f"no resource that is read: {', '.join(sorted(found))[:80]}", clause="VKP-RESOURCE")


def _named(found: Found, node: Node) -> str:
    native_id = device_of(node) or sender(found)
    if not native_id:
        raise Undecodable("no device is named", clause="VKP-DEVICE")
    return native_id


def _by_dispenser(reading: Reading) -> Reading:
    """Name the device's kind where the resource tells it and the word does not: a dispenser's battery."""
    return msgspec.structs.replace(reading, kind=DeviceKind.DISPENSER)


def _key(node: Node) -> str:
    return identifier(node) or node.value("id")[:128]


def _dispense(found: Found, node: Node) -> Item:
    """Read a dispense event: its category says what happened, its status does not."""
    native_id = _named(found, node)
    for system, code in codes(node, "category"):
        word = dispense_word(system, code)
        if word is None:
            raise Undecodable(f"unknown dispense event {code[:16]!r}", clause="VKP-CODE", native_id=native_id)
        if not word:
            return Ignored(native_id, f"dispense event {code} says nothing of the vocabulary")
        at = moment(native_id, node.value("whenHandedOver"), node.value("whenPrepared"), _sent(found))
        values = _values(word, {"code": code}, code, None)
        return _by_dispenser(_reading(native_id, word, values, at, _key(node)))
    raise Undecodable("no category, or one without a code", clause="VKP-CODE", native_id=native_id)


def _signal(found: Found, name: str, node: Node) -> Item:
    """Read a flag, an issue or an observation by its alert code, or a flag by its known text."""
    place = next((one for one in found.get("Location", ()) if one.first("position")), None)
    native_id = _named(found, node)
    coded = [(code, alert_word(code)) for _, code in codes(node, "code") + codes(node, "category")]
    word = next((word for _, word in coded if word is not None), None)
    if word is None:
        word = text_word(node.value("code", "text")) or text_word(node.value("code", "coding", "display"))
    if word is None:
        raise Undecodable(f"a {name} with an unknown code", clause="VKP-CODE", native_id=native_id)
    if not word:
        return Ignored(native_id, f"a {name} whose code says nothing of the vocabulary")
    if node.value("status") in ("inactive", "entered-in-error", "cancelled"):
        return Ignored(native_id, f"a {name} that is {node.value('status')}")
    code = next((code for code, word in coded if word), "")
    details: Details = {"code": code} if code else {}
    level = extension(node, "vkp-emergency-level", "vkp-emergencylevel", "vkp-severity-level")
    reported = next((one.value("code") for one in level.everywhere("coding")), "") if level else ""
    if reported:
        details["reported_level"] = reported[:16]
    at = moment(
        native_id,
        _measured(place) if place else "",
        node.value("period", "start"),
        any_value(extension(node, "vkp-timestamp")),
        node.value("identifiedDateTime"),
        node.value("effectiveDateTime"),
        _sent(found),
    )
    told = _reading(native_id, word, _values(word, details, code, place), at, _key(node))
    return _by_dispenser(told) if code.startswith("1.") else told


def _position(found: Found, node: Node) -> Item:
    native_id = _named(found, node)
    at = moment(native_id, _measured(node), _sent(found))
    values = _values("position.update", {}, "", node)
    if not isinstance(values, PositionValues):
        return Ignored(native_id, "a position outside the Earth")
    return _reading(native_id, "position.update", values, at, _key(node))


def _look(found: Found, node: Node) -> Item:
    """Read a finished digital supervision: how masked, how long, planned or not; never who looked."""
    native_id = _named(found, node)
    if node.value("status") not in ("finished", ""):
        return Ignored(native_id, f"a supervision that is {node.value('status')[:16]}")
    start, end = node.value("period", "start"), node.value("period", "end")
    begun, ended = moment(native_id, start), moment(native_id, end, start, _sent(found))
    details: Details = {}
    reasons = codes(node, "reasonCode") + codes(node, "reason")
    if reasons:
        details["reason"] = reasons[0][1][:16]
    modes = [one.value("code") for one in (*node.each("class"), *node.each("classHistory", "class"))]
    modes += [code for _, code in codes(node, "type")]
    masking = next((int(mode) for mode in modes if mode in {"0", "1", "2", "3", "4"}), None)
    lasted = (ended - begun).total_seconds() if begun and ended else None
    values = SupervisionValues(
        masking=masking,
        duration_s=lasted if lasted is not None and 0 <= lasted <= 86_400 else None,
        details=details,
    )
    return _reading(native_id, "supervision.performed", values, ended, _key(node))


def _sent(found: Found) -> str:
    """Return when the message was made: the last resort, for it is later than what it tells."""
    return next((one.value("timestamp") for one in found.get("MessageHeader", ())), "")


def _measured(place: Node) -> str:
    return any_value(extension(_more(place), "timestamp"))


def _more(place: Node) -> Node:
    return extension(place, "vkp-additionalpositiondata") or place


def _number(text: str, low: float, high: float) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if low <= number <= high else None


def _plain(kind: type[Values], details: Details) -> Values:
    return kind(details=details)


def _values(word: str, details: Details, code: str, place: Node | None) -> Values:
    kind = VOCABULARY[word].values
    if kind is HealthValues:
        return HealthValues(code=code or None, details=details)
    if place is None or kind not in (AlarmValues, GeofenceValues, PositionValues):
        return _plain(kind, details)
    latitude = _number(place.value("position", "latitude"), -90, 90)
    longitude = _number(place.value("position", "longitude"), -180, 180)
    accuracy = _number(any_value(extension(_more(place), "horizontalaccuracy")), 0, 20_100_000)
    if latitude is None or longitude is None:
        return HealthValues() if kind is PositionValues else _plain(kind, details)
    if kind is PositionValues:
        speed = _number(
            any_value(extension(extension(_more(place), "velocityms") or place, "speedms")), 0, 500
        )
        return PositionValues(
            latitude=latitude,
            longitude=longitude,
            accuracy_m=accuracy,
            altitude_m=_number(any_value(extension(_more(place), "altitudemeters")), -12_000, 100_000),
            speed_kmh=round(speed * 3.6, 3) if speed is not None else None,
        )
    if kind is GeofenceValues:
        return GeofenceValues(latitude=latitude, longitude=longitude, accuracy_m=accuracy, details=details)
    return AlarmValues(latitude=latitude, longitude=longitude, accuracy_m=accuracy, details=details)


def _reading(
    native_id: str,
    word: str,
    values: Values,
    at: datetime | None,
    key: str,
) -> Reading:
    return Reading(
        native_id=native_id,
        kind=next((kind for start, kind in _KINDS if word.startswith(start)), DeviceKind.UNKNOWN),
        type=word,
        values=values,
        occurred_at=at,
        clock=ClockQuality.SYNCED if at else ClockQuality.NONE,
        key=key,
    )
