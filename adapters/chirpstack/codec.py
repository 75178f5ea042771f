"""The ChirpStack codec: the network's events, and the device's payload inside an uplink."""

from collections.abc import Sequence
from datetime import datetime
from importlib.resources import files

from adapters.chirpstack.codecs import choice
from adapters.chirpstack.codecs.finding import Details, Finding, Malformed
from adapters.chirpstack.codecs.objects import read_object
from adapters.chirpstack.messages import Event, bytes_of, eui, object_of, read_event
from gateway.contract import Manifest, Undecodable
from gateway.contract.manifest import read_manifest
from gateway.model.frame import Frame
from gateway.model.reading import Ignored, Reading
from gateway.model.vocabulary import ClockQuality, DeviceKind, HealthValues, PositionValues, battery_word

TOPIC_LEVELS = 6
UNUSED = {"ack": "a downlink was acknowledged or not", "txack": "a downlink was sent",
          "integration": "an integration's own message", "tx": "a downlink was sent"}  # fmt: skip
ERRORS = frozenset({"log", "error"})
ALIASES = {"rx": "up"}
ADDRESS_BYTES = 6
"""Raw bytes shorter than this cannot hold the address of a network near somebody's home."""
BARE = "lorawan"
"""The device of a payload that names none."""


class ChirpStackAdapter:
    """Reads LoRaWAN devices by their EUI, in lower-case hexadecimal."""

    def __init__(self) -> None:
        self._manifest = read_manifest(
            files("adapters.chirpstack").joinpath("manifest.toml").read_text("utf-8")
        )

    @property
    def manifest(self) -> Manifest:
        """What it reads."""
        return self._manifest

    def decode(self, frame: Frame) -> Sequence[Reading | Ignored]:
        """Read one event; raises Undecodable with the clause."""
        device, kind = _addressed(frame.channel)
        if not frame.payload and device:
            return (Ignored(device, "a retained message was cleared"),)
        event = read_event(frame.payload, device)
        device = device or event.eui or (BARE if frame.channel.startswith("lorawan/") else "")
        if not device:
            raise Undecodable("neither topic nor event names a device", clause="CS-TOPIC")
        kind = kind or _kind(event)
        if kind == "up":
            return _uplink(event, device)
        if kind in UNUSED:
            return (Ignored(device, UNUSED[kind]),)
        if kind in ERRORS:
            code = event.code or event.type or event.level or ""
            return (Ignored(device, f"the network's log: {code[:60]}"),)
        read = {"status": _status, "join": _join, "location": _location}.get(kind)
        if read is None:
            raise Undecodable(f"unknown event {kind[:40]!r}", clause="CS-EVENT", native_id=device)
        return read(event, device)


def _addressed(channel: str) -> tuple[str, str]:
    """Return device and event of a topic; both "" where the event must tell them itself."""
    parts = channel.split("/")
    if parts[0] in {"chirpstack", BARE} and len(parts) <= 2 and len(channel) <= 128:
        return "", ""
    events = parts[4:5] == ["event"] and len(parts) == TOPIC_LEVELS
    old = len(parts) == TOPIC_LEVELS - 1  # version 3 before 3.11: application/{id}/device/{devEui}/rx
    device = eui(parts[3]) if len(parts) > 3 else ""
    if parts[0] != "application" or not device or not (events or old):
        raise Undecodable(
            "not application/{id}/device/{devEui}/event/{event}", clause="CS-TOPIC", native_id=device
        )
    return device, ALIASES.get(parts[-1], parts[-1])


def _kind(event: Event) -> str:
    """Tell an event that came without its name, as over HTTP, by its fields."""
    if event.data is not None or event.data_hex is not None or event.decoded or event.decoded_text:
        return "up"
    if event.batteryLevel is not None or event.margin is not None:
        return "status"
    sent = event.txInfo if event.rxInfo is None else None  # version 3 counts what it sent by fCnt too
    for found, name in (
        (event.error, "error"),
        (event.location, "location"),
        (event.acknowledged, "ack"),
        (event.level, "log"),
        (event.queueItemId, "txack"),
        (sent, "txack"),
        (event.fCnt, "up"),
        (event.devAddr, "join"),
    ):
        if found is not None:
            return name
    return "unnamed"


