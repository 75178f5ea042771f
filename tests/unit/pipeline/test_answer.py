from datetime import timedelta

import pytest
from msgspec.structs import replace

from gateway.contract import Changes
from gateway.model.alert import Alert, AlertState, Outcome, Severity
from gateway.model.frame import Frame, Transport
from gateway.model.status import Timer
from gateway.pipeline.answer import expired
from tests.unit.pipeline.town import LOCK, PENDANT, Town, document


@pytest.fixture
def town() -> Town:
    return Town()


@pytest.fixture
def sos(town: Town) -> str:
    return one(town.send(PENDANT, "alarm.manual")).id


def one(changes: Changes) -> Alert:
    (alert,) = changes.alerts.values()
    return alert


def test_an_alert_goes_to_the_first_step_of_the_ladder_with_a_deadline(town: Town) -> None:
    changes = town.send(PENDANT, "alarm.manual")
    assert [d.recipient for d in changes.deliveries.values()] == ["day"]
    assert one(changes).deadline == town.now + timedelta(seconds=60)


def test_silence_climbs_the_ladder_and_its_last_step_repeats_for_ever(town: Town, sos: str) -> None:
    recipients = []
    for _ in range(5):
        due = town.state.alerts[sos].deadline
        assert due is not None
        changes = town.later(seconds=(due - town.now).total_seconds())
        recipients += [d.recipient for d in changes.deliveries.values()]
    assert recipients == ["night", "centre", "centre", "centre", "centre"]
    deadline = town.state.alerts[sos].deadline
    assert deadline is not None
    assert deadline > town.now


def test_the_first_to_accept_wins_and_the_next_is_told_who(town: Town, sos: str) -> None:
    assert one(town.answer(sos, "accept", "anna")).assignee == "anna"
    refused = town.answer(sos, "accept", "bo")
    assert list(refused.refusals.values()) == ["taken by anna"]
    assert not refused.alerts


def test_accepting_twice_changes_nothing(town: Town, sos: str) -> None:
    town.answer(sos, "accept")
    again = town.answer(sos, "accept")
    assert not again.alerts
    assert not again.refusals


def test_an_acceptance_that_nobody_follows_up_is_offered_again(town: Town, sos: str) -> None:
    town.answer(sos, "accept")
    changes = town.later(minutes=46)
    again = one(changes)
    assert again.state is AlertState.OFFERED
    assert again.assignee is None
    assert [entry.action for entry in changes.entries] == ["lease_expired", "offered"]


def test_on_site_then_closed_with_an_outcome_ends_it(town: Town, sos: str) -> None:
    town.answer(sos, "accept")
    town.answer(sos, "on_site")
    done = one(town.answer(sos, "close", outcome="real"))
    assert (done.state, done.outcome, done.deadline) == (AlertState.CLOSED, Outcome.REAL, None)
    assert sos not in town.state.alerts
    assert not [timer for timer in town.state.timers() if timer.owner == "alert"]


def test_closing_without_an_outcome_is_refused(town: Town, sos: str) -> None:
    assert "needs an outcome" in next(iter(town.answer(sos, "close").refusals.values()))
    assert sos in town.state.alerts


def test_giving_back_offers_it_to_the_step_again(town: Town, sos: str) -> None:
    town.answer(sos, "accept")
    changes = town.answer(sos, "release")
    assert [d.recipient for d in changes.deliveries.values()] == ["day"]


@pytest.mark.parametrize(
    ("channel", "payload"),
    [
        ("alert/x/accept", b'{"actor":"anna"}'),
        ("alert/x/explode", b'{"actor":"anna"}'),
        ("nonsense", b"{}"),
        ("alert/x/accept", b"\xff"),
        ("alert/x/accept", b'{"actor":"anna","admin":true}'),
    ],
)
def test_an_answer_that_does_not_fit_is_refused_with_a_reason(
    town: Town, channel: str, payload: bytes
) -> None:
    changes = town.take(Transport.PERSON, channel, payload)
    assert len(changes.refusals) == 1
    assert not changes.alerts


def test_an_overlong_note_is_refused(town: Town, sos: str) -> None:
    assert town.answer(sos, "accept", note="x" * 501).refusals


def test_a_deadline_fires_after_a_restart_with_the_note_that_it_was_overdue(town: Town, sos: str) -> None:
    changes = town.later(hours=3)
    assert any("overdue" in entry.detail for entry in changes.entries if entry.alert == sos)


