"""Decide: dispatch, the one open alert of a rule and subject, wrong rules, rejected messages."""

import asyncio
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest

from gateway.contract import Arm, Change, Clear, Decision, Disarm, Raise, Remember, Rule, Say, Situation
from gateway.model.alert import AlertState, AlertType, Severity
from gateway.model.event import Event
from gateway.model.frame import Frame, Transport
from gateway.model.registry import Device
from gateway.model.status import Timer
from gateway.model.vocabulary import DeviceKind
from gateway.pipeline.decide import RuleBook, judge_enrolled, judge_event
from gateway.pipeline.rejection import judge_rejection
from gateway.pipeline.situation import device_of, view
from rules.base import BaseRule

sys.path.append(str(Path(__file__).parents[1] / "rules"))
from house import NOON, QUIET, House, document

SECRET = "1912-somebody"
DEVICES = {
    "t/lock": {"kind": "lock", **QUIET},
    "alarm": {"kind": "social_alarm", **QUIET},
}


class Told(BaseRule):
    """Does on each event, tick and enrolment what the test tells it."""

    id: ClassVar[str] = "told"
    catalogue: ClassVar[str] = "T1"
    listens: ClassVar[frozenset[str]] = frozenset({"alarm.manual"})

    def __init__(self) -> None:
        self.event: Callable[[Situation], Any] = lambda _: ()
        self.tick: Callable[[Situation], Any] = lambda _: ()
        self.enrolled: Callable[[Situation], Any] = lambda _: ()

    def on_event(self, event: Event, at: Situation) -> Sequence[Decision]:  # noqa: ARG002 - the port
        return self.event(at)

    def on_timer(self, timer: Timer, at: Situation) -> Sequence[Decision]:  # noqa: ARG002 - the port
        return self.tick(at)

    def on_enrolled(self, at: Situation) -> Sequence[Decision]:
        return self.enrolled(at)


class Safety(Told):
    id: ClassVar[str] = "safety"
    safety: ClassVar[bool] = True


class Everything(Told):
    id: ClassVar[str] = "everything"
    listens: ClassVar[frozenset[str]] = frozenset({"*"})


@pytest.fixture
def rule() -> Told:
    return Told()


@pytest.fixture
def house(rule: Told) -> House:
    return House(document(DEVICES), NOON, (rule,))


def alarm(severity: Severity = Severity.MEDIUM, **more: Any) -> Raise:
    given = {
        "severity": severity,
        "type": AlertType.PERSON,
        "text": "sos",
        "reason": "because",
        "accept_within_s": 600,
        **more,
    }
    return Raise(**given)


def press(house: House, rule: Told, *decisions: Decision) -> None:
    rule.event = lambda _: decisions
    house.says("alarm", "alarm.manual")


# --- dispatch ---


def test_a_rule_book_knows_who_listens_to_what() -> None:
    told, star = Told(), Everything()
    book = RuleBook((told, star))
    assert book.by_type["alarm.manual"] == (told, star)
    assert book.by_type["heartbeat"] == (star,)
    assert "heartbeat" not in RuleBook((told,)).by_type


def test_two_rules_of_one_id_are_refused() -> None:
    with pytest.raises(ValueError, match="share one id"):
        RuleBook((Told(), Told()))


def test_an_event_that_no_rule_listens_to_leaves_nothing(house: House) -> None:
    house.says("alarm", "heartbeat")
    assert (house.open(), house.said) == ([], [])


def test_what_is_not_enrolled_is_not_judged(house: House, rule: Told) -> None:
    press(house, rule, alarm())
    (event,) = house.heard[-1:]
    house.enrol(document({"t/lock": DEVICES["t/lock"]}))
    frame = Frame(Transport.CLOCK, "", b"", NOON)
    judge_event(house.state, house.walk.rules, event)
    judge_enrolled(house.state, house.walk.rules, "alarm", frame)
    gone = Device(id="alarm", tenant="town", adapter="x", native_id="x", kind=DeviceKind.LOCK)
    judge_rejection(house.state, gone, frame, "not JSON", "VDI-1")
    assert house.one("sos").count == 1
    assert len(house.open()) == 1


