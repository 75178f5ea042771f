"""The order of the edge's queue, tried out with whatever can happen to it."""

from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.edge.order import Backlog, Entry, Limits

WIDE = Limits(max_bytes=1 << 40, max_frames=1 << 30, max_age_us=1 << 60, window=8)
SECOND = 1_000_000


@dataclass
class Keeping:
    """A backlog with a disk beside it: what is written there is what a restart finds."""

    limits: Limits = WIDE
    disk: dict[int, Entry] = field(default_factory=dict)
    taken: list[Entry] = field(default_factory=list)
    heard: list[Entry] = field(default_factory=list)
    given_up: list[Entry] = field(default_factory=list)
    next_number: int = 1

    def __post_init__(self) -> None:
        self.backlog = Backlog(self.limits)

    def hear(self, device: str, *, high: bool, size: int = 100, at_us: int | None = None) -> Entry:
        entry = Entry(len(self.heard) + 1, device, high, size, at_us)
        self.heard.append(entry)
        self.backlog.add(entry)
        self.disk[entry.place] = entry
        return entry

    def take(self) -> Entry | None:
        calls = [one for one in self.disk.values() if one.high and not one.number]
        entry = self.backlog.take()
        if entry is None:
            return None
        if calls:
            later = [one for one in calls if one.device == entry.device and one.place >= entry.place]
            assert later, f"{entry} went before the calls for help {calls}"
        self.next_number = self.backlog.next_number
        self.taken.append(entry)
        return entry

    def done(self, number: int) -> None:
        entry = self.backlog.done(number)
        if entry is not None:
            del self.disk[entry.place]

    def trim(self, now_us: int | None) -> None:
        for entry in self.backlog.trim(now_us):
            del self.disk[entry.place]
            self.given_up.append(entry)

    def restart(self) -> None:
        kept = [msgspec.structs.replace(one, gone=False) for one in sorted(self.disk.values(), key=by_place)]
        self.disk = {one.place: one for one in kept}
        self.backlog = Backlog(self.limits, self.next_number)
        self.backlog.restore(kept)


def by_place(entry: Entry) -> int:
    return entry.place


HAPPENINGS = st.lists(
    st.one_of(
        st.tuples(st.just("hear"), st.sampled_from("abc"), st.booleans()),
        st.tuples(st.just("take")),
        st.tuples(st.just("done"), st.integers(0, 7)),
        st.tuples(st.just("restart")),
    ),
    max_size=80,
)


def live(keeping: Keeping, happenings: list[Any]) -> None:
    for what, *more in happenings:
        if what == "hear":
            keeping.hear(more[0], high=more[1])
        elif what == "take":
            keeping.take()
        elif what == "restart":
            keeping.restart()
        elif way := keeping.backlog.on_their_way():
            keeping.done(way[more[0] % len(way)].number)


@given(HAPPENINGS)
@settings(max_examples=300, deadline=None)
def test_nothing_is_lost_no_number_is_used_twice_and_each_device_keeps_its_order(
    happenings: list[Any],
) -> None:
    keeping = Keeping()
    live(keeping, happenings)
    while keeping.disk:
        while keeping.take():
            pass
        assert len(keeping.backlog.on_their_way()) <= WIDE.window
        for entry in keeping.backlog.on_their_way():
            keeping.done(entry.number)
    assert sorted(one.place for one in keeping.taken) == [one.place for one in keeping.heard]
    assert sorted(one.number for one in keeping.taken) == list(range(1, len(keeping.heard) + 1))
    for device in "abc":
        places = [
            one.place for one in sorted(keeping.taken, key=lambda one: one.number) if one.device == device
        ]
        assert places == sorted(places)
        kept = sorted((one for one in keeping.taken if one.device == device), key=lambda one: one.number)
        for entry in (one for one in kept if one.high):
            assert entry.swift, "the centre lets a call for help overtake"
    assert keeping.backlog.bytes == len(keeping.backlog) == 0


