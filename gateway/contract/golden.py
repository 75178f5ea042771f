"""Golden frames as an adapter's test reads them: bytes, and the readings or the refusal expected of them."""

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from gateway.contract.adapter import Adapter
from gateway.contract.errors import Undecodable
from gateway.model.event import flat_values
from gateway.model.frame import Frame, Transport
from gateway.model.reading import Ignored, Reading

Case = Mapping[str, Any]
"""A file of `frames/`: about, source, transport, topic, payload (or _b64), retained, expect or quarantine."""
RECEIVED = datetime(2026, 2, 3, 20, 15, tzinfo=UTC)
"""When every golden frame is taken as received."""


def frame_of(case: Case) -> Frame:
    """Return the frame as it would have arrived; KeyError names what the file lacks."""
    payload = base64.b64decode(case["payload_b64"]) if "payload_b64" in case else case["payload"].encode()
    transport = Transport(case["transport"])
    return Frame(transport, case["topic"], payload, RECEIVED, retained=case["retained"])


def told(adapter: Adapter, case: Case) -> dict[str, Any] | list[dict[str, Any]]:
    """Return what the adapter makes of the frame, as a golden file writes it: readings, or the refusal."""
    try:
        return [stated(item) for item in adapter.decode(frame_of(case))]
    except Undecodable as refused:
        return {"reason": refused.reason, "clause": refused.clause, "native_id": refused.native_id}


def wanted(case: Case) -> dict[str, Any] | list[dict[str, Any]]:
    """Return what the file expects, its times in UTC."""
    if "quarantine" in case:
        return dict(case["quarantine"])
    return [_in_utc(item) for item in case["expect"]]


def stated(item: Reading | Ignored) -> dict[str, Any]:
    """Write an item as the golden files do: empty key and missing sequence left out."""
    if isinstance(item, Ignored):
        return {"ignored": item.reason, "native_id": item.native_id}
    said: dict[str, Any] = {
        "type": item.type,
        "native_id": item.native_id,
        "kind": item.kind.value,
        "occurred_at": msgspec.to_builtins(item.occurred_at),
        "clock": item.clock.value,
        "happened": item.happened,
        "values": flat_values(item.values),
    }
    if item.key:
        said["key"] = item.key
    if item.sequence is not None:
        said["sequence"] = item.sequence
    return said


def _in_utc(expected: dict[str, Any]) -> dict[str, Any]:
    if expected.get("occurred_at"):
        moment = datetime.fromisoformat(expected["occurred_at"]).astimezone(UTC)
        return {**expected, "occurred_at": msgspec.to_builtins(moment)}
    return expected
