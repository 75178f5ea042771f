"""A guided check of a new device: fulfilled by what it really says, and no alert of it is ever lost."""

import json
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from gateway.contract import Changes, Snapshot
from gateway.model.alert import Alert, AlertState, Outcome
from gateway.model.commissioning import TRIED, Check, End, Item, Standing
from gateway.model.commissioning import Outcome as Done
from gateway.model.frame import Transport
from gateway.model.vocabulary import VOCABULARY, DeviceKind
from gateway.pipeline.checks import Checks
from gateway.pipeline.holding import held
from gateway.pipeline.policy import policy_of
from gateway.pipeline.state import State, deadline_key
from tests.unit.pipeline.town import PENDANT, START, Town, document

NEW = "t/new-1"
DOOR = "t/door-1"


class Bench(Town):
    """A town with an empty flat, in which new devices are tried by eva."""

    def __init__(self, state: State | None = None, resident: str = "") -> None:
        super().__init__(state)
        if state is not None:
            return
        self.reload(resident)
        for name, kind in ((NEW, "social_alarm"), (DOOR, "door_contact")):
            device = {"id": name, "tenant": "t", "adapter": "vaka", "native_id": name, "kind": kind}
            enrolment = {"device": name, "home": "h2", "since": START.isoformat(), "heartbeat_s": 60}
            assert not self.enrol("add", devices=[{"device": device, "enrolment": enrolment}]).refusals

    def reload(self, resident: str = "", **more: Any) -> Changes:
        homes = [{**msgspec.to_builtins(document().home[0]), "id": name} for name in ("h1", "h2")]
        people = [{"ref": "p1", "home": "h1"}] + ([{"ref": resident, "home": "h2"}] if resident else [])
        filed = document(home=homes, person=people, **more)
        return self.take(Transport.REGISTRY, "registry", filed.to_json())

    def enrol(self, word: str, **body: Any) -> Changes:
        return self.take(Transport.PERSON, f"enrol/{word}", json.dumps(body).encode(), source="eva")

    def check(self, word: str, device: str = NEW, who: str = "eva", **said: Any) -> Changes:
        return self.take(Transport.PERSON, f"check/{word}/{device}", json.dumps(said).encode(), source=who)

    def press(self, **more: Any) -> Alert:
        """Press the new alarm; return its alert as it stands then."""
        self.send(NEW, "alarm.manual", id_=f"press-{self.position}", presses=1, **more)
        return next(one for one in self.state.alerts.values() if one.device == NEW)

    def one(self, device: str = NEW) -> Check:
        return self.state.checks.open[device]

    def item(self, key: str, device: str = NEW) -> Item:
        return next(one for one in self.one(device).items if one.key == key)

    def recipients(self, changes: Changes) -> set[str]:
        return {one.recipient for one in changes.deliveries.values()}

    def fulfil(self) -> Alert:
        """Do all that the check of the alarm asks for, but for what the test alarm raised."""
        alert = self.press(battery_percent=81)
        assert self.one().missing == ()
        return alert


def refused(changes: Changes) -> str:
    return next(iter(changes.refusals.values()), "")


def test_every_kind_has_steps_of_words_that_exist() -> None:
    assert set(TRIED) == set(DeviceKind)
    for steps in TRIED.values():
        assert {word for one in steps for word in one.events} <= set(VOCABULARY)
        assert len({one.key for one in steps}) == len(steps)


@pytest.mark.parametrize("kind", list(DeviceKind))
def test_the_step_of_every_kind_is_fulfilled_by_its_own_events(kind: DeviceKind) -> None:
    town = Bench()
    device = {"id": "d", "tenant": "t", "adapter": "vaka", "native_id": "t/d", "kind": kind}
    enrolment = {"device": "d", "home": "h2", "since": START.isoformat()}
    town.enrol("add", devices=[{"device": device, "enrolment": enrolment}])
    assert not town.check("open", "d").refusals
    for step in TRIED[kind]:
        current = town.one("d").current
        assert current is not None
        assert current.key == step.key
        word = min(step.events, default="motion.detected")
        places = {"latitude": 59.0, "longitude": 18.0} if word == "position.update" else {}
        town.now += timedelta(seconds=5)
        town.send("t/d", word, id_=f"{step.key}", **places)
        found = town.item(step.key, "d")
        assert (found.outcome, found.type) == (Done.FULFILLED, word), step.key
        assert found.event
        assert found.occurred_at == found.received_at == town.now
    assert town.one("d").current is None