def test_a_rule_that_overrides_nothing_decides_nothing() -> None:
    class Idle(BaseRule):
        id: ClassVar[str] = "idle"
        catalogue: ClassVar[str] = "T0"
        listens: ClassVar[frozenset[str]] = frozenset({"heartbeat"})

    house = House(document(DEVICES), NOON, (Idle(),))
    house.says("alarm", "heartbeat")
    house.state.arm(Timer(owner="idle", subject="alarm", name="x", due_at=NOON, set_at=NOON))
    house.after(1)
    assert (house.open(), house.said) == ([], [])


def test_every_shipped_rule_fulfils_the_port() -> None:
    house = House(document(DEVICES))
    rules: Sequence[Rule] = house.walk.rules.rules
    assert {rule.catalogue for rule in rules} >= {
        *("G1", "G2", "G3", "D1", "D5", "D7", "L1", "L2", "L10", "C1", "C2", "C4", "C5", "S1", "S12")
    }
    assert len({rule.id for rule in rules}) == len(rules) == 50


# --- decisions ---


def test_an_alert_carries_whose_it_is_and_why(house: House, rule: Told) -> None:
    press(house, rule, alarm(values={"presses": 2}))
    alert = house.one("sos")
    assert (alert.rule, alert.subject, alert.device) == ("told", "alarm", "alarm")
    assert (alert.tenant, alert.home, alert.person, alert.ladder) == ("town", "home", "person", "care")
    assert (alert.frame, alert.reason) == (house.position, "because")
    assert alert.cause is not None
    assert len(alert.id) == 20


def test_the_same_inputs_give_the_same_alerts() -> None:
    def ids() -> list[str]:
        rule = Told()
        house = House(document(DEVICES), NOON, (rule,))
        press(house, rule, alarm(), alarm(subject="t/lock"))
        return [alert.id for alert in house.open()]

    first = ids()
    assert first == ids()
    assert len(set(first)) == 2


@pytest.mark.parametrize(
    ("kind", "ladder"),
    [(AlertType.PERSON, "care"), (AlertType.TECHNICAL, "technical"), (AlertType.ADVISORY, "technical")],
)
def test_the_type_chooses_the_ladder(house: House, rule: Told, kind: AlertType, ladder: str) -> None:
    press(house, rule, alarm(type=kind))
    assert house.one("sos").ladder == ladder


@pytest.mark.parametrize(
    ("subject", "device"),
    [("t/lock", "t/lock"), ("t/lock/morning/2026-01-14", "t/lock"), ("home", "alarm"), ("other", "alarm")],
)
def test_the_subject_tells_the_device(house: House, rule: Told, subject: str, device: str) -> None:
    press(house, rule, alarm(subject=subject))
    assert house.one("sos").device == device


def test_raised_again_it_is_counted_and_not_offered_again_unless_high(house: House, rule: Told) -> None:
    press(house, rule, alarm())
    for _ in range(50):
        press(house, rule, alarm())
    assert house.one("sos").count == 51
    (waiting,) = house.state.deliveries.values()
    press(house, rule, alarm(Severity.HIGH, accept_within_s=60))
    (again,) = house.state.deliveries.values()
    assert again.round > waiting.round, "what is not sent yet goes out once, for the newest ring"
    alert = house.one("sos")
    assert (alert.severity, alert.deadline) == (Severity.HIGH, house.now + timedelta(seconds=60))


def test_raised_again_milder_it_stays_as_severe_as_it_was(house: House, rule: Told) -> None:
    press(house, rule, alarm(Severity.HIGH))
    press(house, rule, alarm(Severity.LOW))
    assert house.one("sos").severity is Severity.HIGH


