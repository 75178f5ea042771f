"""What is sent to other FHIR servers: valid to two validators, and free of ids that only we know."""

import asyncio
import json
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from fhir.resources.R4B.bundle import Bundle
from test_fhir_resources import medplum

from gateway.contract import Page, TapFault
from gateway.service.tapping import TapMeans
from gateway.tap_settings import FhirPushSettings, TapSettings
from gateway.taps.calls import Caller
from gateway.taps.care.as_fhir import entries_of_record
from gateway.taps.care.making import records_of
from gateway.taps.care.records import Kind
from gateway.taps.fhir import FhirPush, with_places
from gateway.taps.transaction import bundle_of, entries_of, transact
from tests.unit.service.rig import SetClock
from tests.unit.taps.care_kit import BOX, PENDANT, CareTown

DOSES = ("medication.missed", "medication.early", "medication.taken")


class NoLog:
    """Pages are handed over; nothing is read."""

    def cursor(self) -> int:
        return 0

    def page(self, after: int, frames: int) -> Page:
        return Page(after=after, upto=after + frames)


@pytest.fixture(scope="module")
def bundles() -> list[bytes]:
    """Return the transactions of an alert's whole story and of doses, as a push and as care records."""
    town = CareTown()
    pages = [town.page(town.town.send(PENDANT, "alarm.manual"))]
    alert = pages[0].entries[0].alert
    for action, more in (("accept", {"eta_s": 60}), ("on_site", {}), ("close", {"outcome": "real"})):
        pages.append(town.page(town.town.answer(alert, action, **more)))
    pages += [town.page(town.town.send(BOX, word, dose="noon")) for word in DOSES]
    settings = FhirPushSettings(url="http://127.0.0.1:9")
    registry = town.asked.registry()
    means = TapMeans(TapSettings(fhir=(settings,)), town.asked.registry, town.book, NoLog(), SetClock())
    groups = [group for page in pages for group in FhirPush(settings, means)._groups(page)]
    pushed = [bundle_of(entries_of(with_places(group.resources, registry))) for group in groups]
    records = [record for page in pages for record in records_of(page, town.asked)]
    assert {record.kind for record in records} == set(Kind)
    return pushed + [bundle_of(entries_of_record(record)) for record in records]


def entries(bundles: list[bytes]) -> list[dict[str, Any]]:
    return [entry for bundle in bundles for entry in json.loads(bundle)["entry"]]


def test_every_transaction_is_one_to_the_classes_of_fhir_resources(bundles: list[bytes]) -> None:
    for bundle in bundles:
        assert Bundle.model_validate_json(bundle).type == "transaction"


def test_every_transaction_and_every_resource_in_it_is_one_to_medplums_core_library(
    bundles: list[bytes], tmp_path: Path
) -> None:
    told = [json.loads(bundle) for bundle in bundles] + [entry["resource"] for entry in entries(bundles)]
    *wrong, read = medplum(told, tmp_path / "pushed.ndjson")
    assert (wrong, read) == ([], {"read": len(told)})


class OneAnswer:
    """Stands for the connection to a server that always says the same."""

    def __init__(self, said: object) -> None:
        self._said = said

    async def send(self, *_: object, **__: object) -> httpx.Response:
        return httpx.Response(200, json=self._said)


def said_to(*entries: object) -> dict[str, object]:
    return {"resourceType": "Bundle", "type": "transaction-response", "entry": list(entries)}


@pytest.mark.parametrize(
    "said",
    [
        said_to("nothing"),
        said_to({"response": None}),
        said_to({"response": {"status": "503 busy"}}),
        said_to({"response": {"status": "429 Too Many Requests"}}),
        said_to(),
        {"type": "transaction-response", "entry": 5},
        ["nothing"],
    ],
)
def test_an_answer_that_is_none_or_of_a_server_at_fault_blames_nothing_that_was_sent(said: object) -> None:
    with pytest.raises(TapFault):
        asyncio.run(transact(cast("Caller", OneAnswer(said)), b"", 1))


def test_a_refused_entry_is_told_whatever_its_outcome_looks_like() -> None:
    for outcome in (None, {"issue": 5}, {"issue": [{"details": None, "code": "invalid"}]}):
        said = said_to({"response": {"status": "422", "outcome": outcome}})
        assert asyncio.run(transact(cast("Caller", OneAnswer(said)), b"", 1)).refused.startswith("entry: 422")


def test_no_entry_asks_a_server_to_take_our_ids(bundles: list[bytes]) -> None:
    for entry in entries(bundles):
        assert "id" not in entry["resource"]
        assert not {"versionId", "lastUpdated"} & set(entry["resource"].get("meta", {}))
        request = entry["request"]
        asked = request["url"].partition("?")[2] if request["method"] == "PUT" else request["ifNoneExist"]
        assert asked.startswith(("identifier=", "_tag="))


def test_what_another_system_may_know_better_is_only_made_where_it_is_missing(bundles: list[bytes]) -> None:
    methods = {entry["resource"]["resourceType"]: entry["request"]["method"] for entry in entries(bundles)}
    made = {kind for kind, method in methods.items() if method == "POST"}
    assert made >= {"Patient", "Location", "Organization", "AuditEvent", "Provenance"}
    assert methods["Observation"] == methods["Task"] == "PUT"
