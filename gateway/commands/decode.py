"""`vaka decode`: what the gateway would make of a message, without a gateway running."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from gateway.contract import VakaError
from gateway.model.event import Event, flat_values
from gateway.model.frame import Frame, Transport
from gateway.model.reading import Reading
from gateway.model.registry import RegistryDocument
from gateway.model.vocabulary import SOS_ROLE, VOCABULARY, DeviceKind
from gateway.pipeline.decode import Decoded
from gateway.pipeline.meaning import as_level, slot_of
from gateway.pipeline.rejection import REJECTIONS
from gateway.pipeline.state import State
from gateway.pipeline.walk import Walk

TENANT, HOME, PERSON, LADDER = "decode", "home", "person", "ladder"
GRACE = timedelta(minutes=15)
"""How long virtual time runs on after the last message, for rules that wait before they raise."""


class Message:
    """One message to decode: transport, topic, payload, and when it was received if the file says so."""

    def __init__(self, found: Mapping[str, Any], outer: Mapping[str, Any]) -> None:
        payload = found.get("payload")
        self.transport = _transport(str(found.get("transport", outer.get("transport", "mqtt"))))
        topic = found.get("topic", outer.get("topic"))
        self.topic = _channel(str(outer.get("kind", "")), payload) if topic is None else str(topic)
        self.payload = payload.encode() if isinstance(payload, str) else json.dumps(payload).encode()
        self.retained = bool(found.get("retained", outer.get("retained", False)))
        self.at = _moment(found.get("at", outer.get("at")))


def messages_of(path: Path) -> tuple[list[Message], Mapping[str, Any]]:
    """Read a file of the samples' form; VakaError says what is wrong with it."""
    try:
        found = json.loads(path.read_bytes())
    except OSError as error:
        raise VakaError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise VakaError(f"{path}: not JSON: {error}") from error
    if not isinstance(found, dict) or not ("payload" in found or "sequence" in found):
        raise VakaError(f"{path}: found no `payload` and no `sequence`; allowed: the form of the samples")
    assumed = found.get("assume", {}).get("registry", {})
    try:
        return [Message(part, found) for part in found.get("sequence") or [found]], assumed
    except (ValueError, AttributeError) as error:
        raise VakaError(f"{path}: {error}; allowed transports: {', '.join(Transport)}") from error


def messages_from(found: Mapping[str, Any]) -> list[Message]:
    """Make the one message of the command line's own options; VakaError for an unknown transport."""
    try:
        return [Message(found, {})]
    except ValueError as error:
        raise VakaError(f"--transport: {error}; allowed: {', '.join(Transport)}") from error


