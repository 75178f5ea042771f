"""Leaving the zone: hysteresis, accuracy, lateness, night."""

from datetime import UTC, datetime, timedelta
from math import degrees

import pytest
from house import NOON, QUIET, House, document

from gateway.model.alert import Severity
from gateway.model.registry import Zone
from rules.places import EARTH_M, distance_m

MIDDLE = {"latitude": 59.0, "longitude": 15.0}
ZONE = {**MIDDLE, "radius_m": 300}
NIGHT = datetime(2026, 1, 14, 22, 0, tzinfo=UTC)  # 23:00 in Stockholm


def make(now: datetime = NOON, **home: object) -> House:
    return House(document({"gps": {"kind": "gps_alarm", **QUIET}}, **{"zone": ZONE, **home}), now)


@pytest.fixture
def house() -> House:
    return make()


def fix(house: House, metres: float, *, ago_s: float = 0, accuracy: float | None = 10) -> None:
    """A fix straight north of the middle."""
    latitude = MIDDLE["latitude"] + degrees(metres / EARTH_M)
    house.says("gps", "position.update", ago_s=ago_s, latitude=latitude, longitude=15.0, accuracy_m=accuracy)


def leave(house: House) -> None:
    fix(house, 1000)
    house.after(30)
    fix(house, 1000)


@pytest.mark.parametrize(
    ("latitude", "longitude", "metres"),
    [(59.0, 15.0, 0), (60.0, 15.0, 111_195), (59.0, 16.0, 57_270), (-59.0, -165.0, 20_015_115)],
)
def test_distances_are_those_of_the_sphere(latitude: float, longitude: float, metres: float) -> None:
    zone = Zone(latitude=59, longitude=15, radius_m=1)
    assert distance_m(latitude, longitude, zone) == pytest.approx(metres, abs=2)


def test_two_fixes_outside_are_an_exit(house: House) -> None:
    fix(house, 1000)
    assert house.open() == []
    house.after(30)
    fix(house, 1000)
    alert = house.one("zone_exit")
    assert (alert.severity, alert.accept_within_s, alert.values) == (Severity.MEDIUM, 300, {})


def test_one_fix_outside_and_then_nothing_for_two_minutes_is_an_exit(house: House) -> None:
    fix(house, 1000)
    house.after(119.9)
    assert house.open() == []
    house.after(0.1)
    assert house.one("zone_exit")


@pytest.mark.parametrize(
    ("metres", "accuracy", "out"),
    [(349, 10, False), (351, 10, True), (399, 50, False), (401, 50, True), (351, None, True)],
)
def test_the_margin_is_fifty_metres_or_twice_the_accuracy(
    house: House, metres: float, accuracy: float | None, *, out: bool
) -> None:
    for _ in range(2):
        house.after(10)
        fix(house, metres, accuracy=accuracy)
    assert bool(house.open()) is out


@pytest.mark.parametrize(("accuracy", "heard"), [(200, True), (200.1, False)])
def test_a_vague_fix_is_passed_over(house: House, accuracy: float, *, heard: bool) -> None:
    for _ in range(2):
        house.after(10)
        fix(house, 5000, accuracy=accuracy)
    assert bool(house.open()) is heard
    assert any("too vague" in reason for reason in house.said) is not heard


def test_a_fix_inside_between_two_outside_is_no_exit(house: House) -> None:
    for metres in (1000, 0, 1000, 320, 1000):
        fix(house, metres)
        house.after(30)
    assert house.open() == []


def test_it_clears_after_two_fixes_well_inside_and_stays_open(house: House) -> None:
    leave(house)
    for metres in (240, 260, 240):  # 260 is not well inside
        house.after(10)
        fix(house, metres)
        assert house.one("zone_exit").active
    house.after(10)
    fix(house, 249)
    assert not house.one("zone_exit").active
    leave(house)
    alert = house.one("zone_exit")
    assert (alert.active, alert.count) == (True, 2)


def test_a_small_zone_can_be_entered_again() -> None:
    house = make(zone={**MIDDLE, "radius_m": 40})
    leave(house)
    fix(house, 5)
    fix(house, 5)
    assert not house.one("zone_exit").active


