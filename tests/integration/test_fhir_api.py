"""The FHIR facade of a whole gateway: what is served, to whom, page by page, and what is refused."""

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import httpx
import pytest
from fhir_validators import valid_to_fhir_resources, valid_to_medplum

from gateway.api.passwords import token_hash
from gateway.fhir.kinds import KINDS
from tests.browser.whole_house import House, running

OURS, THEIRS, NOT_FHIR = "all-of-it-token", "other-tenant-token", "metrics-token"
TENANT_T = "tenant-t-token"
POSITIONS = 110
MANY = 40
"""More searches at once than the loop has threads of its own on any machine."""
OTHER = """
[[tenant]]
id = "o"
name = "Otherköping"
[[unit]]
id = "uo"
tenant = "o"
name = "Unit"
[[team]]
id = "o-night"
unit = "uo"
name = "Night"
[[ladder]]
id = "o-care"
tenant = "o"
steps = [{ to = ["o-night"] }]
[[home]]
id = "o-home"
tenant = "o"
unit = "uo"
care_ladder = "o-care"
technical_ladder = "o-care"
[[person]]
ref = "o-person"
home = "o-home"
[[device]]
id = "o/sos-1"
native_id = "o/sos-1"
kind = "social_alarm"
tenant = "o"
adapter = "vaka"
[[enrolment]]
device = "o/sos-1"
home = "o-home"
person = "o-person"
since = 2026-01-01T00:00:00Z
supervised = false
[[pilot]]
id = "buttons"
tenant = "t"
name = "Buttons in one home"
first_day = 2026-01-01
last_day = 2026-12-31
homes = ["home-17"]
"""


def token(name: str, secret: str, *scopes: str, tenants: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"name": name, "token_hash": token_hash(secret), "scopes": scopes, "tenants": tenants}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("fhir")
    tokens = (
        token("everything", OURS, "fhir:read", "alerts:read", "alerts:write"),
        token("others", THEIRS, "fhir:read", tenants=("o",)),
        token("testkoping", TENANT_T, "fhir:read", tenants=("t",)),
        token("graphs", NOT_FHIR, "metrics:read"),
    )
    with running(folder, more_registry=OTHER, token=tokens) as found:
        for number in range(POSITIONS):
            found.send(
                "t/gps-1", "position.update", latitude=65.5 + number / 1000, longitude=22.1, accuracy_m=5
            )
        found.send("t/lock-1", "lock.unlocked", means="tag", credential="tag-9", visit="visit-4")
        found.send("t/dispenser-1", "medication.missed", dose="dose-1")
        found.send("t/dispenser-1", "medication.taken", dose="dose-2")
        found.send("t/camera-1", "supervision.performed", outcome="seen", masking=1, duration_s=20)
        found.send("t/sos-1", "alarm.manual", presses=1)
        found.send("t/sos-2", "alarm.manual", presses=1)
        found.send("o/sos-1", "alarm.manual", presses=2)
        with client_of(found, OURS) as client:
            (alert,) = [one for one in found.alerts() if one.device == "t/sos-2"]
            client.post(f"/api/v1/alerts/{alert.id}/accept").raise_for_status()
            said = {"outcome": "real", "seen_count": alert.count}
            client.post(f"/api/v1/alerts/{alert.id}/close", json=said).raise_for_status()
        yield found


def client_of(house: House, secret: str) -> httpx.Client:
    return house.client(headers={"Authorization": f"Bearer {secret}"})


@pytest.fixture
def client(house: House) -> Iterator[httpx.Client]:
    with client_of(house, OURS) as found:
        yield found


def search(client: httpx.Client, address: str) -> list[dict[str, Any]]:
    """Return every resource that a search finds, over all its pages."""
    found: list[dict[str, Any]] = []
    following: str | None = f"/fhir/{address}"
    while following:
        answer = client.get(following)
        assert answer.status_code == 200, answer.text
        bundle = answer.json()
        found += [one["resource"] for one in bundle.get("entry", []) if one["search"]["mode"] == "match"]
        following = next((one["url"] for one in bundle["link"] if one["relation"] == "next"), None)
    return found


