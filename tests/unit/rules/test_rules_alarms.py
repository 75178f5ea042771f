"""Calls for help and falls, through the real walk in virtual time."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest
from house import NOON, QUIET, House, document

from gateway.model.alert import AlertState, AlertType, Severity
from gateway.model.frame import Transport
from gateway.model.vocabulary import ClockQuality
from simulators.devices.alarm import SocialAlarm
from simulators.devices.base import Profile
from simulators.outputs import Message

GPS = {"kind": "gps_alarm", **QUIET}


@pytest.fixture
def house() -> House:
    return House(document({"gps": GPS, "button": {"kind": "button", "role": "sos", **QUIET}}))


def test_a_press_is_high_latched_and_offered_at_once(house: House) -> None:
    house.says("gps", "alarm.manual")
    alert = house.one("sos")
    assert (alert.severity, alert.type, alert.latched) == (Severity.HIGH, AlertType.PERSON, True)
    assert alert.deadline == NOON + timedelta(seconds=60)
    assert (alert.ladder, alert.late_s, alert.values) == ("care", 0, {"presses": 1})
    assert house.state.deliveries


def test_presses_add_up_on_the_same_alert(house: House) -> None:
    house.says("gps", "alarm.manual", presses=3)
    house.after(20)
    house.says("gps", "alarm.manual", presses=5)
    alert = house.one("sos")
    assert (alert.values["presses"], alert.count) == (8, 2)
    assert alert.deadline == NOON + timedelta(seconds=60), "a repeat never moves the deadline away"
    assert house.actions(alert) == ["raised", "repeated"]


def test_eight_presses_of_the_simulated_alarm_are_eight_on_the_page(house: House) -> None:
    zone = ZoneInfo("Europe/Stockholm")
    pendant = SocialAlarm(Profile(seed=1, tenant="t", name="x", home="h", zone=zone, started_at=NOON))
    for second in range(8):
        (told,) = pendant.press(NOON + timedelta(seconds=second))
        assert isinstance(told, Message)
        house.says("gps", "alarm.manual", **msgspec.json.decode(told.payload)["data"])
        house.after(1)
    assert house.one("sos").values["presses"] == 8


def test_a_repeated_press_rings_again(house: House) -> None:
    house.says("gps", "alarm.manual")
    (first,) = house.state.deliveries
    house.step(Transport.RECEIPT, channel=f"delivery/sent/{first}")
    house.after(1)
    house.says("gps", "alarm.manual")
    assert len(set(house.state.deliveries) - {first}) == 1


def test_a_press_does_not_take_the_alert_from_whoever_is_on_the_way(house: House) -> None:
    house.says("gps", "alarm.manual")
    house.answers(house.one("sos"), "accept")
    house.says("gps", "alarm.manual")
    alert = house.one("sos")
    assert (alert.state, alert.assignee) == (AlertState.ACCEPTED, "nurse")
    assert alert.deadline == house.now + timedelta(seconds=60), "they must say that they know of it"
    assert alert.values["presses"] == 2


def test_a_cancel_lowers_and_never_ends_and_a_new_press_is_high_again(house: House) -> None:
    house.says("gps", "alarm.manual")
    house.after(5)
    house.says("gps", "alarm.cancelled")
    alert = house.one("sos")
    assert (alert.severity, alert.active) == (Severity.MEDIUM, True)
    assert "cancelled on the device" in house.entries[-1].detail
    house.after(5)
    house.says("gps", "alarm.manual")
    assert house.one("sos").severity is Severity.HIGH
    assert house.one("sos").state is AlertState.OFFERED


def test_a_press_after_a_cancelled_one_that_somebody_took_is_offered_to_all_again(house: House) -> None:
    house.says("gps", "alarm.manual")
    house.says("gps", "alarm.cancelled")
    house.answers(house.one("sos"), "accept")
    house.after(60)
    house.says("gps", "alarm.manual")
    alert = house.one("sos")
    assert (alert.state, alert.assignee) == (AlertState.OFFERED, None)
    assert alert.deadline == house.now + timedelta(seconds=60)


def test_a_second_cancel_changes_nothing_more(house: House) -> None:
    house.says("gps", "alarm.manual")
    house.says("gps", "alarm.cancelled")
    house.says("gps", "alarm.cancelled")
    assert house.actions(house.one("sos")) == ["raised", "changed"]
    assert "cancelled on the device once more" in house.said


def test_an_old_cancel_does_not_lower_a_newer_press(house: House) -> None:
    house.says("gps", "alarm.manual")
    house.says("gps", "alarm.cancelled", ago_s=30)
    assert house.one("sos").severity is Severity.HIGH
    assert "the cancel is older than the newest alarm: the alarm stands" in house.said


def test_a_cancel_of_nothing_raises_nothing(house: House) -> None:
    house.says("gps", "alarm.cancelled")
    assert house.open() == []


@pytest.mark.parametrize(("ago_s", "minutes"), [(300, None), (301, 5), (43 * 60, 43)])
def test_a_late_press_is_still_high_and_says_how_late(
    house: House, ago_s: float, minutes: int | None
) -> None:
    house.says("gps", "alarm.manual", ago_s=ago_s)
    alert = house.one("sos")
    assert alert.severity is Severity.HIGH
    assert alert.values.get("minutes") == minutes
    assert alert.late_s == ago_s
    assert alert.occurred_at == NOON - timedelta(seconds=ago_s)
    assert house.open("late_event") == []


@pytest.mark.parametrize("ago_s", [-3600, 30 * 366 * 86400])
def test_a_press_with_an_impossible_time_is_taken_as_of_now(house: House, ago_s: float) -> None:
    house.says("gps", "alarm.manual", ago_s=ago_s, clock=ClockQuality.UNSYNCED)
    alert = house.one("sos")
    assert (alert.severity, alert.occurred_at, alert.late_s) == (Severity.HIGH, NOON, 0)
    assert house.one("clock_fault").severity is Severity.LOW


def test_a_plain_button_calls_for_help_only_by_its_role() -> None:
    devices = {"sos": {"kind": "button", "role": "sos", **QUIET}, "lamp": {"kind": "button", **QUIET}}
    house = House(document(devices))
    house.says("lamp", "button.pressed")
    assert house.open() == []
    house.says("sos", "button.pressed")
    assert house.one("sos").values == {"presses": 1}


def test_two_devices_of_a_person_make_two_alerts(house: House) -> None:
    house.says("gps", "alarm.manual")
    house.says("button", "button.pressed")
    assert len({alert.id for alert in house.open("sos")}) == 2


def test_a_closed_alert_and_a_new_press_make_a_new_alert(house: House) -> None:
    house.says("gps", "alarm.manual")
    first = house.one("sos")
    house.closes(first)
    house.says("gps", "alarm.manual")
    assert house.one("sos").id != first.id
    assert house.one("sos").values["presses"] == 1


def test_a_fall_nobody_cancels_is_high_after_thirty_seconds(house: House) -> None:
    house.says("gps", "fall.detected")
    house.after(29.9)
    assert house.open() == []
    house.after(0.1)
    alert = house.one("fall")
    assert (alert.severity, alert.latched, alert.late_s) == (Severity.HIGH, True, 0)
    assert alert.occurred_at == NOON


@pytest.mark.parametrize("after_s", [0, 12, 29.9])
def test_a_fall_cancelled_in_time_raises_nothing_and_says_so(house: House, after_s: float) -> None:
    house.says("gps", "fall.detected")
    house.after(after_s)
    house.says("gps", "alarm.cancelled")
    house.after(3600)
    assert house.open() == []
    assert any("cancelled on the device" in reason for reason in house.said)


def test_a_cancel_at_exactly_thirty_seconds_still_counts(house: House) -> None:
    house.says("gps", "fall.detected")
    house.now += timedelta(seconds=30)  # the cancel is journalled before the tick
    house.says("gps", "alarm.cancelled")
    house.after(60)
    assert house.open() == []


def test_a_cancel_after_thirty_seconds_does_not_stop_the_fall(house: House) -> None:
    house.says("gps", "fall.detected")
    house.now += timedelta(seconds=30.5)
    house.says("gps", "alarm.cancelled")
    house.after(0)
    assert house.one("fall").severity is Severity.HIGH


def test_a_cancel_after_the_alert_lowers_it(house: House) -> None:
    house.says("gps", "fall.detected")
    house.after(40)
    house.says("gps", "alarm.cancelled")
    assert house.one("fall").severity is Severity.MEDIUM


@pytest.mark.parametrize(("ago_s", "at_once"), [(29, False), (30, True), (600, True)])
def test_a_fall_heard_when_its_time_is_over_is_raised_at_once(
    house: House, ago_s: float, *, at_once: bool
) -> None:
    house.says("gps", "fall.detected", ago_s=ago_s)
    assert bool(house.open("fall")) is at_once
    house.after(1)
    assert house.one("fall").values == ({"minutes": 10} if ago_s == 600 else {})


def test_a_fall_dated_in_the_future_is_not_put_off(house: House) -> None:
    house.says("gps", "fall.detected", ago_s=-200)
    house.after(30)
    assert house.open("fall")


def test_a_second_fall_while_the_first_is_confirmed_does_not_put_it_off(house: House) -> None:
    house.says("gps", "fall.detected")
    house.after(20)
    house.says("gps", "fall.detected")
    house.after(10)
    assert house.one("fall").occurred_at == NOON


def test_a_fall_is_remembered_over_a_restart_with_its_own_start(house: House) -> None:
    house.says("gps", "fall.detected")
    house.after(10)
    house.restart()
    house.after(19.9)
    assert house.open() == []
    house.after(0.1)
    assert house.one("fall")


def test_a_fall_whose_time_ran_out_while_the_gateway_was_down_is_raised_at_once_as_late(house: House) -> None:
    house.says("gps", "fall.detected")
    house.stands_still_until(NOON + timedelta(minutes=20))
    alert = house.one("fall")
    assert alert.occurred_at == NOON
    assert alert.late_s == 20 * 60 - 30
