"""Commands and desired configurations through the one writer, in virtual time."""

import json
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from gateway.contract import Changes, Snapshot
from gateway.model.equipment import OrderState, Twin
from gateway.model.frame import Transport
from gateway.model.registry import RegistryDocument
from gateway.pipeline.state import State
from tests.unit.pipeline.town import LOCK, PENDANT, Town, document

STAFF = [
    {"ref": "anna", "tenant": "t", "teams": ["day"], "competences": ["keys"]},
    {"ref": "bo", "tenant": "t", "teams": ["day"]},
]


@pytest.fixture
def town() -> Town:
    made = Town()
    made.take(Transport.REGISTRY, "registry", document(staff=STAFF).to_json())
    return made


def order(town: Town, order_id: str = "c1", **more: Any) -> Changes:
    said = {"actor": "anna", "do": "unlock", "device": LOCK, "reason": "morning visit", **more}
    return town.take(Transport.PERSON, f"command/{order_id}/order", json.dumps(said).encode())


def proof(town: Town, word: str, order_id: str = "c1") -> Changes:
    return town.take(Transport.RECEIPT, f"command/{order_id}/{word}", b"")


def result(town: Town, outcome: str, order_id: str = "c1", device: str = LOCK) -> Changes:
    said = {"id": order_id, "outcome": outcome, "reason": "as told"}
    return town.take(Transport.MQTT, f"vaka/1/{device}/result", json.dumps(said).encode())


def state_of(town: Town, order_id: str = "c1") -> str:
    return town.state.equipment.orders[order_id].state.value


def restarted(town: Town) -> State:
    """The state as a start finds it: from its records and timers alone."""
    mine = town.state
    records = {f"command\0{key}": json_of(one) for key, one in mine.equipment.orders.items()}
    timers = {timer.key: timer for timer in mine.timers()}
    registry: RegistryDocument = mine.registry.document
    return State(Snapshot(1, registry, {}, {}, {}, timers, {}, {}, now=mine.now, records=records))


def json_of(value: Any) -> bytes:
    return msgspec.json.encode(value)


def test_a_command_goes_from_its_order_over_its_proofs_to_its_result(town: Town) -> None:
    order(town)
    proof(town, "sent")
    proof(town, "delivered")
    result(town, "done")
    done = town.state.equipment.orders["c1"]
    assert [step.state.value for step in done.steps] == ["requested", "sent", "delivered", "done"]
    assert (done.actor, done.right, done.reason) == ("anna", "competence keys", "morning visit")
    assert not [timer for timer in town.state.timers() if timer.owner == "command"]


def test_a_result_may_come_before_the_proofs_that_it_overtook(town: Town) -> None:
    order(town)
    result(town, "done")
    proof(town, "sent")
    assert state_of(town) == "done"


def test_a_command_without_a_result_expires_by_its_timer_also_after_a_restart(town: Town) -> None:
    order(town, within_s=30)
    proof(town, "sent")
    later = Town(restarted(town))
    later.now, later.position = town.now, 100
    later.later(seconds=29)
    assert state_of(later) == "sent"
    later.later(seconds=1)
    assert state_of(later) == "expired"


def test_a_result_that_was_told_late_holds_over_the_expiry_and_says_so(town: Town) -> None:
    order(town, within_s=30)
    town.later(seconds=31)
    result(town, "done")
    last = town.state.equipment.orders["c1"].steps[-1]
    assert (last.state, last.detail) == (OrderState.DONE, "as told; told after the expiry")


def test_the_same_order_again_is_one_order_and_another_under_its_id_is_refused(town: Town) -> None:
    order(town)
    again = order(town)
    assert not again.records
    assert not again.refusals
    assert "another command" in next(iter(order(town, do="lock").refusals.values()))


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"device": "nuki-1"}, "the adapter nuki cannot send 'unlock'"),
        ({"device": PENDANT}, "a device of kind social_alarm cannot unlock"),
        ({"device": "nobody"}, "an enrolled device"),
        ({"actor": "bo"}, "needs the competence 'keys'"),
        ({"reason": " "}, "needs a reason"),
        ({"within_s": 601}, "allowed: 1 to 600 seconds"),
        ({"do": "explode"}, "Invalid enum value"),
    ],
)
def test_what_cannot_or_may_not_be_done_is_refused_with_the_reason(
    town: Town, more: dict[str, Any], why: str
) -> None:
    refused = order(town, **more)
    assert why in next(iter(refused.refusals.values()))
    assert not town.state.equipment.orders


