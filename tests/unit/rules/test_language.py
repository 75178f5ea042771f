"""The language of rules in the real walk: shadow, absence, faults, order, standstill, restart, overrides."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from house import NOON, QUIET, House, document

from gateway.contract import Rule, RuleState, as_active
from gateway.model.alert import Severity
from gateway.model.people import Context, ContextKind
from gateway.pipeline.decide import judge_context
from rules.alarms import Sos
from rules.language.explain import explain
from rules.language.lint import parse
from rules.language.rule import DocumentRule
from rules.library import catalogue

HEAD = """
catalogue = "M1"
id = "own"
version = 1
state = "active"
source = "a test"
budget = 1.0
[texts.sv]
alert = "Larm"
routine = "Gör något"
[texts.en]
alert = "Alert"
routine = "Do something"
"""
VECTORS = """
[[vectors]]
name = "fires"
fires = true
devices = { d = { kind = "lock" } }
steps = []
[[vectors]]
name = "does not"
fires = false
devices = { d = { kind = "lock" } }
steps = []
"""


def rule_of(body: str, head: str = HEAD) -> DocumentRule:
    found, faults = parse(
        body.partition("[numbers]")[0] + head + "[numbers]" + body.partition("[numbers]")[2] + VECTORS
    )
    assert faults == []
    assert found is not None
    return DocumentRule(found)


def house_of(*rules: Rule, **home: Any) -> House:
    devices = {
        "lock": {"kind": "lock", **QUIET},
        "door": {"kind": "door_contact", **QUIET},
        "button": {"kind": "social_alarm", **QUIET},
    }
    return House(document(devices, **home), rules=rules)


AJAR = """
[numbers]
open_s = 600
accept_s = 300
[[trigger]]
on = ["door.opened"]
for = "open_s"
until = { on = ["door.closed"] }
severity = "medium"
accept = "accept_s"
"""


def a_context(house: House, kind: ContextKind, *, begins_s: float = 0, lasts_s: float = 3600) -> None:
    since = house.now + timedelta(seconds=begins_s)
    context = Context(
        id=f"{kind}-1", kind=kind, home="home", since=since, until=since + timedelta(seconds=lasts_s)
    )
    house.state.people.keep("context", context.id, context)


# --- shadow ---


def test_a_shadow_rule_remembers_waits_and_disturbs_nobody() -> None:
    rule = DocumentRule(rule_of(AJAR).document, RuleState.SHADOW)
    house = house_of(rule)
    for _ in range(2):
        house.says("door", "door.opened")
        house.after(700)
        house.says("door", "door.closed")
        house.after(60)
    assert house.open() == []
    told = [line for line in house.said if line.startswith("shadow: would have raised own medium")]
    assert len(told) == 2
    assert house.state.recall("own#shadow", "door")["count"] == 2


def test_a_shadow_rule_that_is_trusted_raises() -> None:
    house = house_of(as_active(DocumentRule(rule_of(AJAR).document, RuleState.SHADOW)))
    house.says("door", "door.opened")
    house.after(700)
    assert house.one("own").severity is Severity.MEDIUM


@pytest.mark.parametrize("state", [RuleState.DRAFT, RuleState.RETIRED])
def test_a_draft_or_a_retired_rule_is_not_asked(state: RuleState) -> None:
    house = house_of(DocumentRule(rule_of(AJAR).document, state))
    house.says("door", "door.opened")
    assert house.timers("own") == []


# --- X8: an absence ---


def test_an_absence_holds_back_what_is_about_the_person() -> None:
    house = house_of(rule_of(AJAR))
    a_context(house, ContextKind.ABSENCE)
    house.says("door", "door.opened")
    house.after(700)
    assert house.open() == []
    assert any(line.startswith("not raised, the person is away (absence-1)") for line in house.said)


def test_an_absence_that_is_over_holds_nothing_back() -> None:
    house = house_of(rule_of(AJAR))
    a_context(house, ContextKind.ABSENCE, lasts_s=60)
    house.says("door", "door.opened")
    house.after(700)
    assert house.one("own")


def test_an_absence_never_holds_back_a_call_for_help_nor_a_fault_of_a_device() -> None:
    technical = AJAR.replace('severity = "medium"', 'severity = "medium"\ntype = "ST"')
    house = house_of(rule_of(technical), Sos())
    a_context(house, ContextKind.ABSENCE)
    house.says("door", "door.opened")
    house.says("button", "alarm.manual")
    house.after(700)
    assert {alert.rule for alert in house.open()} == {"own", "sos"}


# --- S13: a fault while it runs ---

FAULTY = """
[numbers]
accept_s = 300
[[trigger]]
on = ["door.opened"]
when = "1 / size(person.flags) > 0"
severity = "low"
accept = "accept_s"
"""


def test_a_fault_while_it_runs_is_said_as_could_not_judge() -> None:
    house = house_of(rule_of(FAULTY))
    house.says("door", "door.opened")
    alert = house.one("rule_fault")
    assert (alert.severity, alert.accept_within_s) == (Severity.MEDIUM, 900)
    assert alert.reason.startswith("rule 'own' could not judge: ")


def test_a_rule_that_can_judge_is_no_fault() -> None:
    house = house_of(rule_of(FAULTY), flags=("a",))
    house.says("door", "door.opened")
    assert [alert.rule for alert in house.open()] == ["own"]


def test_an_answer_that_is_no_yes_or_no_is_a_fault_and_never_a_match() -> None:
    house = house_of(rule_of(FAULTY.replace("1 / size(person.flags) > 0", "size(person.flags)")))
    house.says("door", "door.opened")
    assert [alert.rule for alert in house.open()] == ["rule_fault"]


def test_another_rule_judges_on_beside_a_faulty_one() -> None:
    house = house_of(rule_of(FAULTY), Sos())
    house.says("door", "door.opened")
    house.says("button", "alarm.manual")
    assert {alert.rule for alert in house.open()} == {"rule_fault", "sos"}


# --- time ---


def test_a_restart_keeps_the_original_start() -> None:
    house = house_of(rule_of(AJAR))
    house.says("door", "door.opened")
    house.after(400)
    house.restart()
    house.after(199)
    assert house.open() == []
    house.after(2)
    assert house.one("own").raised_at == NOON + timedelta(seconds=600)


def test_what_was_due_during_a_standstill_fires_at_once_and_says_that_it_is_late() -> None:
    house = house_of(rule_of(AJAR))
    house.says("door", "door.opened")
    house.stands_still_until(NOON + timedelta(hours=1))
    alert = house.one("own")
    assert alert.reason.endswith("evaluated 50 min late")
    assert alert.occurred_at == NOON
    assert any("evaluated late, by 50 min" in line for line in house.said)


def test_an_end_that_is_heard_first_ends_what_is_heard_after_it() -> None:
    house = house_of(rule_of(AJAR))
    house.says("door", "door.closed", ago_s=100)
    house.says("door", "door.opened", ago_s=200)
    house.after(5000)
    assert house.open() == []


def test_a_backlog_that_tells_of_a_long_opening_raises_and_clears() -> None:
    house = house_of(rule_of(AJAR))
    house.says("door", "door.opened", ago_s=3000)
    house.says("door", "door.closed", ago_s=1000)
    alert = house.one("own")
    assert (alert.active, alert.occurred_at) == (False, NOON - timedelta(seconds=3000))


def test_a_late_opening_waits_for_the_rest_of_its_backlog() -> None:
    house = house_of(rule_of(AJAR))
    house.says("door", "door.opened", ago_s=3000)
    house.after(30)
    house.says("door", "door.closed", ago_s=2900)
    house.after(5000)
    assert house.open() == []


def test_a_count_goes_by_when_things_happened_in_whatever_order_they_are_heard() -> None:
    body = """
