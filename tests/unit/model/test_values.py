"""Values, instants and levels: what is said flat, what no clock can hold, and when a battery is low."""

from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest

from gateway.contract.manifest import read_manifest, read_quality
from gateway.model.event import flat_values, load_values
from gateway.model.instant import LAST_SECOND, from_epoch, to_utc
from gateway.model.vocabulary import VOCABULARY, HealthValues, LockValues, Means, PositionValues, battery_word


def test_flat_values_are_the_set_fields_and_the_details() -> None:
    values = LockValues(battery_percent=70, means=Means.TAG, details={"lock_action": 3})
    assert flat_values(values) == {"lock_action": 3, "battery_percent": 70, "means": "tag"}


def test_a_detail_never_hides_a_field_of_the_same_name() -> None:
    values = PositionValues(latitude=59.0, longitude=18.0, details={"latitude": 0})
    assert flat_values(values)["latitude"] == 59.0


def test_a_moment_in_flat_values_is_rfc_3339() -> None:
    values = HealthValues(connected_since=datetime(2013, 10, 2, 18, 24, 7, tzinfo=UTC))
    assert flat_values(values) == {"connected_since": "2013-10-02T18:24:07Z"}


@pytest.mark.parametrize(
    ("percent", "word"),
    [
        (0, "battery.critical"), (10, "battery.critical"), (10.1, "battery.low"), (20, "battery.low"),
        (20.5, "battery.ok"), (100, "battery.ok"),
    ],
)  # fmt: skip
def test_a_charge_has_one_of_three_levels(percent: float, word: str) -> None:
    assert battery_word(percent) == word
    assert VOCABULARY[word].slot == "battery"


@pytest.mark.parametrize("seconds", [-1, LAST_SECOND + 1, float("inf"), float("nan")])
def test_a_unix_time_outside_the_calendar_is_no_moment(seconds: float) -> None:
    assert from_epoch(seconds) is None


def test_unix_times_at_the_ends_of_the_calendar_are_moments() -> None:
    assert from_epoch(0) == datetime(1970, 1, 1, tzinfo=UTC)
    assert from_epoch(LAST_SECOND) == datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


def test_a_moment_with_an_offset_becomes_utc_or_nothing() -> None:
    east = timezone(timedelta(hours=2))
    assert to_utc(datetime(2026, 2, 3, 22, tzinfo=east)) == datetime(2026, 2, 3, 20, tzinfo=UTC)
    assert to_utc(datetime(1, 1, 1, tzinfo=east)) is None


@pytest.mark.parametrize(
    ("word", "stored"),
    [
        ("position.update", b'{"latitude":90.01,"longitude":0}'),
        ("position.update", b'{"latitude":0,"longitude":-180.01}'),
        ("position.update", b'{"latitude":0,"longitude":0,"accuracy_m":-0.1}'),
        ("heartbeat", b'{"battery_percent":100.1}'),
        ("heartbeat", b'{"details":{"a":100000000000000000000}}'),
        ("heartbeat", b'{"connected_since":"2026-02-03T20:15:00"}'),
        ("supervision.performed", b'{"masking":5}'),
        ("alarm.manual", b'{"presses":-1}'),
        ("lock.locked", b'{"credential":"' + b"x" * 129 + b'"}'),
    ],
)
def test_a_value_that_no_device_can_mean_is_refused(word: str, stored: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        load_values(word, stored)


def test_every_level_has_an_opposite_in_its_slot() -> None:
    slots: dict[str, list[str]] = {}
    for word in VOCABULARY.values():
        if word.slot:
            slots.setdefault(word.slot, []).append(word.name)
    alone = {slot for slot, words in slots.items() if len(words) < 2}
    assert alone == {
        "life",
        "cartridge",
    }  # a worn device is replaced, a wrong cartridge taken out and filled anew


def test_a_manifest_without_its_topics_is_refused_by_name() -> None:
    with pytest.raises(msgspec.ValidationError, match="topics"):
        read_manifest('id = "x"\nproduct = "x"\nversion = "1"\nbranch = "x"')


def test_an_answer_outside_the_three_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="status"):
        read_quality('battery = { status = "maybe" }')
