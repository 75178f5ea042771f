"""What the gateway finds wrong with itself becomes alerts; nobody writes state around the single writer."""

import json
from typing import Any

import msgspec

from gateway.model.alert import Alert, AlertState, Severity
from gateway.model.frame import Transport
from gateway.pipeline.findings import Finding
from gateway.pipeline.watch import KINDS, Report
from tests.unit.pipeline.town import PENDANT, Town


def report(town: Town, *findings: Finding, kinds: tuple[str, ...] = tuple(KINDS)) -> Any:
    payload = msgspec.json.encode(Report(kinds=kinds, findings=findings))
    return town.take(Transport.WATCH, "report", payload)


def of(town: Town, rule: str) -> list[Alert]:
    return [alert for alert in town.state.alerts.values() if alert.rule == rule]


LOST = Finding(kind="dead_man", subject="chain", reason="three in a row", values={"n": 3})


def test_a_finding_is_a_high_technical_alert_with_a_deadline_and_deliveries() -> None:
    town = Town()
    changes = report(town, LOST)
    (alert,) = of(town, "dead_man")
    assert (alert.severity, alert.type.value, alert.tenant) == (Severity.HIGH, "ST", "t")
    assert alert.deadline is not None
    assert alert.deadline > town.now
    assert {delivery.alert for delivery in changes.deliveries.values()} == {alert.id}


def test_the_same_finding_again_is_the_same_alert_and_rings_no_more() -> None:
    town = Town()
    report(town, LOST)
    assert not report(town, LOST).deliveries
    assert len(of(town, "dead_man")) == 1


def test_what_is_not_found_any_more_ends_and_stays_for_a_person() -> None:
    town = Town()
    report(town, LOST)
    report(town)
    (alert,) = of(town, "dead_man")
    assert (alert.active, alert.state) == (False, AlertState.OFFERED)


def test_what_begins_again_rings_again() -> None:
    town = Town()
    report(town, LOST)
    report(town)
    assert report(town, LOST).deliveries
    assert of(town, "dead_man")[0].count == 2


def test_closed_while_it_is_still_wrong_it_comes_back_with_the_next_report() -> None:
    town = Town()
    report(town, LOST)
    town.answer(of(town, "dead_man")[0].id, "close", outcome="technical")
    assert of(town, "dead_man") == []
    report(town, LOST)
    assert len(of(town, "dead_man")) == 1


def test_a_kind_that_was_not_looked_for_is_left_as_it_is() -> None:
    town = Town()
    report(town, LOST)
    report(town, kinds=("outbox_old",))
    assert of(town, "dead_man")[0].active


def test_a_report_that_cannot_be_read_is_told_in_the_trace() -> None:
    town = Town()
    changes = town.take(Transport.WATCH, "report", b"{")
    assert [(trace.step, trace.verdict.value) for trace in changes.traces] == [("watch", "refused")]


def test_an_alarm_of_a_day_is_told_once_a_tenant() -> None:
    town = Town()
    town.take(Transport.MQTT, f"vaka/1/{PENDANT}/event", b"{")
    for _ in range(26):
        town.later(hours=1)
    (alert,) = of(town, "standing_alarms")
    assert (alert.values["n"], alert.severity) == (1, Severity.LOW)
    town.answer(of(town, "rejected_call")[0].id, "close", outcome="technical")
    town.later(hours=1)
    assert not of(town, "standing_alarms")[0].active


def test_the_second_false_alarm_about_a_person_in_a_week_is_over_the_budget() -> None:
    town = Town()
    for n in range(2):
        town.send(PENDANT, "alarm.manual", presses=1)
        (alert,) = of(town, "sos")
        assert not of(town, "nuisance")
        town.answer(alert.id, "close", outcome="false")
        town.later(hours=1 + n)
    (alert,) = of(town, "nuisance")
    assert (alert.values["rule"], alert.values["n"], alert.values["budget"]) == ("sos", 2, 1)


def test_false_alarms_more_than_a_week_apart_are_within_the_budget() -> None:
    town = Town()
    for _ in range(2):
        town.send(PENDANT, "alarm.manual", presses=1)
        town.answer(of(town, "sos")[0].id, "close", outcome="false")
        for _ in range(8):
            town.later(days=1)
    assert not of(town, "nuisance")


def test_real_alarms_cost_no_budget() -> None:
    town = Town()
    for _ in range(3):
        town.send(PENDANT, "alarm.manual", presses=1)
        town.answer(of(town, "sos")[0].id, "close", outcome="real")
        town.later(hours=1)
    assert not of(town, "nuisance")


def planned(town: Town) -> None:
    """Let the day team's hours be planned: anna works, all day and all week."""
    parts = json.loads(town.state.registry.document.to_json())
    parts["tenant"][0]["failsafe"] = ["centre"]
    parts["staff"] = [{"ref": "anna", "tenant": "t", "teams": ["day"]}]
    turns = {"team": "day", "starts": "2026-11-16", "at": "00:00", "until": "00:00", "turns": [["anna"]]}
    parts["rotation"] = [{"id": "r", **turns}]
    town.take(Transport.REGISTRY, "registry", json.dumps(parts).encode())
    town.later(seconds=1)


def reach(town: Town, *, reachable: bool) -> None:
    words = {"channel": "webpush", "reachable": reachable, "reason": "" if reachable else "410 Gone"}
    town.take(Transport.RECEIPT, "staff/anna/reach", json.dumps(words).encode())
    town.later(seconds=6)


def test_a_phone_that_is_lost_at_work_is_told_and_high_when_it_was_the_last_one() -> None:
    town = Town()
    planned(town)
    assert not of(town, "staff_unreachable")
    reach(town, reachable=False)
    (phone,), (team,) = of(town, "staff_unreachable"), of(town, "nobody_reachable")
    assert (phone.severity, phone.subject, team.severity, team.subject) == (
        Severity.LOW,
        "anna",
        Severity.HIGH,
        "day",
    )
    reach(town, reachable=True)
    assert not of(town, "staff_unreachable")[0].active
    assert not of(town, "nobody_reachable")[0].active


def test_a_plan_that_ends_tomorrow_is_a_gap_to_come() -> None:
    town = Town()
    planned(town)
    assert not of(town, "coverage_gap")
    parts = json.loads(town.state.registry.document.to_json())
    parts["rotation"][0]["ends"] = "2026-11-22"
    parts["ladder"][0]["steps"] = [{"to": ["day"]}]
    town.take(Transport.REGISTRY, "registry", json.dumps(parts).encode())
    town.later(seconds=1)
    (gap,) = of(town, "coverage_gap")
    assert (gap.severity, gap.values["ladder"], gap.active) == (Severity.MEDIUM, "care", True)
    town.later(hours=20)
    (now,) = of(town, "coverage_now")
    assert (now.severity, now.active) == (Severity.HIGH, True)
    assert not of(town, "coverage_gap")[0].active
