"""Incidents: what is gathered, what never is, and that nothing of it is lost; in virtual time."""

from typing import Any

import msgspec
import pytest

from gateway.contract import Snapshot
from gateway.model.alert import Alert, AlertState, Severity
from gateway.model.frame import Transport
from gateway.model.people import Context
from gateway.model.registry import RegistryDocument
from gateway.pipeline import flood
from gateway.pipeline.protection import unprotected
from gateway.pipeline.state import State
from tests.unit.pipeline.town import START, Town

HOMES = 120


def big_document(homes: int = HOMES) -> RegistryDocument:
    """One municipality: a lock and a pendant in every home, of one vendor; the locks' ladder is shared."""
    numbers = range(homes)
    parts: dict[str, Any] = {
        "tenant": [{"id": "t", "name": "Testköping"}],
        "unit": [{"id": "u", "tenant": "t", "name": "Unit"}],
        "team": [{"id": name, "unit": "u", "name": name} for name in ("day", "tech")],
        "ladder": [
            {"id": "care", "tenant": "t", "steps": [{"to": ["day"]}]},
            {"id": "tech", "tenant": "t", "steps": [{"to": ["tech"]}]},
        ],
        "home": [
            {"id": f"h{n}", "tenant": "t", "unit": "u", "care_ladder": "care", "technical_ladder": "tech"}
            for n in numbers
        ],
        "person": [{"ref": f"p{n}", "home": f"h{n}"} for n in numbers],
        "device": [
            {"id": f"{name}{n}", "tenant": "t", "adapter": "vaka", "native_id": f"t/{name}-{n}", "kind": kind}
            for n in numbers
            for name, kind in (("lock", "lock"), ("sos", "social_alarm"))
        ],
        "enrolment": [
            {"device": f"{name}{n}", "home": f"h{n}", "person": f"p{n}", "since": START, "heartbeat_s": 90000}
            for n in numbers
            for name in ("lock", "sos")
        ],
    }
    return RegistryDocument.of(parts)


@pytest.fixture
def town() -> Town:
    made = Town(State())
    made.take(Transport.REGISTRY, "registry", big_document().to_json())
    return made


def trouble(town: Town, n: int, kind: str = "lock") -> None:
    """Let a device send what cannot be read: a Low technical alert of its own."""
    town.take(Transport.MQTT, f"vaka/1/t/{kind}-{n}/event", b"{")


def of(town: Town, rule: str) -> list[Alert]:
    return [alert for alert in town.state.alerts.values() if alert.rule == rule]


def incident(town: Town, rule: str = "flood") -> Alert:
    (found,) = of(town, rule)
    return found


def offers(changes: Any, alert: str) -> list[str]:
    return [entry.action for entry in changes.entries if entry.alert == alert]


def restarted(town: Town, kept: "Kept") -> Town:
    """Return the town as a restart finds it: from what was committed, and nothing else."""
    again = Town(State(kept.snapshot(town)))
    again.now, again.position, again.log = town.now, town.position, town.log
    return again


class Kept:
    """Collects commits as the store does."""

    def __init__(self, town: Town) -> None:
        self.memories: dict[str, Any] = {}
        self.timers: dict[str, Any] = {}
        self.alerts: dict[str, Any] = {}
        self.records: dict[str, Any] = {}
        self._take = town.take
        town.take = self.take  # type: ignore[method-assign]

    def take(self, *words: Any, **flags: Any) -> Any:
        changes = self._take(*words, **flags)
        for name in ("memories", "timers", "alerts", "records"):
            mine = getattr(self, name)
            for key, value in getattr(changes, name).items():
                mine.pop(key, None) if value is None else mine.__setitem__(key, value)
        return changes

    def snapshot(self, town: Town) -> Snapshot:
        through = msgspec.json.decode(msgspec.json.encode(self.memories))
        is_open = {k: a for k, a in self.alerts.items() if a.state is not AlertState.CLOSED}
        registry = town.state.registry.document
        return Snapshot(
            town.position, registry, {}, {}, through, dict(self.timers), is_open, {}, now=town.now
        )


def test_ten_alerts_in_ten_minutes_are_offered_one_by_one(town: Town) -> None:
    for n in range(10):
        trouble(town, n)
    assert of(town, "flood") == []
    assert {alert.state for alert in of(town, "rejected_message")} == {AlertState.OFFERED}


