"""What a wired input means is its enrolment's to say."""

from datetime import UTC, datetime

import pytest

from gateway.model.reading import Reading
from gateway.model.status import DeviceStatus
from gateway.model.vocabulary import VOCABULARY, DeviceKind, SensorValues
from gateway.pipeline.meaning import as_happening, as_level, repeated, slot_of


def input_is(word: str, button: str | None = "1", *, happened: bool = False) -> Reading:
    values = SensorValues(button=button, battery_percent=60, details={"state": "ON"})
    return Reading(
        native_id="d",
        kind=DeviceKind.UNKNOWN,
        type=f"input.{word}",
        values=values,
        happened=happened,
        occurred_at=datetime(2026, 2, 3, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("kind", "role", "active", "inactive"),
    [
        (DeviceKind.UNKNOWN, "entrance_door", "door.opened", "door.closed"),
        (DeviceKind.DOOR_CONTACT, "", "door.opened", "door.closed"),
        (DeviceKind.SMOKE_DETECTOR, "", "smoke.detected", "smoke.cleared"),
        (DeviceKind.LEAK_DETECTOR, "", "leak.detected", "leak.cleared"),
        (DeviceKind.BED_SENSOR, "", "bed.enter", "bed.exit"),
        (DeviceKind.UNKNOWN, "", "input.active", "input.inactive"),
        (DeviceKind.DOOR_CONTACT, "sos", "input.active", "input.inactive"),
    ],
)
def test_an_input_is_the_level_that_its_enrolment_says(
    kind: DeviceKind, role: str, active: str, inactive: str
) -> None:
    on, off = (as_level(input_is(word), kind, role) for word in ("active", "inactive"))
    assert (on.type, off.type) == (active, inactive)
    assert type(on.values) is VOCABULARY[active].values
    assert (on.values.battery_percent, on.values.details) == (60, {"state": "ON"})


@pytest.mark.parametrize(
    ("kind", "role", "word"),
    [
        (DeviceKind.UNKNOWN, "sos", "button.pressed"),
        (DeviceKind.BUTTON, "", "button.pressed"),
        (DeviceKind.MOTION_SENSOR, "", "motion.detected"),
        (DeviceKind.UNKNOWN, "", "input.active"),
    ],
)
def test_an_input_that_becomes_active_is_the_happening_that_its_enrolment_says(
    kind: DeviceKind, role: str, word: str
) -> None:
    assert as_happening(input_is("active"), kind, role).type == word
    assert as_happening(input_is("inactive"), kind, role).type == "input.inactive"


def test_an_input_told_again_as_it_was_is_no_news_and_each_input_has_a_state_of_its_own() -> None:
    status = DeviceStatus(device="d")
    said = [repeated(input_is(word, button), status) for word, button in STATES]
    assert [reason is None for reason in said] == [False, True, False, True, True, False]


STATES = [
    ("inactive", "1"), ("active", "1"), ("active", "1"), ("active", "2"), ("inactive", "1"), ("active", "2"),
]  # fmt: skip


def test_what_is_told_as_having_happened_is_never_taken_for_a_repeat() -> None:
    status = DeviceStatus(device="d")
    assert [repeated(input_is("active", happened=True), status) for _ in range(2)] == [None, None]
    assert status.slots == {}


def test_other_readings_are_left_as_they_are() -> None:
    door = Reading(
        native_id="d", kind=DeviceKind.BUTTON, type="button.pressed", values=SensorValues(), happened=False
    )
    assert as_level(door, DeviceKind.DOOR_CONTACT, "") is door
    assert as_happening(door, DeviceKind.DOOR_CONTACT, "") is door
    assert slot_of(door) == ""
    assert repeated(door, DeviceStatus(device="d")) is None
