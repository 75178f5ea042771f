"""Every adapter against noise: whatever arrives, it reads it or says that it cannot."""

import base64
import json
import string
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import entry_points
from importlib.resources import files
from types import ModuleType
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.contract import Adapter, Undecodable
from gateway.model.event import load_values
from gateway.model.frame import Frame, Transport
from gateway.model.reading import Ignored, Reading

RECEIVED = datetime(2026, 2, 3, 20, 15, tzinfo=UTC)
POINTS = list(entry_points(group="vaka.adapters"))
ADAPTERS: dict[str, Adapter] = {point.name: point.load() for point in POINTS}
PACKAGES: dict[str, ModuleType] = {
    point.name: __import__(point.module, fromlist=["ADAPTER"]) for point in POINTS
}
BOUNDED = settings(max_examples=300, deadline=500, derandomize=True)

LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from([1e308, -1, 2**70, "1e999", "nan", "2026-02-03T20:15:00", "0001-01-01T00:00:00+14:00"]),
)
HOSTILE: list[Any] = [
    None, True, False, 0, -1, 1.5, 101, 2**53 + 1, 2**70, -(2**70), 1e18, 1e300, "", "x" * 600, "1e999",
    "nan", "Infinity", "-1", "12", "2026-02-03T20:15:00",
    "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00",
    "\x00\u2028", [], [[]], {}, {"a": {"b": None}},
]  # fmt: skip
"""What has broken decoders before, tried in every field."""

VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


def seeds(name: str) -> list[tuple[str, bytes]]:
    found = []
    for path in files(PACKAGES[name]).joinpath("frames").iterdir():
        case = json.loads(path.read_text("utf-8"))
        payload = base64.b64decode(case["payload_b64"]) if "payload_b64" in case else case["payload"].encode()
        found.append((case["topic"], payload))
    return sorted(found)


SEEDS = {name: seeds(name) for name in ADAPTERS}


def judge(name: str, topic: str, payload: bytes, *, retained: bool = False) -> None:
    """Decode, and hold the adapter to the port: Undecodable with a known clause, or storable readings."""
    refusal: Undecodable | None = None
    items: Sequence[Reading | Ignored] = ()
    try:
        items = ADAPTERS[name].decode(Frame(Transport.MQTT, topic, payload, RECEIVED, retained=retained))
    except Undecodable as refused:
        refusal = refused
    assert items or refusal
    if refusal:
        assert refusal.reason
        assert refusal.clause in PACKAGES[name].CLAUSES
    for item in items:
        assert item.native_id
        if isinstance(item, Ignored):
            assert item.reason
        else:
            storable(item)


def storable(item: Reading) -> None:
    assert load_values(item.type, msgspec.json.encode(item.values)) == item.values
    assert item.occurred_at is None or item.occurred_at.tzinfo is UTC


@pytest.mark.parametrize("name", ADAPTERS)
def test_random_bytes_on_random_topics_are_read_or_refused(name: str) -> None:
    topics = [topic for topic, _ in SEEDS[name]]
    word = st.text(string.ascii_letters + "/#+$ \u00e5\x7f", max_size=30)

    @BOUNDED
    @given(st.sampled_from(topics) | word, st.binary(max_size=300), st.booleans())
    def hold(topic: str, payload: bytes, retained: bool) -> None:  # noqa: FBT001 - hypothesis passes by position
        judge(name, topic, payload, retained=retained)

    hold()


@pytest.mark.parametrize("name", ADAPTERS)
def test_a_damaged_golden_frame_is_read_or_refused(name: str) -> None:
    @BOUNDED
    @given(st.sampled_from(SEEDS[name]), st.integers(0, 2**16), st.binary(max_size=4), st.integers(0, 8))
    def hold(seed: tuple[str, bytes], place: int, put: bytes, cut: int) -> None:
        topic, payload = seed
        at = place % (len(payload) + 1)
        judge(name, topic, payload[:at] + put + payload[at + cut :])

    hold()


@pytest.mark.parametrize("name", ADAPTERS)
def test_every_hostile_value_in_every_field_of_a_golden_object_is_read_or_refused(name: str) -> None:
    for topic, payload in SEEDS[name]:
        for changed in _everywhere(_object(payload)):
            judge(name, topic, json.dumps(changed).encode())


@pytest.mark.parametrize("name", ADAPTERS)
def test_a_golden_object_with_any_value_in_any_field_is_read_or_refused(name: str) -> None:
    objects = [(topic, parsed) for topic, payload in SEEDS[name] if (parsed := _object(payload))]
    if not objects:
        pytest.skip("this adapter reads no JSON objects")

    @BOUNDED
    @given(st.data())
    def hold(data: st.DataObject) -> None:
        topic, parsed = data.draw(st.sampled_from(objects))
        changed = _replaced(parsed, data)
        judge(name, topic, json.dumps(changed).encode())

    hold()


@pytest.mark.parametrize("name", ADAPTERS)
def test_a_payload_as_large_as_allowed_and_nested_without_end_is_refused_in_time(name: str) -> None:
    for topic, _ in SEEDS[name]:
        judge(name, topic, b"[" * 65_536)
        judge(name, topic, b'{"data":' + b'{"a":' * 13_000)
        judge(name, topic, b"\xff" * 65_536)
        judge(name, topic, b"9" * 65_536)
        judge(name, topic, b"1," * 32_768)


def _object(payload: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(payload)
    except (ValueError, RecursionError):
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _everywhere(node: Any) -> Iterator[Any]:
    """Yield the object with each hostile value in each place, one at a time."""
    if isinstance(node, dict):
        for field, inner in node.items():
            yield from ({**node, field: value} for value in HOSTILE)
            yield from ({**node, field: changed} for changed in _everywhere(inner))
    elif isinstance(node, list):
        for place, inner in enumerate(node[:4]):
            yield from ([*node[:place], changed, *node[place + 1 :]] for changed in _everywhere(inner))


def _replaced(parsed: dict[str, Any], data: st.DataObject) -> dict[str, Any]:
    """Put any value into one field, one level down where that field is an object."""
    field = data.draw(st.sampled_from(sorted(parsed)))
    inner = parsed[field]
    if isinstance(inner, dict) and inner and data.draw(st.booleans()):
        return {**parsed, field: _replaced(inner, data)}
    return {**parsed, field: data.draw(VALUES)}
