"""Route: whom an alert reaches when something new happens, and when its ladder is gone."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from gateway.contract import Changes
from gateway.model.alert import AlertState
from gateway.model.frame import Transport
from gateway.model.people import Policy
from gateway.pipeline import history
from gateway.pipeline.state import deadline_key
from tests.unit.pipeline.town import LOCK, PENDANT, Town, document

OTHER = {
    "tenant": [{"id": "t", "name": "Testköping"}, {"id": "other", "name": "Elsewhere"}],
    "unit": [{"id": "u", "tenant": "t", "name": "Unit"}, {"id": "v", "tenant": "other", "name": "Unit"}],
}
GONE: dict[str, Any] = {"home": [], "person": [], "enrolment": []}


@pytest.fixture
def town() -> Town:
    return Town()


def enrol(town: Town, **parts: Any) -> None:
    changes = town.take(Transport.REGISTRY, "registry", document(**parts).to_json())
    assert not changes.refusals


def raised(changes: Changes) -> str:
    (alert,) = changes.alerts
    return alert


def recipients(changes: Changes) -> list[str]:
    return [delivery.recipient for delivery in changes.deliveries.values()]


def wait_out(town: Town, alert: str) -> Changes:
    deadline = town.state.alerts[alert].deadline
    assert deadline is not None
    return town.later(seconds=(deadline - town.now).total_seconds())


def teams(**of_unit: str) -> list[dict[str, str]]:
    return [{"id": name, "unit": unit, "name": name} for name, unit in of_unit.items()]


# --- something new has happened ---


@pytest.mark.parametrize("answer", ["accept", "on_site"])
def test_a_new_call_for_help_on_a_taken_alert_rings_the_present_step(town: Town, answer: str) -> None:
    sos = raised(town.send(PENDANT, "alarm.manual"))
    wait_out(town, sos)
    town.answer(sos, answer)
    town.later(minutes=20)
    before = town.state.alerts[sos]
    changes = town.send(PENDANT, "alarm.manual")
    assert recipients(changes) == ["night"]
    alert = changes.alerts[sos]
    assert (alert.state, alert.assignee, alert.step) == (before.state, "anna", 1)
    assert (alert.deadline - town.now).total_seconds() == 60 if alert.deadline else False


def test_nobody_confirms_the_new_call_and_it_is_offered_again(town: Town) -> None:
    sos = raised(town.send(PENDANT, "alarm.manual"))
    town.answer(sos, "on_site")
    town.later(minutes=90)
    town.send(PENDANT, "alarm.manual")
    changes = town.later(seconds=60)
    assert changes.alerts[sos].state is AlertState.OFFERED
    assert recipients(changes)


def test_a_lease_that_ends_sooner_is_not_made_longer(town: Town) -> None:
    sos = raised(town.send(PENDANT, "alarm.manual"))
    town.answer(sos, "accept")
    town.later(minutes=44, seconds=30)
    lease = town.state.alerts[sos].deadline
    assert town.send(PENDANT, "alarm.manual").alerts[sos].deadline == lease


def test_every_press_rings_however_many_there_are(town: Town) -> None:
    sos = raised(town.send(PENDANT, "alarm.manual"))
    town.answer(sos, "accept")
    for _ in range(20):
        assert recipients(town.send(PENDANT, "alarm.manual")) == ["day"]


@pytest.mark.parametrize("taken", [False, True])
def test_what_was_over_and_begins_again_rings_at_any_severity(town: Town, *, taken: bool) -> None:
    jam = raised(town.send(LOCK, "lock.jammed"))
    if taken:
        town.answer(jam, "accept")
    lease = town.state.alerts[jam].deadline
    town.send(LOCK, "lock.locked")
    assert not town.state.alerts[jam].active
    changes = town.send(LOCK, "lock.jammed")
    assert recipients(changes) == ["day"]
    alert = changes.alerts[jam]
    assert (alert.active, alert.assignee) == (True, "anna" if taken else None)
    assert alert.deadline == lease, "a milder one leaves who has it their time"


def test_what_goes_on_and_is_not_high_does_not_ring_again(town: Town) -> None:
    jam = raised(town.send(LOCK, "lock.jammed"))
    town.answer(jam, "accept")
    assert recipients(town.send(LOCK, "lock.not_fully_locked")) == []


# --- the ladder is gone ---


def test_an_alert_keeps_the_policy_it_was_raised_with_when_its_home_gets_another(town: Town) -> None:
    sos = raised(town.send(PENDANT, "alarm.manual"))
    wait_out(town, sos)
    home = {"id": "h1", "tenant": "t", "unit": "u", "care_ladder": "new", "technical_ladder": "new"}
    steps = [{"to": ["centre"]}, {"to": ["tech"]}]
    enrol(town, ladder=[{"id": "new", "tenant": "t", "steps": steps}], home=[home])
    assert recipients(wait_out(town, sos)) == ["centre"]
    assert recipients(wait_out(town, sos)) == ["centre"]
    assert town.state.alerts[sos].ladder == "care"
    assert recipients(town.send(LOCK, "lock.jammed")) == ["centre"], "a new one climbs the new ladder"


def test_past_the_teams_that_are_left_it_goes_to_all_of_its_tenant_and_to_no_other(town: Town) -> None:
    sos = raised(town.send(PENDANT, "alarm.manual"))
    enrol(town, **OTHER, **GONE, ladder=[], team=teams(day="u", night="u", strangers="v"))
    assert recipients(wait_out(town, sos)) == ["night"]
    changes = wait_out(town, sos)
    assert recipients(changes) == ["day", "night"]
    (skipped,) = [entry for entry in changes.entries if entry.action == "skipped"]
    assert "centre: is gone from the registry: the whole tenant is asked" in skipped.detail


def test_a_tenant_without_teams_is_still_asked_and_no_other_tenants_team_hears(town: Town) -> None:
    sos = raised(town.send(PENDANT, "alarm.manual"))
    enrol(town, **OTHER, **GONE, ladder=[], team=teams(strangers="v"))
    assert recipients(wait_out(town, sos)) == ["tenant:t"]
    assert town.state.alerts[sos].deadline is not None


def test_a_tenant_with_the_longest_name_is_asked_too(town: Town) -> None:
    name = "t" * 128
    home = {"id": "h1", "tenant": name, "unit": "u", "care_ladder": "l", "technical_ladder": "l"}
    parts = msgspec.to_builtins(document())
    enrol(
        town,
        tenant=[{"id": name, "name": "Long"}],
        unit=[{"id": "u", "tenant": name, "name": "Unit"}],
        ladder=[{"id": "l", "tenant": name, "steps": [{"to": ["day"]}]}],
        home=[home],
        device=[device | {"tenant": name} for device in parts["device"]],
    )
    sos = raised(town.send(PENDANT, "alarm.manual"))
    enrol(town, **GONE, ladder=[], team=[])
    assert recipients(wait_out(town, sos)) == [f"tenant:{name}"]


# --- a promise that cannot be kept ---


def test_a_deadline_that_fails_holds_back_no_other_is_told_and_comes_again(town: Town) -> None:
    broken = raised(town.send(LOCK, "lock.jammed"))
    alert = town.state.alerts[broken]
    now = town.now + timedelta(seconds=60)
    hollow = Policy(id="hollow", steps=(), repeat_s=120)
    spoilt = replace(alert, policy=hollow, deadline=now, version=alert.version + 1)
    history.write(town.state, spoilt, "changed", 1)
    town.state.take_changes()
    sos = raised(town.send(PENDANT, "alarm.manual"))
    changes = wait_out(town, sos)
    assert [entry.action for entry in changes.entries if entry.alert == sos] == ["escalated", "offered"]
    assert "timer_overdue" in {one.rule for one in changes.alerts.values()}
    again = town.state.timer(deadline_key(broken))
    assert again is not None
    assert again.due_at > town.now
