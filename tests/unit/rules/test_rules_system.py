"""Silence, offline, late events and wrong clocks."""

from datetime import timedelta
from typing import Any

import pytest
from house import NOON, House, document

from gateway.model.alert import AlertType, Severity
from gateway.model.frame import Transport
from gateway.model.vocabulary import ClockQuality, DeviceKind
from rules.presence import SILENCE_OF_KIND


def make(kind: str = "lock", **given: Any) -> House:
    return House(document({"dev": {"kind": kind, "since": NOON, "heartbeat_s": 60, **given}}))


# --- S1: silent ---


def test_a_device_that_never_spoke_is_silent_three_heartbeats_after_its_enrolment() -> None:
    house = make()
    house.after(179.9)
    assert house.open() == []
    house.after(0.1)
    alert = house.one("device_silent")
    assert (alert.severity, alert.type, alert.accept_within_s) == (
        Severity.LOW,
        AlertType.TECHNICAL,
        4 * 3600,
    )
    assert alert.values == {"minutes": 3}


@pytest.mark.parametrize(
    ("kind", "role", "severity", "ladder"),
    [
        ("social_alarm", "", Severity.MEDIUM, "care"),
        ("gps_alarm", "", Severity.MEDIUM, "care"),
        ("button", "sos", Severity.MEDIUM, "care"),
        ("button", "lamp", Severity.LOW, "technical"),
        ("camera", "", Severity.LOW, "technical"),
    ],
)
def test_silence_is_worse_when_it_takes_the_call_for_help(
    kind: str, role: str, severity: Severity, ladder: str
) -> None:
    house = make(kind, role=role)
    house.after(180)
    alert = house.one("device_silent")
    assert (alert.severity, alert.ladder) == (severity, ladder)


@pytest.mark.parametrize(
    ("kind", "minutes"),
    [
        *(("gps_alarm", 15), ("gps_tracker", 15), ("lock", 26 * 60), ("medication_dispenser", 10)),
        *(("social_alarm", 15), ("camera", 15), ("button", 26 * 60), ("fall_detector", 26 * 60)),
        *(("gateway", 26 * 60), ("unknown", 26 * 60)),
    ],
)
def test_without_a_heartbeat_the_kinds_own_silence_is_allowed(kind: str, minutes: float) -> None:
    house = make(kind, heartbeat_s=None)
    house.after(minutes * 60 - 1)
    assert house.open("device_silent") == []
    house.after(1)
    assert house.open("device_silent")


def test_no_kind_of_device_may_be_silent_for_ever() -> None:
    assert set(SILENCE_OF_KIND) == set(DeviceKind)
    assert max(SILENCE_OF_KIND.values()) == timedelta(hours=26)


@pytest.mark.parametrize("given", [{}, {"kind": "camera", "heartbeat_s": None}])
def test_what_is_not_supervised_is_never_silent(given: dict[str, Any]) -> None:
    house = make(supervised=False, **given)
    house.after(7 * 86400)
    assert house.open() == []


def test_any_message_counts_and_none_costs_a_timer() -> None:
    house = make()
    for _ in range(20):
        house.after(170)
        house.says("dev", "heartbeat")
    assert house.open() == []
    assert house.timers("device_silent") == ["silent"]
    house.after(180)
    assert house.one("device_silent")


def test_heard_again_clears_and_silent_again_counts_on_the_same_alert() -> None:
    house = make()
    house.after(180)
    house.says("dev", "heartbeat")
    house.after(179)
    assert not house.one("device_silent").active
    house.after(181)
    alert = house.one("device_silent")
    assert (alert.active, alert.count) == (True, 2)


def test_staying_silent_counts_nothing_and_closed_it_is_told_again_after_a_day() -> None:
    house = make()
    house.after(48 * 3600)
    alert = house.one("device_silent")
    assert alert.count == 1
    house.closes(alert)
    house.after(24 * 3600 - 120)
    assert house.open() == []
    house.after(600)
    assert house.one("device_silent").id != alert.id


