"""Handing on: shifts that end, breaks, the night, leases, arrivals; and what is set aside with its end."""

from datetime import timedelta

import pytest

from gateway.model.alert import AlertState, Phase, Severity
from gateway.model.frame import Transport
from tests.unit.people.crew import NIGHT, Crew, actions, at, crewed, details, rotation, rung, staff
from tests.unit.pipeline.town import LOCK, PENDANT

CREDENTIAL = "cred-007"


@pytest.fixture
def crew() -> Crew:
    return Crew()


def jam(crew: Crew) -> str:
    return next(iter(crew.send(LOCK, "lock.jammed").alerts))


# --- the hours of work ---


def test_at_the_end_of_a_shift_every_open_alert_of_it_is_offered_onward(crew: Crew) -> None:
    crew.now = at("2026-11-22T22:00:00+01:00")
    mild, sos = jam(crew), crew.sos()
    crew.answer(mild, "accept", "staff-4")
    crew.answer(sos, "on_site", "staff-5")
    crew.now = at("2026-11-22T22:29:59+01:00")
    assert not crew.later(seconds=0).deliveries
    changes = crew.later(seconds=1)
    assert actions(changes).count("handed_on") == 2
    assert set(rung(changes)) <= set(NIGHT)
    for name in (mild, sos):
        assert (crew.alert(name).state, crew.alert(name).assignee) == (AlertState.OFFERED, None)


def test_a_shift_that_ended_while_nobody_watched_is_handed_over_at_the_start(crew: Crew) -> None:
    crew.now = at("2026-11-22T22:00:00+01:00")
    mild = jam(crew)
    crew.answer(mild, "accept", "staff-4")
    crew.now = at("2026-11-22T23:15:00+01:00")
    assert "handed_on" in actions(crew.later(seconds=0))


def test_who_is_removed_leaves_what_they_had_to_the_others(crew: Crew) -> None:
    crew.tells("people/staff", {"staff": [staff("staff-11", "day")]})
    sos = crew.sos()
    crew.answer(sos, "accept", "staff-11")
    changes = crew.tells("people/staff", {"remove": ["staff-11"]})
    assert (crew.alert(sos).state, crew.alert(sos).assignee) == (AlertState.OFFERED, None)
    assert rung(changes) == ["staff-1"]


def test_who_a_new_registry_takes_off_the_plan_leaves_what_they_had_to_the_others(crew: Crew) -> None:
    sos = crew.sos()
    crew.answer(sos, "accept", "staff-1")
    others = [rotation("day", ("staff-2",), "07:00", "22:30"), rotation("night", NIGHT, "22:30", "07:00")]
    assert rung(crew.registers(**crewed(rotation=others))) == ["staff-2"]


def test_an_imported_plan_of_a_team_that_left_the_registry_stops_no_hand_over(crew: Crew) -> None:
    crew.now = at("2026-11-22T22:00:00+01:00")
    crew.tells("people/staff", {"staff": [staff("staff-11", "tech")]})
    shift = {"id": "x", "staff": "staff-11", "team": "tech", "source": "plan"}
    span = {"since": crew.now, "until": crew.now + timedelta(hours=2)}
    assert not crew.tells("people/shifts", {"source": "plan", **span, "shifts": [shift | span]}).refusals
    sos = crew.sos()
    crew.answer(sos, "accept", "staff-11")
    parts = crewed()
    steps = {"id": "tech", "tenant": "t", "steps": [{"to": ["centre"]}]}
    teams = [{"id": name, "unit": "u", "name": name} for name in ("day", "night", "centre")]
    crew.enrol(**parts | {"team": teams, "ladder": [parts["ladder"][0], steps]})
    crew.later(minutes=31)
    assert crew.alert(sos).assignee == "staff-11"
    assert "timer_overdue" not in {alert.rule for alert in crew.state.alerts.values()}


def test_who_goes_on_in_another_shift_keeps_what_they_have() -> None:
    crew = Crew(
        rotation=[
            rotation("day", ("staff-1",), "07:00", "15:00"),
            rotation("day", ("staff-1",), "15:00", "22:30") | {"id": "later"},
            rotation("night", NIGHT, "22:30", "07:00"),
        ]
    )
    sos = crew.sos()
    crew.answer(sos, "accept", "staff-1")
    crew.now = at("2026-11-22T13:20:00+01:00")
    crew.answer(sos, "on_site", "staff-1")
    crew.now = at("2026-11-22T15:00:00+01:00")
    assert "handed_on" not in actions(crew.later(seconds=0))


def test_what_was_only_offered_to_the_day_is_offered_to_the_night() -> None:
    crew = Crew(
        rotation=[],
        staff=[],
        ladder=[
            {"id": "care", "tenant": "t", "steps": [{"to": ["day"], "at_night": ["night"]}]},
            crewed()["ladder"][1],
        ],
    )
    crew.now = at("2026-11-22T22:29:50+01:00")
    sos = crew.sos()
    changes = crew.later(seconds=10)
    assert rung(changes) == ["night"]
    assert details(changes, "handed_on") == ["the night has begun"]
    assert crew.alert(sos).deadline is not None


