"""What leaves the house as CloudEvents, as published documents: AsyncAPI 3.0, JSON Schema, examples."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from gateway.model.alert import Alert, AlertEntry, AlertType, Phase, Severity
from gateway.model.event import Event, event_id
from gateway.model.outward import AlertData, EventData, alert_data, alert_type, event_data, event_type
from gateway.model.vocabulary import ClockQuality, DeviceKind, LockValues, Means

Document = dict[str, Any]
FOLDER = "outward"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
_AT = datetime(2026, 3, 1, 7, 30, tzinfo=UTC)
_KINDS = {
    "event": (EventData, r"^se\.vaka\.(?!alert\.)[a-z_.]+\.v1$"),
    "alert": (AlertData, r"^se\.vaka\.alert\.[a-z_]+\.v1$"),
}
_SUMMARY = {
    "event": "A believed event about a device in a home.",
    "alert": "One line of an alert's history: raised, offered, accepted, closed and what lies between.",
}
_OWN = {"severity": {"enum": [one.value for one in Severity], "description": "Of an alert, to filter by."}}


def outward_documents() -> Mapping[str, str]:
    """Return the documents by their path."""
    found = {f"{FOLDER}/asyncapi.json": _json(asyncapi())}
    for kind in _KINDS:
        found[f"{FOLDER}/schema/{kind}.json"] = _json(schema(kind))
        found[f"{FOLDER}/examples/{kind}.json"] = _json(example(kind))
    return found


def schema(kind: str) -> Document:
    """Return the JSON Schema of a whole CloudEvent of that kind, `event` or `alert`."""
    body, parts = _envelope(kind, "#/$defs/{name}")
    return {"$schema": DIALECT, "$id": f"urn:vaka:outward:v1:{kind}", **body, "$defs": parts}


def example(kind: str) -> Document:
    """Return an example, made as the real ones are."""
    if kind == "event":
        data, name, subject = event_data(_event()), event_type(_event().type), _event().device
        more: Document = {"id": _event().id, "dataschema": f"urn:vaka:outward:v1:event:{_event().type}"}
    else:
        data, name, subject = alert_data(_entry(), _alert()), alert_type("accepted"), _alert().id
        more = {"id": f"{_alert().id}:2", "dataschema": "urn:vaka:outward:v1:alert", "severity": "high"}
    return {
        "specversion": "1.0",
        "source": "urn:vaka:tenant:kommun",
        "type": name,
        "subject": subject,
        "time": _AT.isoformat().replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "data": json.loads(msgspec.json.encode(data)),
    } | more


def asyncapi() -> Document:
    """Return the AsyncAPI document, from the gateway's side: it sends."""
    schemas: Document = {}
    for kind in _KINDS:
        body, parts = _envelope(kind, "#/components/schemas/{name}")
        schemas |= {kind: body} | parts
    messages = {
        kind: {
            "name": kind,
            "summary": _SUMMARY[kind],
            "contentType": "application/cloudevents+json",
            "payload": {"$ref": f"#/components/schemas/{kind}"},
            "examples": [{"name": "example", "payload": example(kind)}],
        }
        for kind in _KINDS
    }
    return {
        "asyncapi": "3.0.0",
        "id": "urn:vaka:outward:v1",
        "info": {
            "title": "What leaves Vaka as CloudEvents",
            "version": "1",
            "description": "CloudEvents 1.0 in structured mode, in the order of the log, each until the "
            "receiver has it; the same id is the same event. A webhook may get a batch "
            "(application/cloudevents-batch+json); each request is signed as Standard Webhooks 1.0 says "
            "(webhook-id, webhook-timestamp, webhook-signature).",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/cloudevents+json",
        "servers": {
            "webhook": {
                "host": "{host}",
                "protocol": "https",
                "variables": {"host": {"description": "The receiver's."}},
            },
            "broker": {
                "host": "{host}:8883",
                "protocol": "mqtts",
                "protocolVersion": "5.0",
                "variables": {"host": {"description": "The receiver's."}},
            },
        },
        "channels": {name: _channel(name) for name in ("webhook", "broker")},
        "operations": {name: _operation(name) for name in ("webhook", "broker")},
        "components": {"messages": messages, "schemas": schemas},
    }


def _channel(name: str) -> Document:
    address = "{path}" if name == "webhook" else "{topic}/{type}"
    told = {"path": "The receiver's own.", "topic": "As configured.", "type": "The CloudEvent's type."}
    return {
        "address": address,
        "servers": [{"$ref": f"#/servers/{name}"}],
        "parameters": {one: {"description": text} for one, text in told.items() if f"{{{one}}}" in address},
        "messages": {kind: {"$ref": f"#/components/messages/{kind}"} for kind in _KINDS},
    }


def _operation(name: str) -> Document:
    bindings: Document = {"http": {"method": "POST", "bindingVersion": "0.3.0"}}
    if name == "broker":
        bindings = {"mqtt": {"qos": 1, "retain": False, "bindingVersion": "0.2.0"}}
    summary = "A signed POST." if name == "webhook" else "A PUBLISH, whose PUBACK is waited for."
    return {
        "action": "send",
        "channel": {"$ref": f"#/channels/{name}"},
        "summary": summary,
        "bindings": bindings,
    }


def _envelope(kind: str, ref: str) -> tuple[Document, Document]:
    struct, pattern = _KINDS[kind]
    (data,), parts = msgspec.json.schema_components([struct], ref_template=ref)
    if struct.__name__ in parts and "$ref" in data:
        data = parts.pop(struct.__name__)
    text = {"type": "string", "minLength": 1}
    properties: Document = {
        "specversion": {"const": "1.0"},
        "id": text,
        "source": {"type": "string", "pattern": "^urn:vaka(:tenant:.+)?$"},
        "type": {"type": "string", "pattern": pattern},
        "subject": text,
        "time": {"type": "string", "format": "date-time"},
        "datacontenttype": {"const": "application/json"},
        "dataschema": {"type": "string", "pattern": "^urn:vaka:outward:v1:"},
        "data": data,
    }
    if kind == "alert":
        properties |= _OWN
    needed = [name for name in properties if name not in _OWN]
    return {
        "type": "object",
        "properties": properties,
        "required": needed,
        "description": _SUMMARY[kind],
    }, parts


def _event() -> Event:
    return Event(
        id=event_id("kommun/lock-1", "1", _AT),
        type="lock.unlocked",
        device="kommun/lock-1",
        kind=DeviceKind.LOCK,
        home="home-17",
        person="person-17",
        occurred_at=_AT,
        received_at=_AT + timedelta(seconds=1),
        processed_at=_AT + timedelta(seconds=1),
        clock=ClockQuality.SYNCED,
        late_s=1.0,
        frame=4711,
        values=LockValues(means=Means.TAG, battery_percent=64.0),
        sequence=12,
    )


def _alert() -> Alert:
    return Alert(
        id="5f0c1d2e3b4a59687786950a1b2c3d4e",
        rule="sos",
        subject="home-17",
        severity=Severity.HIGH,
        type=AlertType.PERSON,
        text="sos",
        reason="a call for help",
        tenant="kommun",
        home="home-17",
        person="person-17",
        device="kommun/pendant-1",
        frame=4711,
        occurred_at=_AT,
        raised_at=_AT,
        ladder="care",
        deadline=_AT + timedelta(minutes=1),
        accept_within_s=60,
    )


def _entry() -> AlertEntry:
    return AlertEntry(
        alert=_alert().id,
        version=2,
        at=_AT,
        action="accepted",
        actor="staff-3",
        frame=4712,
        phase=Phase.ACKNOWLEDGE,
        severity=Severity.HIGH,
        type=AlertType.PERSON,
    )


def _json(found: object) -> str:
    return json.dumps(found, ensure_ascii=False, indent=1) + "\n"
