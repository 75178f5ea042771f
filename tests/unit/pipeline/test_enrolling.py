"""Devices enrolled in the console live beside the registry file, durably and with one history."""

import json
from typing import Any

from gateway.contract import Changes, Snapshot
from gateway.model.frame import Transport
from gateway.pipeline.findings import looked
from gateway.pipeline.owned import Owned
from gateway.pipeline.state import State
from tests.unit.pipeline.town import START, Town, document


def entry(name: str, **more: Any) -> dict[str, Any]:
    device = {"id": name, "tenant": "t", "adapter": "vaka", "native_id": name, "kind": "social_alarm"}
    enrolment = {"device": name, "home": "h1", "person": "p1", "since": START.isoformat()}
    return {"device": device | more, "enrolment": enrolment}


def ask(town: Town, word: str, source: str = "eva", **body: Any) -> Changes:
    return town.take(Transport.PERSON, f"enrol/{word}", json.dumps(body).encode(), source=source)


def reload(town: Town, **parts: Any) -> Changes:
    return town.take(Transport.REGISTRY, "registry", document(**parts).to_json())


def test_a_discovered_device_is_enrolled_and_then_alarms() -> None:
    town = Town()
    assert not town.send("t/new-1", "alarm.manual").alerts
    assert len(town.state.discovered) == 1
    assert not ask(town, "add", devices=[entry("t/new-1")]).refusals
    assert not town.state.discovered
    assert town.send("t/new-1", "alarm.manual", id_="x").alerts
    own = town.state.owned.own["t/new-1"]
    assert (own.actor, own.frame) == ("eva", town.position - 1)


def test_one_wrong_device_of_many_refuses_them_all() -> None:
    town = Town()
    wrong = entry("new-2")
    wrong["enrolment"]["home"] = "nowhere"
    for body in (
        [entry("t/new-1"), wrong],
        [entry("t/new-1"), entry("t/sos-1")],
        [entry("n", adapter="none")],
        [],
    ):
        assert ask(town, "add", devices=body).refusals
    assert not town.state.owned.own
    assert "t/new-1" not in town.state.registry.devices


def test_nobody_enrols_without_a_name() -> None:
    town = Town()
    assert ask(town, "add", source="", devices=[entry("t/new-1")]).refusals
    assert ask(town, "other", devices=[entry("t/new-1")]).refusals


def test_an_enrolment_survives_the_file_and_a_restart() -> None:
    town = Town()
    changes = ask(town, "add", devices=[entry("t/new-1")])
    kept = {key: body for key, body in changes.records.items() if body is not None}
    reload(town)
    assert "t/new-1" in town.state.registry.enrolments
    again = Town(State(Snapshot(1, town.state.registry.document, {}, {}, {}, {}, {}, {}, records=kept)))
    reload(again)
    assert "t/new-1" in again.state.registry.enrolments
    assert Owned(kept, lambda _key, _body: None).own == town.state.owned.own


def test_the_file_wins_and_the_conflict_is_named() -> None:
    town = Town()
    ask(town, "add", devices=[entry("t/new-1")])
    filed = [json.loads(one.to_json()) for one in document().device]
    changes = reload(town, device=[*filed, entry("other", native_id="t/new-1")["device"]])
    assert not changes.refusals
    assert any(
        "'t/new-1' of the console is left out: the file itself names" in one.reason for one in changes.traces
    )
    assert "t/new-1" not in town.state.registry.devices
    assert not town.state.owned.own