def test_a_change_may_lower_but_never_closes(house: House, rule: Told) -> None:
    press(house, rule, alarm(Severity.HIGH, accept_within_s=60))
    deadline = house.one("sos").deadline
    press(house, rule, Change(severity=Severity.LOW, text="fall", reason="milder"))
    alert = house.one("fall")
    assert (alert.severity, alert.deadline, alert.state) == (Severity.LOW, deadline, AlertState.OFFERED)


def test_made_more_severe_it_is_offered_anew_from_the_first_step(house: House, rule: Told) -> None:
    press(house, rule, alarm(Severity.LOW))
    house.after(600)
    assert house.one("sos").step == 1
    house.answers(house.one("sos"), "accept")
    press(house, rule, Change(severity=Severity.HIGH, reason="worse", accept_within_s=60))
    alert = house.one("sos")
    assert (alert.state, alert.assignee, alert.step) == (AlertState.OFFERED, None, 0)
    assert alert.deadline == house.now + timedelta(seconds=60)


@pytest.mark.parametrize(
    ("said", "severity", "kept"),
    [
        (0.0, Severity.MEDIUM, 1.0),
        (-60.0, Severity.HIGH, 1.0),
        (1e9, Severity.LOW, 31 * 86400.0),
        (1e9, Severity.HIGH, 600.0),
    ],
)
def test_no_rule_sets_a_deadline_that_is_over_at_once_or_never_comes(
    house: House, rule: Told, said: float, severity: Severity, kept: float
) -> None:
    press(house, rule, alarm(severity, accept_within_s=said))
    assert house.one("sos").accept_within_s == kept


def test_a_low_alert_that_becomes_high_does_not_keep_its_low_time(house: House, rule: Told) -> None:
    press(house, rule, alarm(Severity.LOW, accept_within_s=14400))
    press(house, rule, Change(severity=Severity.HIGH, reason="worse"))
    assert house.one("sos").accept_within_s == 600


def test_made_more_severe_it_stays_with_whoever_is_on_site(house: House, rule: Told) -> None:
    press(house, rule, alarm(Severity.LOW))
    house.answers(house.one("sos"), "on_site")
    press(house, rule, Change(severity=Severity.HIGH, reason="worse", accept_within_s=60))
    alert = house.one("sos")
    assert (alert.state, alert.assignee, alert.severity) == (AlertState.ON_SITE, "nurse", Severity.HIGH)


def test_a_technical_alert_can_move_to_the_carers(house: House, rule: Told) -> None:
    press(house, rule, alarm(Severity.MEDIUM, type=AlertType.TECHNICAL))
    press(house, rule, Change(type=AlertType.PERSON, reason="a person is without protection"))
    alert = house.one("sos")
    assert (alert.type, alert.ladder) == (AlertType.PERSON, "care")
    assert house.entries[-1].action == "offered"


def test_cleared_it_stays_open_and_a_latched_one_stays_active(house: House, rule: Told) -> None:
    press(house, rule, alarm(), Clear(reason="over"))
    assert (house.one("sos").active, house.one("sos").deadline is None) == (False, False)
    press(house, rule, alarm(latched=True), Clear(reason="over"))
    assert house.one("sos").active


@pytest.mark.parametrize("decision", [Change(reason="x"), Clear(reason="x")])
def test_changing_what_is_not_open_is_only_told(house: House, rule: Told, decision: Decision) -> None:
    press(house, rule, decision)
    assert house.open() == []
    assert house.said == ["no open alert to change: x"]


def test_what_a_rule_says_stands_in_the_trace_with_its_place_in_the_catalogue(
    house: House, rule: Told
) -> None:
    rule.event = lambda _: [Say(reason="nothing to do")]
    house.says("alarm", "alarm.manual")
    assert house.said == ["nothing to do"]