def test_a_break_is_a_hand_over_and_its_end_brings_the_person_back(crew: Crew) -> None:
    mild = jam(crew)
    crew.answer(mild, "accept", "staff-1")
    changes = crew.pause("staff-1", minutes=20)
    assert details(changes, "handed_on") == ["staff-1: on a break"]
    assert rung(changes) == ["staff-2"]
    assert "staff-1" not in rung(crew.send(PENDANT, "alarm.manual"))
    crew.later(minutes=21)
    crew.answer(mild, "accept", "staff-2")
    assert rung(crew.send(LOCK, "lock.jammed")) == []
    fresh = Crew()
    fresh.pause("staff-1")
    fresh.tells("context/break-staff-1/end", {})
    assert rung(fresh.send(PENDANT, "alarm.manual")) == ["staff-1"]


def test_a_break_longer_than_a_break_or_of_a_stranger_is_refused(crew: Crew) -> None:
    assert "lasts longer" in next(iter(crew.pause("staff-1", minutes=600).refusals.values()))
    assert "staff that are known" in next(iter(crew.pause("nobody").refusals.values()))


# --- arrival ---


def with_credential() -> Crew:
    people = [staff("staff-1", "day", credentials=[CREDENTIAL]), staff("staff-2", "day")]
    return Crew(staff=people, rotation=[rotation("day", ("staff-1", "staff-2"), "00:00", "00:00")])


def test_who_accepts_a_call_for_help_and_does_not_arrive_is_missed_and_the_next_are_asked(crew: Crew) -> None:
    sos = crew.sos()
    crew.answer(sos, "accept", "staff-1", eta_s=600)
    assert not rung(crew.later(minutes=14, seconds=59))
    changes = crew.later(seconds=1)
    assert actions(changes)[0] == "arrival_missed"
    assert "X6: no sign of staff-1" in details(changes, "arrival_missed")[0]
    assert "staff-1" not in rung(changes)
    assert rung(changes)


def test_who_missed_their_time_is_not_the_only_one_of_two_who_is_asked() -> None:
    crew = with_credential()
    sos = crew.sos()
    first = crew.alert(sos).asked[0]
    crew.answer(sos, "accept", first, eta_s=60)
    changes = crew.until_deadline(sos)
    assert rung(changes) == [({"staff-1", "staff-2"} - {first}).pop()]


def test_a_new_time_of_arrival_moves_the_watch_and_so_does_still_on_the_way(crew: Crew) -> None:
    sos = crew.sos()
    crew.answer(sos, "accept", "staff-1", eta_s=600)
    crew.later(minutes=8)
    assert crew.answer(sos, "accept", "staff-1", eta_s=900).alerts
    assert crew.alert(sos).deadline == crew.now + timedelta(minutes=20)
    crew.later(minutes=16)
    assert actions(crew.answer(sos, "accept", "staff-1")) == ["confirmed"]
    assert crew.alert(sos).eta == crew.now + timedelta(minutes=15)


def test_who_is_asked_again_on_the_way_keeps_the_alert_by_saying_so(crew: Crew) -> None:
    sos = crew.sos()
    crew.answer(sos, "accept", "staff-1", eta_s=1800)
    arrives_at = crew.alert(sos).eta
    crew.later(minutes=1)
    assert crew.sos() == sos, "pressed again"
    assert crew.alert(sos).deadline == crew.now + timedelta(seconds=60)
    assert actions(crew.answer(sos, "accept", "staff-1")) == ["confirmed"]
    assert crew.alert(sos).eta == arrives_at
    assert not rung(crew.later(minutes=10))


@pytest.mark.parametrize("word", ["lock.unlocked", "visit.started"])
def test_a_lock_or_visit_with_their_credential_shows_that_they_are_there(word: str) -> None:
    crew = with_credential()
    sos = crew.sos()
    crew.answer(sos, "accept", "staff-1", eta_s=600)
    means = {"means": "tag"} if word.startswith("lock") else {}
    crew.send(LOCK, word, credential=CREDENTIAL, **means)
    assert crew.alert(sos).state is AlertState.ON_SITE
    assert not rung(crew.later(minutes=30))
    assert crew.state.people.whereabouts["staff-1"].home == "h1"


def test_a_strangers_credential_shows_nothing_and_nobody_is_taken_for_another() -> None:
    crew = with_credential()
    sos = crew.sos()
    crew.answer(sos, "accept", "staff-2", eta_s=600)
    crew.send(LOCK, "lock.unlocked", credential="stranger", means="tag")
    crew.send(LOCK, "lock.unlocked", credential=CREDENTIAL, means="tag")
    assert (crew.alert(sos).state, crew.alert(sos).assignee) == (AlertState.ACCEPTED, "staff-2")


# --- set aside ---


