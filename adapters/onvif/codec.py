"""The ONVIF codec: notification messages in a metadata stream, a Notify request or a pull answer."""

from collections.abc import Sequence
from datetime import datetime
from importlib.resources import files

from gateway.contract import Manifest, Undecodable
from gateway.contract.manifest import read_manifest
from gateway.contract.markup import Node, read_markup
from gateway.model.codes.topics import bare, find, say, values_of
from gateway.model.frame import Frame
from gateway.model.instant import from_iso
from gateway.model.reading import Ignored, Reading
from gateway.model.vocabulary import VOCABULARY, ClockQuality, DeviceKind

CLAUSES: dict[str, str] = {
    "ONVIF-CHANNEL": "The channel is onvif/{device}/event.",
    "ONVIF-XML": "The payload is one XML document without a document type.",
    "ONVIF-MESSAGE": "There is a NotificationMessage with Topic and Message.",
    "ONVIF-EVENT": "The topic is one of the known ones.",
    "ONVIF-STATE": "The state is one of the documented values.",
    "ONVIF-TIME": "UtcTime is a time of XML Schema; without an offset it is UTC.",
}
"""Every clause by its id (ONVIF Core Specification, section 9)."""

Item = Reading | Ignored
MAX_MESSAGES = 256
NO_YEAR = "0000-"
"""How some makes write the time before their clock is set."""


class OnvifAdapter:
    """Reads ONVIF notifications that are posted to the gateway."""

    def __init__(self) -> None:
        self._manifest = read_manifest(files("adapters.onvif").joinpath("manifest.toml").read_text("utf-8"))

    @property
    def manifest(self) -> Manifest:
        """What it reads."""
        return self._manifest

    def decode(self, frame: Frame) -> Sequence[Item]:
        """Read every notification of one document; raises Undecodable when none of them can be read."""
        parts = frame.channel.split("/")
        if len(parts) != 3 or parts[0] != "onvif" or parts[2] != "event" or not 0 < len(parts[1]) <= 128:
            raise Undecodable("the channel is not onvif/{device}/event", clause="ONVIF-CHANNEL")
        device = parts[1]
        try:
            root = read_markup(frame.payload, fallback="iso-8859-1")
        except ValueError as error:
            raise Undecodable(str(error), clause="ONVIF-XML", native_id=device) from None
        found = [root] if root.name == "NotificationMessage" else list(root.everywhere("NotificationMessage"))
        if not found and root.name == "MetadataStream":
            return (Ignored(device, "a metadata stream without events"),)
        if not found and any(root.everywhere("PullMessagesResponse")):
            return (Ignored(device, "an answer to PullMessages without messages"),)
        if not found:
            raise Undecodable("no NotificationMessage in it", clause="ONVIF-MESSAGE", native_id=device)
        return _all(device, found[:MAX_MESSAGES])


def _all(device: str, found: list[Node]) -> list[Item]:
    """Read each: one that cannot be read costs the others nothing, but is the answer if it is alone."""
    items: list[Item] = []
    refused: Undecodable | None = None
    for message in found:
        try:
            items.append(_read(device, message))
        except Undecodable as error:
            refused = error
            items.append(Ignored(device, f"{error.clause}: {error.reason}"))
    if refused and len(found) == 1:
        raise refused
    return items


def _read(device: str, notification: Node) -> Item:
    path, message = bare(notification.words("Topic")), notification.first("Message", "Message")
    if not path or message is None:
        raise Undecodable("no Topic or no Message in it", clause="ONVIF-MESSAGE", native_id=device)
    row = find(path)
    if row is None:
        raise Undecodable(f"unknown topic {path[:80]!r}", clause="ONVIF-EVENT", native_id=device)
    operation = message.attributes.get("PropertyOperation", "Changed")
    if operation == "Deleted":
        return Ignored(device, "a property that no longer exists")
    data = _items(message, "Data")
    told = say(row, data)
    if told.reason:
        return Ignored(device, told.reason)
    if not told.word:
        reason = f"{path[:80]}: unknown state {told.state[:40]!r}"
        raise Undecodable(reason, clause="ONVIF-STATE", native_id=device)
    level = bool(VOCABULARY[told.word].slot)
    if operation == "Initialized" and not level:
        return Ignored(device, "the state at the start of the subscription: nothing happened")
    at = _moment(device, message.attributes.get("UtcTime", ""))
    return Reading(
        native_id=device,
        kind=DeviceKind.CAMERA,
        type=told.word,
        values=values_of(row, told.word, _items(message, "Source") | data),
        occurred_at=at,
        clock=ClockQuality.SYNCED if at else ClockQuality.NONE,
        happened=not level,
    )


def _items(message: Node, part: str) -> dict[str, str]:
    return {
        item.attributes.get("Name", "")[:64]: item.attributes.get("Value", "")[:512]
        for item in message.each(part, "SimpleItem")
    }


def _moment(device: str, text: str) -> datetime | None:
    if not text or text.startswith(NO_YEAR):
        return None  # a clock that was never set
    at = from_iso(text) or from_iso(f"{text}+00:00")
    if at is None:
        raise Undecodable(f"UtcTime {text[:40]!r} is no time", clause="ONVIF-TIME", native_id=device)
    return at
