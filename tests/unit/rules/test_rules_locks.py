"""Doors left unlocked, doors opened at night, locks that are stuck."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from house import QUIET, House, document
from msgspec.structs import replace

from gateway.model.alert import AlertType, Severity
from gateway.model.registry import Person

STAFF = {"means": "phone", "credential": "c-1"}
NIGHT = datetime(2026, 1, 14, 22, 0, tzinfo=UTC)  # 23:00 in Stockholm
DEVICES = {
    "t/lock": {"kind": "lock", **QUIET},
    "alarm": {"kind": "social_alarm", **QUIET},
    "front": {"kind": "door_contact", "role": "entrance_door", **QUIET},
    "fridge": {"kind": "door_contact", "role": "fridge", **QUIET},
}


@pytest.fixture
def house() -> House:
    return House(document(DEVICES))


def visit(house: House, *, checks_out_on: str = "t/lock") -> None:
    house.says("t/lock", "lock.unlocked", **STAFF)
    house.after(1200)
    house.says(checks_out_on, "visit.ended")


# --- L1 ---


@pytest.mark.parametrize("device", ["t/lock", "alarm"])
def test_not_locked_five_minutes_after_the_visit_is_low_and_after_ten_medium(
    house: House, device: str
) -> None:
    visit(house, checks_out_on=device)
    ended = house.now
    house.after(299.9)
    assert house.open() == []
    house.after(0.1)
    alert = house.one("unlocked_after_visit")
    assert (alert.severity, alert.type, alert.subject) == (Severity.LOW, AlertType.PERSON, "t/lock")
    assert (alert.device, alert.occurred_at, alert.late_s) == ("t/lock", ended, 0)
    house.after(299.9)
    assert house.one("unlocked_after_visit").severity is Severity.LOW
    house.after(0.1)
    assert house.one("unlocked_after_visit").severity is Severity.MEDIUM


def test_locked_in_time_raises_nothing(house: House) -> None:
    visit(house)
    house.after(299)
    house.says("t/lock", "lock.locked")
    house.after(7200)
    assert house.open() == []


def test_locked_before_the_check_out_raises_nothing(house: House) -> None:
    house.says("t/lock", "lock.unlocked", **STAFF)
    house.after(600)
    house.says("t/lock", "lock.locked")
    house.after(30)
    house.says("t/lock", "visit.ended")
    house.after(7200)
    assert house.open() == []


def test_unlocked_from_inside_when_leaving_after_the_check_out_is_raised(house: House) -> None:
    house.says("t/lock", "lock.unlocked", **STAFF)
    house.after(5)
    house.says("t/lock", "lock.locked")
    house.after(600)
    house.says("t/lock", "visit.ended")
    house.after(10)
    house.says("t/lock", "lock.unlocked", means="inside_knob")
    house.after(290)
    assert house.one("unlocked_after_visit")


def test_locked_after_the_alert_clears_it_and_the_next_visit_counts_again(house: House) -> None:
    visit(house)
    house.after(300)
    house.says("t/lock", "lock.locked")
    assert not house.one("unlocked_after_visit").active
    house.after(600)
    visit(house)
    house.after(300)
    alert = house.one("unlocked_after_visit")
    assert (alert.active, alert.count) == (True, 2)


def test_closed_before_ten_minutes_it_is_not_raised_again(house: House) -> None:
    visit(house)
    house.after(300)
    house.closes(house.one("unlocked_after_visit"))
    house.after(7200)
    assert house.open() == []


def test_without_a_check_out_it_is_low_after_an_hour(house: House) -> None:
    house.says("t/lock", "lock.unlatched", **STAFF)
    house.after(3599)
    assert house.open() == []
    house.after(1)
    assert house.one("unlocked_after_visit").severity is Severity.LOW


def test_a_check_out_after_that_hour_still_makes_it_medium(house: House) -> None:
    house.says("t/lock", "lock.unlocked", **STAFF)
    house.after(4000)
    house.says("t/lock", "visit.ended")
    house.after(599)
    alert = house.one("unlocked_after_visit")
    assert (alert.severity, alert.count) == (Severity.LOW, 1)
    house.after(1)
    assert house.one("unlocked_after_visit").severity is Severity.MEDIUM


def test_a_resident_who_leaves_the_door_unlocked_is_no_visit(house: House) -> None:
    house.says("t/lock", "lock.unlocked", means="inside_knob")
    house.says("alarm", "visit.ended")
    house.after(7200)
    assert house.open() == []


def test_a_locking_older_than_the_unlocking_does_not_count(house: House) -> None:
    visit(house)
    house.says("t/lock", "lock.locked", ago_s=1300)
    house.after(300)
    assert house.one("unlocked_after_visit")


def test_a_visit_heard_late_waits_for_the_rest_of_its_backlog(house: House) -> None:
    house.says("t/lock", "lock.unlocked", ago_s=9000, **STAFF)
    house.after(1)
    house.says("t/lock", "visit.ended", ago_s=7000)
    house.after(1)
    house.says("t/lock", "lock.locked", ago_s=6990)
    house.after(7200)
    assert house.open("unlocked_after_visit") == []


def test_the_visit_is_followed_over_restarts(house: House) -> None:
    house.says("t/lock", "lock.unlocked", **STAFF)
    house.restart()
    house.says("t/lock", "visit.ended")
    house.restart()
    house.after(300)
    house.restart()
    house.after(300)
    assert house.one("unlocked_after_visit").severity is Severity.MEDIUM


# --- L2 ---


def night(local: str = "23:00", **home: Any) -> House:
    hour, minute = map(int, local.split(":"))
    at = datetime(2026, 1, 14, tzinfo=UTC) + timedelta(hours=hour - 1, minutes=minute)
    return House(document(DEVICES, **{"flags": ["night_wandering"], **home}), at)


@pytest.mark.parametrize(
    ("local", "raised"), [("21:59", False), ("22:00", True), ("05:59", True), ("06:00", False)]
)
def test_the_night_is_from_22_until_06_local_time(local: str, *, raised: bool) -> None:
    house = night(local)
    house.says("front", "door.opened")
    assert bool(house.open()) is raised


@pytest.mark.parametrize(
    ("device", "word", "values", "raised"),
    [
        ("front", "door.opened", {}, True),
        ("t/lock", "door.opened", {}, True),
        ("fridge", "door.opened", {}, False),
        ("t/lock", "lock.unlocked", {"means": "inside_knob"}, True),
        ("t/lock", "lock.unlatched", {"means": "key"}, True),
        ("t/lock", "lock.unlocked", {}, True),
        ("t/lock", "lock.unlocked", STAFF, False),
        ("t/lock", "lock.unlocked", {"means": "remote"}, False),
    ],
)
def test_who_opened_decides(device: str, word: str, values: dict[str, str], *, raised: bool) -> None:
    house = night()
    house.says(device, word, **values)
    assert bool(house.open("door_at_night")) is raised


def test_a_door_at_night_is_medium_one_alert_a_home_and_taken_in_five_minutes() -> None:
    house = night()
    house.says("t/lock", "lock.unlocked", means="inside_knob")
    house.says("front", "door.opened")
    alert = house.one("door_at_night")
    assert (alert.severity, alert.subject, alert.device) == (Severity.MEDIUM, "home", "t/lock")
    assert (alert.accept_within_s, alert.count) == (300, 2)


def test_without_the_flag_a_door_at_night_is_nobodys_business() -> None:
    house = night(flags=[])
    house.says("front", "door.opened")
    assert house.open() == []


@pytest.mark.parametrize(("minutes", "raised"), [(15, False), (15.1, True)])
def test_with_staff_there_a_quarter_before_it_is_not_raised(minutes: float, *, raised: bool) -> None:
    house = night()
    house.says("t/lock", "lock.unlocked", **STAFF)
    house.after(minutes * 60)
    house.says("front", "door.opened")
    assert bool(house.open("door_at_night")) is raised
    assert ("opened at night with staff in the home" in house.said) is not raised


def test_a_check_out_counts_as_staff_there() -> None:
    house = night()
    house.says("alarm", "visit.ended")
    house.after(60)
    house.says("front", "door.opened")
    assert house.open() == []


def test_a_door_opened_at_night_and_heard_in_the_morning_says_how_late() -> None:
    house = night("07:00")
    house.says("front", "door.opened", ago_s=3 * 3600)
    assert house.one("door_at_night").values == {"minutes": 180}


def test_a_door_of_the_home_watches_for_the_one_who_lives_there() -> None:
    devices = {"front": {**DEVICES["front"], "person": None}}
    house = House(document(devices, flags=["night_wandering"]), NIGHT)
    house.says("front", "door.opened")
    assert house.one("door_at_night").person == "person"


@pytest.mark.parametrize(
    ("enrolled", "flagged", "raised"),
    [
        (None, "first", True),
        (None, "second", True),
        (None, "", False),
        ("first", "first", True),
        ("first", "second", False),
    ],
)
def test_a_door_of_a_home_of_two_watches_for_both(
    enrolled: str | None, flagged: str, *, raised: bool
) -> None:
    registry = document({"front": {**DEVICES["front"], "person": enrolled}})
    persons = [
        Person(ref=ref, home="home", flags=frozenset({"night_wandering"} if ref == flagged else ()))
        for ref in ("first", "second")
    ]
    house = House(replace(registry, person=tuple(persons)), NIGHT)
    house.says("front", "door.opened")
    assert [alert.person for alert in house.open("door_at_night")] == ([enrolled] if raised else [])


def test_the_night_follows_the_tenants_zone() -> None:
    house = night("12:00", time_zone="Asia/Tokyo")  # 20:00 there
    house.says("front", "door.opened")
    assert house.open() == []
    house.after(2 * 3600)
    house.says("front", "door.opened")
    assert house.open()


# --- L10 ---


@pytest.mark.parametrize("word", ["lock.jammed", "lock.not_fully_locked"])
def test_a_stuck_bolt_is_medium_at_once_and_clears_when_it_moves(house: House, word: str) -> None:
    house.says("t/lock", word)
    alert = house.one("lock_jammed")
    assert (alert.severity, alert.accept_within_s) == (Severity.MEDIUM, 600)
    house.after(10)
    house.says("t/lock", "lock.locked")
    assert not house.one("lock_jammed").active


def test_a_fault_older_than_the_present_state_is_not_raised(house: House) -> None:
    house.says("t/lock", "lock.locked")
    house.says("t/lock", "lock.jammed", ago_s=60)
    assert house.open() == []