def test_the_eleventh_makes_one_incident_that_speaks_for_all_of_them(town: Town) -> None:
    for n in range(30):
        trouble(town, n)
    found = incident(town)
    assert (found.count, found.values["hidden"], found.severity) == (30, 30, Severity.MEDIUM)
    children = of(town, "rejected_message")
    assert len(children) == 30
    assert {(c.incident, c.suppressed_by, c.state) for c in children} == {
        (found.id, found.id, AlertState.SUPPRESSED)
    }
    assert all(child.deadline and child.deadline > town.now for child in children)
    assert found.values["cause"] == "adapter vaka"
    assert found.values["cause_count"] == 30


def test_an_incident_is_offered_once_and_its_children_not_at_all(town: Town) -> None:
    for n in range(11):
        trouble(town, n)
    told = [offers(town.take(Transport.CLOCK, "tick", b""), incident(town).id)]
    town.position += 1
    for n in range(11, 40):
        before = len(town.state.alerts)
        changes = town.take(Transport.MQTT, f"vaka/1/t/lock-{n}/event", b"{")
        assert len(town.state.alerts) == before + 1
        assert "offered" not in [entry.action for entry in changes.entries]
        assert not changes.deliveries
    assert told == [[]]


def test_alerts_ten_minutes_apart_are_no_flood(town: Town) -> None:
    for n in range(40):
        trouble(town, n)
        town.later(seconds=61)
    assert of(town, "flood") == []


def test_a_call_for_help_in_a_flood_is_offered_at_once_by_itself_and_marked(town: Town) -> None:
    for n in range(40):
        trouble(town, n)
    changes = town.send("t/sos-3", "alarm.manual", presses=1)
    (sos,) = of(town, "sos")
    assert (sos.severity, sos.incident, sos.values["disturbance"]) == (Severity.HIGH, "", True)
    assert {delivery.alert for delivery in changes.deliveries.values()} == {sos.id}
    assert incident(town).count == 40


def test_a_call_for_help_in_calm_bears_no_mark(town: Town) -> None:
    town.send("t/sos-3", "alarm.manual", presses=1)
    assert "disturbance" not in of(town, "sos")[0].values


def test_a_flood_ends_when_fewer_than_five_came_in_ten_minutes(town: Town) -> None:
    for n in range(20):
        trouble(town, n)
    town.later(minutes=9, seconds=59)
    assert incident(town).active
    town.later(seconds=2)
    assert not incident(town).active
    trouble(town, 30)
    assert {a.state for a in of(town, "rejected_message") if a.device == "lock30"} == {AlertState.OFFERED}


def test_a_flood_goes_on_while_five_still_come(town: Town) -> None:
    for n in range(20):
        trouble(town, n)
    for n in range(20, 40):
        town.later(seconds=110)
        trouble(town, n)
    assert incident(town).active
    assert incident(town).count == 40


def test_a_flood_that_begins_again_wakes_the_same_incident(town: Town) -> None:
    for n in range(20):
        trouble(town, n)
    town.later(minutes=11)
    first = incident(town)
    for n in range(20, 40):
        trouble(town, n)
    assert incident(town).id == first.id
    assert (incident(town).active, incident(town).count) == (True, 40)


