"""Every adapter against noise: whatever arrives, it reads it or says that it cannot."""

import json
import random
import string
import sys
from collections.abc import Iterator
from typing import Any, Self

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.contract.errors import MAX_REASON, Undecodable
from gateway.model.frame import MAX_PAYLOAD_BYTES, Frame, Transport
from tests.fuzzing.holding import POINTS, RECEIVED, adapter_of, golden_frames, package_of
from tests.fuzzing.holding import judge as held
from tests.fuzzing.mutation import mutated

ADAPTERS = {name: adapter_of(name) for name in POINTS}
CLAUSES = {name: tuple(package_of(name).CLAUSES) for name in POINTS}
BOUNDED = settings(max_examples=120, deadline=None, derandomize=True)

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


SEEDS = {name: [(frame.channel, frame.payload) for _, frame in golden_frames(name)] for name in POINTS}
STEPS = 20_000
STEPS_PER_OCTET = 60
"""Calls that a frame may cost: a fixed part and one that grows with its octets, never with their square."""


class Worked:
    """Counts the calls, Python's and C's, that are made inside the block: work without a clock."""

    def __enter__(self) -> Self:
        self.steps = 0
        self.before = sys.getprofile()
        sys.setprofile(self._count)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(self.before)

    def _count(self, _frame: object, event: str, _given: object) -> None:
        self.steps += event in ("call", "c_call")


def judge(name: str, topic: str, payload: bytes, *, retained: bool = False) -> None:
    """Decode, and hold the adapter to the port."""
    held(ADAPTERS[name], CLAUSES[name], Frame(Transport.MQTT, topic, payload, RECEIVED, retained=retained))


def measure(name: str, topic: str, payload: bytes, *, retained: bool = False) -> None:
    """Do the same, and hold the adapter's work to the length of the payload."""
    with Worked() as worked:
        judge(name, topic, payload, retained=retained)
    assert worked.steps <= STEPS + STEPS_PER_OCTET * len(payload), f"{worked.steps} steps"


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
def test_a_golden_frame_with_damage_fit_to_its_form_is_read_or_refused(name: str) -> None:
    @settings(max_examples=150, deadline=None, derandomize=True)
    @given(st.sampled_from(SEEDS[name]), st.integers(0, 2**32), st.booleans())
    def hold(seed: tuple[str, bytes], dice: int, retained: bool) -> None:  # noqa: FBT001 - hypothesis passes by position
        topic, payload = seed
        measure(name, topic, mutated(payload, random.Random(dice))[:MAX_PAYLOAD_BYTES], retained=retained)

    hold()


@pytest.mark.parametrize("name", ADAPTERS)
def test_the_work_for_a_piece_said_many_times_grows_with_its_length_and_not_with_its_square(
    name: str,
) -> None:
    for topic, payload in SEEDS[name]:
        half = len(payload) // 2
        piece = payload[half:] or b"x"
        measure(name, topic, payload + piece * (5_000 // len(piece)))


def test_work_that_grows_with_the_square_is_seen() -> None:
    with Worked() as worked:
        for place in range(300):
            for _ in range(place):
                len(SEEDS)
    assert worked.steps > 300 * 299 / 2


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


def test_a_reason_that_quotes_without_end_is_cut() -> None:
    assert len(Undecodable("x" * 5_000, clause="A").reason) == MAX_REASON + len("...")