def test_memory_and_timers_are_kept_by_rule_and_subject(house: House, rule: Told) -> None:
    due = NOON + timedelta(minutes=1)
    press(
        house,
        rule,
        Remember(facts={"a": 1}),
        Remember(facts={"b": 2}, subject="home"),
        Arm(name="x", due_at=due),
        Arm(name="y", due_at=due, subject="t/lock"),
    )
    seen: list[Any] = []
    rule.event = lambda at: (
        seen.append((at.recall(), at.recall("home"), at.recall("t/lock"), at.armed("x"), at.armed("y"))) or ()
    )
    house.restart()
    house.says("alarm", "alarm.manual")
    assert seen == [({"a": 1}, {"b": 2}, {}, True, False)]
    press(house, rule, Remember(facts=None), Disarm(name="x"))
    assert house.timers("told") == ["y"]
    rule.tick = lambda at: seen.append((at.device.id, at.now)) or ()
    house.until(due)
    assert seen[-1] == ("t/lock", due)


def test_arming_again_moves_the_timer(house: House, rule: Told) -> None:
    press(house, rule, Arm(name="x", due_at=NOON + timedelta(minutes=1)))
    press(house, rule, Arm(name="x", due_at=NOON + timedelta(minutes=9)))
    ticks: list[datetime] = []
    rule.tick = lambda at: ticks.append(at.now) or ()
    house.until(NOON + timedelta(hours=1))
    assert ticks == [NOON + timedelta(minutes=9)]


def test_a_tick_that_arms_for_the_past_cannot_hold_the_watch(house: House, rule: Told) -> None:
    press(house, rule, Arm(name="x", due_at=NOON))
    ticks: list[datetime] = []

    def again(at: Situation) -> Sequence[Decision]:
        ticks.append(at.now)
        return [Arm(name="x", due_at=at.now - timedelta(days=1))]

    rule.tick = again
    house.until(NOON + timedelta(seconds=10))
    assert len(ticks) == 11


def test_a_timer_of_a_device_that_left_is_told_and_dropped(house: House, rule: Told) -> None:
    press(house, rule, Arm(name="x", due_at=NOON + timedelta(minutes=1)))
    house.enrol(document({"t/lock": DEVICES["t/lock"]}))
    house.until(NOON + timedelta(hours=1))
    assert house.said == ["timer 'x': its device is not enrolled any more"]
    assert house.timers("told") == []


def test_a_timer_of_a_rule_that_is_not_in_force_is_told_and_dropped(house: House, rule: Told) -> None:
    press(house, rule, Arm(name="x", due_at=NOON + timedelta(minutes=1)))
    house.walk.rules = RuleBook(())
    house.until(NOON + timedelta(hours=1))
    assert house.said == ["timer 'x': rule 'told' is not in force"]


def test_a_tick_raises_with_the_time_it_was_due(house: House, rule: Told) -> None:
    press(house, rule, Arm(name="x", due_at=NOON + timedelta(minutes=1)))
    rule.tick = lambda _: [alarm()]
    house.stands_still_until(NOON + timedelta(hours=1))
    alert = house.one("sos")
    assert alert.cause is not None, "the event for which the timer was set"
    assert alert.occurred_at == NOON + timedelta(minutes=1)
    assert alert.late_s == 59 * 60


# --- S13 ---


def broken(_: Situation) -> Sequence[Decision]:
    raise RuntimeError(SECRET)


def halfway(_: Situation) -> Sequence[Decision]:
    yield alarm()
    raise KeyError(SECRET)


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        (broken, "RuntimeError"),
        (halfway, "KeyError"),
        (lambda _: None, "TypeError"),
        (lambda _: ["raise"], "AttributeError"),
        (
            lambda at: [Timer(owner="x", subject="x", name="x", due_at=at.now, set_at=at.now)],
            "AssertionError",
        ),
        (lambda _: 1 / 0, "ZeroDivisionError"),
        (lambda at: at.status().nothing, "AttributeError"),
    ],
)
def test_a_rule_that_fails_is_an_alert_of_its_own_and_the_others_judge_on(wrong: Any, fault: str) -> None:
    rule, other = Told(), Everything()
    rule.event, other.event = wrong, lambda _: [alarm(text="fall")]
    house = House(document(DEVICES), NOON, (rule, other))
    for _ in range(3):
        house.says("alarm", "alarm.manual")
    alert = house.one("rule_fault")
    assert (alert.severity, alert.type, alert.count) == (Severity.MEDIUM, AlertType.TECHNICAL, 3)
    assert (alert.subject, alert.device) == ("alarm/told", "alarm")
    assert alert.values == {"rule": "told", "fault": fault}
    assert alert.accept_within_s == 900
    assert house.one("fall").count == 3
    assert house.open("sos") == []
    assert f"rule 'told' could not judge: {fault}" in house.said
    everything = repr((house.state.alerts, house.entries, house.said))
    assert SECRET not in everything


