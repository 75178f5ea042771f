"""A record that cannot be taken says every fault: its key, what was found, what is allowed."""

from datetime import UTC, datetime, time
from typing import Any

import msgspec
import pytest

from gateway.model.faults import MOST_TOLD, RecordError
from gateway.model.people import Rotation
from gateway.model.registry import Device, Enrolment, Registry, RegistryDocument, Window
from gateway.model.vocabulary import DeviceKind

DEVICE = {"id": "d", "tenant": "t", "adapter": "vaka", "native_id": "d", "kind": "lock"}


def lines(found: Any) -> list[str]:
    with pytest.raises(RecordError) as told:
        RegistryDocument.of(found)
    with pytest.raises(RecordError) as by_json:
        RegistryDocument.from_json(msgspec.json.encode(found))
    assert str(by_json.value) == str(told.value)
    return str(told.value).splitlines()


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            {"id": "no spaces"},
            "device.1.id: found 'no spaces'; allowed: `str` matching regex '^[A-Za-z0-9]",
        ),
        ({"id": 5}, "device.1.id: found 5; allowed: `str`"),
        ({"native_id": ""}, "device.1.native_id: found ''; allowed: `str` of length >= 1"),
        ({"secret": 7}, "device.1.secret: found *** (not shown); allowed: `str | null`"),
        ({"colour": "red"}, "device.1.colour: found a key that does not exist; "),
    ],
)
def test_a_fault_names_its_record_and_key(change: dict[str, Any], line: str) -> None:
    (found,) = lines({"device": [DEVICE, DEVICE | change]})
    assert found.startswith(line)


def test_every_fault_of_a_file_is_told_at_once() -> None:
    rows = [{**DEVICE, "kind": "loock"}, {"id": "x"}, "no table"]
    found = lines(
        {"device": rows, "ladder": [{"id": "l", "tenant": "t", "steps": [{"to": []}]}], "homes": []}
    )
    assert "homes: found a key that does not exist; allowed: a key that docs/configuration.md names" in found
    assert "ladder.0.steps.0.to: found a value of the type list; allowed: `array` of length >= 1" in found
    assert "device.2: found 'no table'; allowed: a table" in found
    assert [
        line for line in found if line.startswith("device.0.kind: found 'loock'; allowed: one of 'lock', ")
    ]
    for key in ("tenant", "adapter", "native_id", "kind"):
        assert f"device.1.{key}: found nothing; allowed: a value; the key must be set" in found


def test_a_fault_within_a_list_is_told_at_its_place() -> None:
    (line,) = lines({"staff": [{"ref": "a", "tenant": "t", "teams": ["x", "no way"]}]})
    assert line.startswith("staff.0.teams.1: found 'no way'; allowed: ")


def test_what_is_no_json_is_told() -> None:
    with pytest.raises(RecordError, match="found a fault in the JSON"):
        RegistryDocument.from_json(b"{")
    with pytest.raises(RecordError):
        RegistryDocument.from_json(b'{"device": [{"id": "\xff"}]}')


def test_a_time_may_be_written_without_seconds_and_a_number_without_its_point() -> None:
    assert Window.of({"ref": "w", "at": "08:00", "minutes": 30}) == Window(ref="w", at=time(8), minutes=30.0)
    enrolled = Enrolment.of({"device": "d", "home": "h", "since": "2026-01-31T00:00+00:00"})
    assert enrolled.since == datetime(2026, 1, 31, tzinfo=UTC)


def test_a_time_of_another_zone_is_refused_in_a_rotation() -> None:
    given = {
        "id": "r",
        "team": "t",
        "turns": [["a"]],
        "starts": "2026-01-01",
        "at": "08:00+01:00",
        "until": "16:00",
    }
    with pytest.raises(RecordError, match="at and until are the tenant's own time"):
        Rotation.of(given)


def test_equal_values_of_a_document_are_one_object_and_words_stay_words() -> None:
    rows = [DEVICE | {"id": f"d{n}", "native_id": f"d{n}", "model": "m"} for n in range(3)]
    doses = [{"ref": "dose", "at": "08:00:00", "minutes": 30}]
    enrolled = [
        {"device": f"d{n}", "home": "h", "since": "2026-01-01T00:00:00Z", "doses": doses} for n in range(3)
    ]
    found = RegistryDocument.from_json(msgspec.json.encode({"device": rows, "enrolment": enrolled}))
    assert len({id(device.model) for device in found.device}) == 1
    assert (
        len({id(one.doses) for one in found.enrolment})
        == len({id(one.since) for one in found.enrolment})
        == 1
    )
    assert found.enrolment[0].device is found.device[0].id
    assert all(device.kind is DeviceKind.LOCK for device in found.device)
    assert found == RegistryDocument.of({"device": rows, "enrolment": enrolled})


def test_a_document_is_indexed_once_for_all_who_hold_it() -> None:
    document = RegistryDocument()
    held = Registry.of(document)
    assert Registry.of(document) is held
    assert Registry.of(RegistryDocument()) is not held


def test_a_device_is_found_by_its_vendors_name_and_two_of_one_name_are_refused() -> None:
    tenant = [{"id": "t", "name": "T"}]
    other = DEVICE | {"id": "e", "native_id": "vendor-e"}
    registry = Registry(RegistryDocument.of({"tenant": tenant, "device": [DEVICE, other]}))
    assert registry.device_named("vaka", "d") == Device.of(DEVICE)
    assert registry.device_named("vaka", "vendor-e") == Device.of(other)
    assert registry.device_named("nuki", "d") is registry.device_named("vaka", "e") is None
    for twin in (DEVICE | {"id": "f"}, other | {"id": "f"}):
        with pytest.raises(ValueError, match="native_id: found one twice"):
            Registry(RegistryDocument.of({"tenant": tenant, "device": [twin, DEVICE, other]}))


def test_of_very_many_faults_the_first_are_told_and_the_rest_counted() -> None:
    found = lines({"device": [DEVICE | {"id": "no spaces"}] * (MOST_TOLD + 5)})
    assert len(found) == MOST_TOLD + 1
    assert found[-1] == "and 5 faults more"