@pytest.mark.parametrize(
    ("device", "word", "severity"),
    [(PENDANT, "alarm.manual", Severity.HIGH), (LOCK, "lock.jammed", Severity.MEDIUM)],
)
def test_nobody_closes_what_was_raised_again_since_they_looked(
    town: Town, device: str, word: str, severity: Severity
) -> None:
    alert = one(town.send(device, word))
    assert alert.severity is severity
    if device == LOCK:
        town.send(LOCK, "lock.locked", means="manual")
    again = town.send(device, word).alerts[alert.id]
    refused = town.answer(alert.id, "close", outcome="false", seen=again.count - 1)
    assert list(refused.refusals.values()) == ["raised again since you looked: 2 times, you saw 1"]
    assert not refused.alerts
    assert one(town.answer(alert.id, "close", outcome="false", seen=again.count)).outcome is Outcome.FALSE


def test_a_press_in_the_same_second_as_the_close_of_the_one_before_stays_open(town: Town, sos: str) -> None:
    town.now += timedelta(milliseconds=500)
    town.send(PENDANT, "alarm.manual")
    town.now += timedelta(milliseconds=400)
    town.answer(sos, "close", outcome="false", seen=1)
    assert town.state.alerts[sos].count == 2
    assert town.state.alerts[sos].deadline is not None


def test_a_high_alert_is_closed_only_by_who_says_what_they_saw(town: Town, sos: str) -> None:
    refused = town.answer(sos, "close", outcome="test", seen=None)
    assert "needs the count that was seen" in next(iter(refused.refusals.values()))
    claimed = town.answer(sos, "close", outcome="test", seen=99)
    assert "nobody can have seen it 99 times" in next(iter(claimed.refusals.values()))
    assert sos in town.state.alerts


def test_a_milder_alert_is_closed_also_by_who_does_not_say_what_they_saw(town: Town) -> None:
    alert = one(town.send(LOCK, "lock.jammed"))
    assert one(town.answer(alert.id, "close", outcome="technical", seen=None)).state is AlertState.CLOSED


def test_only_who_has_the_alert_gives_it_back_or_is_on_site(town: Town, sos: str) -> None:
    assert list(town.answer(sos, "release").refusals.values()) == ["nobody has taken it"]
    town.answer(sos, "accept", "anna")
    assert list(town.answer(sos, "release", "bo").refusals.values()) == ["only anna can give it back"]
    assert list(town.answer(sos, "on_site", "bo").refusals.values()) == ["taken by anna"]
    assert town.state.alerts[sos].assignee == "anna"


def test_being_on_site_without_a_close_is_offered_again(town: Town, sos: str) -> None:
    town.answer(sos, "on_site")
    changes = town.later(hours=2, seconds=1)
    assert [entry.action for entry in changes.entries] == ["on_site_expired", "offered"]


def test_a_closing_note_stands_in_history_beside_the_outcome(town: Town, sos: str) -> None:
    changes = town.answer(sos, "close", outcome="false", note="leaned on it")
    assert [entry.detail for entry in changes.entries] == ["false: leaned on it"]


def test_a_deadline_that_was_moved_or_whose_alert_is_gone_changes_nothing(town: Town, sos: str) -> None:
    timer = Timer(owner="alert", subject=sos, name="deadline", due_at=town.now, set_at=town.now)
    tick = Frame(Transport.CLOCK, "tick", b"", town.now, position=99)
    expired(town.state, timer, tick)
    expired(town.state, replace(timer, subject="gone"), tick)
    assert not town.state.take_changes().alerts


def test_an_alert_whose_ladder_is_gone_climbs_on_by_its_own_policy(town: Town, sos: str) -> None:
    moved = replace(document(), ladder=(), home=(), person=(), enrolment=())
    town.take(Transport.REGISTRY, "registry", moved.to_json())
    due = town.state.alerts[sos].deadline
    assert due is not None
    changes = town.later(seconds=(due - town.now).total_seconds())
    again = one(changes)
    assert (again.step, again.deadline) == (1, town.now + timedelta(seconds=40))
    assert {one.recipient for one in changes.deliveries.values() if not one.settled} >= {"night"}


def test_the_last_step_rings_for_a_low_alert_at_the_alerts_own_pace(town: Town) -> None:
    from gateway.model.frame import Transport

    alert = one(town.take(Transport.MQTT, f"vaka/1/{LOCK}/event", b"{"))
    due = alert.deadline
    assert due is not None
    town.later(seconds=(due - town.now).total_seconds())
    again = town.state.alerts[alert.id].deadline
    assert again == town.now + timedelta(seconds=alert.accept_within_s)


def test_accepting_again_late_in_the_lease_renews_it(town: Town, sos: str) -> None:
    town.answer(sos, "accept")
    town.now += timedelta(minutes=40)
    changes = town.answer(sos, "accept")
    assert [entry.action for entry in changes.entries] == ["confirmed"]
    assert one(changes).deadline == town.now + timedelta(minutes=45)
