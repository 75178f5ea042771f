"""Any evening: whatever the devices say, the rules hold, and a restart at any point changes nothing."""

from datetime import UTC, datetime, timedelta
from typing import Any

from house import House, document
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.model.alert import Severity
from gateway.model.vocabulary import VOCABULARY

EVENING = datetime(2026, 10, 24, 18, 0, tzinfo=UTC)  # the clocks change at 01:00 UTC
ZONE = {"latitude": 59.0, "longitude": 15.0, "radius_m": 300}
WINDOWS = [{"ref": "first", "at": "20:30", "minutes": 30}, {"ref": "second", "at": "02:30", "minutes": 45}]
DEVICES = {
    "bridge": {"kind": "gateway", "heartbeat_s": 600},
    "lock": {"kind": "lock", "via": "bridge", "heartbeat_s": 900},
    "door": {"kind": "door_contact", "role": "entrance_door", "via": "bridge", "heartbeat_s": 900},
    "gps": {"kind": "gps_alarm"},
    "box": {"kind": "medication_dispenser", "doses": WINDOWS},
    "cam": {"kind": "camera", "looks": WINDOWS, "heartbeat_s": 300},
}
WORDS = sorted(VOCABULARY)
AGES = [-4000, -1, 0, 0, 0, 20, 31, 299, 301, 4000, 90_000, 40_000_000]


@st.composite
def values(draw: st.DrawFn, word: str) -> dict[str, Any]:
    family = word.split(".", maxsplit=1)[0]
    if family == "lock":
        return draw(st.sampled_from([{}, {"means": "phone", "credential": "c"}, {"means": "inside_knob"}]))
    if family == "position":
        north = draw(st.sampled_from([0, 0.002, 0.003, 0.01]))
        return {
            "latitude": 59.0 + north,
            "longitude": 15.0,
            "accuracy_m": draw(st.sampled_from([5, 60, 500])),
        }
    if word == "supervision.performed":
        return {"outcome": draw(st.sampled_from(["seen", "not_visible", "abnormal"]))}
    if family == "medication":
        return draw(st.sampled_from([{}, {"dose": "first"}, {"dose": "second"}, {"dose": "third"}]))
    return {}


@st.composite
def moments(draw: st.DrawFn) -> tuple[float, str, str, float, dict[str, Any]]:
    word = draw(st.sampled_from(WORDS))
    device = draw(st.sampled_from(sorted(DEVICES)))
    wait_s = draw(st.sampled_from([0, 1, 30, 61, 600, 3600, 20_000]))
    return wait_s, device, word, draw(st.sampled_from(AGES)), draw(values(word))


def spend(evening: list[tuple[float, str, str, float, dict[str, Any]]], restarts: frozenset[int]) -> House:
    house = House(document(DEVICES, zone=ZONE, flags=["night_wandering"]), EVENING)
    for index, (wait_s, device, word, ago_s, given_values) in enumerate(evening):
        house.after(wait_s)
        if index in restarts:
            house.restart()
        house.says(device, word, ago_s=ago_s, **given_values)
    house.after(timedelta(hours=8).total_seconds())
    return house


@settings(max_examples=25, deadline=None)
@given(st.lists(moments(), max_size=25), st.frozensets(st.integers(0, 24), max_size=5))
def test_no_rule_fails_no_alert_is_without_a_deadline_and_restarts_change_nothing(
    evening: list[tuple[float, str, str, float, dict[str, Any]]], restarts: frozenset[int]
) -> None:
    house = spend(evening, frozenset())
    assert house.open("rule_fault") == []
    assert all(alert.deadline is not None and alert.deadline > house.now for alert in house.open())
    assert len({(alert.rule, alert.subject) for alert in house.open()}) == len(house.open())
    pressed = sum(word == "alarm.manual" for _, _, word, _, _ in evening)
    calls = [alert for alert in house.open("sos") if alert.latched and alert.active]
    assert sum(int(alert.values["presses"]) for alert in calls) == pressed
    assert all(alert.severity in (Severity.HIGH, Severity.MEDIUM) for alert in calls)
    again = spend(evening, restarts)
    assert again.state.alerts == house.state.alerts
    assert again.entries == house.entries
    assert again.said == house.said