[numbers]
n = 3
window_s = 300
accept_s = 300
[[trigger]]
on = ["lock.denied"]
count = { n = "n", window = "window_s" }
severity = "low"
accept = "accept_s"
"""
    house = house_of(rule_of(body))
    house.says("lock", "lock.denied", ago_s=10)
    house.says("lock", "lock.denied", ago_s=250)
    house.says("lock", "lock.denied", ago_s=1000)
    assert house.open() == []
    house.says("lock", "lock.denied", ago_s=100)
    assert house.one("own")


def test_keep_for_waits_before_it_says_that_it_is_over() -> None:
    body = AJAR.replace("[numbers]", "[numbers]\nrest_s = 120").replace(
        'for = "open_s"', 'for = "open_s"\nkeep_for = "rest_s"'
    )
    house = house_of(rule_of(body))
    house.says("door", "door.opened")
    house.after(700)
    house.says("door", "door.closed")
    house.after(100)
    assert house.one("own").active
    house.says("door", "door.opened")
    house.after(100)
    assert house.one("own").active, "it began again while it was kept"
    house.says("door", "door.closed")
    house.after(121)
    assert not house.one("own").active


def test_a_closed_alert_of_a_condition_that_goes_on_does_not_begin_anew_by_itself() -> None:
    house = house_of(rule_of(AJAR))
    house.says("door", "door.opened")
    house.after(700)
    house.closes(house.one("own"))
    house.after(5000)
    assert house.open() == []


# --- plans ---

NO_ENTRY = """
subject = "home"
[numbers]
grace_s = 1800
early_s = 900
accept_s = 900
[[trigger]]
absent = { on = ["visit.started"], by = "visit_start", plus = "grace_s", since = "early_s" }
severity = "medium"
accept = "accept_s"
"""


def planned(house: House, begins_s: float) -> None:
    a_context(house, ContextKind.VISIT, begins_s=begins_s)
    judge_context(house.state, house.walk.rules, "home", ContextKind.VISIT, frame_of(house))


def frame_of(house: House) -> Any:
    from gateway.model.frame import Frame, Transport

    return Frame(Transport.PERSON, "context/x/set", b"", house.now, position=house.position)


def test_a_visit_that_is_planned_later_is_waited_for() -> None:
    house = house_of(rule_of(NO_ENTRY))
    planned(house, 3600)
    house.after(3600 + 1800 + 1)
    assert house.one("own").values["slot"] == "visit-1"


def test_a_visit_that_is_moved_is_judged_at_its_new_time_only() -> None:
    house = house_of(rule_of(NO_ENTRY))
    planned(house, 3600)
    house.after(600)
    planned(house, 7200)
    house.after(5000)
    assert house.open() == []
    house.after(600 + 7200 + 1800 - 5600 + 1)
    assert house.one("own")


def test_a_rule_that_watches_no_visits_is_not_asked_about_them() -> None:
    house = house_of(rule_of(AJAR))
    planned(house, 3600)
    assert house.timers("own") == []


# --- numbers of a person, a unit, a municipality ---


def with_override(house: House, **whose: str) -> None:
    told = msgspec.json.decode(house.kept.registry.to_json())
    told["override"] = [*told.get("override", []), {"rule": "own", "numbers": {"open_s": 60}, **whose}]
    house.enrol(type(house.kept.registry).of(told))


@pytest.mark.parametrize("whose", [{"tenant": "town"}, {"unit": "unit"}, {"person": "person"}])
def test_a_number_may_be_set_for_a_municipality_a_unit_or_a_person(whose: dict[str, str]) -> None:
    house = house_of(rule_of(AJAR))
    with_override(house, **whose)
    house.says("door", "door.opened")
    house.after(61)
    assert house.one("own")


def test_a_number_beyond_its_bounds_stops_at_them() -> None:
    house = house_of(rule_of(AJAR.replace("[[trigger]]", "[bounds]\nopen_s = [300, 900]\n[[trigger]]", 1)))
    with_override(house, person="person")
    house.says("door", "door.opened")
    house.after(299)
    assert house.open() == []
    house.after(2)
    assert house.one("own")


# --- a document of another version ---


def test_a_timer_of_an_earlier_version_of_a_document_is_passed_over() -> None:
    two = AJAR + AJAR.partition("accept_s = 300\n")[2].replace("door.opened", "lock.jammed")
    house = house_of(rule_of(two))
    house.says("lock", "lock.jammed")
    assert house.timers("own") == ["for.1"]
    house.walk = type(house.walk)((), (rule_of(AJAR),), ("page",))
    house.after(5000)
    assert house.open() == []


def test_every_rule_is_explained_with_each_of_its_numbers() -> None:
    for entry in catalogue():
        text = "\n".join(entry.explanation)
        assert entry.catalogue in text
        assert all(f"  {name} = " in text for name in entry.numbers)
    lines = list(explain(rule_of(AJAR).document))
    assert "  when door.opened, for 10 min" in lines