def everything(client: httpx.Client) -> list[dict[str, Any]]:
    return [one for kind in KINDS for one in search(client, f"{kind}?_count=500")]


def test_every_resource_that_is_served_is_one_to_both_validators(
    client: httpx.Client, tmp_path: Path
) -> None:
    bundle = client.get("/fhir/Task?_include=Task:focus").json()
    outcome = client.get("/fhir/Task/nobody").json()
    found = [*everything(client), client.get("/fhir/metadata").json(), bundle, outcome]
    assert {one["resourceType"] for one in found} == {
        *KINDS,
        "CapabilityStatement",
        "Bundle",
        "OperationOutcome",
    }
    valid_to_fhir_resources(found)
    valid_to_medplum(found, tmp_path / "served.ndjson")


def test_what_is_found_is_read_by_its_id_and_is_the_same(client: httpx.Client) -> None:
    for kind in KINDS:
        found = search(client, f"{kind}?_count=500")
        assert found, kind
        for one in (found[0], found[-1]):
            answer = client.get(f"/fhir/{kind}/{one['id']}")
            assert answer.headers["content-type"] == "application/fhir+json"
            assert answer.json() == one


def test_every_search_parameter_that_is_told_is_understood(client: httpx.Client) -> None:
    values = {"date": "ge2020", "token": "x", "reference": "x"}
    told = client.get("/fhir/metadata").json()["rest"][0]["resource"]
    assert {one["type"] for one in told} == {*KINDS, "Subscription"}
    for one in told:
        for param in one.get("searchParam", ()):
            address = f"/fhir/{one['type']}?{param['name']}={values[param['type']]}"
            answer = client.get(address, headers={"Prefer": "handling=strict"})
            assert answer.status_code == 200, (address, answer.text)
        for include in one.get("searchInclude", []):
            answer = client.get(
                f"/fhir/{one['type']}?_include={include}", headers={"Prefer": "handling=strict"}
            )
            assert answer.status_code == 200


def test_a_search_comes_in_pages_each_event_once(client: httpx.Client) -> None:
    found = search(client, "Observation?code=position.update&_count=7")
    assert len(found) == len({one["id"] for one in found}) == POSITIONS
    times = [one["meta"]["lastUpdated"] for one in found]
    assert times == sorted(times)
    newest = client.get("/fhir/Observation?code=position.update&_sort=-date&_count=2").json()["entry"]
    assert newest[0]["resource"]["effectiveDateTime"] == max(one["effectiveDateTime"] for one in found)


