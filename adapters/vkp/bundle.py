"""A FHIR message, XML or JSON, as one plain tree, and what is read the same way in every resource of it."""

from datetime import datetime
from typing import Any

import msgspec

from gateway.contract import Undecodable
from gateway.contract.markup import MAX_DEPTH, Node, read_markup
from gateway.model.instant import from_iso

CLAUSES: dict[str, str] = {
    "VKP-CHANNEL": "The channel is fhir/...",
    "VKP-FORMAT": "The payload is FHIR as XML or JSON: a Bundle, or one resource.",
    "VKP-RESOURCE": "There is a MedicationDispense, Flag, DetectedIssue, Observation, Location or Encounter.",
    "VKP-DEVICE": "The device is named: performer, device extension, Device or MessageHeader.source.",
    "VKP-CODE": "The event is a code of the published code systems, or a known text.",
    "VKP-TIME": "Times are FHIR instants with an offset.",
}
"""Every clause by its id (HL7Norway/Velferdsteknologi, VKP-R4)."""

PEOPLE = "urn:oid:2.16.578.1.12.4.1.4"
"""Root of the Norwegian person numbers: an identifier under it names a person, never a device."""
MAX_ID = 128


def resources(payload: bytes) -> dict[str, list[Node]]:
    """Return the resources of a message by their type; raises Undecodable."""
    root = _root(payload)
    found: dict[str, list[Node]] = {}
    every = [one for entry in root.each("entry", "resource") for one in entry.children]
    for one in every if root.name == "Bundle" else [root]:
        found.setdefault(one.name, []).append(one)
    return found


def _root(payload: bytes) -> Node:
    text = payload.lstrip(b"\xef\xbb\xbf \t\r\n")
    try:
        if text[:1] == b"{":
            said = msgspec.json.decode(text.decode("utf-8", "replace"))
            return _from_json(str(said.get("resourceType", "")), said, 0)
        return read_markup(text, fallback="iso-8859-1")
    except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
        words = "nested too deep" if isinstance(error, RecursionError) else str(error)
        raise Undecodable(words, clause="VKP-FORMAT") from None


def _from_json(name: str, said: dict[str, Any], depth: int) -> Node:
    """Turn FHIR's JSON into the tree that its XML would give: primitives are `value` attributes."""
    if depth > MAX_DEPTH:
        raise ValueError("nested too deep")
    node = Node(name, {}, [])
    for key, value in said.items():
        for one in value if isinstance(value, list) else [value]:
            if not isinstance(one, dict):
                written = _written(one)
                node.attributes.setdefault(key, written)
                node.children.append(Node(key, {"value": written}))
            elif key == "resource":
                inner = _from_json(str(one.get("resourceType", "")), one, depth + 1)
                node.children.append(Node("resource", {}, [inner]))
            else:
                node.children.append(_from_json(key, one, depth + 1))
    return node


def _written(one: object) -> str:
    """Write a primitive as FHIR's XML does; what is none (a list in a list) is no value."""
    if isinstance(one, bool):
        return "true" if one else "false"
    return str(one) if isinstance(one, str | int | float) else ""


def extension(node: Node, *urls: str) -> Node | None:
    """Return the extension whose URL ends in one of these names followed by nothing or a version."""
    for one in node.each("extension"):
        last = one.attributes.get("url", "").rpartition("/")[2].lower()
        if any(last == url or last.startswith(f"{url}-v") for url in urls):
            return one
    return None


def any_value(node: Node | None) -> str:
    """Return the value of an extension, whatever its type."""
    if node is None:
        return ""
    for child in node.children:
        if child.name.startswith("value"):
            return child.attributes.get("value", "").strip() or child.value("value")
    return ""


def identifier(node: Node) -> str:
    """Return the identifier in a node, "" for a person's."""
    for one in (node, *node.each("identifier")):
        if one.value("system").startswith(PEOPLE):
            continue
        if one.value("value"):
            return one.value("value")[:MAX_ID]
    return ""


def device_of(node: Node) -> str:
    """Return the device that a resource names, "" without one."""
    for path in (("performer", "actor"), ("device",), ("author",), ("implicated",)):
        for one in node.each(*path):
            if identifier(one):
                return identifier(one)
    found = extension(node, "vkpmedicationdispensedevice", "vkp-encounterdevice", "vkp-devicereference")
    if found is None:
        return ""
    inner = extension(found, "device") or found
    named = extension(inner, "identifier", "deviceidentifier")
    if named is not None:
        return (any_value(named) or identifier(named.first("valueIdentifier") or named))[:MAX_ID]
    reference = found.first("valueReference")
    return identifier(reference) if reference else any_value(found)[:MAX_ID]


def sender(found: dict[str, list[Node]]) -> str:
    """Return the Device of the message, or the last part of the address that it came from."""
    for one in found.get("Device", ()):
        if identifier(one):
            return identifier(one)
    for header in found.get("MessageHeader", ()):
        return header.value("source", "endpoint").rstrip("/").rpartition("/")[2][:MAX_ID]
    return ""


def codes(node: Node, *path: str) -> list[tuple[str, str]]:
    """Return (system, code) of every coding at a path."""
    return [
        (one.value("system"), one.value("code")) for one in node.each(*path, "coding") if one.value("code")
    ]


def moment(native_id: str, *texts: str) -> datetime | None:
    """Return the first instant that is given; raises Undecodable for one that is no instant."""
    text = next((text for text in texts if text), "")
    if not text:
        return None
    at = from_iso(text)
    if at is None:
        raise Undecodable(f"{text[:40]!r} is no instant", clause="VKP-TIME", native_id=native_id)
    return at
