"""What every adapter is held to: readings that can be kept, or a refusal with reason and clause."""

import base64
import json
from collections.abc import Sequence
from datetime import UTC
from importlib.metadata import entry_points
from importlib.resources import files
from types import ModuleType
from typing import Any

import msgspec

from gateway.contract import Adapter, Undecodable
from gateway.contract.golden import RECEIVED
from gateway.model.event import load_values
from gateway.model.frame import Frame, Transport
from gateway.model.reading import Ignored, Reading
from gateway.model.vocabulary import VOCABULARY

POINTS = {point.name: point for point in entry_points(group="vaka.adapters")}
MAX_REASON = 1_000
"""Letters: a reason is a line for a technician, never the message over again."""


def adapter_of(name: str) -> Adapter:
    found: Adapter = POINTS[name].load()
    return found


def package_of(name: str) -> ModuleType:
    return __import__(POINTS[name].module, fromlist=["ADAPTER"])


def golden_frames(name: str) -> list[tuple[str, Frame]]:
    """Return title and frame of every golden case of an adapter, in the order of their titles."""
    found = []
    for path in files(package_of(name)).joinpath("frames").iterdir():
        if path.name.endswith(".json"):
            case: dict[str, Any] = json.loads(path.read_text("utf-8"))
            encoded = case.get("payload_b64")
            payload = base64.b64decode(encoded) if encoded is not None else case["payload"].encode()
            frame = Frame(
                Transport(case["transport"]), case["topic"], payload, RECEIVED, retained=case["retained"]
            )
            found.append((path.name.removesuffix(".json"), frame))
    return sorted(found, key=lambda pair: pair[0])


def judge(adapter: Adapter, clauses: Sequence[str], frame: Frame) -> str:
    """Decode and hold the adapter to its port; return all that it said, as text, to be searched."""
    try:
        items = adapter.decode(frame)
    except Undecodable as refused:
        return _refusal(refused, clauses)
    assert items, "neither a reading nor a refusal"
    for item in items:
        assert item.native_id, "an item without a device"
        if isinstance(item, Ignored):
            assert item.reason, "ignored without a reason"
            assert len(item.reason) <= MAX_REASON, f"a reason of {len(item.reason)} letters"
        else:
            _storable(item)
    return msgspec.json.encode(items).decode()


def _refusal(refused: Undecodable, clauses: Sequence[str]) -> str:
    assert refused.reason, "a refusal without a reason"
    assert len(refused.reason) <= MAX_REASON, f"a reason of {len(refused.reason)} letters"
    assert refused.clause in clauses, f"the clause {refused.clause!r} is not published"
    msgspec.json.encode((refused.reason, refused.native_id))
    return f"{refused.reason} {refused.native_id}"


def _storable(item: Reading) -> None:
    assert type(item.values) is VOCABULARY[item.type].values, f"the wrong values for {item.type}"
    assert load_values(item.type, msgspec.json.encode(item.values)) == item.values
    assert msgspec.json.decode(msgspec.json.encode(item))["native_id"] == item.native_id
    assert item.occurred_at is None or item.occurred_at.tzinfo is UTC