def test_silence_goes_on_over_a_restart() -> None:
    house = make()
    house.says("dev", "heartbeat")
    house.after(100)
    house.restart()
    house.after(79.9)
    assert house.open() == []
    house.after(0.1)
    assert house.one("device_silent")


def test_a_heartbeat_that_changes_moves_the_limit_and_one_that_ends_clears() -> None:
    house = make()
    house.enrol(document({"dev": {"kind": "lock", "since": NOON, "heartbeat_s": 600}}))
    house.after(1799)
    assert house.open() == []
    house.after(1)
    assert house.one("device_silent").active
    house.enrol(document({"dev": {"kind": "lock", "since": NOON, "supervised": False}}))
    house.after(3600)
    assert not house.one("device_silent").active


def bridge(**given: Any) -> House:
    lock = {"kind": "lock", "since": NOON, "heartbeat_s": 60, "via": "bridge"}
    return House(
        document({"bridge": {"kind": "gateway", "since": NOON, **given}, "one": lock, "two": lock}), NOON
    )


def test_devices_behind_a_bridge_that_is_offline_are_the_bridges_one_alert() -> None:
    house = bridge(heartbeat_s=None)
    house.says("bridge", "device.offline")
    house.after(3600)
    assert [alert.device for alert in house.open()] == ["bridge"]
    assert any("silent because its bridge bridge is away" in reason for reason in house.said)


def test_devices_behind_a_bridge_that_is_silent_are_the_bridges_one_alert() -> None:
    house = bridge(heartbeat_s=60)
    house.after(3600)
    assert [(alert.device, alert.text) for alert in house.open()] == [("bridge", "device_silent")]


def test_a_device_still_silent_after_its_bridge_came_back_has_its_own_alert() -> None:
    house = bridge(heartbeat_s=None)
    house.says("bridge", "device.offline")
    house.after(3600)
    house.says("bridge", "device.online")
    house.says("one", "heartbeat")
    back = house.now
    house.after(200)
    assert house.open("device_silent") == [], "counted from the bridge's return"
    house.says("one", "heartbeat")
    house.after(600)
    silent = {alert.device: alert for alert in house.open("device_silent")}
    assert "two" in silent
    assert silent["two"].raised_at >= back + timedelta(seconds=240)


# --- S1: an SOS behind a bridge ---


def pendant(**given: Any) -> House:
    """A pendant, and a button that calls for help, behind a bridge."""
    sos = {"kind": "social_alarm", "since": NOON, "heartbeat_s": 3600, "via": "bridge"}
    button = {"kind": "button", "role": "sos", "since": NOON, "heartbeat_s": None, "via": "bridge"}
    lock = {**sos, "kind": "lock"}
    return House(
        document(
            {
                "bridge": {"kind": "gateway", "since": NOON, **given},
                "sos": sos,
                "button": button,
                "lock": lock,
            }
        )
    )


@pytest.mark.parametrize("offline", [True, False])
def test_a_bridge_that_is_away_takes_the_call_for_help_with_it_and_carers_hear_at_once(
    *, offline: bool
) -> None:
    house = pendant(heartbeat_s=3600 if offline else 300)
    if offline:
        house.says("bridge", "device.offline")
        house.after(299)
    else:
        house.after(900 + 120)
    found = {alert.device: alert for alert in house.open("device_silent") if alert.device != "bridge"}
    assert set(found) == {"sos", "button"}, "the lock's silence is the bridge's"
    for alert in found.values():
        assert (alert.severity, alert.ladder) == (Severity.MEDIUM, "care")
        assert alert.reason == "its bridge bridge is away, and no call for help comes through"


def test_a_bridge_that_is_away_for_less_than_a_minute_cuts_nobody_off() -> None:
    house = pendant(heartbeat_s=3600)
    for _ in range(20):
        house.says("bridge", "device.offline")
        house.after(59)
        house.says("bridge", "device.online")
        house.after(60)
    assert house.open() == []


