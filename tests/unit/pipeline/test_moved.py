"""A device moved to another home or person: nothing of the old meaning rings, counts or is remembered."""

from datetime import timedelta
from typing import Any

import pytest

from gateway.contract import Changes
from gateway.model.alert import Alert, AlertState
from gateway.model.frame import Transport
from tests.unit.pipeline.town import LOCK, PENDANT, START, Town, document

HOME = {"tenant": "t", "unit": "u", "care_ladder": "care", "technical_ladder": "tech"}
STAFF = {"means": "phone", "credential": "c-1"}


def homes(device: str, home: str, person: str | None) -> dict[str, Any]:
    """Two homes with two residents each, and one device enrolled in one of them."""
    return {
        "home": [{"id": "h1", **HOME}, {"id": "h2", **HOME}],
        "person": [{"ref": f"p{n}", "home": "h1" if n < 3 else "h2"} for n in (1, 2, 3, 4)],
        "enrolment": [
            {"device": device, "home": home, "person": person, "since": START, "heartbeat_s": 86400}
        ],
    }


@pytest.fixture
def town() -> Town:
    return Town()


def enrol(town: Town, device: str, home: str, person: str | None) -> Changes:
    registry = document(**homes(device, home, person))
    return town.take(Transport.REGISTRY, "registry", registry.to_json())


def one(changes: Changes) -> Alert:
    (alert,) = changes.alerts.values()
    return alert


@pytest.mark.parametrize(("home", "person"), [("h2", "p3"), ("h1", "p2"), ("h1", None), ("h2", None)])
def test_a_call_for_help_after_a_move_is_a_new_alert_that_rings(
    town: Town, home: str, person: str | None
) -> None:
    enrol(town, PENDANT, "h1", "p1")
    first = one(town.send(PENDANT, "alarm.manual"))
    town.answer(first.id, "accept")
    enrol(town, PENDANT, home, person)
    changes = town.send(PENDANT, "alarm.manual")
    second = one(changes)
    assert second.id != first.id
    assert (second.home, second.person, second.count, second.state) == (home, person, 1, AlertState.OFFERED)
    assert [delivery.recipient for delivery in changes.deliveries.values()] == ["day"]
    old = town.state.alerts[first.id]
    assert (old.home, old.person, old.assignee, old.count) == ("h1", "p1", "anna", 1)


def test_moved_back_it_counts_on_the_alert_that_is_still_open_there(town: Town) -> None:
    enrol(town, PENDANT, "h1", "p1")
    first = one(town.send(PENDANT, "alarm.manual"))
    enrol(town, PENDANT, "h2", "p3")
    town.send(PENDANT, "alarm.manual")
    enrol(town, PENDANT, "h1", "p1")
    assert one(town.send(PENDANT, "alarm.manual")).id == first.id
    assert sorted(alert.count for alert in town.state.alerts.values()) == [1, 2]


def test_closing_one_of_the_two_leaves_the_other_open_and_counted_on(town: Town) -> None:
    enrol(town, PENDANT, "h1", "p1")
    first = one(town.send(PENDANT, "alarm.manual"))
    enrol(town, PENDANT, "h2", "p3")
    second = one(town.send(PENDANT, "alarm.manual"))
    town.answer(first.id, "close", outcome="real")
    assert one(town.send(PENDANT, "alarm.manual")).id == second.id


def test_a_cancel_after_a_move_does_not_lower_the_old_homes_alert(town: Town) -> None:
    enrol(town, PENDANT, "h1", "p1")
    first = one(town.send(PENDANT, "alarm.manual"))
    enrol(town, PENDANT, "h2", "p3")
    assert not town.send(PENDANT, "alarm.cancelled").alerts
    assert town.state.alerts[first.id] == first


def test_what_the_rules_knew_and_waited_for_does_not_come_along(town: Town) -> None:
    enrol(town, LOCK, "h1", "p1")
    town.send(LOCK, "lock.unlocked", **STAFF)
    assert town.state.recall("unlocked_after_visit", LOCK)
    changes = enrol(town, LOCK, "h2", "p3")
    assert not town.state.recall("unlocked_after_visit", LOCK)
    assert town.state.statuses[LOCK].slots == {}
    told = [trace.reason for trace in changes.traces if "unlocked_after_visit" in trace.reason]
    assert told == ["timer 'no_checkout' of rule 'unlocked_after_visit' dropped: its device was moved"]
    assert changes.memories[f"unlocked_after_visit\0{LOCK}"] is None
    assert not town.later(hours=2).alerts


def test_what_is_true_of_the_thing_itself_comes_along(town: Town) -> None:
    enrol(town, LOCK, "h1", "p1")
    town.send(LOCK, "device.offline")
    town.send(LOCK, "battery.low")
    town.send(LOCK, "lock.unlocked")
    changes = enrol(town, LOCK, "h2", "p3")
    assert changes.statuses[LOCK].slots == {"link": "device.offline", "battery": "battery.low"}
    assert one(town.later(seconds=61)).home == "h2"


def test_a_registry_read_again_forgets_nothing(town: Town) -> None:
    enrol(town, LOCK, "h1", "p1")
    town.send(LOCK, "lock.unlocked", **STAFF)
    town.now += timedelta(minutes=1)
    enrol(town, LOCK, "h1", "p1")
    assert town.state.recall("unlocked_after_visit", LOCK)
    assert town.state.statuses[LOCK].slots == {"lock": "lock.unlocked"}
    assert one(town.later(hours=1)).text == "unlocked_after_visit"


def test_a_home_keeps_what_is_known_of_it_when_one_of_its_devices_moves(town: Town) -> None:
    enrol(town, LOCK, "h1", "p1")
    town.send(LOCK, "lock.unlocked", **STAFF)
    enrol(town, LOCK, "h2", "p3")
    assert town.state.recall("door_at_night", "h1")
    assert not town.state.recall("door_at_night", "h2")