@given(HAPPENINGS)
@settings(deadline=None)
def test_what_is_on_its_way_lies_within_the_window(happenings: list[Any]) -> None:
    keeping = Keeping()
    live(keeping, happenings)
    numbers = [one.number for one in keeping.backlog.on_their_way()]
    assert numbers == sorted(numbers)
    assert not numbers or numbers[-1] - numbers[0] < WIDE.window


@given(HAPPENINGS, st.integers(1, 12))
@settings(deadline=None)
def test_a_call_for_help_is_given_up_only_when_nothing_else_waits(happenings: list[Any], room: int) -> None:
    keeping = Keeping(msgspec.structs.replace(WIDE, max_frames=room))
    for one in happenings:
        live(keeping, [one])
        before = len(keeping.given_up)
        keeping.trim(None)
        if any(entry.high for entry in keeping.given_up[before:]):
            assert all(entry.high for entry in keeping.disk.values() if not entry.number)
        assert len(keeping.disk) <= max(room, len(keeping.backlog.on_their_way()))
        assert keeping.backlog.bytes == 100 * len(keeping.disk)


def test_a_call_for_help_takes_along_what_its_device_said_before_and_not_what_it_says_after() -> None:
    keeping = Keeping()
    for device, high in (("a", False), ("b", False), ("b", False), ("b", True), ("b", False), ("c", False)):
        keeping.hear(device, high=high)
    order = []
    while (entry := keeping.take()) is not None:
        order.append(entry.place)
    assert order == [2, 3, 4, 1, 5, 6]


def test_the_call_with_least_before_it_goes_first() -> None:
    keeping = Keeping(msgspec.structs.replace(WIDE, window=100))
    for _ in range(20):
        keeping.hear("talker", high=False)
    keeping.hear("talker", high=True)
    assert [one.device for one in (keeping.take(), keeping.take()) if one] == ["talker", "talker"]
    keeping.hear("pendant", high=True)
    first = keeping.take()
    assert first is not None
    assert first.device == "pendant"
    assert all(one.swift for one in keeping.taken), "what goes before a call goes as fast as the call"
    keeping.restart()
    assert all(one.swift for one in keeping.backlog.on_their_way())


def test_what_is_too_old_is_given_up_with_all_that_stands_before_it() -> None:
    keeping = Keeping(msgspec.structs.replace(WIDE, max_age_us=60 * SECOND))
    keeping.hear("a", high=False, at_us=None)
    keeping.hear("a", high=False, at_us=10 * SECOND)
    keeping.hear("a", high=False, at_us=None)
    keeping.hear("a", high=False, at_us=50 * SECOND)
    keeping.trim(None)
    assert not keeping.given_up, "without a believed time nothing is old"
    keeping.trim(71 * SECOND)
    assert [one.place for one in keeping.given_up] == [1, 2]
    assert keeping.backlog.oldest_us() is None, "the oldest that is left has no time"


def test_what_was_sent_is_never_given_up() -> None:
    keeping = Keeping(msgspec.structs.replace(WIDE, max_frames=1, max_age_us=1))
    keeping.hear("a", high=False, at_us=1)
    keeping.take()
    keeping.hear("a", high=False, at_us=1)
    keeping.trim(100)
    assert [one.place for one in keeping.given_up] == [2]


@pytest.mark.parametrize("calls", [0, 50])
def test_a_long_backlog_is_taken_in_a_time_that_grows_with_its_length_alone(calls: int) -> None:
    keeping = Keeping(msgspec.structs.replace(WIDE, window=1 << 30))
    for place in range(20_000):
        keeping.backlog.add(
            Entry(place, f"device {place % 40}", high=place % 400 < calls % 400, size=1, heard_us=1)
        )
    looked = 0
    while keeping.backlog.take() is not None:
        looked += 1
    assert looked == 20_000
