"""Timers are found by their key, come in the order in which they are due, and hold nothing twice."""

from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.contract import Snapshot
from gateway.model.registry import RegistryDocument
from gateway.model.status import Timer
from gateway.pipeline.state import State
from gateway.pipeline.timers import LEFT_OVER, Timers
from tests.unit.pipeline.town import START, document

WORDS = st.sampled_from(["a", "b", "a\0b", "look", "dose-1/2026-11-22"])
TIMERS = st.builds(
    lambda owner, subject, name, minutes, cause: timer(owner, subject, name, minutes, cause=cause),
    *(WORDS, WORDS, WORDS, st.integers(0, 3), st.sampled_from([None, "event"])),
)


def timer(owner: str, subject: str, name: str, minutes: float, **more: Any) -> Timer:
    due_at = START + timedelta(minutes=minutes)
    return Timer(owner=owner, subject=subject, name=name, due_at=due_at, set_at=START, **more)


@given(st.lists(st.tuples(st.booleans(), TIMERS)))
def test_timers_are_what_a_table_by_key_would_be(steps: list[tuple[bool, Timer]]) -> None:
    timers, table = Timers(), dict[str, Timer]()
    for armed, one in steps:
        if armed:
            timers.put(one)
            table[one.key] = one
        else:
            assert timers.drop(one.key) == table.pop(one.key, None)
        assert timers.get(one.key) == table.get(one.key)
    assert {found.key: found for found in timers} == table
    order = []
    while (first := timers.next()) is not None:
        order.append(first)
        timers.drop(first.key)
    assert order == sorted(table.values(), key=lambda one: (one.due_at, one.key))


def test_a_timer_that_moves_again_and_again_leaves_no_heap_behind() -> None:
    timers = Timers()
    for number in range(10 * LEFT_OVER):
        timers.put(timer("silent", "device", "silent", number))
    assert len(timers._queue) <= LEFT_OVER + 2
    assert [one.due_at for one in timers] == [START + timedelta(minutes=10 * LEFT_OVER - 1)]


def test_timers_of_one_planned_time_share_its_name_and_moment() -> None:
    timers = Timers()
    for home in range(3):
        timers.put(timer("missed", f"device-{home}", "dose-" + str(1), 5, note="n" + str(1)))
    for key in ("name", "due_at", "note"):
        assert len({id(getattr(one, key)) for one in timers}) == 1


def test_a_timer_read_from_a_file_names_its_device_as_the_registry_does() -> None:
    registry: RegistryDocument = document()
    device = registry.device[0].id
    again = timer("silent", "".join(device), "silent", 5)
    force = Timer(owner="silent", subject=str(device.encode(), "utf-8"), name="x", due_at=START, set_at=START)
    state = State(Snapshot(0, registry, {}, {}, {}, {again.key: again, force.key: force}, {}, {}))
    assert all(one.subject is registry.device[0].id for one in state.timers())
