"""The published documents of what leaves the house, held against what really leaves and public validators."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from test_interface_asyncapi import WORST_ALLOWED, judged

from gateway.contract import Page
from gateway.interface.outward import _alert, _entry, _event, asyncapi, example, outward_documents, schema
from gateway.model.registry import Registry, RegistryDocument
from gateway.tap_settings import CloudEventsSettings
from gateway.taps.envelope import messages
from tests.unit.fhir.town_of_resources import alerts, events

KINDS = ("event", "alert")


def judge(kind: str) -> Draft202012Validator:
    Draft202012Validator.check_schema(schema(kind))
    return Draft202012Validator(schema(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_every_example_is_valid(kind: str) -> None:
    judge(kind).validate(example(kind))
    broken = example(kind) | {"type": "something.else"}
    assert not judge(kind).is_valid(broken)


def test_the_examples_are_what_really_leaves() -> None:
    page = Page(after=0, upto=1, events=[(1, _event())], entries=[_entry()], alerts={_alert().id: _alert()})
    wanted = CloudEventsSettings(name="x", url="mqtt://127.0.0.1")
    told = [json.loads(one.body) for one in messages(page, Registry(RegistryDocument()), wanted)]
    event, alert = told
    assert event | {"source": "urn:vaka:tenant:kommun"} == example("event")
    assert alert == example("alert")


def test_every_word_and_every_alert_that_leaves_is_valid() -> None:
    told = list(alerts())
    page = Page(
        after=0,
        upto=1,
        events=list(enumerate(events())),
        entries=[entry for _, lines, _ in told for entry in lines],
        alerts={alert.id: alert for alert, _, _ in told},
    )
    wanted = CloudEventsSettings(name="x", url="mqtt://127.0.0.1")
    found = [json.loads(one.body) for one in messages(page, Registry(RegistryDocument()), wanted)]
    assert len(found) == len(page.events) + len(page.entries)
    for one in found:
        judge("alert" if ".alert." in one["type"] else "event").validate(one)


def test_the_document_is_valid_to_the_public_parser(tmp_path: Path) -> None:
    path = tmp_path / "asyncapi.json"
    path.write_text(outward_documents()["outward/asyncapi.json"])
    told = judged(path)
    assert [one for one in told["diagnostics"] if one["severity"] < WORST_ALLOWED] == []  # type: ignore[attr-defined]
    assert (told["valid"], told["channels"], told["messages"]) == (True, 2, 2)
    assert asyncapi()["operations"]["broker"]["action"] == "send"