def test_a_shelved_alert_comes_back_at_its_end(crew: Crew) -> None:
    mild = jam(crew)
    changes = crew.answer(mild, "shelve", "staff-1", note="locksmith comes", for_s=3600)
    assert crew.alert(mild).shelved_until == crew.now + timedelta(hours=1)
    assert not rung(changes)
    assert not rung(crew.later(minutes=59))
    assert rung(crew.later(minutes=1)) == ["staff-1"]


@pytest.mark.parametrize(("for_s", "note"), [(7201, "x"), (0, "x"), (None, "x"), (60, ""), (60, "  ")])
def test_shelving_needs_a_reason_and_an_end_within_its_limit(
    crew: Crew, for_s: float | None, note: str
) -> None:
    mild = jam(crew)
    assert crew.answer(mild, "shelve", "staff-1", note=note, for_s=for_s).refusals


@pytest.mark.parametrize("action", ["shelve", "suppress"])
def test_a_high_alert_is_never_set_aside(crew: Crew, action: str) -> None:
    sos, mild = crew.sos(), jam(crew)
    refused = crew.answer(sos, action, "staff-1", note="later", for_s=60, by=mild)
    assert "is never" in next(iter(refused.refusals.values()))
    assert crew.alert(sos).state is AlertState.OFFERED


def test_a_suppressed_alert_comes_back_when_what_spoke_for_it_is_closed(crew: Crew) -> None:
    mild, sos = jam(crew), crew.sos()
    crew.answer(mild, "suppress", "staff-1", by=sos)
    assert (crew.alert(mild).state, crew.alert(mild).suppressed_by) == (AlertState.SUPPRESSED, sos)
    changes = crew.answer(sos, "close", "staff-1", outcome="real")
    assert crew.alert(mild).state is AlertState.OFFERED
    assert rung(changes)


def test_a_suppressed_alert_comes_back_in_a_day_even_if_nothing_is_closed(crew: Crew) -> None:
    mild, sos = jam(crew), crew.sos()
    crew.answer(mild, "suppress", "staff-1", by=sos)
    crew.later(hours=24)
    assert crew.alert(mild).state is AlertState.OFFERED


def test_alerts_cannot_suppress_each_other_in_a_ring(crew: Crew) -> None:
    mild, sos = jam(crew), crew.sos()
    assert crew.answer(mild, "suppress", "x", by=mild).refusals
    assert crew.answer(mild, "suppress", "x", by="gone").refusals
    crew.answer(mild, "suppress", "x", by=sos)
    other = next(iter(crew.send("nuki-1", "lock.jammed").alerts), None) or mild
    assert crew.answer(other, "suppress", "x", by=mild).refusals


def test_what_is_set_aside_and_happens_again_stays_so_unless_it_is_worse(crew: Crew) -> None:
    mild = jam(crew)
    crew.answer(mild, "shelve", "staff-1", note="locksmith comes", for_s=3600)
    crew.send(LOCK, "lock.locked", means="manual")
    again = crew.send(LOCK, "lock.jammed")
    assert crew.alert(mild).count == 2
    assert not rung(again)


def test_maintenance_sets_technical_alerts_of_its_home_aside_and_ends(crew: Crew) -> None:
    crew.context("m1", kind="maintenance", home="h1", minutes=60)
    assert not crew.take(Transport.MQTT, f"vaka/1/{LOCK}/event", b"{").deliveries
    assert crew.state.alerts
    (low,) = crew.state.alerts.values()
    assert low.state is AlertState.OUT_OF_SERVICE
    assert rung(crew.send(PENDANT, "alarm.manual")) == ["staff-1"], "a call for help never waits"
    unread = crew.take(Transport.MQTT, f"vaka/1/{PENDANT}/event", b"{")
    assert rung(unread) == ["staff-1"], "nor what may have been one"
    changes = crew.tells("context/m1/end", {})
    assert crew.alert(low.id).state is AlertState.OFFERED
    assert rung(changes) == ["tech"]


# --- what must be seen ---


def test_nobody_closes_what_became_more_severe_since_they_looked(crew: Crew) -> None:
    from msgspec.structs import replace

    from gateway.pipeline import history

    mild = jam(crew)
    before = crew.alert(mild)
    risen = replace(before, severity=Severity.HIGH, version=before.version + 1, worse_at=before.version + 1)
    history.write(crew.state, risen, "changed", 0)
    (entry,) = [one for one in crew.state.take_changes().entries if one.action == "changed"]
    assert (entry.phase, entry.severity) == (Phase.ESCALATE, Severity.HIGH)
    assert "seen_severity" in next(iter(crew.answer(mild, "close", outcome="real").refusals.values()))
    refused = crew.answer(mild, "close", outcome="real", seen_severity="medium")
    assert "more severe since you looked" in next(iter(refused.refusals.values()))
    assert crew.answer(mild, "close", outcome="real", seen_severity="high").alerts[mild].outcome == "real"