def test_a_result_from_another_device_changes_nothing(town: Town) -> None:
    order(town)
    changes = result(town, "done", device=PENDANT)
    assert state_of(town) == "requested"
    assert "not given to this device" in changes.traces[0].reason


def test_a_second_result_changes_nothing(town: Town) -> None:
    order(town)
    result(town, "failed")
    assert not result(town, "done").records
    assert state_of(town) == "failed"


def test_a_device_has_no_more_than_eight_commands_open(town: Town) -> None:
    for n in range(8):
        order(town, f"c{n}")
    assert "the limit" in next(iter(order(town, "c9").refusals.values()))


def want(town: Town, device: str = LOCK, **more: Any) -> Changes:
    said: dict[str, Any] = {"actor": "anna", "reason": "winter", "config": {"heartbeat_s": 600}, **more}
    return town.take(Transport.PERSON, f"twin/set/{device}", json.dumps(said).encode())


def report(town: Town, revision: int) -> Changes:
    said = {"state": "online", "config_revision": revision, "firmware": "2.1", "battery": 80}
    return town.take(Transport.MQTT, f"vaka/1/{LOCK}/status", json.dumps(said).encode(), retained=True)


def twin_of(town: Town) -> Twin:
    return town.state.equipment.twins[LOCK]


def test_a_configuration_gets_the_next_revision_and_drifts_until_it_is_reported(town: Town) -> None:
    report(town, 4)
    want(town)
    assert twin_of(town).desired is not None
    assert twin_of(town).desired.revision == 5  # type: ignore[union-attr] # said one line above
    assert twin_of(town).drifts
    town.take(Transport.RECEIPT, f"twin/published/{LOCK}", b"5")
    assert twin_of(town).published == 5
    report(town, 5)
    assert not twin_of(town).drifts
    assert not want(town).records, "the same again is no new revision"


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"config": {"heartbeat": 5}}, "found heartbeat; allowed: doses, geofences"),
        ({"config": {"heartbeat_s": 0}}, ">= 1"),
        ({"config": {"doses": [{"ref": "d", "at": "08:00", "window_min": 60}]}}, "time_zone: needed"),
        ({"config": {"time_zone": "Moon/Base"}}, "an IANA name"),
        ({"seen": 7}, "somebody else set revision"),
        ({"reason": ""}, "needs a reason"),
        ({"device": "nuki-1"}, "takes no configuration"),
    ],
)
def test_a_configuration_that_cannot_hold_is_refused_by_its_key(
    town: Town, more: dict[str, Any], why: str
) -> None:
    assert why in next(iter(want(town, **more).refusals.values()))
    assert LOCK not in town.state.equipment.twins


def test_a_device_that_speaks_and_does_not_take_its_configuration_is_told_to_technicians(town: Town) -> None:
    want(town)
    for _ in range(3):
        town.now += timedelta(minutes=40)
        town.send(LOCK, "lock.locked", means="key")
        town.later(seconds=1)
    town.later(hours=1)
    (alert,) = [one for one in town.state.alerts.values() if one.rule == "config_stuck"]
    assert (alert.subject, alert.route.value) == (LOCK, "technical")
    report(town, 1)
    town.later(hours=1)
    assert not next(one for one in town.state.alerts.values() if one.rule == "config_stuck").active


def test_a_devices_messages_tell_its_firmware_charges_and_silence(town: Town) -> None:
    report(town, 1)
    town.send(LOCK, "heartbeat", battery_percent=80, firmware="2.2")
    town.now += timedelta(days=3)
    town.send(LOCK, "heartbeat", battery_percent=79)
    status = town.state.statuses[LOCK]
    assert status.firmware == "2.2"
    assert [one.percent for one in town.state.equipment.charges[LOCK]] == [80, 79]
    assert status.silent_s == pytest.approx((3 - 1.5) * 86400, abs=5)