def test_what_was_changed_since_the_last_time_is_asked_for(client: httpx.Client) -> None:
    found = search(client, "Observation")
    middle = found[len(found) // 2]["meta"]["lastUpdated"]
    later = search(client, f"Observation?_lastUpdated=ge{middle}&_count=9")
    assert later == [one for one in found if one["meta"]["lastUpdated"] >= middle]
    assert search(client, "DetectedIssue?_lastUpdated=gt2099-01-01") == []


@pytest.mark.parametrize(
    ("address", "number"),
    [
        ("Observation?patient=Patient/person-17", 2),
        ("Observation?patient=person-17&code=alarm.manual", 1),
        ("Observation?device=Device/t.2f.lock-1", 1),
        ("Observation?subject=Patient/person-31&code=supervision.performed", 1),
        ("Observation?date=lt2020", 0),
        ("Observation?code=nothing-of-ours", 0),
        ("MedicationDispense?status=declined", 1),
        ("MedicationDispense?performer=Device/t.2f.dispenser-1", 2),
        ("Device?patient=person-17", 2),
        ("Device?type=lock", 1),
        ("DetectedIssue?patient=person-23&status=final", 1),
        ("DetectedIssue?author=Device/t.2f.sos-1", 1),
        ("Task?patient=person-17&status=requested", 1),
        ("Patient?gender=female", 0),
        ("Patient?_id=person-17,person-23,nobody", 2),
    ],
)
def test_a_search_is_narrowed_as_asked(client: httpx.Client, address: str, number: int) -> None:
    assert len(search(client, address)) == number


def test_what_is_referred_to_comes_along_when_asked_for(client: httpx.Client) -> None:
    asked = "/fhir/Observation?code=alarm.manual&_include=Observation:device&_include=Observation:patient"
    bundle = client.get(asked).json()
    modes = {
        mode: {one["resource"]["resourceType"] for one in bundle["entry"] if one["search"]["mode"] == mode}
        for mode in ("match", "include")
    }
    assert modes == {"match": {"Observation"}, "include": {"Device", "Patient"}}
    task = client.get("/fhir/Task?_include=Task:focus&_count=1").json()["entry"]
    assert task[1]["resource"]["id"] == task[0]["resource"]["id"]
    told = client.get("/fhir/Communication?_include=Communication:about").json()["entry"]
    assert {one["resource"]["resourceType"] for one in told} == {"Communication", "DetectedIssue"}


def test_a_closed_alert_is_told_with_its_handling_who_was_told_and_its_whole_course(
    client: httpx.Client,
) -> None:
    (issue,) = search(client, "DetectedIssue?patient=Patient/person-23&code=alarm.manual")
    assert issue["mitigation"][0]["action"]["coding"][0]["code"] == "real"
    (task,) = search(client, f"Task?focus=DetectedIssue/{issue['id']}")
    assert (task["status"], task["output"][0]["valueCode"]) == ("completed", "real")
    told = search(client, "Communication?patient=Patient/person-23")
    assert {one["about"][0]["reference"] for one in told} >= {f"DetectedIssue/{issue['id']}"}
    (note,) = [
        one for one in search(client, "Composition?patient=person-23") if one["id"].endswith(issue["id"])
    ]
    assert "accepted" in note["section"][0]["text"]["div"]
    lines = [
        one["subtype"][0]["code"]
        for one in search(client, "AuditEvent")
        if one["entity"][0]["what"]["reference"].endswith(issue["id"])
    ]
    assert lines[0] == "raised"
    assert lines[-2:] == ["accepted", "closed"]


def test_a_search_by_form_finds_the_same(client: httpx.Client) -> None:
    by_form = client.post("/fhir/Observation/_search", data={"code": "alarm.manual", "patient": "person-17"})
    by_address = client.get("/fhir/Observation?code=alarm.manual&patient=person-17")
    assert by_form.json()["entry"] == by_address.json()["entry"]


@pytest.mark.parametrize(
    ("address", "status", "code"),
    [
        ("Observation?colour=red", 400, "invalid"),
        ("Observation?date=yesterday", 400, "invalid"),
        ("Observation?_lastUpdated=soon", 400, "invalid"),
        ("Observation?patient=Device/x", 400, "invalid"),
        ("Observation?patient=", 400, "invalid"),
        ("Observation?status:not=final", 400, "invalid"),
        ("Observation?_count=many", 400, "invalid"),
        ("Observation?_count=0", 400, "invalid"),
        ("Observation?_sort=colour", 400, "invalid"),
        ("Observation?_include=Observation:colour", 400, "invalid"),
        ("Observation?_page=bm9uZQ", 400, "invalid"),
        ("DetectedIssue?_page=WzAsMV0", 400, "invalid"),
        ("Observation?_page=WzAsICJcdWQ4MDAiXQ", 400, "invalid"),  # half a surrogate
        ("Observation/none", 404, "not-found"),
        ("Provenance/none-x", 404, "not-found"),
        ("Medication", 404, "not-found"),
        ("Medication/1", 404, "not-found"),
        ("Observation?_format=xml", 406, "not-supported"),
        ("$export?_type=Medication", 400, "invalid"),
        ("$export?_since=then", 400, "invalid"),
        ("$export?_outputFormat=csv", 400, "invalid"),
        ("$export?colour=red", 400, "invalid"),
        ("$export-status/none", 404, "not-found"),
        ("Group/none/$export", 404, "not-found"),
    ],
)
def test_what_is_not_understood_is_an_operation_outcome(
    client: httpx.Client, address: str, status: int, code: str
) -> None:
    answer = client.get(f"/fhir/{address}", headers={"Prefer": "handling=strict"})
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/fhir+json"
    told = answer.json()
    assert told["resourceType"] == "OperationOutcome"
    assert told["issue"][0]["code"] == code
    assert told["issue"][0]["diagnostics"]


@pytest.mark.parametrize(
    "asked", ["_id:exact=none", "patient.identifier=none", "patient:Patient=none", "_has:Task:patient:code=x"]
)
def test_a_filter_that_is_not_served_never_widens_what_is_found(client: httpx.Client, asked: str) -> None:
    assert client.get(f"/fhir/Observation?{asked}").status_code == 400


def test_what_lies_outside_every_log_is_asked_for_without_a_fault(client: httpx.Client) -> None:
    everything_ever = client.get("/fhir/Observation?_lastUpdated=ge0001-01-01&_count=500").json()["entry"]
    assert len(everything_ever) == len(search(client, "Observation"))
    alert = search(client, "DetectedIssue")[0]["id"]
    assert client.get(f"/fhir/Provenance/{alert}-99999999999999999999").status_code == 404


def test_a_date_holds_beside_an_id_too(client: httpx.Client) -> None:
    (door,) = search(client, "Observation?code=lock.unlocked")
    asked = f"Observation?_id={door['id']}"
    assert search(client, f"{asked}&date=ge2001") == [door]
    assert search(client, f"{asked}&date=lt2001") == []


def test_an_unknown_parameter_is_passed_over_and_the_self_link_says_so(client: httpx.Client) -> None:
    bundle = client.get("/fhir/Patient?colour=red&gender=unknown").json()
    (link,) = [one["url"] for one in bundle["link"] if one["relation"] == "self"]
    assert "colour" not in link
    assert "gender=unknown" in link


def test_who_may_not_read_is_told_so_as_an_outcome(house: House) -> None:
    with house.client() as nobody, client_of(house, NOT_FHIR) as graphs:
        for path in ("metadata", "Patient", "Patient/person-17", "$export"):
            assert (nobody.get(f"/fhir/{path}").status_code, graphs.get(f"/fhir/{path}").status_code) == (
                401,
                403,
            )
        assert graphs.get("/fhir/Patient").json()["issue"][0]["code"] == "forbidden"


def test_a_tenant_sees_its_own_and_nothing_of_another(house: House) -> None:
    with (
        client_of(house, OURS) as all_of_it,
        client_of(house, THEIRS) as others,
        client_of(house, TENANT_T) as ours,
    ):
        theirs, mine = everything(others), everything(ours)
        names = {(one["resourceType"], one["id"]) for one in everything(all_of_it)}
        apart = [{(one["resourceType"], one["id"]) for one in part} for part in (theirs, mine)]
        assert apart[0] & apart[1] == set()
        assert apart[0] | apart[1] == names
        assert {one["resourceType"] for one in theirs} >= {
            "Patient",
            "DetectedIssue",
            "AuditEvent",
            "Communication",
        }
        for one in {one["resourceType"]: one for one in mine}.values():
            assert others.get(f"/fhir/{one['resourceType']}/{one['id']}").status_code == 404
        assert search(others, "Observation?patient=person-17") == []
        assert "t.2f." not in json.dumps(theirs)


def test_nothing_is_told_of_the_made_up_tenant(client: httpx.Client) -> None:
    assert "vaka-synthetic" not in json.dumps(everything(client))


def test_no_patient_has_a_name_and_no_credential_stands_outside_the_audit(client: httpx.Client) -> None:
    for one in everything(client):
        if one["resourceType"] == "Patient":
            assert not {"name", "telecom", "address", "birthDate"} & one.keys()
        if one["resourceType"] != "AuditEvent":
            assert "tag-9" not in json.dumps(one)


def exported(client: httpx.Client, address: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the manifest of an export and every resource of its files."""
    begun = client.get(f"/fhir/{address}", headers={"Prefer": "respond-async"})
    assert begun.status_code == 202, begun.text
    where = begun.headers["content-location"]
    until = time.monotonic() + 120
    while (answer := client.get(where)).status_code == 202:
        assert time.monotonic() < until
        time.sleep(0.02)
    assert answer.status_code == 200, answer.text
    manifest = answer.json()
    found = []
    for output in manifest["output"]:
        file = client.get(output["url"])
        assert file.headers["content-type"] == "application/fhir+ndjson"
        lines = [json.loads(line) for line in file.text.splitlines()]
        assert len(lines) == output["count"]
        assert {one["resourceType"] for one in lines} == {output["type"]}
        found += lines
    assert client.delete(where).status_code == 202
    assert client.get(where).status_code == 404
    return manifest, found


def test_an_export_holds_all_that_a_search_finds(client: httpx.Client) -> None:
    manifest, found = exported(client, "$export")
    assert manifest["requiresAccessToken"] is True
    by_search = everything(client)
    assert {(one["resourceType"], one["id"]) for one in found} == {
        (one["resourceType"], one["id"]) for one in by_search
    }


def test_an_export_is_narrowed_by_type_time_and_tenant(house: House, client: httpx.Client) -> None:
    middle = search(client, "Observation?code=position.update")[100]["meta"]["lastUpdated"]
    _, found = exported(client, f"$export?_type=Observation,Patient&_since={middle}")
    kinds = [one["resourceType"] for one in found]
    assert set(kinds) == {"Observation", "Patient"}
    assert kinds.count("Patient") == len(search(client, "Patient"))
    assert all(one["meta"]["lastUpdated"] >= middle for one in found if one["resourceType"] == "Observation")
    with client_of(house, THEIRS) as others:
        _, theirs = exported(others, "$export")
    assert "t.2f." not in json.dumps(theirs)


def test_a_pilot_is_exported_alone(client: httpx.Client) -> None:
    (group,) = search(client, "Group")
    _, found = exported(client, f"Group/{group['id']}/$export")
    of = {kind: {one["id"] for one in found if one["resourceType"] == kind} for kind in KINDS}
    assert of["Device"] == {"t.2f.sos-1", "t.2f.lock-1"}
    assert of["Patient"] == {"person-17"}
    assert of["Location"] == {"home-17"}
    assert len(of["Observation"]) == 2
    assert len(of["DetectedIssue"]) == 1


@pytest.mark.parametrize("since", ["0001-01-01", "2020-01-01T00:00:00+01:00"])
def test_an_export_since_ever_ends(client: httpx.Client, since: str) -> None:
    _, found = exported(client, f"$export?_type=Communication&_since={since}")
    assert len(found) == len(search(client, "Communication"))


def test_searches_that_take_long_hold_up_nobody_else(
    house: House, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, begun = threading.Event(), threading.Event()
    find = house.gateway.search.find_events

    def slowly(*asked: Any) -> Any:
        begun.set()
        go_on.wait(60)
        return find(*asked)

    monkeypatch.setattr(house.gateway.search, "find_events", slowly)
    with ThreadPoolExecutor(MANY) as pool:
        try:
            asked = [pool.submit(client.get, "/fhir/Encounter") for _ in range(MANY)]
            assert begun.wait(30)
            refused = next(one.result(30) for one in as_completed(asked, 30))
            assert (refused.status_code, refused.json()["resourceType"]) == (429, "OperationOutcome")
            assert client.get("/api/v1/alerts?state=closed", timeout=20).status_code == 200
        finally:
            go_on.set()
        assert sorted({one.result(60).status_code for one in asked}) == [200, 429]


def test_a_fault_of_ours_is_an_outcome_too(
    house: House, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Any:
        raise KeyError("a secret of the inside")

    monkeypatch.setattr(house.gateway.search, "find_events", broken)
    answer = client.get("/fhir/Encounter")
    assert (answer.status_code, answer.json()["resourceType"]) == (500, "OperationOutcome")
    assert "secret" not in answer.text


def test_an_export_is_seen_by_who_began_it_alone(house: House, client: httpx.Client) -> None:
    where = client.get("/fhir/$export?_type=Patient").headers["content-location"]
    with client_of(house, TENANT_T) as other:
        assert other.get(where).status_code == 404
        assert other.delete(where).status_code == 404
    assert client.delete(where).status_code == 202