def test_the_door_is_asked_for_in_order_and_the_wrong_event_fulfils_nothing() -> None:
    town = Bench()
    town.check("open", DOOR)
    town.send(DOOR, "door.closed", id_="a")
    assert town.item("open", DOOR).outcome is Done.ASKED
    town.send(DOOR, "door.opened", id_="b")
    assert town.item("close", DOOR).outcome is Done.ASKED
    town.send(DOOR, "door.closed", id_="c")
    assert town.item("close", DOOR).outcome is Done.FULFILLED


def test_an_event_from_before_it_was_asked_for_does_not_count() -> None:
    town = Bench()
    before = town.now
    town.later(minutes=2)
    town.check("open")
    town.later(seconds=5)
    town.send(NEW, "alarm.manual", id_="late", at=before)
    assert (town.item("press").outcome, town.item("press").why) == (Done.ASKED, "before_asked")
    assert town.item("clock").why == "clock_wrong"
    town.send(NEW, "alarm.manual", id_="now")
    assert town.item("press").outcome is Done.FULFILLED
    assert town.item("clock").outcome is Done.FULFILLED


def test_what_the_device_tells_of_itself_fulfils_the_rest() -> None:
    town = Bench()
    town.check("open")
    assert town.item("heard").outcome is Done.ASKED
    town.send(NEW, "device.online", id_="1", battery_percent=77, link_quality=120, firmware="2.1")
    for key, evidence in (
        ("battery", "battery_percent=77"),
        ("firmware", "firmware=2.1"),
        ("signal", "link_quality=120"),
    ):
        assert (town.item(key).outcome, town.item(key).evidence) == (Done.FULFILLED, evidence)
    assert town.item("heartbeat").outcome is Done.ASKED
    town.now += timedelta(seconds=60)
    town.send(NEW, "device.online", id_="2")
    assert town.item("heartbeat").evidence == "interval_s=60 promised_s=60"


def test_a_step_that_nothing_fulfils_fails_in_its_time_and_can_be_asked_again() -> None:
    town = Bench()
    town.check("open")
    town.later(seconds=121)
    assert (town.item("press").outcome, town.item("press").why) == (Done.FAILED, "no_event")
    assert "press" in refused(town.check("sign"))
    town.check("ask", step="press")
    town.later(seconds=5)
    town.press()
    assert (town.item("press").outcome, town.item("press").tries) == (Done.FULFILLED, 2)


def test_a_step_is_skipped_or_failed_only_with_a_reason_and_the_protocol_keeps_it() -> None:
    town = Bench()
    town.check("open")
    assert refused(town.check("skip", step="battery"))
    assert refused(town.check("skip", step="nothing", reason="x"))
    town.check("skip", step="battery", reason="on a cable")
    town.check("fail", step="press", reason="stuck button")
    assert "press" in refused(town.check("sign"))
    town.check("skip", step="press", reason="ordered a new one")
    town.send(NEW, "device.online", id_="1")
    assert not town.check("sign").refusals
    told = {one.key: one for one in town.state.checks.of(NEW).protocols[0].items}
    assert (told["battery"].why, told["battery"].actor) == ("on a cable", "eva")


def test_a_test_alarm_rings_the_engineer_alone_and_is_confirmed_as_a_test() -> None:
    town = Bench()
    town.check("open")
    town.later(seconds=1)
    changes = town.send(NEW, "alarm.manual", id_="x")
    alert = next(iter(town.state.alerts.values()))
    assert town.recipients(changes) == {"eva"}
    assert held(alert)
    assert alert.deadline == town.now + timedelta(seconds=60)
    done = town.check("confirm", alert=alert.id, seen=1).alerts[alert.id]
    assert (done.state, done.outcome, done.assignee) == (AlertState.CLOSED, Outcome.TEST, "eva")