WITHOUT_END, HALF_A_CHARACTER = float("inf"), "\ud800"


@pytest.mark.parametrize(
    ("decision", "fault"),
    [
        (Remember(facts={"x": object()}), "TypeError"),
        (Remember(facts={"x": {1, 2}}), "ValueError"),
        (Remember(facts={"x": WITHOUT_END}), "ValueError"),
        (Remember(facts={"x": float("nan")}), "ValueError"),
        (Remember(facts={"x": {1: 2}}), "ValueError"),
        (Remember(facts={"x": HALF_A_CHARACTER}), "UnicodeEncodeError"),
        (alarm(values={"x": float("nan")}), "ValidationError"),
        (alarm(values={"x": WITHOUT_END}), "ValidationError"),
        (alarm(values={"x": ["a list"]}), "ValidationError"),
        (alarm(values={"x": HALF_A_CHARACTER}), "UnicodeEncodeError"),
        (alarm(text=HALF_A_CHARACTER), "UnicodeEncodeError"),
        (alarm(reason=HALF_A_CHARACTER), "UnicodeEncodeError"),
        (alarm(text=5), "ValidationError"),
        (alarm(accept_within_s=WITHOUT_END), "ValidationError"),
        (alarm(occurred_at=NOON.replace(tzinfo=None)), "ValueError"),
        (Change(reason=HALF_A_CHARACTER), "UnicodeEncodeError"),
        (Change(reason="worse", accept_within_s=WITHOUT_END), "ValueError"),
        (Arm(name="x", due_at=NOON.replace(tzinfo=None)), "ValueError"),
        (Arm(name="x", due_at=NOON, note=HALF_A_CHARACTER), "UnicodeEncodeError"),
        (Say(reason=HALF_A_CHARACTER), "UnicodeEncodeError"),
    ],
)
def test_a_decision_that_cannot_be_kept_is_a_rule_fault_at_once_and_nothing_of_it_is_done(
    house: House, rule: Told, decision: Decision, fault: str
) -> None:
    press(house, rule, alarm(text="fall"), Remember(facts={"a": 1}), decision)
    assert house.one("rule_fault").values == {"rule": "told", "fault": fault}
    assert house.open("fall") == [], "neither what it decided before"
    assert house.state.recall("told", "alarm") == {}
    assert house.timers("told") == []
    msgspec.json.encode((house.state.alerts, house.entries, house.said))


def test_what_a_rule_keeps_it_cannot_change_afterwards(house: House, rule: Told) -> None:
    facts: dict[str, Any] = {"seen": [1]}
    press(house, rule, Remember(facts=facts))
    facts["seen"].append(object())
    assert house.state.recall("told", "alarm") == {"seen": [1]}


class PanicException(BaseException):
    """As an extension written in Rust raises it."""


def test_a_rule_that_panics_is_a_rule_fault_too(house: House, rule: Told) -> None:
    def panics(_: Situation) -> Sequence[Decision]:
        raise PanicException(SECRET)

    rule.event = panics
    house.says("alarm", "alarm.manual")
    assert house.one("rule_fault").values["fault"] == "PanicException"


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit, asyncio.CancelledError, GeneratorExit])
def test_what_stops_the_gateway_is_no_rule_fault(house: House, rule: Told, stop: type[BaseException]) -> None:
    def stops(_: Situation) -> Sequence[Decision]:
        raise stop

    rule.event = stops
    with pytest.raises(stop):
        house.says("alarm", "alarm.manual")
    assert house.open() == []


