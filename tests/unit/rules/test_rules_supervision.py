"""Camera looks: done, missed, nobody visible, a person in need, the camera away."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from house import QUIET, House, document

from gateway.model.alert import AlertState, AlertType, Severity

LOOK = {"ref": "night-1", "at": "23:00", "minutes": 30}
STARTS = datetime(2026, 1, 14, 22, 0, tzinfo=UTC)
ENDS = STARTS + timedelta(minutes=30)
DUE = ENDS + timedelta(minutes=10)
LOOKED = "supervision.performed"


def make(now: datetime = STARTS - timedelta(hours=2), **given: Any) -> House:
    camera = {"kind": "camera", "looks": [LOOK], **QUIET, **given}
    return House(document({"cam": camera, "lock": {"kind": "lock", **QUIET}}), now)


# --- C1 ---


def test_no_look_ten_minutes_after_the_slot_is_medium() -> None:
    house = make()
    house.until(DUE - timedelta(seconds=1))
    assert house.open() == []
    house.until(DUE)
    alert = house.one("look_missed")
    assert (alert.severity, alert.type, alert.accept_within_s) == (Severity.MEDIUM, AlertType.PERSON, 600)
    assert (alert.subject, alert.values) == ("cam/night-1/2026-01-14", {"slot": "night-1"})
    house.until(DUE + timedelta(days=1))
    assert len(house.open("look_missed")) == 2


@pytest.mark.parametrize("outcome", ["seen", "not_visible", "abnormal"])
@pytest.mark.parametrize("slot", ["night-1", None])
def test_a_look_with_any_outcome_answers_its_slot(outcome: str, slot: str | None) -> None:
    house = make()
    house.until(ENDS)
    house.says("cam", LOOKED, outcome=outcome, **({"slot": slot} if slot else {}))
    house.until(DUE + timedelta(hours=1))
    assert house.open("look_missed") == []


def test_a_refusal_answers_the_slot() -> None:
    house = make()
    house.until(ENDS)
    house.says("cam", "supervision.declined", slot="night-1")
    house.until(DUE)
    assert house.open() == []


@pytest.mark.parametrize(
    ("moment", "answered"),
    [(STARTS - timedelta(seconds=1), False), (STARTS, True), (DUE, True)],
)
def test_a_look_without_a_slot_counts_from_the_start_to_ten_minutes_after(
    moment: datetime, *, answered: bool
) -> None:
    house = make()
    house.now = moment
    house.says("cam", LOOKED, outcome="seen")
    house.until(DUE)
    assert bool(house.open("look_missed")) is not answered


@pytest.mark.parametrize("word", ["visit.started", "visit.ended"])
@pytest.mark.parametrize("minutes", [0, 5, 39])
def test_a_visit_in_the_slot_takes_the_place_of_the_look(word: str, minutes: float) -> None:
    house = make()
    house.until(STARTS + timedelta(minutes=minutes))
    house.says("lock", word)
    house.until(DUE)
    assert house.open() == []
    assert "night-1: a visit took the place of the look" in house.said


def test_a_visit_before_the_slot_does_not() -> None:
    house = make()
    house.says("lock", "visit.ended")
    house.until(DUE)
    assert house.one("look_missed")


def test_a_look_heard_after_the_alert_clears_it() -> None:
    house = make()
    house.until(DUE + timedelta(minutes=5))
    house.says("cam", LOOKED, outcome="seen", slot="night-1")
    assert not house.one("look_missed").active


def test_a_look_is_remembered_over_a_restart() -> None:
    house = make()
    house.until(ENDS)
    house.says("cam", LOOKED, outcome="seen", slot="night-1")
    house.restart()
    house.until(DUE + timedelta(hours=1))
    assert house.open() == []


@pytest.mark.parametrize(
    ("local", "day", "due_at"),
    [
        ("01:50", "2026-03-29", "2026-03-29T01:30"),  # 30 real minutes over the change, and ten
        ("02:15", "2026-03-29", "2026-03-29T01:55"),  # skipped: as 02:15 CET
        ("02:15", "2026-10-25", "2026-10-25T00:55"),  # stands twice: the first
        ("03:00", "2026-10-25", "2026-10-25T02:40"),
    ],
)
def test_looks_follow_the_local_clock_over_its_changes(local: str, day: str, due_at: str) -> None:
    due = datetime.fromisoformat(f"{due_at}+00:00")
    house = make(due - timedelta(hours=1), looks=[{**LOOK, "at": local}])
    house.until(due - timedelta(seconds=1))
    assert house.open() == []
    house.until(due)
    assert house.one("look_missed").subject == f"cam/night-1/{day}"


# --- C2 ---


@pytest.fixture
def house() -> House:
    return make(looks=[])


def look(house: House, outcome: str, **more: Any) -> None:
    house.says("cam", LOOKED, outcome=outcome, **more)


def test_not_visible_once_is_low(house: House) -> None:
    look(house, "not_visible")
    assert house.one("not_visible").severity is Severity.LOW


@pytest.mark.parametrize("minutes", [1, 15, 24, 40, 60])
def test_not_visible_again_within_the_hour_is_high_on_the_same_alert(house: House, minutes: float) -> None:
    look(house, "not_visible")
    house.answers(house.one("not_visible"), "accept")
    house.after(minutes * 60)
    look(house, "not_visible")
    alert = house.one("not_visible")
    assert (alert.severity, alert.accept_within_s) == (Severity.HIGH, 60)
    assert (alert.state, alert.deadline) == (AlertState.OFFERED, house.now + timedelta(seconds=60))


def test_not_visible_again_after_more_than_an_hour_is_a_first_look_again(house: House) -> None:
    look(house, "not_visible")
    house.after(60 * 60 + 1)
    look(house, "not_visible")
    alert = house.one("not_visible")
    assert (alert.severity, alert.count) == (Severity.MEDIUM, 2)
    house.after(600)
    look(house, "not_visible")
    assert house.one("not_visible").severity is Severity.HIGH


def test_not_visible_again_after_somebody_closed_the_first_is_high(house: House) -> None:
    look(house, "not_visible")
    house.closes(house.one("not_visible"))
    house.after(900)
    look(house, "not_visible")
    assert house.one("not_visible").severity is Severity.HIGH


def test_seen_at_the_second_look_clears_and_starts_again(house: House) -> None:
    look(house, "not_visible")
    house.after(900)
    look(house, "seen")
    assert not house.one("not_visible").active
    house.after(900)
    look(house, "not_visible")
    alert = house.one("not_visible")
    assert (alert.severity, alert.active) == (Severity.LOW, True)


def test_a_second_look_that_does_not_come_makes_it_medium(house: House) -> None:
    look(house, "not_visible")
    house.after(25 * 60 - 1)
    assert house.one("not_visible").severity is Severity.LOW
    house.after(1)
    assert house.one("not_visible").severity is Severity.MEDIUM


def test_closed_before_the_second_look_it_is_not_raised_for_its_absence(house: House) -> None:
    look(house, "not_visible")
    house.closes(house.one("not_visible"))
    house.after(7200)
    assert house.open() == []


def test_an_older_look_heard_later_changes_nothing(house: House) -> None:
    look(house, "not_visible")
    look(house, "seen", ago_s=120)
    assert house.one("not_visible").active


def test_a_look_without_an_outcome_says_nothing_of_the_person(house: House) -> None:
    house.says("cam", LOOKED)
    assert house.open() == []


def test_the_first_look_is_remembered_over_a_restart(house: House) -> None:
    look(house, "not_visible")
    house.restart()
    house.after(900)
    look(house, "not_visible")
    assert house.one("not_visible").severity is Severity.HIGH


# --- C4 ---


def test_abnormal_is_high_latched_and_at_once(house: House) -> None:
    look(house, "abnormal")
    alert = house.one("abnormal_look")
    assert (alert.severity, alert.latched, alert.accept_within_s) == (Severity.HIGH, True, 60)
    look(house, "seen")
    assert house.one("abnormal_look").active


# --- C5 ---


def test_away_half_an_hour_before_the_slot_is_low_and_at_its_start_a_visit() -> None:
    house = make()
    house.says("cam", "device.offline")
    house.until(STARTS - timedelta(minutes=30, seconds=1))
    assert house.open("camera_offline") == []
    house.until(STARTS - timedelta(minutes=30))
    alert = house.one("camera_offline")
    assert (alert.severity, alert.ladder, alert.values) == (Severity.LOW, "technical", {"slot": "night-1"})
    house.until(STARTS)
    alert = house.one("camera_offline")
    assert (alert.severity, alert.type, alert.ladder) == (Severity.MEDIUM, AlertType.PERSON, "care")
    assert "physical visit" in [entry.detail for entry in house.entries if entry.action == "changed"][-1]


def test_back_before_the_slot_clears_it() -> None:
    house = make()
    house.says("cam", "device.offline")
    house.until(STARTS - timedelta(minutes=10))
    house.says("cam", "device.online")
    house.until(STARTS + timedelta(minutes=1))
    alert = house.one("camera_offline")
    assert (alert.severity, alert.active) == (Severity.LOW, False)


def test_away_only_when_the_slot_starts_is_a_visit_at_once() -> None:
    house = make()
    house.until(STARTS - timedelta(minutes=5))
    house.says("cam", "device.offline")
    house.until(STARTS)
    assert house.one("camera_offline").severity is Severity.MEDIUM


def test_a_camera_that_is_there_raises_nothing_and_is_watched_the_next_day_too() -> None:
    house = make()
    house.until(STARTS + timedelta(minutes=1))
    assert house.open("camera_offline") == []
    house.says("cam", "device.offline")
    house.until(STARTS + timedelta(hours=23, minutes=30))
    assert house.one("camera_offline").subject == "cam/night-1/2026-01-15"


def test_a_silent_camera_counts_as_away() -> None:
    house = make(supervised=True, heartbeat_s=300)
    house.says("cam", "heartbeat")
    house.until(STARTS - timedelta(minutes=30))
    assert house.one("camera_offline")


def test_the_start_of_the_slot_is_remembered_over_a_restart() -> None:
    house = make()
    house.says("cam", "device.offline")
    house.until(STARTS - timedelta(minutes=30))
    house.restart()
    house.until(STARTS)
    assert house.one("camera_offline").severity is Severity.MEDIUM


def test_a_slot_that_moves_is_judged_at_its_new_start() -> None:
    house = make()
    house.says("cam", "device.offline")
    house.until(STARTS - timedelta(minutes=20))
    house.enrol(document({"cam": {"kind": "camera", "looks": [{**LOOK, "at": "23:45"}], **QUIET}}))
    house.until(STARTS + timedelta(minutes=44))
    assert house.one("camera_offline").severity is Severity.LOW
    house.until(STARTS + timedelta(minutes=45))
    assert house.one("camera_offline").severity is Severity.MEDIUM


def test_a_slot_that_leaves_the_plan_is_not_judged_at_its_start() -> None:
    house = make()
    house.says("cam", "device.offline")
    house.until(STARTS - timedelta(minutes=20))
    house.enrol(document({"cam": {"kind": "camera", **QUIET}}))
    house.until(STARTS + timedelta(hours=1))
    assert house.one("camera_offline").severity is Severity.LOW