def test_with_the_bridge_back_the_call_for_help_is_cleared_and_cut_off_again_it_is_told_again() -> None:
    house = pendant(heartbeat_s=3600)
    house.says("bridge", "device.offline")
    house.after(600)
    house.says("bridge", "device.online")
    house.after(600)
    assert [alert.active for alert in house.open("device_silent")] == [False, False]
    for alert in house.open():
        house.closes(alert)
    house.says("bridge", "device.offline")
    house.after(600)
    assert {alert.device for alert in house.open("device_silent")} == {"sos", "button"}


def test_an_sos_that_is_silent_itself_is_told_whatever_its_bridge_does() -> None:
    house = pendant(heartbeat_s=60)
    house.after(3 * 3600 + 60)
    house.says("bridge", "device.offline")
    silent = {alert.device: alert.severity for alert in house.open("device_silent")}
    assert silent["sos"] is Severity.MEDIUM


# --- S1: the gateway itself was away ---


def test_after_an_outage_of_the_gateway_silence_counts_from_its_return() -> None:
    house = make(heartbeat_s=3600)
    house.says("dev", "heartbeat")
    house.now = NOON + timedelta(days=2)
    house.restart()
    house.step(Transport.CLOCK, channel="start")
    house.after(3 * 3600 - 1)
    assert house.open() == []
    house.after(1)
    alert = house.one("device_silent")
    assert alert.values == {"minutes": 51 * 60}
    assert alert.reason == (
        "nothing heard since 2026-01-14 12:00+01:00, for 3060 min; allowed are 180, "
        "from 2026-01-16 12:00+01:00 when the gateway was back"
    )


# --- S1: offline by its own word ---


@pytest.mark.parametrize(("kind", "severity"), [("lock", Severity.LOW), ("gateway", Severity.MEDIUM)])
def test_offline_for_a_minute_is_told(kind: str, severity: Severity) -> None:
    house = make(kind, heartbeat_s=3600)
    house.says("dev", "device.offline")
    house.after(59.9)
    assert house.open() == []
    house.after(0.1)
    alert = house.one("device_offline")
    assert (alert.severity, alert.type) == (severity, AlertType.TECHNICAL)
    house.says("dev", "device.online")
    assert not house.one("device_offline").active


def test_back_online_within_the_minute_raises_nothing() -> None:
    house = make(heartbeat_s=3600)
    house.says("dev", "device.offline")
    house.after(59)
    house.says("dev", "device.online")
    house.after(600)
    assert house.open() == []


def test_flapping_does_not_flood() -> None:
    house = make(heartbeat_s=3600)
    for _ in range(30):
        house.says("dev", "device.offline")
        house.after(61)
        house.says("dev", "device.online")
        house.after(5)
    alert = house.one("device_offline")
    assert alert.count < 10, "from the sixth transition on it is noise (S10)"
    assert house.open() == [alert]


def test_closed_while_still_offline_it_is_told_again_after_a_day() -> None:
    house = make(heartbeat_s=30 * 86400 / 3)
    house.says("dev", "device.offline")
    house.after(48 * 3600)
    first = house.one("device_offline")
    assert first.count == 1
    house.closes(first)
    house.after(22 * 3600)
    house.restart()
    house.enrol(document({"dev": {"kind": "lock", "since": NOON, "heartbeat_s": 864000}}))
    assert house.open() == []
    house.after(2 * 3600)
    again = house.one("device_offline")
    assert (again.id != first.id, again.occurred_at) == (True, NOON)
    house.says("dev", "device.online")
    house.closes(again)
    house.after(48 * 3600)
    assert house.open() == []
    house.says("dev", "device.offline")
    house.after(60)
    assert house.one("device_offline"), "offline anew is told at once"


def test_an_old_offline_does_not_beat_a_newer_online() -> None:
    house = make(heartbeat_s=3600)
    house.says("dev", "device.online")
    house.says("dev", "device.offline", ago_s=60)
    house.after(600)
    assert house.open() == []


def test_offline_of_what_is_not_supervised_raises_nothing() -> None:
    house = make(supervised=False)
    house.says("dev", "device.offline")
    house.after(7200)
    assert house.open() == []