def test_a_test_alarm_that_nobody_confirms_goes_to_the_staff_after_a_minute() -> None:
    town = Bench()
    town.check("open")
    alert = town.press()
    assert not town.recipients(town.later(seconds=59))
    assert town.recipients(town.later(seconds=2)) == {"day", "eva"}
    found = town.state.alerts[alert.id]
    assert not held(found)
    assert found.deadline is not None
    assert found.deadline > town.now


def test_a_test_that_was_pressed_again_meanwhile_is_not_confirmed_unseen() -> None:
    town = Bench()
    town.check("open")
    alert = town.press()
    town.press()
    assert "raised again" in refused(town.check("confirm", alert=alert.id, seen=1))
    assert refused(town.check("confirm", alert=alert.id))
    assert not town.check("confirm", alert=alert.id, seen=2).refusals


def test_only_an_alarm_of_this_device_and_this_check_is_a_test() -> None:
    town = Bench()
    before = town.press()
    town.check("open")
    assert "no test" in refused(town.check("confirm", alert=before.id, seen=1))
    town.send(PENDANT, "alarm.manual", id_="other")
    other = next(one for one in town.state.alerts.values() if one.device == PENDANT)
    assert "none of this device" in refused(town.check("confirm", alert=other.id, seen=1))


@pytest.mark.parametrize("way", ["expiry", "give_up", "sign", "replace", "resident"])
def test_every_way_out_hands_what_is_held_to_the_staff_at_once(way: str) -> None:
    town = Bench()
    town.check("open")
    if way == "expiry":
        town.later(minutes=59, seconds=50)
        town.check("ask", step="press")
    alert = town.fulfil()
    assert held(alert)
    if way == "expiry":
        changes = town.later(seconds=10)
    elif way == "replace":
        changes = town.enrol("replace", device=NEW, native_id="t/new-2", reason="broken")
    elif way == "resident":
        changes = town.reload("p2")
    else:
        changes = town.check(way, reason="enough")
    assert {"day"} <= town.recipients(changes)
    found = town.state.alerts[alert.id]
    assert not held(found)
    assert found.state is AlertState.OFFERED
    assert policy_of(town.state.registry, found).steps[0].to == ("day",)
    assert (NEW in town.state.checks.open) == (way == "resident")


def test_a_device_that_leaves_the_registry_ends_its_check() -> None:
    town = Bench()
    town.check("open", PENDANT)
    devices = [one for one in msgspec.to_builtins(document().device) if one["id"] != PENDANT]
    rest = [one for one in msgspec.to_builtins(document().enrolment) if one["device"] != PENDANT]
    town.reload(device=devices, enrolment=rest)
    ended = town.state.checks.of(PENDANT).ended
    assert ended is not None
    assert ended.how is End.UNENROLLED


def test_where_somebody_lives_the_staff_hear_at_once_and_the_engineer_has_a_copy() -> None:
    town = Bench()
    town.check("open", PENDANT)
    town.later(seconds=1)
    changes = town.send(PENDANT, "alarm.manual", id_="x")
    assert town.recipients(changes) == {"day", "eva"}
    alert = next(iter(town.state.alerts.values()))
    assert not held(alert)
    assert alert.values["check"] == "eva"
    assert not town.check("confirm", PENDANT, alert=alert.id, seen=1).refusals


def test_a_device_that_was_signed_for_is_never_held_back_again_and_is_signed_a_second_time() -> None:
    town = Bench()
    town.check("open")
    town.check("confirm", alert=town.fulfil().id, seen=1)
    town.check("sign", who="bo")
    protocol = town.state.checks.of(NEW).protocols[0]
    assert {one.outcome for one in protocol.items} == {Done.FULFILLED, Done.UNHEARD}
    assert (protocol.opened_by, protocol.signed_by, protocol.signed_at) == ("eva", "bo", town.now)
    assert town.state.checks.of(NEW).standing("vaka", NEW) is Standing.SIGNED
    town.check("open")
    town.later(seconds=1)
    changes = town.send(NEW, "alarm.manual", id_="again")
    assert town.recipients(changes) == {"day", "eva"}
    assert not town.check("sign").refusals
    assert town.state.checks.of(NEW).signed == 2


