"""No adapter tells what is personal: marks stand where a format has names, numbers, faces or places."""

from collections.abc import Iterator
from importlib.resources import files

import pytest
from msgspec.structs import replace

from gateway.contract.manifest import Privacy, read_privacy
from gateway.model.frame import Frame
from gateway.pipeline.decode import AdapterTable, Decoded, decode
from gateway.pipeline.state import State
from gateway.pipeline.walk import Walk
from tests.fuzzing.holding import POINTS, adapter_of, golden_frames, judge, package_of
from tests.fuzzing.marking import MARK, injected, marked, replaced, within

FRAMES = {name: golden_frames(name) for name in POINTS}
TELLING = MARK.split()[0]
"""The mark's first word: a name that is cut or folded is told all the same."""


def privacy(name: str) -> Privacy:
    return read_privacy(files(package_of(name)).joinpath("quality.toml").read_text("utf-8"))


LISTED = [pytest.param(name, path, id=f"{name}-{path}") for name in POINTS for path in privacy(name).dropped]


def places(name: str, listed: str) -> Iterator[Frame]:
    """Yield golden frames with the mark at a listed path: where it stands, and where it could stand."""
    how, _, what = listed.partition(":")
    for _title, frame in FRAMES[name]:
        if how == "topic":
            payloads = [MARK.encode()] if frame.channel.endswith(what) else []
        elif how == "text":
            payloads = list(replaced(frame.payload, what))
        else:
            payloads = [payload for path, payload in marked(frame.payload) if within(listed, path)]
            payloads += injected(frame.payload, listed)
        yield from (replace(frame, payload=payload) for payload in payloads)


def traced(name: str, frame: Frame) -> str:
    """Return all that a gateway would keep of the frame but its bytes: trace, quarantine, events."""
    state = State()
    result: Decoded = decode(frame, AdapterTable([adapter_of(name)]))
    walk = Walk([adapter_of(name)], (), ())
    walk.step(state, replace(frame, position=1), result, frozenset(), frame.received_at)
    changes = state.take_changes()
    kept = [(reason, clause, device) for _, device, reason, clause in changes.quarantine]
    return repr((kept, changes.traces, changes.events, changes.alerts))


@pytest.mark.parametrize(("name", "listed"), LISTED)
def test_a_mark_at_a_listed_place_is_told_by_no_reading_no_refusal_and_no_trace(
    name: str, listed: str
) -> None:
    adapter, clauses = adapter_of(name), tuple(package_of(name).CLAUSES)
    tried = 0
    for frame in places(name, listed):
        said = judge(adapter, clauses, frame)
        assert TELLING not in said, f"{frame.channel} {frame.payload[:300]!r}: {said}"
        if tried < 3:
            assert TELLING not in traced(name, frame)
        tried += 1
    assert tried, "no golden frame has a place for it"


@pytest.mark.parametrize("name", POINTS)
def test_an_adapter_lists_what_it_drops_or_says_why_there_is_nothing(name: str) -> None:
    said = privacy(name)
    assert bool(said.dropped) != bool(said.reason)


@pytest.mark.parametrize("name", POINTS)
def test_a_mark_in_any_one_word_of_a_golden_frame_is_read_or_refused_and_never_listed(name: str) -> None:
    adapter, clauses = adapter_of(name), tuple(package_of(name).CLAUSES)
    dropped = [path for path in privacy(name).dropped if ":" not in path]
    for title, frame in FRAMES[name]:
        for path, payload in marked(frame.payload):
            said = judge(adapter, clauses, replace(frame, payload=payload))
            assert TELLING not in said or not any(within(listed, path) for listed in dropped), (title, path)
