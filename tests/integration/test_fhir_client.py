"""The FHIR facade of a whole running gateway, walked by a client that others use."""

import json
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import httpx
import pytest
from fhirpy import SyncFHIRClient
from fhirpy.base.exceptions import OperationOutcome, ResourceNotFound

from gateway.fhir.kinds import KINDS
from tests.browser.whole_house import House, running

HEARTBEATS, MOVES = 120, 130


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with running(tmp_path_factory.mktemp("fhir")) as found, found.browser_like() as client:
        for number in range(MOVES):
            found.send("t/gps-1", "position.update", latitude=65.0 + number / 1000, longitude=22.0)
        found.send("t/sos-1", "alarm.manual", presses=1, battery_percent=71)
        (alert,) = found.alerts()
        for word, body in (("accept", {}), ("close", {"outcome": "real", "seen_count": 1})):
            client.post(f"/api/v1/alerts/{alert.id}/{word}", json=body).raise_for_status()
        found.send("t/lock-1", "lock.unlocked", means="tag", credential="tag-41", visit="visit-7")
        found.send("t/lock-1", "heartbeat", battery_percent=64, firmware="2.1")
        found.send("t/dispenser-1", "medication.dispensed", dose="dose-1")
        found.send("t/dispenser-1", "medication.missed", dose="dose-2")
        found.send("t/camera-1", "supervision.performed", outcome="seen", masking=1, slot="night-1")
        yield found


@pytest.fixture
def fhir(house: House) -> SyncFHIRClient:
    return SyncFHIRClient(f"{house.url}/fhir")


@pytest.fixture
def raw(house: House) -> Iterator[httpx.Client]:
    with house.client(headers={"Prefer": "handling=strict"}) as client:
        yield client


@pytest.mark.parametrize("kind", sorted(KINDS.keys() - {"Group"}))
def test_a_client_finds_and_reads_resources_of_every_type(fhir: SyncFHIRClient, kind: str) -> None:
    found = fhir.resources(kind).fetch()
    assert found, kind
    model = getattr(import_module(f"fhir.resources.R4B.{kind.lower()}"), kind)
    for one in found[:20]:
        model.model_validate(json.loads(json.dumps(one.serialize())))
    again = fhir.reference(kind, found[0].id).to_resource()
    assert again.serialize() == found[0].serialize()


def test_paging_walks_through_every_event_once(fhir: SyncFHIRClient) -> None:
    found = fhir.resources("Observation").search(device="Device/t.2f.gps-1").limit(50).fetch_all()
    assert len(found) == len({one.id for one in found}) == MOVES
    codes = {one["code"]["coding"][0]["code"] for one in found}
    assert codes == {"position.update"}


def test_an_alert_is_found_with_its_patient_its_task_and_who_was_told(fhir: SyncFHIRClient) -> None:
    asked = fhir.resources("DetectedIssue").search(patient="Patient/person-17", status="final")
    page = asked.include("DetectedIssue", "patient").fetch_raw()
    issue, person = (one["resource"] for one in page["entry"])
    assert (issue["resourceType"], person["resourceType"]) == ("DetectedIssue", "Patient")
    assert issue["mitigation"][0]["action"]["coding"][0]["code"] == "real"
    assert "alarm.manual" in {one["code"] for one in issue["code"]["coding"]}, "the word of its cause"
    (task,) = fhir.resources("Task").search(focus=f"DetectedIssue/{issue['id']}").fetch()
    assert (task["status"], task["output"][0]["valueCode"]) == ("completed", "real")
    sent = fhir.resources("Communication").search(patient="Patient/person-17").fetch_all()
    assert any(one["about"][0]["reference"] == f"DetectedIssue/{issue['id']}" for one in sent)
    notes = fhir.resources("Composition").search(patient="Patient/person-17").fetch_all()
    assert any("accepted" in note["section"][0].get("text", {}).get("div", "") for note in notes)
    lines = fhir.resources("AuditEvent").fetch_all()
    about = [one for one in lines if one["entity"][0]["what"]["reference"].endswith(issue["id"])]
    assert {"accepted", "closed"} <= {one["subtype"][0]["code"] for one in about}