def test_offline_of_what_is_no_longer_supervised_raises_nothing() -> None:
    house = make(heartbeat_s=3600)
    house.says("dev", "device.offline")
    house.enrol(document({"dev": {"kind": "lock", "since": NOON, "supervised": False}}))
    house.after(7200)
    assert house.open() == []


def test_offline_and_then_silent_is_one_alert_but_an_sos_gets_its_own() -> None:
    house = make("lock")
    house.says("dev", "device.offline")
    house.after(7200)
    assert [alert.text for alert in house.open()] == ["device_offline"]
    house = make("social_alarm")
    house.says("dev", "device.offline")
    house.after(7200)
    assert {alert.text: alert.severity for alert in house.open()} == {
        "device_offline": Severity.LOW,
        "device_silent": Severity.MEDIUM,
    }


def test_a_device_offline_with_its_bridge_is_told_only_if_it_stays_so() -> None:
    house = bridge(heartbeat_s=None)
    house.says("bridge", "device.offline")
    house.says("one", "device.offline")
    house.after(3600)
    assert [alert.device for alert in house.open("device_offline")] == ["bridge"]
    house.says("bridge", "device.online")
    house.after(1200)
    assert {alert.device for alert in house.open("device_offline") if alert.active} == {"one"}


def test_an_enrolment_of_a_device_that_is_offline_already_is_looked_at() -> None:
    house = make(supervised=False)
    house.says("dev", "device.offline")
    house.enrol(document({"dev": {"kind": "lock", "since": NOON, "heartbeat_s": 3600}}))
    house.after(60)
    assert house.one("device_offline")


def test_the_minute_goes_on_over_a_restart() -> None:
    house = make(heartbeat_s=3600)
    house.says("dev", "device.offline")
    house.after(30)
    house.restart()
    house.after(30)
    assert house.one("device_offline")


# --- S12 ---


@pytest.mark.parametrize(("ago_s", "late"), [(300, False), (301, True), (86400, True)])
def test_an_event_more_than_five_minutes_late_is_told_to_technicians(ago_s: float, *, late: bool) -> None:
    house = make(heartbeat_s=3600)
    house.says("dev", "lock.locked", ago_s=ago_s)
    assert bool(house.open("late_event")) is late


def test_a_backlog_is_one_alert_a_device_counted() -> None:
    house = make(heartbeat_s=3600)
    for number in range(200):
        house.says("dev", "door.opened", ago_s=7200 - number)
    alert = house.one("late_event")
    assert (alert.severity, alert.type, alert.count) == (Severity.LOW, AlertType.TECHNICAL, 200)
    assert len(house.state.deliveries) == 1, "a low alert does not ring again"


@pytest.mark.parametrize("word", ["alarm.manual", "fall.detected"])
def test_a_late_call_for_help_is_one_high_alert_and_no_second(word: str) -> None:
    house = make("gps_alarm", heartbeat_s=3600)
    house.says("dev", word, ago_s=3600)
    (alert,) = house.open()
    assert (alert.severity, alert.values["minutes"]) == (Severity.HIGH, 60)
    assert any("its own alert says so" in reason for reason in house.said)


@pytest.mark.parametrize("word", ["position.update", "heartbeat"])
def test_what_devices_send_in_batches_is_not_told_as_late(word: str) -> None:
    house = make("gps_tracker", heartbeat_s=3600)
    place = {"latitude": 59.0, "longitude": 15.0} if word == "position.update" else {}
    house.says("dev", word, ago_s=3600, **place)
    assert house.open() == []


@pytest.mark.parametrize(
    ("ago_s", "wrong"), [(-300, False), (-301, True), (366 * 86400, False), (366 * 86400 + 1, True)]
)
def test_a_clock_ahead_or_never_set_is_told_once(ago_s: float, *, wrong: bool) -> None:
    house = make(heartbeat_s=3600)
    for _ in range(3):
        house.says("dev", "door.opened", ago_s=ago_s, clock=ClockQuality.UNSYNCED)
    assert [alert.count for alert in house.open("clock_fault")] == ([1] if wrong else [])