def _uplink(event: Event, device: str) -> list[Reading | Ignored]:
    data = bytes_of(event, device)
    found, why = _payload(event, data, device)
    items: list[Reading | Ignored] = [_reading(event, device, item) for item in found]
    if items:
        return items
    details: Details = {"f_port": event.port, "data_bytes": len(data)}
    if len(data) < ADDRESS_BYTES:
        details["data_hex"] = data.hex()
    heard = Finding(type="heartbeat", values=HealthValues(details=details), happened=True)
    return [_reading(event, device, heard), Ignored(device, why)]


def _payload(event: Event, data: bytes, device: str) -> tuple[list[Finding], str]:
    """Return what bytes or object say, and why that is nothing; raises Undecodable when a codec must fit."""
    product = choice.named(event.names)
    decoded = object_of(event)
    tried = product or choice.by_port(event.port)
    if tried and data:
        try:
            found = choice.read_bytes(tried, data, event.port, event.at)
        except Malformed as error:
            if product and not decoded:
                raise Undecodable(f"{product}: {error}", clause="CS-PAYLOAD", native_id=device) from None
            return read_object(decoded), f"no codec fits: {error}"
        if found or product:
            return found, f"the {tried} payload says nothing of the vocabulary"
    elif not tried and not decoded and event.port in {1, 2, 5}:
        return [], f"no codec fits port {event.port}: name the product in the device profile or a tag"
    return read_object(
        decoded
    ), f"no codec fits port {event.port}: name the product in the device profile or a tag"


def _reading(event: Event, device: str, found: Finding) -> Reading:
    at = found.at or event.at
    again = f"{event.deduplicationId}:{found.type}" if event.deduplicationId else ""
    key = found.key or again
    counted = "" if key or event.fCnt is None else f"{event.devAddr or ''}:{event.fCnt}"[:64]
    return Reading(
        native_id=device,
        kind=found.kind,
        type=found.type,
        values=found.values,
        occurred_at=at,
        clock=ClockQuality.SYNCED if at else ClockQuality.NONE,
        key=key,
        packet=counted,
        happened=found.happened,
    )


def _one(event: Event, device: str, found: Finding) -> list[Reading | Ignored]:
    return [_reading(event, device, found)]


def _status(event: Event, device: str) -> list[Reading | Ignored]:
    details: Details = (
        {"margin_db": event.margin} if event.margin is not None and abs(event.margin) < 256 else {}
    )
    percent = None if event.batteryLevelUnavailable or event.externalPowerSource else event.batteryLevel
    if percent is None:
        details["external_power"] = event.externalPowerSource
        return _one(
            event, device, Finding(type="heartbeat", values=HealthValues(details=details), happened=True)
        )
    if not 0 <= percent <= 100:
        reason = f"`$.batteryLevel`: expected 0 to 100, got {percent}"
        raise Undecodable(reason, clause="CS-FIELD", native_id=device)
    values = HealthValues(battery_percent=percent, details=details)
    return _one(event, device, Finding(type=battery_word(percent), values=values))


def _join(event: Event, device: str) -> list[Reading | Ignored]:
    return _one(event, device, Finding(type="device.online", values=HealthValues(link="lorawan")))


def _location(event: Event, device: str) -> list[Reading | Ignored]:
    fix = event.location
    if fix is None:
        raise Undecodable("`$.location`: missing", clause="CS-FIELD", native_id=device)
    values = PositionValues(
        latitude=fix.latitude,
        longitude=fix.longitude,
        accuracy_m=fix.accuracy,
        source=(fix.source or "network")[:40],
    )
    moment: datetime | None = event.at
    found = Finding(
        type="position.update", values=values, kind=DeviceKind.GPS_TRACKER, happened=True, at=moment
    )
    return _one(event, device, found)