def test_a_search_by_code_time_and_status_gives_what_fits(raw: httpx.Client) -> None:
    def total(path: str) -> int:
        found = raw.get(f"/fhir/{path}")
        assert found.status_code == 200, found.text
        return len(found.json().get("entry", []))

    word = "https://vaka.example.org/fhir/CodeSystem/event-type"
    assert total(f"Observation?code={word}|lock.unlocked") == 1
    assert total("Observation?code=lock.unlocked,alarm.manual") == 2
    assert total("Observation?code=lock.unlocked&device=Device/t.2f.gps-1") == 0
    assert total("MedicationDispense?status=declined") == 1
    assert total("Observation?_lastUpdated=ge2020-01-01&code=lock.unlocked") == 1
    assert total("Observation?_lastUpdated=gt2200&_count=500") == 0
    assert total("Observation?date=lt2020&_count=500") == 0
    assert total("Device?type=lock&_format=json") == 1
    (dose,) = raw.get("/fhir/MedicationDispense?status=declined").json()["entry"]
    assert total(f"MedicationDispense?_id={dose['resource']['id']},nobody") == 1


def test_a_search_by_form_is_the_same_search(raw: httpx.Client) -> None:
    by_form = raw.post("/fhir/Device/_search", data={"type": "lock"}).json()
    assert len(by_form["entry"]) == 1
    assert by_form["entry"] == raw.get("/fhir/Device?type=lock").json()["entry"]


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("Device?colour=red", 400, "colour"),
        ("Device?_sort=colour", 400, "_sort"),
        ("Device?_count=many", 400, "_count"),
        ("Device?_format=xml", 406, "_format"),
        ("Device?_include=Device:colour", 400, "_include"),
        ("Device?_page=bm9uc2Vuc2U", 400, "_page"),
        ("Observation?date=yesterday", 400, "date"),
        ("Observation?date=99999", 400, "date"),
        ("Medication", 404, "Medication"),
        ("Device/nobody", 404, "Device"),
        ("Observation/nobody", 404, "Observation"),
        ("Provenance/a-b-c", 404, "Provenance"),
    ],
)
def test_every_fault_is_an_operation_outcome_that_names_it(
    raw: httpx.Client, path: str, status: int, said: str
) -> None:
    answer = raw.get(f"/fhir/{path}")
    told = answer.json()
    assert (answer.status_code, told["resourceType"]) == (status, "OperationOutcome")
    assert said in told["issue"][0]["diagnostics"]
    assert answer.headers["content-type"].startswith("application/fhir+json")


def test_a_lenient_reader_lets_unknown_parameters_pass_and_sees_which_were_used(raw: httpx.Client) -> None:
    found = raw.get("/fhir/Device?colour=red", headers={"Prefer": "handling=lenient"}).json()
    assert len([one for one in found["entry"] if one["search"]["mode"] == "match"]) == 6
    assert "colour" not in found["link"][0]["url"]


def test_the_client_hears_faults_as_its_own_errors(fhir: SyncFHIRClient) -> None:
    with pytest.raises(ResourceNotFound):
        fhir.reference("Device", "nobody").to_resource()
    with pytest.raises(OperationOutcome):
        fhir.resources("Observation").search(date="yesterday").fetch()


def test_the_capability_statement_tells_what_is_served(raw: httpx.Client) -> None:
    told: dict[str, Any] = raw.get("/fhir/metadata").json()
    model = import_module("fhir.resources.R4B.capabilitystatement").CapabilityStatement
    model.model_validate(told)
    served = {one["type"]: one for one in told["rest"][0]["resource"]}
    assert set(served) == set(KINDS)
    assert {"name": "patient", "type": "reference"} in served["Observation"]["searchParam"]
