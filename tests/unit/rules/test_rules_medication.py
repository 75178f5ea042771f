"""Doses, jams and dispensers out of reach; local times over the nights when the clocks change."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from house import NOON, QUIET, House, document

from gateway.model.alert import AlertType, Severity

MORNING = {"ref": "morning", "at": "08:00", "minutes": 60}
EVENING = {"ref": "evening", "at": "20:00", "minutes": 90}
SIX = datetime(2026, 1, 14, 5, 0, tzinfo=UTC)  # 06:00 in Stockholm
NINE = SIX + timedelta(hours=3)


def make(now: datetime = SIX, *, doses: tuple[dict[str, Any], ...] = (MORNING,), **given: Any) -> House:
    device = {"kind": "medication_dispenser", "doses": doses, **QUIET, **given}
    return House(document({"box": device}), now)


def heartbeats(house: House, until: datetime, every_s: float = 60) -> None:
    while house.now < until:
        house.says("box", "heartbeat")
        house.until(min(until, house.now + timedelta(seconds=every_s)))


# --- D1 ---


def test_no_dose_by_the_end_of_its_window_is_medium_and_an_episode_of_its_day() -> None:
    house = make()
    house.until(NINE - timedelta(seconds=1))
    assert house.open() == []
    house.until(NINE)
    alert = house.one("dose_missed")
    assert (alert.severity, alert.type, alert.accept_within_s) == (Severity.MEDIUM, AlertType.PERSON, 1800)
    assert alert.subject == "box/morning/2026-01-14"
    assert (alert.occurred_at, alert.values, alert.late_s) == (NINE, {"dose": "morning"}, 0)


@pytest.mark.parametrize("word", ["medication.taken", "medication.dispensed"])
@pytest.mark.parametrize("dose", ["morning", None])
def test_a_dose_taken_in_its_window_raises_nothing_until_tomorrow(word: str, dose: str | None) -> None:
    house = make()
    house.until(SIX + timedelta(hours=2.5))
    house.says("box", word, **({"dose": dose} if dose else {}))
    house.until(NINE + timedelta(hours=23.9))
    assert house.open() == []
    house.until(NINE + timedelta(hours=24))
    assert house.one("dose_missed").subject == "box/morning/2026-01-15"


def test_a_named_dose_taken_before_its_window_counts() -> None:
    house = make()
    house.says("box", "medication.taken", dose="morning")
    house.until(NINE)
    assert house.open() == []


@pytest.mark.parametrize("values", [{}, {"dose": "another"}])
def test_a_dose_without_that_name_outside_the_window_does_not_count(values: dict[str, str]) -> None:
    house = make()
    house.says("box", "medication.taken", **values)
    house.until(NINE)
    assert house.one("dose_missed")


def test_a_dose_that_came_in_time_and_was_heard_late_clears_the_alert() -> None:
    house = make()
    house.until(NINE + timedelta(minutes=30))
    house.says("box", "medication.taken", ago_s=3000, dose="morning")
    alert = house.one("dose_missed")
    assert (alert.active, house.actions(alert)) == (False, ["raised", "cleared"])


def test_every_missed_dose_is_an_alert_of_its_own() -> None:
    house = make(doses=(MORNING, EVENING))
    house.until(NINE + timedelta(days=1))
    subjects = sorted(alert.subject for alert in house.open("dose_missed"))
    assert subjects == ["box/evening/2026-01-14", "box/morning/2026-01-14", "box/morning/2026-01-15"]


def test_what_the_device_says_was_missed_is_raised_at_once_and_once() -> None:
    house = make()
    house.until(NINE - timedelta(minutes=1))
    house.says("box", "medication.missed", dose="morning")
    assert house.one("dose_missed").count == 1
    house.says("box", "medication.missed", dose="morning")
    house.until(NINE + timedelta(hours=1))
    assert house.one("dose_missed").count == 1


def test_a_missed_dose_that_was_closed_before_its_window_ended_is_not_raised_again() -> None:
    house = make()
    house.until(NINE - timedelta(minutes=20))
    house.says("box", "medication.missed", dose="morning")
    house.closes(house.one("dose_missed"))
    house.until(NINE + timedelta(hours=1))
    assert house.open() == []


def test_a_dose_dispensed_but_drawn_back_was_not_taken() -> None:
    house = make()
    house.until(SIX + timedelta(hours=2.2))
    house.says("box", "medication.dispensed", dose="morning")
    house.after(600)
    house.says("box", "medication.retracted", dose="morning")
    assert house.open() == []
    house.until(NINE)
    assert house.one("dose_missed")


def test_a_dose_drawn_back_after_its_window_is_raised_at_once() -> None:
    house = make()
    house.until(SIX + timedelta(hours=2.2))
    house.says("box", "medication.dispensed", dose="morning")
    house.until(NINE + timedelta(minutes=5))
    house.says("box", "medication.retracted", dose="morning")
    assert house.one("dose_missed")


def test_a_missed_dose_that_the_registry_does_not_know_is_told_once_a_day() -> None:
    house = make(doses=())
    house.says("box", "medication.missed", dose="x")
    house.says("box", "medication.missed", dose="x")
    assert house.one("dose_missed").subject == "box/x/2026-01-14"
    assert house.one("dose_missed").count == 1


def test_a_dose_before_the_enrolment_is_not_judged() -> None:
    house = make(SIX + timedelta(hours=2.5), since=SIX + timedelta(hours=2.5))
    house.until(NINE + timedelta(hours=1))
    assert house.open() == []


def test_a_plan_that_moves_moves_its_timer_and_one_that_ends_is_not_judged() -> None:
    house = make()
    device = {"kind": "medication_dispenser", **QUIET}
    house.enrol(document({"box": {**device, "doses": [{**MORNING, "at": "09:30"}]}}))
    house.until(NINE + timedelta(minutes=89))
    assert house.open() == []
    house.until(NINE + timedelta(minutes=90))
    house.closes(house.one("dose_missed"))
    house.enrol(document({"box": device}))
    house.until(NINE + timedelta(days=3))
    assert house.open() == []


def test_a_plan_that_moves_to_a_time_already_past_begins_tomorrow() -> None:
    house = make(SIX + timedelta(hours=1))
    house.enrol(
        document({"box": {"kind": "medication_dispenser", "doses": [{**MORNING, "at": "05:00"}], **QUIET}})
    )
    house.until(SIX + timedelta(hours=23))
    assert house.open() == []
    assert "the planned time 'morning' has moved, and has a timer of its own" in house.said
    house.until(SIX + timedelta(days=1))
    assert house.one("dose_missed").subject == "box/morning/2026-01-15"


def test_a_window_over_midnight_belongs_to_the_day_it_began() -> None:
    house = make(doses=({"ref": "night", "at": "23:30", "minutes": 60},))
    house.until(datetime(2026, 1, 14, 23, 30, tzinfo=UTC))
    assert house.one("dose_missed").subject == "box/night/2026-01-14"


def test_a_restart_in_the_window_keeps_what_was_taken() -> None:
    house = make(doses=(MORNING, EVENING))
    house.until(SIX + timedelta(hours=2.5))
    house.says("box", "medication.taken", dose="morning")
    house.restart()
    house.until(NINE + timedelta(hours=1))
    assert house.open() == []


def test_after_a_standstill_the_missed_dose_is_judged_for_its_day_as_late() -> None:
    house = make()
    house.stands_still_until(NINE + timedelta(hours=5))
    alert = house.one("dose_missed")
    assert (alert.subject, alert.occurred_at) == ("box/morning/2026-01-14", NINE)
    assert alert.late_s == 5 * 3600
    assert "judged 300 min late" in alert.reason


def test_after_weeks_of_standstill_only_the_last_days_are_judged() -> None:
    house = make()
    house.stands_still_until(NINE + timedelta(days=20, hours=1))
    house.after(30)
    days = sorted(alert.subject[-2:] for alert in house.open("dose_missed"))
    assert days == ["02", "03", "14"]


@pytest.mark.parametrize(
    ("day", "local", "ends_at"),
    [
        ("2026-03-28", "08:00", "2026-03-28T08:00"),
        ("2026-03-29", "08:00", "2026-03-29T07:00"),  # summer time has begun
        ("2026-03-29", "01:30", "2026-03-29T01:30"),  # 01:30 CET and 60 real minutes: 03:30 CEST
        ("2026-03-29", "02:30", "2026-03-29T02:30"),  # a time the clocks skip: as 02:30 CET
        ("2026-10-24", "08:00", "2026-10-24T07:00"),
        ("2026-10-25", "08:00", "2026-10-25T08:00"),  # winter time has begun
        ("2026-10-25", "02:30", "2026-10-25T01:30"),  # stands twice: the first time counts
    ],
)
def test_doses_follow_the_local_clock_over_its_changes(day: str, local: str, ends_at: str) -> None:
    end = datetime.fromisoformat(f"{ends_at}+00:00")
    house = make(end - timedelta(hours=2), doses=({**MORNING, "at": local},))
    house.until(end - timedelta(seconds=1))
    assert house.open() == []
    house.until(end)
    assert house.one("dose_missed").subject == f"box/morning/{day}"


@pytest.mark.parametrize("first", [datetime(2026, 3, 27, tzinfo=UTC), datetime(2026, 10, 23, tzinfo=UTC)])
def test_over_a_clock_change_every_day_is_judged_once(first: datetime) -> None:
    house = make(first, doses=({**MORNING, "at": "02:30", "minutes": 30},))
    house.until(first + timedelta(days=5))
    assert len(house.open("dose_missed")) == 5


# --- D5 ---


def test_a_jam_that_clears_itself_in_a_minute_raises_nothing() -> None:
    house = make()
    house.says("box", "medication.jam")
    house.after(59.9)
    house.says("box", "medication.jam_cleared")
    house.after(600)
    assert house.open() == []


@pytest.mark.parametrize(
    ("hours_before", "severity", "ladder"),
    [(2.1, Severity.LOW, "technical"), (1.9, Severity.MEDIUM, "care"), (-0.5, Severity.MEDIUM, "care")],
)
def test_a_jam_is_medium_when_a_dose_is_near(hours_before: float, severity: Severity, ladder: str) -> None:
    house = make(SIX + timedelta(hours=2 - hours_before))
    house.says("box", "medication.jam")
    house.after(59.9)
    assert house.open() == []
    house.after(0.1)
    alert = house.one("dispenser_jam")
    assert (alert.severity, alert.ladder) == (severity, ladder)


def test_a_jam_far_from_a_dose_moves_to_the_carers_when_the_dose_comes_near() -> None:
    house = make(SIX - timedelta(hours=4))
    house.says("box", "medication.jam")
    house.after(60)
    house.until(SIX - timedelta(seconds=1))
    assert house.one("dispenser_jam").severity is Severity.LOW
    house.until(SIX)
    alert = house.one("dispenser_jam")
    assert (alert.severity, alert.type, alert.ladder) == (Severity.MEDIUM, AlertType.PERSON, "care")
    assert alert.deadline <= house.now + timedelta(minutes=15)


def test_a_jam_cleared_later_leaves_the_alert_open_for_a_person() -> None:
    house = make(NOON, doses=())
    house.says("box", "medication.jam")
    house.after(60)
    house.says("box", "medication.jam_cleared")
    alert = house.one("dispenser_jam")
    assert (alert.severity, alert.active) == (Severity.LOW, False)
    house.says("box", "medication.jam")
    house.after(60)
    alert = house.one("dispenser_jam")
    assert (alert.active, alert.count) == (True, 2)


def test_a_jam_older_than_its_clearing_raises_nothing() -> None:
    house = make(NOON, doses=())
    house.says("box", "medication.jam_cleared")
    house.says("box", "medication.jam", ago_s=30)
    house.after(600)
    assert house.open() == []


def test_a_jam_closed_before_the_dose_comes_near_is_not_raised_again() -> None:
    house = make(SIX - timedelta(hours=4))
    house.says("box", "medication.jam")
    house.after(60)
    house.closes(house.one("dispenser_jam"))
    house.until(SIX + timedelta(hours=2))
    assert house.open() == []


def test_an_old_clearing_does_not_stop_a_newer_jam() -> None:
    house = make(NOON, doses=())
    house.says("box", "medication.jam")
    house.says("box", "medication.jam_cleared", ago_s=30)
    house.after(60)
    assert house.one("dispenser_jam")


# --- D7 ---


def test_offline_with_a_dose_due_within_the_hour_is_medium_after_a_minute() -> None:
    house = make(SIX + timedelta(minutes=80))
    house.says("box", "device.offline")
    house.after(59)
    assert house.open() == []
    house.after(1)
    alert = house.one("dispenser_offline_dose")
    assert (alert.severity, alert.ladder, alert.accept_within_s) == (Severity.MEDIUM, "care", 1200)
    house.after(300)
    assert house.one("dispenser_offline_dose").count == 1


def test_offline_early_is_raised_an_hour_before_the_dose() -> None:
    house = make(SIX - timedelta(hours=1))
    house.says("box", "device.offline")
    house.until(SIX + timedelta(minutes=59, seconds=59))
    assert house.open() == []
    house.until(SIX + timedelta(minutes=60))
    assert house.one("dispenser_offline_dose")


def test_offline_for_four_hours_is_medium_without_any_dose() -> None:
    house = make(NOON, doses=())
    house.says("box", "device.offline")
    house.after(4 * 3600 - 1)
    assert house.open() == []
    house.after(1)
    assert house.one("dispenser_offline_dose")


def test_back_in_a_minute_raises_nothing_and_back_later_clears() -> None:
    house = make(SIX + timedelta(minutes=80))
    house.says("box", "device.offline")
    house.after(50)
    house.says("box", "device.online")
    house.after(600)
    assert house.open() == []
    house.says("box", "device.offline")
    house.after(60)
    house.says("box", "device.online")
    assert not house.one("dispenser_offline_dose").active


def test_closed_while_still_away_it_is_raised_again_for_the_next_dose() -> None:
    house = make(SIX, doses=(MORNING, EVENING))
    house.says("box", "device.offline")
    house.until(SIX + timedelta(minutes=61))
    house.closes(house.one("dispenser_offline_dose"))
    house.until(SIX + timedelta(hours=3.9))
    assert house.open("dispenser_offline_dose") == []
    house.until(SIX + timedelta(hours=13))
    assert house.open("dispenser_offline_dose")


def test_a_silent_dispenser_counts_as_away_before_a_dose() -> None:
    house = make(SIX, supervised=True, heartbeat_s=300)
    heartbeats(house, SIX + timedelta(minutes=75))
    last = house.state.status("box").last_seen_at
    house.until(last + timedelta(minutes=15) - timedelta(seconds=1))
    assert house.open("dispenser_offline_dose") == []
    house.until(last + timedelta(minutes=15))
    assert house.one("dispenser_offline_dose")
    house.says("box", "heartbeat")
    house.after(301)
    assert not house.one("dispenser_offline_dose").active


def test_a_dispenser_that_beats_raises_nothing_all_day() -> None:
    house = make(SIX, supervised=True, heartbeat_s=600)
    while house.now < SIX + timedelta(days=1):
        house.says("box", "heartbeat")
        house.after(590)
        if house.now.hour == 7 and house.now.minute < 10:
            house.says("box", "medication.taken", dose="morning")
    assert house.open() == []


def test_the_watch_before_doses_goes_on_day_after_day() -> None:
    house = make(SIX)
    house.until(SIX + timedelta(days=3, minutes=70))
    house.says("box", "device.offline")
    house.after(60)
    assert house.open("dispenser_offline_dose")


def test_a_restart_while_away_keeps_the_four_hours() -> None:
    house = make(NOON, doses=())
    house.says("box", "device.offline")
    house.after(3600)
    house.restart()
    house.after(3 * 3600)
    assert house.one("dispenser_offline_dose")