def test_an_enrolment_whose_home_has_left_the_file_is_named_and_left_out() -> None:
    town = Town()
    home = {"tenant": "t", "unit": "u", "care_ladder": "care", "technical_ladder": "tech"}
    homes = [{"id": "h1", **home}, {"id": "h2", **home}]
    reload(town, home=homes)
    told = entry("t/new-1")
    told["enrolment"] = {"device": "t/new-1", "home": "h2", "since": START.isoformat()}
    assert not ask(town, "add", devices=[told]).refusals
    changes = reload(town)
    assert any("no longer has the home 'h2'" in one.reason for one in changes.traces)
    assert not changes.refusals
    assert [(one.kind, one.subject) for one in looked(town.state)] == [("enrolment_lost", "t/new-1")]
    reload(town, home=homes)
    assert town.state.registry.enrolments["t/new-1"].home == "h2", "kept, and back with its home"
    assert not looked(town.state)


def test_a_replacement_keeps_the_identity_its_history_and_the_open_alert() -> None:
    town = Town()
    town.send("t/sos-1", "alarm.manual")
    (alert,) = town.state.alerts.values()
    assert not ask(town, "replace", device="t/sos-1", native_id="t/fresh", reason="water in it").refusals
    assert list(town.state.alerts) == [alert.id]
    town.send("t/fresh", "alarm.manual", id_="second")
    assert town.state.alerts[alert.id].count == 2, "one episode over both devices"
    assert not town.send("t/sos-1", "alarm.manual", id_="third").alerts, "the old one is a stranger"
    (former,) = town.state.owned.own["t/sos-1"].former
    assert (former.native_id, former.actor, former.reason) == ("t/sos-1", "eva", "water in it")
    reload(town)
    assert town.state.registry.devices["t/sos-1"].native_id == "t/fresh"


def test_a_file_that_names_the_successor_itself_takes_over() -> None:
    town = Town()
    ask(town, "replace", device="gate", native_id="gate2", reason="broken")
    filed = [json.loads(one.to_json()) for one in document().device]
    for one in filed:
        one["native_id"] = "gate2" if one["id"] == "gate" else one["native_id"]
    assert not reload(town, device=filed).refusals
    assert town.state.registry.devices["gate"].native_id == "gate2"


def test_what_cannot_be_replaced_is_refused_with_its_reason() -> None:
    town = Town()
    for body in (
        {"device": "none", "native_id": "x"},
        {"device": "gate", "native_id": "AABBCC99", "adapter": "nuki"},
        {"device": "gate", "native_id": "x", "adapter": "none"},
    ):
        assert ask(town, "replace", reason="broken", **body).refusals
    assert not town.state.owned.own


def test_an_enrolment_of_the_console_ends_there_but_not_under_an_open_alert() -> None:
    town = Town()
    ask(town, "add", devices=[entry("t/new-1")])
    town.send("t/new-1", "alarm.manual")
    (refusal,) = ask(town, "end", device="t/new-1", reason="mistake").refusals.values()
    assert "open alert" in refusal
    (alert,) = town.state.alerts
    town.answer(alert, "accept")
    town.answer(alert, "close", outcome="real")
    assert not ask(town, "end", device="t/new-1", reason="mistake").refusals
    assert "t/new-1" not in town.state.registry.devices
    assert ask(town, "end", device="gate", reason="mistake").refusals, "the file's own is ended in the file"


def test_a_login_is_given_in_the_console_survives_the_file_and_ends_with_a_replacement() -> None:
    town = Town()
    ask(town, "add", devices=[entry("t/new-1")])
    assert not ask(town, "login", "bo", device="t/new-1", secret="blake2b$aa$bb").refusals
    reload(town)
    assert town.state.registry.devices["t/new-1"].secret == "blake2b$aa$bb"
    assert town.state.owned.own["t/new-1"].actor == "bo"
    assert not ask(town, "replace", device="t/new-1", native_id="t/fresh", reason="worn").refusals
    assert town.state.registry.devices["t/new-1"].secret is None, "the successor was given none"


def test_the_login_of_a_device_of_the_file_is_given_in_the_file() -> None:
    town = Town()
    (refusal,) = ask(town, "login", device="gate", secret="blake2b$aa$bb").refusals.values()
    assert "stands in the registry file" in refusal
    assert town.state.registry.devices["gate"].secret is None
