"""Duty: who works when, over midnight and over the change of clocks; plans that are imported and refused."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.contract import Changes
from gateway.model.frame import Transport
from gateway.pipeline.coverage import coverage, coverage_ahead
from gateway.pipeline.duty import Crew as Duty
from tests.unit.people.crew import DAY, NIGHT, Crew, at, crewed, rotation, rung, staff
from tests.unit.pipeline.town import PENDANT


def duty(crew: Crew) -> Duty:
    return Duty(crew.state.registry, crew.state.people)


def test_the_night_is_one_shift_over_midnight() -> None:
    crew = duty(Crew())
    for moment, team, people in (
        ("2026-11-22T22:29:59+01:00", "night", []),
        ("2026-11-22T22:30:00+01:00", "night", list(NIGHT)),
        ("2026-11-23T06:59:59+01:00", "night", list(NIGHT)),
        ("2026-11-23T07:00:00+01:00", "night", []),
        ("2026-11-23T07:00:00+01:00", "day", list(DAY)),
    ):
        assert crew.on_duty(team, at(moment)) == people, moment


@pytest.mark.parametrize(
    ("day", "hours"),
    [("2026-03-28", 7.5), ("2026-03-30", 8.5), ("2026-10-24", 9.5)],
    ids=["the clocks go forward", "an ordinary night", "the clocks go back"],
)
def test_a_night_is_as_long_as_the_clocks_make_it(day: str, hours: float) -> None:
    crew = duty(Crew())
    noon = datetime.fromisoformat(f"{day}T12:00:00+00:00")
    (one, _) = [d for d in crew.duties("night", noon, noon + timedelta(hours=12)) if d.since > noon]
    assert one.until - one.since == timedelta(hours=hours)


def test_turns_follow_each_other_by_the_calendar_also_across_the_change_of_clocks() -> None:
    turns = [["staff-1"], ["staff-2"], ["staff-3"]]
    weekly = rotation("day", (), "07:00", "15:00") | {
        "turns": turns,
        "every_days": 7,
        "starts": "2026-03-23",
        "weekdays": [1, 2, 3, 4, 5],
    }
    crew = duty(Crew(rotation=[weekly]))
    assert crew.on_duty("day", at("2026-03-27T12:00:00+01:00")) == ["staff-1"]
    assert crew.on_duty("day", at("2026-03-28T12:00:00+01:00")) == [], "a Saturday"
    assert crew.on_duty("day", at("2026-03-30T12:00:00+02:00")) == ["staff-2"]
    assert crew.on_duty("day", at("2026-04-13T12:00:00+02:00")) == ["staff-1"], "round again"
    assert crew.on_duty("day", at("2026-03-16T12:00:00+01:00")) == [], "before it starts"


def test_every_change_of_hours_is_a_moment_and_there_is_always_a_next_one() -> None:
    crew = duty(Crew())
    noon = at("2026-11-22T12:00:00+01:00")
    moments = [one.astimezone(UTC).strftime("%H:%M") for one in crew.moments(noon, noon + timedelta(days=1))]
    assert moments == ["21:30", "06:00"]
    assert crew.next_moment(noon) == at("2026-11-22T22:30:00+01:00")


# --- plans ---


def shift(n: int, ref: str, team: str = "day", **more: Any) -> dict[str, Any]:
    since = at("2026-11-22T07:00:00+01:00") + timedelta(days=n)
    span = {"since": since, "until": since + timedelta(hours=8)}
    return {"id": f"s{n}-{ref}", "staff": ref, "team": team, **span, "source": "plan", **more}


def import_shifts(crew: Crew, shifts: list[dict[str, Any]], source: str = "plan") -> Changes:
    span = {"since": at("2026-11-22T00:00:00+01:00"), "until": at("2026-11-29T00:00:00+01:00")}
    told = {"source": source, **span, "shifts": shifts}
    return crew.tells("people/shifts", told, Transport.REGISTRY)


def test_an_imported_plan_says_who_works_and_a_newer_one_of_its_source_replaces_it() -> None:
    crew = Crew(rotation=[])
    assert not import_shifts(crew, [shift(0, "staff-3")]).refusals
    assert rung(crew.send(PENDANT, "alarm.manual")) == ["staff-3"]
    assert not import_shifts(crew, [shift(0, "staff-4")]).refusals
    assert duty(crew).on_duty("day", crew.now) == ["staff-4"]
    assert not import_shifts(crew, [shift(0, "staff-5", source="other")], "other").refusals
    assert duty(crew).on_duty("day", crew.now) == ["staff-4", "staff-5"], "another source's stays"


def test_a_change_takes_somebody_off_and_hands_over_what_they_had() -> None:
    crew = Crew()
    sos = crew.sos()
    crew.answer(sos, "accept", "staff-1")
    changes = import_shifts(crew, [shift(0, "staff-1", off=True)])
    assert not changes.refusals
    assert crew.alert(sos).assignee is None
    assert rung(changes) == ["staff-2"]
    assert "staff-1" not in duty(crew).on_duty("day", crew.now)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"staff": "nobody"}, "staff: found 'nobody'"),
        ({"team": "night"}, "team: found 'night'"),
        ({"source": "other"}, "source: found 'other'"),
        ({"until": "2026-11-22T06:00:00+01:00"}, "since must be before until"),
        ({"until": "2026-11-28T06:00:00+01:00"}, "longer than"),
        ({"since": "2026-11-22T07:00:00"}, "need an offset"),
        ({"since": "2026-11-21T23:00:00+01:00", "until": "2026-11-22T06:00:00+01:00"}, "outside the span"),
        ({"extra": 1, "since": 5}, "since"),
    ],
)
def test_a_plan_with_a_fault_is_refused_as_a_whole_with_the_reason(wrong: dict[str, Any], said: str) -> None:
    crew = Crew()
    before = dict(crew.state.people.shifts)
    changes = import_shifts(crew, [shift(0, "staff-1"), shift(1, "staff-2") | wrong])
    assert said in next(iter(changes.refusals.values()))
    assert crew.state.people.shifts == before
    assert not changes.records


def test_a_plan_that_leaves_a_policy_to_nobody_is_refused() -> None:
    always = rotation("day", DAY, "00:00", "00:00")
    steps = [{"to": ["night"]}, {"to": ["day"]}]
    ladders = [{"id": "care", "tenant": "t", "steps": steps}, crewed()["ladder"][1]]
    crew = Crew(tenant=[{"id": "t", "name": "T"}], rotation=[always], ladder=ladders)
    off = [shift(0, ref, off=True) for ref in DAY]
    refused = next(iter(import_shifts(crew, off).refusals.values()))
    assert "ladder care: its last step resolves to nobody" in refused
    assert not import_shifts(crew, off[:-1]).refusals, "one is enough"


def test_staff_come_in_by_import_and_strangers_teams_are_refused() -> None:
    crew = Crew(rotation=[])
    row = staff("staff-20", "day", competences=["keys"])
    assert not crew.tells("people/staff", {"staff": [row]}, Transport.REGISTRY).refusals
    assert not import_shifts(crew, [shift(0, "staff-20")]).refusals
    assert rung(crew.send(PENDANT, "alarm.manual")) == ["staff-20"]
    refused = crew.tells("people/staff", {"staff": [row | {"teams": ["gone"]}]}, Transport.REGISTRY)
    assert "teams: found 'gone'" in next(iter(refused.refusals.values()))
    refused = crew.tells("people/staff", {"staff": [row | {"phone": "070"}]}, Transport.REGISTRY)
    assert "phone" in next(iter(refused.refusals.values()))
    crew.tells("people/staff", {"remove": ["staff-20"]}, Transport.REGISTRY)
    assert duty(crew).on_duty("day", crew.now) == []


def test_visits_are_contexts_of_their_home_and_are_replaced_by_source() -> None:
    crew = Crew()
    span = {"since": crew.now, "until": crew.now + timedelta(days=1)}

    def visits(*names: str) -> Changes:
        rows = [
            {"id": n, "kind": "visit", "home": "h1", "ref": "staff-1", "source": "p", **span} for n in names
        ]
        return crew.tells("people/visits", {"source": "p", **span, "visits": rows}, Transport.REGISTRY)

    assert not visits("v1", "v2").refusals
    assert not visits("v2", "v3").refusals
    assert [one.id for one in crew.state.contexts_of("h1")] == ["v2", "v3"]


@pytest.mark.parametrize(
    "channel", ["people/else", "people/shifts/x", "context/x", "staff/x/y", "context/x/set"]
)
def test_what_cannot_be_read_is_refused_and_changes_nothing(channel: str) -> None:
    crew = Crew()
    changes = crew.take(Transport.PERSON, channel, b"\xff{")
    assert len(changes.refusals) == 1
    assert not changes.records


def test_a_list_of_staff_too_deep_to_read_is_refused() -> None:
    deep = b"[" * 100_000 + b"]" * 100_000
    assert Crew().take(Transport.PERSON, "people/staff", b'{"staff":[{"ref":' + deep + b"}]}").refusals


# --- coverage ---


def test_a_gap_is_seen_before_it_comes_and_while_it_is_there() -> None:
    crew = Crew(rotation=[rotation("day", DAY, "07:00", "22:30"), rotation("night", NIGHT, "22:30", "05:00")])
    assert coverage(crew.state, crew.now) == []
    (gap,) = coverage_ahead(crew.state, crew.now)
    assert (gap.ladder, gap.at, gap.total) == ("care", at("2026-11-23T05:00:00+01:00"), False)
    assert coverage(crew.state, gap.at) == [gap]


def test_a_look_ahead_tells_of_every_moment_what_a_look_at_that_moment_tells() -> None:
    crew = Crew()
    crew.pause("staff-2", 45)
    shift = {"id": "x", "staff": "staff-8", "team": "night", "source": "plan"}
    span = {"since": crew.now, "until": crew.now + timedelta(hours=2)}
    crew.tells("people/shifts", {"source": "plan", **span, "shifts": [shift | span]})
    until = crew.now + timedelta(hours=24)
    now = duty(crew)
    ahead = now.ahead(crew.now, until)
    moments = now.moments(crew.now, until)
    assert len(moments) == 4, "the break and the shift end, the night begins and ends"
    for moment in (crew.now, *moments):
        for team in crew.state.registry.teams:
            assert ahead.on_duty(team, moment) == now.on_duty(team, moment), (team, moment)


def test_phones_that_cannot_be_reached_make_a_gap_now() -> None:
    crew = Crew()
    for ref in DAY:
        crew.reach(ref, reachable=False)
    (gap,) = coverage(crew.state, crew.now)
    assert "staff-1: push: unreachable" in gap.reason


def test_a_team_that_answers_as_one_is_no_gap() -> None:
    crew = Crew(staff=[], rotation=[])
    assert coverage_ahead(crew.state, crew.now) == []