def decode_messages(
    walk: Walk, messages: Sequence[Message], assumed: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """Yield one line for every event, quarantine, status and ignored message, with every device enrolled."""
    frames = [frame_of_message(message, position) for position, message in enumerate(messages, 1)]
    decoded = [walk.read(frame) for frame in frames]
    frames = [_received_when_it_happened(*pair) for pair in zip(frames, decoded, strict=True)]
    names = _enrol(walk, state := State(), decoded, assumed, frames[0].received_at)
    if len(frames) == 1:
        _expect_change(state, decoded[0])
    for frame, result in zip(frames, decoded, strict=True):
        walk.step(state, frame, result, frozenset(), frame.received_at)
    end = Frame(Transport.CLOCK, "tick", b"", frames[-1].received_at + GRACE, position=len(frames) + 1)
    walk.step(state, end, Decoded(), frozenset(), end.received_at)
    changes = state.take_changes()
    causes = {alert.cause for alert in changes.alerts.values()}
    for event in changes.events:
        yield _line(event, names, raises=event.id in causes)
    rejected = {alert.device for alert in changes.alerts.values() if alert.rule in REJECTIONS}
    for frame, device, reason, clause in changes.quarantine:
        line = {"quarantine": reason, "clause": clause, "topic": frame.channel}
        known = {"device": names[device], "raises_alert": device in rejected} if device in names else {}
        yield {**line, **known}
    for trace in changes.traces:
        if trace.verdict in _STATUS:
            yield {_STATUS[trace.verdict]: trace.reason, "topic": frames[trace.frame - 1].channel}


HEALTH_SLOTS = frozenset({"link", "fault", "battery", "tamper", "power", "life", "stock", "mechanism"})
"""Levels of the device itself: that they are as they should be is not what a message tells."""
_STATUS = {"ignored": "ignored", "not_news": "status", "duplicate": "status", "unknown_device": "status"}


CHANNELS: dict[str, str] = {
    "scaip": "sip/scaip",
    "fhir-bundle": "fhir/bundle",
    "onvif-xml": "onvif/device/event",
    "sia-dc09": "sia/dc09",
}
"""The channel of a sample that names only its kind."""
ROLES = {"alarm_button": SOS_ROLE}
"""Roles as a sample's `assume` writes them."""
ROLE_KINDS = {"entrance_door": "door_contact"}
"""What a device that cannot say what it is was enrolled as, by its role."""
_WRITTEN_AS = {"lorawan": Transport.MQTT, "ble-advertisement": Transport.BLE, "rtsp/http": Transport.HTTP}


def _transport(written: str) -> Transport:
    return _WRITTEN_AS.get(written) or Transport(written)


def _channel(kind: str, payload: object) -> str:
    """Return where a message without a topic would have come in: an advertisement names its address."""
    if isinstance(payload, Mapping) and isinstance(payload.get("address"), str):
        return f"ble/adv/{payload['address']}"
    return CHANNELS.get(kind) or kind.replace("-", "/", 1)


def frame_of_message(message: Message, position: int) -> Frame:
    """Return the frame of a message at its place in the order of messages."""
    return Frame(
        transport=message.transport,
        channel=message.topic,
        payload=message.payload,
        received_at=message.at,
        ingress="decode",
        retained=message.retained,
        position=position,
    )


def _received_when_it_happened(frame: Frame, decoded: Decoded) -> Frame:
    """Take a message that says when it happened as received then: an old sample is no late message."""
    times = [item.occurred_at for item in decoded.items if isinstance(item, Reading) and item.occurred_at]
    return replace(frame, received_at=min(frame.received_at, max(times))) if times else frame


def _expect_change(state: State, decoded: Decoded) -> None:
    """Decode a single message as telling something new: the device is known, and was otherwise before."""
    for item in decoded.items:
        if isinstance(item, Reading) and VOCABULARY[item.type].slot not in HEALTH_SLOTS:
            watched = state.watched(decoded.adapter, item.native_id)
            if watched is not None:
                meant = as_level(item, watched.device.kind, watched.enrolment.role)
                watched.status.slots[VOCABULARY[meant.type].slot or slot_of(meant)] = "unknown"


def _line(event: Event, names: Mapping[str, str], *, raises: bool) -> dict[str, Any]:
    return {
        "type": event.type,
        "device": names[event.device],
        "device_kind": event.kind.value,
        "occurred_at": event.occurred_at.isoformat() if event.clock != "none" else None,
        "values": flat_values(event.values),
        "raises_alert": raises,
    }


def _speakers(decoded: Sequence[Decoded]) -> dict[tuple[str, str], tuple[str, str]]:
    """Return device id and kind by adapter and native id, of refused messages too."""
    names: dict[tuple[str, str], tuple[str, str]] = {}
    for result in decoded:
        for item in result.items:
            if isinstance(item, Reading):
                names.setdefault(
                    (result.adapter, item.native_id), (f"device-{len(names) + 1}", item.kind.value)
                )
        if result.failure and result.adapter and result.native_id:
            names.setdefault((result.adapter, result.native_id), (f"device-{len(names) + 1}", "unknown"))
    return names


def _enrol(
    walk: Walk, state: State, decoded: Sequence[Decoded], assumed: Mapping[str, Any], since: datetime
) -> dict[str, str]:
    """Enrol every device that speaks, in one made-up home; return native ids by device id."""
    names = _speakers(decoded)
    document = RegistryDocument.of(
        {
            "tenant": [{"id": TENANT, "name": "decode"}],
            "unit": [{"id": "unit", "tenant": TENANT, "name": "decode"}],
            "team": [{"id": "team", "unit": "unit", "name": "decode"}],
            "ladder": [{"id": LADDER, "tenant": TENANT, "steps": [{"to": ["team"]}]}],
            "home": [
                {
                    "id": HOME,
                    "tenant": TENANT,
                    "unit": "unit",
                    "care_ladder": LADDER,
                    "technical_ladder": LADDER,
                }
            ],
            "person": [{"ref": PERSON, "home": HOME}],
            "device": _devices(names, str(assumed.get("role"))),
            "enrolment": [
                {
                    "device": name,
                    "home": HOME,
                    "person": PERSON,
                    "since": since,
                    "supervised": bool(assumed.get("supervised", True)),
                    "role": ROLES.get(role := str(assumed.get("role", "")), role),
                }
                for name, _kind in names.values()
            ],
        }
    )
    registry = Frame(Transport.REGISTRY, "registry", document.to_json(), since)
    walk.step(state, registry, Decoded(), frozenset(), since)
    return {name: native_id for (_, native_id), (name, _) in names.items()}


def _devices(names: Mapping[tuple[str, str], tuple[str, str]], role: str) -> list[dict[str, str]]:
    """Return the records of the devices; one that cannot say what it is, is what its role says."""
    return [
        {
            "id": name,
            "tenant": TENANT,
            "adapter": adapter,
            "native_id": native_id,
            "kind": ROLE_KINDS.get(role, kind) if kind == DeviceKind.UNKNOWN else kind,
        }
        for (adapter, native_id), (name, kind) in names.items()
    ]


def _moment(found: object) -> datetime:
    if not isinstance(found, str):
        return datetime.now(UTC)
    moment = datetime.fromisoformat(found)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