def test_staying_outside_counts_nothing(house: House) -> None:
    leave(house)
    for _ in range(10):
        house.after(60)
        fix(house, 1500)
    assert house.one("zone_exit").count == 1


def test_closed_while_still_outside_it_comes_back_only_after_half_an_hour(house: House) -> None:
    leave(house)
    house.closes(house.one("zone_exit"))
    for minutes in range(1, 31):
        assert house.open() == [], f"{minutes} min"
        house.after(60)
        fix(house, 1500)
    assert house.one("zone_exit")


def test_closed_and_back_inside_the_next_exit_is_raised_at_once(house: House) -> None:
    leave(house)
    house.closes(house.one("zone_exit"))
    fix(house, 0)
    fix(house, 0)
    leave(house)
    assert house.one("zone_exit")


def test_at_night_it_is_high_and_must_be_taken_in_a_minute() -> None:
    house = make(NIGHT)
    leave(house)
    alert = house.one("zone_exit")
    assert (alert.severity, alert.accept_within_s) == (Severity.HIGH, 60)


def test_with_the_flag_it_is_high_by_day() -> None:
    house = make(flags=["zone_high"])
    leave(house)
    assert house.one("zone_exit").severity is Severity.HIGH


def test_it_becomes_high_when_night_comes() -> None:
    house = make(NIGHT - timedelta(hours=1, minutes=1))  # 21:59
    leave(house)
    assert house.one("zone_exit").severity is Severity.MEDIUM
    house.after(60)
    fix(house, 1500)
    alert = house.one("zone_exit")
    assert (alert.severity, alert.deadline) == (Severity.HIGH, house.now + timedelta(seconds=60))
    fix(house, 1500)
    assert house.actions(alert).count("changed") == 1


def test_a_fix_older_than_the_newest_is_passed_over(house: House) -> None:
    fix(house, 0)
    for _ in range(3):
        fix(house, 1000, ago_s=60)
    assert house.open() == []
    assert "the position is older than the newest one" in house.said


def test_a_fix_dated_in_the_future_does_not_make_the_next_ones_old(house: House) -> None:
    fix(house, 0, ago_s=-86400)
    house.after(1)
    leave(house)
    assert house.one("zone_exit")


def test_a_late_walk_that_ended_inside_is_no_exit(house: House) -> None:
    for ago_s, metres in ((3600, 1000), (3500, 1000), (3400, 1000), (3300, 0), (3200, 0)):
        fix(house, metres, ago_s=ago_s)
    house.after(600)
    assert house.open() == []


def test_a_late_walk_that_is_still_outside_is_an_exit_that_says_how_late(house: House) -> None:
    fix(house, 1000, ago_s=3700)
    fix(house, 1000, ago_s=3600)
    assert house.open() == []
    house.after(120)
    alert = house.one("zone_exit")
    assert alert.values == {"minutes": 60}
    assert alert.occurred_at == NOON - timedelta(hours=1)
    assert alert.late_s == 3600


def test_the_devices_own_word_is_taken_at_once_and_makes_one_alert_with_the_fixes(house: House) -> None:
    house.says("gps", "geofence.exit")
    assert house.one("zone_exit")
    leave(house)
    assert house.one("zone_exit").count == 1
    house.says("gps", "geofence.enter")
    assert not house.one("zone_exit").active


def test_the_devices_own_word_needs_no_zone_in_the_registry() -> None:
    house = make(zone=None)
    leave(house)
    assert house.open() == []
    house.says("gps", "geofence.exit")
    assert house.one("zone_exit")


def test_an_old_word_of_the_device_does_not_beat_a_newer_fix(house: House) -> None:
    fix(house, 0)
    house.says("gps", "geofence.exit", ago_s=100)
    assert house.open("zone_exit") == []


def test_an_exit_is_confirmed_over_a_restart(house: House) -> None:
    fix(house, 1000)
    house.after(30)
    house.restart()
    fix(house, 1000)
    assert house.one("zone_exit")
    house.restart()
    fix(house, 0)
    house.restart()
    fix(house, 0)
    assert not house.one("zone_exit").active