def test_a_safety_rule_that_fails_is_told_to_the_carers() -> None:
    rule = Safety()
    rule.event = broken
    house = House(document(DEVICES), NOON, (rule,))
    house.says("alarm", "alarm.manual")
    alert = house.one("rule_fault")
    assert (alert.type, alert.ladder) == (AlertType.PERSON, "care")


def test_a_rule_may_fail_on_a_tick_and_on_enrolment_too(house: House, rule: Told) -> None:
    press(house, rule, Arm(name="x", due_at=NOON + timedelta(minutes=1)))
    rule.tick = broken
    house.after(60)
    assert house.one("rule_fault").count == 1
    rule.enrolled = broken
    house.enrol(document(DEVICES))
    assert {alert.subject: alert.count for alert in house.open("rule_fault")} == {
        "alarm/told": 2,
        "t/lock/told": 1,
    }


# --- rejected messages ---


def test_a_rejected_message_of_a_known_device_is_one_low_alert_counted(house: House) -> None:
    for _ in range(3):
        house.garbles("t/lock", "VDI-MQTT-07")
    alert = house.one("rejected_message")
    assert (alert.severity, alert.type, alert.count) == (Severity.LOW, AlertType.TECHNICAL, 3)
    assert (alert.subject, alert.values) == ("t/lock", {"clause": "VDI-MQTT-07"})
    assert len(house.state.deliveries) == 1


@pytest.mark.parametrize(
    "device",
    [
        {"kind": "social_alarm"},
        {"kind": "gps_alarm"},
        {"kind": "fall_detector"},
        {"kind": "button", "role": "sos"},
    ],
)
def test_what_cannot_be_read_of_an_alarm_may_be_a_call_and_goes_to_care_staff(device: dict[str, Any]) -> None:
    house = House(document({"d": {**device, **QUIET}}))
    house.garbles("d")
    alert = house.one("rejected_call")
    told = (alert.rule, alert.severity, alert.type, alert.ladder)
    assert told == ("rejected_call", Severity.MEDIUM, AlertType.PERSON, "care")
    assert alert.accept_within_s == 600


def test_a_technical_rejection_that_is_open_does_not_hold_back_what_may_be_a_call() -> None:
    house = House(document({"d": {"kind": "button", **QUIET}}))
    house.garbles("d")
    house.enrol(document({"d": {"kind": "button", "role": "sos", **QUIET}}))
    house.garbles("d")
    assert [house.one(text).ladder for text in ("rejected_message", "rejected_call")] == ["technical", "care"]


def test_a_rejected_message_of_an_unknown_device_raises_nothing(house: House) -> None:
    house.garbles("stranger")
    assert house.open() == []


# --- the situation ---


def test_a_situation_shows_the_device_its_home_and_its_neighbours(house: House) -> None:
    at = view(house.state, "alarm")
    assert at is not None
    assert (at.device.id, at.enrolment.device, at.home.id) == ("alarm", "alarm", "home")
    assert at.person is not None
    assert [device.id for device in at.neighbours(DeviceKind.LOCK)] == ["t/lock"]
    assert at.local(datetime(2026, 7, 1, 12, tzinfo=UTC)).hour == 14
    assert at.status("t/lock").slots == {}
    assert "t/lock" not in house.state.statuses, "looking leaves no mark"


def test_a_device_that_is_not_enrolled_has_no_situation(house: House) -> None:
    assert view(house.state, "nobody") is None


@pytest.mark.parametrize(
    ("subject", "device"),
    [("t/lock", "t/lock"), ("t/lock/x/y", "t/lock"), ("home", "t/lock"), ("nobody", None), ("", None)],
)
def test_a_subject_leads_to_a_device(house: House, subject: str, device: str | None) -> None:
    assert device_of(house.state.registry, subject) == device
