"""Dry run: who would be called, by the real walk on a copy; the state itself is left alone."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from gateway.contract import Refused, Snapshot
from gateway.pipeline.dry_run import Line, Question, dry_run
from gateway.pipeline.walk import Walk
from gateway.plugins import load_adapters, load_rules
from tests.unit.people.crew import DAY, NIGHT, Crew, at
from tests.unit.pipeline.town import LOCK, PENDANT

WALK = Walk(load_adapters(), load_rules(), ("page", "sms", "voice"))


def snapshot(crew: Crew, **parts: Any) -> Snapshot:
    records: dict[str, bytes] = {}
    for one in [reach for ways in crew.state.reach.values() for reach in ways.values()]:
        records[f"reach\0{one.staff}\0{one.channel}"] = msgspec.json.encode(one)
    return Snapshot(0, crew.state.registry.document, {}, {}, {}, {}, {}, {}, records=records, **parts)


def play(crew: Crew, device: str = PENDANT, event: str = "alarm.manual", **more: Any) -> list[Line]:
    asked = {"at": at("2026-12-24T23:10:00+01:00")} | more
    return dry_run(WALK, snapshot(crew), Question(device=device, event=event, **asked))


def called(lines: list[Line]) -> list[tuple[float, str, tuple[str, ...]]]:
    start = lines[0].at
    return [
        ((one.at - start).total_seconds(), one.who, one.channels) for one in lines if one.what == "called"
    ]


def test_every_call_has_its_moment_its_channels_and_its_reason() -> None:
    lines = play(Crew())
    assert lines[0].what == "raised"
    assert called(lines)[:6] == [
        (0, "staff-8", ("page",)),
        (15, "staff-8", ("sms", "voice")),
        (20, "staff-9", ("page",)),
        (35, "staff-9", ("sms", "voice")),
        (80, "centre", ("page",)),
        (95, "centre", ("sms", "voice")),
    ]
    (first, *_) = [one for one in lines if one.what == "called"]
    assert "on duty in night" in first.reason
    assert lines[-1].what == "for_ever"
    assert lines[-1].who == "centre"


def test_the_day_is_asked_by_day_and_a_shift_that_ends_hands_on() -> None:
    assert called(play(Crew(), at=at("2026-12-24T12:00:00+01:00")))[0][1] == DAY[0]
    lines = play(Crew(), at=at("2026-12-24T22:29:50+01:00"))
    assert "handed_on" in [one.what for one in lines]
    assert called(lines)[1][1] in NIGHT


def test_who_cannot_be_reached_is_passed_over_with_the_reason() -> None:
    crew = Crew()
    for ref in NIGHT:
        crew.reach(ref, reachable=False, reason=f"{ref} left it at home")
    lines = play(crew)
    assert called(lines)[0][1] == "centre"
    (skipped,) = [one.reason for one in lines if one.what == "skipped"]
    assert "staff-8 left it at home" in skipped


def test_an_event_of_which_nothing_comes_says_so() -> None:
    lines = play(Crew(), LOCK, "lock.locked", for_=timedelta(minutes=5))
    assert {line.what for line in lines} <= {"no_alert"}


@pytest.mark.parametrize(
    ("device", "event", "more", "said"),
    [
        ("nothing", "alarm.manual", {}, "device: found 'nothing'"),
        (PENDANT, "alarm", {}, "event: found 'alarm'"),
        (PENDANT, "alarm.manual", {"values": {"presses": "many"}}, "values:"),
        (PENDANT, "alarm.manual", {"for_": timedelta(days=30)}, "hours:"),
    ],
)
def test_what_cannot_be_asked_is_refused(device: str, event: str, more: dict[str, Any], said: str) -> None:
    with pytest.raises(Refused, match=said):
        play(Crew(), device, event, **more)


def test_nothing_of_the_state_itself_changes() -> None:
    crew = Crew()
    kept = snapshot(crew)
    before = msgspec.json.encode({**kept.records})
    dry_run(WALK, kept, Question(device=PENDANT, event="alarm.manual", at=crew.now))
    assert (kept.alerts, kept.timers, kept.deliveries, kept.statuses) == ({}, {}, {}, {})
    assert msgspec.json.encode({**kept.records}) == before