def test_a_replaced_device_lets_the_sign_off_lapse() -> None:
    town = Bench()
    town.check("open")
    town.check("confirm", alert=town.fulfil().id, seen=1)
    town.check("sign")
    town.enrol("replace", device=NEW, native_id="t/new-2", reason="broken")
    assert town.state.checks.of(NEW).standing("vaka", "t/new-2") is Standing.LAPSED


def test_checks_are_refused_in_words() -> None:
    town = Bench()
    for word, device in (("open", "nowhere"), ("sign", NEW), ("give_up", NEW), ("dance", NEW)):
        assert refused(town.check(word, device, reason="x"))
    town.check("open")
    assert "eva" in refused(town.check("open", who="bo"))
    assert refused(town.check("ask", who="", step="press"))
    assert refused(town.take(Transport.PERSON, f"check/ask/{NEW}", b"no json", source="eva"))


def test_a_restart_in_the_middle_gives_the_same_check_and_the_same_alert() -> None:
    kept: dict[str, bytes | None] = {}
    town = Bench()
    for changes in (town.check("open"), town.send(NEW, "device.online", id_="1", battery_percent=80)):
        kept |= changes.records
    kept |= town.send(NEW, "alarm.manual", id_="x").records
    records = {key: body for key, body in kept.items() if body is not None}
    assert Checks(records, lambda _key, _body: None).known == town.state.checks.known
    timers = {one.key: one for one in town.state.timers()}
    alerts = dict(town.state.alerts)
    snapshot = Snapshot(
        1, town.state.registry.document, {}, {}, {}, timers, alerts, {}, now=town.now, records=records
    )
    again = Bench(State(snapshot))
    again.now, again.position = town.now, town.position
    assert again.state.checks.open == town.state.checks.open
    assert "day" in again.recipients(again.later(seconds=61))


class NeverLost(RuleBasedStateMachine):
    """Whatever is said of a check, every alarm is closed by a person, or its deadline ends with the staff."""

    @initialize()
    def begin(self) -> None:
        self.town = Bench()
        self.raised: set[str] = set()
        self.since: dict[str, int] = {}

    @rule(
        word=st.sampled_from(("open", "ask", "skip", "fail", "give_up", "sign", "confirm", "other")),
        step=st.sampled_from(("press", "battery", "clock", "heard", "")),
        seen=st.sampled_from((None, 1, 2, 3)),
    )
    def say(self, word: str, step: str, seen: int | None) -> None:
        alert = next((one.id for one in self.town.state.alerts.values() if one.device == NEW), "none")
        self.town.check(word, step=step, reason="because", alert=alert, seen=seen)

    @rule(battery=st.sampled_from((5, 80)))
    def press(self, battery: int) -> None:
        self.raised.add(self.town.press(battery_percent=battery).id)

    @rule(seconds=st.sampled_from((1, 30, 61, 3700)))
    def wait(self, seconds: int) -> None:
        self.town.later(seconds=seconds)

    @rule(
        action=st.sampled_from(("accept", "release", "decline", "shelve", "on_site", "hand_over")),
        actor=st.sampled_from(("eva", "anna")),
    )
    def answer(self, action: str, actor: str) -> None:
        for alert in list(self.town.state.alerts):
            self.town.answer(alert, action, actor, note="so", for_s=600.0, to="night")

    @rule(resident=st.sampled_from(("", "p2")))
    def reload(self, resident: str) -> None:
        self.town.reload(resident)

    @rule()
    def exchange(self) -> None:
        self.town.enrol("replace", device=NEW, native_id=f"t/n{self.town.position}", reason="r")
        self.town.enrol("replace", device=NEW, native_id=NEW, reason="r")

    @invariant()
    def nothing_is_lost(self) -> None:
        state, now = self.town.state, self.town.now
        for alert in state.alerts.values():
            timer = state.timer(deadline_key(alert.id))
            assert timer is not None
            assert alert.deadline is not None
            assert alert.deadline >= now
            steps = policy_of(state.registry, alert).steps
            assert steps[-1].to
            assert not any(one.person for one in steps[1:])
            if held(alert):
                assert alert.deadline <= now + timedelta(seconds=60)
                assert NEW in state.checks.open
                assert not state.registry.persons_of("h2")
                assert not state.checks.of(NEW).signed


NeverLost.TestCase.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
TestNeverLost = NeverLost.TestCase
