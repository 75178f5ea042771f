from datetime import timedelta

import pytest

from gateway.contract import Changes
from gateway.model.alert import Alert, AlertState, Outcome
from tests.unit.pipeline.town import PENDANT, Town


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
    from gateway.model.frame import Transport

    changes = town.take(Transport.PERSON, channel, payload)
    assert len(changes.refusals) == 1
    assert not changes.alerts


def test_an_overlong_note_is_refused(town: Town, sos: str) -> None:
    assert town.answer(sos, "accept", note="x" * 501).refusals


def test_a_deadline_fires_after_a_restart_with_the_note_that_it_was_overdue(town: Town, sos: str) -> None:
    changes = town.later(hours=3)
    assert any("overdue" in entry.detail for entry in changes.entries if entry.alert == sos)