def test_a_restart_in_the_middle_changes_nothing() -> None:
    steady, broken = Town(State()), Town(State())
    kept = Kept(broken)
    for each in (steady, broken):
        each.take(Transport.REGISTRY, "registry", big_document().to_json())
    for n in range(25):
        for each in (steady, broken):
            each.now = START.replace(minute=n // 5)
            trouble(each, n)
        if n in {8, 10, 15}:
            broken = restarted(broken, kept)
            kept_before, kept = kept, Kept(broken)
            for name in ("memories", "timers", "alerts", "records"):
                setattr(kept, name, getattr(kept_before, name))
    for each in (steady, broken):
        each.later(minutes=10)
    assert {a.id: a for a in steady.state.alerts.values()} == {a.id: a for a in broken.state.alerts.values()}
    assert [t.due_at for t in steady.state.timers()] == [t.due_at for t in broken.state.timers()]


def test_what_an_alert_spoke_for_is_offered_again_when_that_one_is_closed_with_its_incident(
    town: Town,
) -> None:
    trouble(town, 0)
    trouble(town, 1)
    spoken_for, speaker = of(town, "rejected_message")
    town.answer(spoken_for.id, "suppress", by=speaker.id)
    for n in range(2, 12):
        trouble(town, n)
    assert town.state.alerts[speaker.id].incident
    town.answer(incident(town).id, "close", outcome="technical")
    assert speaker.id not in town.state.alerts
    assert town.state.alerts[spoken_for.id].state is AlertState.OFFERED


def test_closing_the_incident_closes_what_it_spoke_for_by_the_same_outcome(town: Town) -> None:
    for n in range(30):
        trouble(town, n)
    town.answer(incident(town).id, "accept")
    changes = town.answer(incident(town).id, "close", outcome="technical")
    assert of(town, "rejected_message") == []
    closed = [alert for alert in changes.alerts.values() if alert.rule == "rejected_message"]
    assert len(closed) == 30
    assert {(str(alert.outcome), alert.assignee) for alert in closed} == {("technical", "anna")}


def test_a_child_keeps_its_own_deadline_while_the_incident_speaks_for_it(town: Town) -> None:
    for n in range(20):
        trouble(town, n)
    town.answer(incident(town).id, "accept")
    changes = town.later(hours=5)
    children = of(town, "rejected_message")
    assert {child.state for child in children} == {AlertState.SUPPRESSED}
    assert all(child.deadline and child.deadline > town.now for child in children)
    assert not [
        entry for entry in changes.entries if entry.action == "escalated" and entry.alert != incident(town).id
    ]


def test_a_child_whose_incident_is_gone_is_offered_by_its_own_deadline() -> None:
    town = Town(State())
    kept = Kept(town)
    town.take(Transport.REGISTRY, "registry", big_document().to_json())
    for n in range(20):
        trouble(town, n)
    del kept.alerts[incident(town).id]  # as if a fault had lost it
    town = restarted(town, kept)
    town.later(hours=5)
    assert {child.state for child in of(town, "rejected_message")} == {AlertState.OFFERED}


def lose(town: Town, numbers: range, kind: str = "sos") -> None:
    for n in numbers:
        town.take(Transport.MQTT, f"vaka/1/t/{kind}-{n}/status", b'{"state":"offline"}')
    town.later(seconds=61)


def test_a_vendor_whose_devices_fall_silent_together_is_one_high_incident_with_the_unprotected(
    town: Town,
) -> None:
    lose(town, range(100))
    found = incident(town, "vendor_outage")
    assert (found.severity, found.count, found.values["vendor"]) == (Severity.HIGH, 100, "vaka")
    children = [alert for alert in town.state.alerts.values() if alert.incident == found.id]
    assert unprotected(town.state.registry, children) == sorted(f"p{n}" for n in range(100))


def test_a_few_lost_devices_are_no_outage(town: Town) -> None:
    lose(town, range(9))
    assert of(town, "vendor_outage") == []


def test_planned_maintenance_makes_an_outage_medium_and_keeps_the_list(town: Town) -> None:
    words = {
        "kind": "maintenance",
        "since": START.isoformat(),
        "until": START.replace(hour=20).isoformat(),
        "ref": "vaka",
        "reason": "planned",
    }
    town.state.people.keep("context", "c1", msgspec.convert({"id": "c1", **words}, Context))
    lose(town, range(100))
    found = incident(town, "vendor_outage")
    assert (found.severity, found.count) == (Severity.MEDIUM, 100)
    assert found.values["unprotected"]


def test_who_is_still_without_protection_is_offered_again_when_the_outage_is_closed(town: Town) -> None:
    lose(town, range(100))
    for n in range(95):
        town.take(Transport.MQTT, f"vaka/1/t/sos-{n}/status", b'{"state":"online"}')
    town.later(minutes=6)
    found = incident(town, "vendor_outage")
    assert not found.active
    town.answer(found.id, "close", outcome="technical")
    left = of(town, "device_offline")
    assert {alert.device for alert in left} == {f"sos{n}" for n in range(95, 100)}
    assert {(alert.state, alert.incident) for alert in left} == {(AlertState.OFFERED, "")}


def test_an_outage_closed_while_many_are_unprotected_is_one_incident_again(town: Town) -> None:
    lose(town, range(100))
    first = incident(town, "vendor_outage")
    town.answer(first.id, "close", outcome="technical")
    again = incident(town, "vendor_outage")
    assert again.id != first.id
    assert again.count == 100


def test_what_the_memory_keeps_of_a_flood_does_not_grow_with_it(town: Town) -> None:
    for n in range(HOMES):
        trouble(town, n)
    kept = town.state.recall(flood.OWNER, "~tenant/t")
    assert len(kept["recent"]) == flood.TENANT_MOST + 1
