"""The interface as an AsyncAPI 3.0 document: channels, the device's operations, messages, schemas."""

from typing import Any

from gateway.interface.examples import event_examples, message_examples
from gateway.interface.schema import MESSAGES, struct_schema, telemetry_schema
from gateway.interface.version import Version

Document = dict[str, Any]
SENDS = {"event": False, "status": True, "telemetry": False, "result": False}
"""Branches that a device publishes to, and whether retained."""
HEARS = {"command": False, "config": True}
"""Branches that a device subscribes to, and whether what comes there is retained."""
_SUMMARY = {
    "event": "One happening, kept by the device until PUBACK.",
    "status": "Connection, firmware, battery, applied configuration; the last will stands here too.",
    "telemetry": "Measurements in a batch.",
    "result": "The outcome of a command.",
    "command": "One command with its expiry, and a grant where it needs one.",
    "config": "The whole desired configuration.",
}


def asyncapi(version: Version) -> Document:
    """Return the document; payloads are JSON Schema, in one file without references to others."""
    about = version.about
    return {
        "asyncapi": "3.0.0",
        "id": f"urn:vaka:interface:{about.id}",
        "info": {
            "title": about.title,
            "version": about.id.removeprefix("v"),
            "description": "Written from the device's side: it sends events, status, telemetry and results, "
            "and hears commands and its configuration. The clauses stand in the page beside this file.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {"gateway": _server()},
        "channels": {branch: _channel(version, branch) for branch in (*SENDS, *HEARS)},
        "operations": {branch: _operation(branch) for branch in (*SENDS, *HEARS)},
        "components": {
            "messages": _messages(version),
            "schemas": _schemas(version),
            "securitySchemes": {
                "password": {"type": "userPassword", "description": "One user name for one device."},
                "certificate": {"type": "X509", "description": "A client certificate for one device."},
            },
        },
    }


def _server() -> Document:
    return {
        "host": "{host}:{port}",
        "protocol": "mqtts",
        "protocolVersion": "3.1.1 or 5.0",
        "description": "The gateway's listener, or a broker that it reads; TLS 1.2 or later.",
        "variables": {
            "host": {"description": "Given by the municipality."},
            "port": {"default": "8883", "description": "Given by the municipality."},
        },
        "security": [
            {"$ref": f"#/components/securitySchemes/{name}"} for name in ("password", "certificate")
        ],
    }


def _channel(version: Version, branch: str) -> Document:
    events = [f"event.{word.name}" for _, word, _ in version.words()]
    names = events if branch == "event" else [branch]
    level = "One topic level: letters, digits, - and _; given by the municipality."
    return {
        "address": f"{version.about.topic}/{{tenant}}/{{device}}/{branch}",
        "summary": _SUMMARY[branch],
        "parameters": {name: {"description": level} for name in ("tenant", "device")},
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
    }


def _operation(branch: str) -> Document:
    retain = (SENDS | HEARS)[branch]
    return {
        "action": "send" if branch in SENDS else "receive",
        "channel": {"$ref": f"#/channels/{branch}"},
        "summary": _SUMMARY[branch],
        "bindings": {"mqtt": {"qos": 1, "retain": retain, "bindingVersion": "0.2.0"}},
    }


def _messages(version: Version) -> Document:
    examples = message_examples(version)
    found = {
        name: _message(name, _SUMMARY[name], [examples[name]]) for name in (*SENDS, *HEARS) if name != "event"
    }
    found["status"]["examples"].append({"name": "last-will", "payload": examples["will"]})
    events = event_examples(version)
    for _, word, text in version.words():
        name = f"event.{word.name}"
        found[name] = _message(name, text.text, [events[word.name]])
    return found


def _message(name: str, summary: str, examples: list[Document]) -> Document:
    return {
        "name": name,
        "summary": summary,
        "contentType": "application/json",
        "payload": {"$ref": f"#/components/schemas/{name}"},
        "examples": [{"name": "example", "payload": payload} for payload in examples],
    }


def _schemas(version: Version) -> Document:
    found = {name: struct_schema(version, version.message(struct)) for name, struct in MESSAGES.items()}
    found["telemetry"] = telemetry_schema(version)
    found["Envelope"] = struct_schema(version, version.message("Envelope"))
    for _, word, _ in version.words():
        data = word.values.__name__
        found[data] = struct_schema(version, word.values)
        own = {"type": {"const": version.wire(word)}, "data": {"$ref": f"#/components/schemas/{data}"}}
        needed = {"required": ["data"]} if "required" in found[data] else {}
        both = [{"$ref": "#/components/schemas/Envelope"}, {"properties": own, **needed}]
        found[f"event.{word.name}"] = {"type": "object", "allOf": both}
    return found
