"""Every kind of resource that the gateway tells, held against two libraries that do not know each other."""

import json
import os
import shutil
import subprocess
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from town_of_resources import events, registry, resources

from gateway.fhir.all_of import UNTOLD, of_event
from gateway.fhir.names import LONGEST, logical_id, name_of
from gateway.fhir.places import patient
from gateway.model.codes import CODE_MAP

FOLDER = Path(__file__).parents[2] / "validators"
KINDS = {
    "AuditEvent",
    "Communication",
    "Composition",
    "Consent",
    "DetectedIssue",
    "Device",
    "DeviceUseStatement",
    "Encounter",
    "Location",
    "MedicationDispense",
    "Observation",
    "Organization",
    "Patient",
    "Provenance",
    "Task",
}
ALL = list(resources())


def of_kind(kind: str) -> list[dict[str, Any]]:
    return [one for one in ALL if one["resourceType"] == kind]


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_resource_is_one_to_the_classes_of_fhir_resources(kind: str) -> None:
    found = of_kind(kind)
    assert found
    model = getattr(import_module(f"fhir.resources.R4B.{kind.lower()}"), kind)
    for one in found:
        model.model_validate(one)


def test_no_other_kind_is_told() -> None:
    assert {one["resourceType"] for one in ALL} == KINDS


def medplum(lines: list[dict[str, Any]], path: Path) -> list[dict[str, Any]]:
    node = shutil.which("node")
    if node is None or not (FOLDER / "node_modules" / "@medplum" / "core").is_dir():
        reason = "Medplum's validator needs node and scripts/node-packages tests/validators"
        if os.environ.get("CI", "").lower() in {"1", "true"}:
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    path.write_text("".join(json.dumps(one) + "\n" for one in lines))
    done = subprocess.run(
        [node, str(FOLDER / "fhir.mjs"), str(path)], capture_output=True, text=True, timeout=300, check=True
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_every_resource_is_one_to_medplums_core_library(tmp_path: Path) -> None:
    *wrong, told = medplum(ALL, tmp_path / "all.ndjson")
    assert told == {"read": len(ALL)}
    assert wrong == []


def test_medplum_finds_what_is_wrong(tmp_path: Path) -> None:
    broken = [one | {"status": 5} for one in of_kind("Task")[:1]]
    broken += [{**one, "colour": "red"} for one in of_kind("Device")[:1]]
    *wrong, told = medplum(broken, tmp_path / "broken.ndjson")
    assert (len(wrong), told) == (2, {"read": 2})


def test_a_reference_leads_to_a_resource_that_is_told() -> None:
    there = {f"{one['resourceType']}/{one['id']}" for one in ALL}
    loose = {
        found
        for one in ALL
        for found in references(one)
        if found not in there and not found.startswith("Observation/")  # an alert's cause is of another day
    }
    assert loose == set()


def references(found: Any) -> list[str]:
    if isinstance(found, dict):
        mine = [found["reference"]] if isinstance(found.get("reference"), str) else []
        return mine + [one for value in found.values() for one in references(value)]
    return [one for value in found for one in references(value)] if isinstance(found, list) else []


def test_an_observation_has_mdc_and_vkp_codes_where_the_map_has_them() -> None:
    for event in events():
        codes = CODE_MAP.word[event.type]
        if event.type in UNTOLD or not codes.mdc:
            continue
        told = next(iter(of_event(event)))["code"]["coding"]
        assert {one["code"] for one in told} >= {str(CODE_MAP.mdc[name].code) for name in codes.mdc}


def test_a_missed_dose_is_no_completed_one_and_says_why() -> None:
    told = {
        event.type: one
        for event in events()
        for one in of_event(event)
        if one["resourceType"] == "MedicationDispense"
    }
    assert told["medication.missed"]["status"] == "declined"
    assert told["medication.missed"]["statusReasonCodeableConcept"]["coding"]
    assert "whenHandedOver" not in told["medication.missed"]
    assert told["medication.dispensed"]["status"] == "completed"


def test_whose_key_it_was_stands_in_the_audit_alone() -> None:
    for one in ALL:
        if one["resourceType"] != "AuditEvent":
            assert "tag-41" not in json.dumps(one)
            assert "grant-3" not in json.dumps(one)


def test_a_patient_is_a_pseudonym_without_name_number_or_address() -> None:
    town = registry()
    told = patient(town.persons["p:1"], town)
    assert not {"name", "telecom", "address", "birthDate", "contact"} & set(told)
    assert told["meta"]["security"][0]["code"] == "PSEUDED"


@given(st.text(st.characters(codec="ascii", categories=["L", "N", "P"]), min_size=1, max_size=128))
def test_a_logical_id_is_one_to_fhir_and_leads_back_where_it_is_short_enough(name: str) -> None:
    written = logical_id(name)
    assert 1 <= len(written) <= LONGEST
    assert all(one.isascii() and (one.isalnum() or one in "-.") for one in written)
    if not written.startswith("z.."):
        assert name_of(written) == name
