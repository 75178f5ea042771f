"""Alarm senders, panels and the Norwegian hub: codes padded and kept apart, nothing personal kept."""

import json
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from adapters.scaip import ADAPTER as SCAIP
from adapters.sia import ADAPTER as SIA
from adapters.sia.line import crc
from adapters.vkp import ADAPTER as VKP
from gateway.contract import Undecodable
from gateway.model.codes import CODE_MAP
from gateway.model.event import flat_values
from gateway.model.reading import Ignored, Reading
from gateway.model.vocabulary import VOCABULARY
from tests.unit.adapters.spoken import first, heard

EVENTS = "http://ehelse.no/fhir/CodeSystem/vkp-medicationdispense-events-"


def mrq(**fields: str) -> str:
    return "<mrq>" + "".join(f"<{name}>{value}</{name}>" for name, value in fields.items()) + "</mrq>"


def line(text: str) -> bytes:
    raw = text.encode("iso-8859-1")
    return b"\n" + f"{crc(raw):04X}{len(raw):04X}".encode() + raw + b"\r"


def dispense(code: str, version: str, **more: Any) -> str:
    return json.dumps(
        {
            "resourceType": "MedicationDispense",
            "status": "completed",
            "category": {"coding": [{"system": EVENTS + version, "code": code}]},
            "performer": [
                {"actor": {"identifier": {"system": "http://maker.example/serial", "value": "D1"}}}
            ],
            "whenHandedOver": "2026-02-03T21:00:00+01:00",
            **more,
        }
    )


@pytest.mark.parametrize(("dty", "stc"), [("3", "10"), ("03", "010"), ("0003", "0010"), ("003", "10")])
def test_codes_are_the_same_however_many_zeros_stand_before_them(dty: str, stc: str) -> None:
    said = first(SCAIP, "sip/scaip", mrq(ref="1", cid="7", dty=dty, stc=stc))
    assert said.type == "alarm.manual"
    assert flat_values(said.values)["status_code"] == "0010"


@pytest.mark.parametrize("device", sorted(CODE_MAP.scaip.device_types))
def test_an_alarm_of_any_device_type_is_never_passed_over(device: str) -> None:
    for status in ("0009", "0010"):
        said = first(SCAIP, "sip/scaip", mrq(ref="1", cid="7", dty=device, stc=status))
        assert said.type in VOCABULARY
        assert said.type != "heartbeat"


@pytest.mark.parametrize("device", sorted(CODE_MAP.scaip.device_types))
@pytest.mark.parametrize("kind", ["ME", "RE", "IN", "PI"])
def test_every_pair_of_codes_is_read_or_refused_with_the_controller(device: str, kind: str) -> None:
    for status in CODE_MAP.scaip.status_codes:
        told: Undecodable | None = None
        items: Sequence[Reading | Ignored] = ()
        try:
            items = heard(SCAIP, "sip/scaip", mrq(ref="1", cid="7", dty=device, stc=status, mty=kind))
        except Undecodable as refused:
            told = refused
        assert [item.native_id for item in items] == ["7"] if told is None else told.clause == "SCAIP-CODE"


def test_a_message_sent_again_has_the_same_key_and_a_reset_another() -> None:
    alarm = first(SCAIP, "sip/scaip", mrq(ref="r1", cid="7", dty="3"))
    again = first(SCAIP, "sip/scaip", mrq(dty="0003", cid="7", ref="r1", stc="10"))
    reset = first(SCAIP, "sip/scaip", mrq(ref="r1", cid="7", dty="3", mty="RE"))
    assert alarm.key == again.key != reset.key


def test_the_telephone_number_and_free_texts_of_an_alarm_stay_behind() -> None:
    fields = dict.fromkeys(("dte", "stt", "lte", "ite"), "Secret Name") | {"crd": "tel:+46701740605"}
    written = msgspec.json.encode(
        heard(SCAIP, "sip/scaip", mrq(ref="1", cid="7", dty="3", **fields))
    ).decode()
    assert "Secret" not in written
    assert "0701740605"[1:] not in written


def test_a_line_whose_checksum_fits_is_read_without_a_remark_and_a_damaged_one_with_it() -> None:
    whole = line('"SIA-DCS"0012L0#1234[#1234|Nri1/PA007]_20:14:58,02-03-2026')
    assert "checksum" not in flat_values(first(SIA, "sia/dc09", whole).values)
    damaged = whole.replace(b"PA007", b"PA008")
    assert flat_values(first(SIA, "sia/dc09", damaged).values)["checksum"] == "wrong"


def test_the_checksum_is_the_one_of_a_published_line() -> None:
    assert crc(b'"SIA-DCS"0084L0#AAA[#AAA|Nri1/XC12]') == 0x4358


def test_the_time_of_a_line_is_in_utc_with_the_month_first() -> None:
    said = first(SIA, "sia/dc09", line('"SIA-DCS"0012L0#12[#12|NPA7]_20:14:58,02-03-2026'))
    assert said.occurred_at is not None
    assert said.occurred_at.isoformat() == "2026-02-03T20:14:58+00:00"


def test_a_sequence_that_wraps_is_no_key_without_a_time() -> None:
    assert first(SIA, "sia/dc09", line('"SIA-DCS"0012L0#12[#12|NPA7]')).key == ""


@pytest.mark.parametrize(("qualifier", "word"), [("1", "alarm_system.disarmed"), ("3", "alarm_system.armed")])
def test_opening_disarms_and_closing_arms(qualifier: str, word: str) -> None:
    assert first(SIA, "sia/dc09", line(f'"ADM-CID"0012L0#12[#12|{qualifier}401 01 002]')).type == word


@pytest.mark.parametrize(
    ("event", "word"),
    [
        ("NOP01", "alarm_system.disarmed"),
        ("OP01", "alarm_system.disarmed"),
        ("Nri1/OP01", "alarm_system.disarmed"),
        ("OOP01", "alarm_system.disarmed"),
        ("NCL01", "alarm_system.armed"),
        ("NNA01", "inactivity"),
        ("NA01", "inactivity"),
    ],
)
def test_a_code_keeps_its_first_letter_whether_new_or_old_stands_before_it(event: str, word: str) -> None:
    assert first(SIA, "sia/dc09", line(f'"SIA-DCS"0012L0#12[#12|{event}]')).type == word


def test_an_old_position_does_not_make_an_alarm_old() -> None:
    asked = {"ref": "1", "cid": "7", "dty": "51", "stc": "10"}
    place = "<geo>59.3,18.1</geo><tim>2026-02-03T03:15:00+01:00</tim>"
    said = first(SCAIP, "sip/scaip", mrq(**asked, lge=place))
    assert (said.type, said.occurred_at) == ("alarm.manual", None)
    assert flat_values(said.values)["position_at"] == "2026-02-03T02:15:00+00:00"
    where = first(SCAIP, "sip/scaip", mrq(**asked | {"stc": "62", "lco": "35"}, lge=place))
    assert where.type == "position.update"
    assert where.occurred_at is not None


def test_a_users_name_in_a_panels_text_stays_behind() -> None:
    raw = line("\"SIA-DCS\"0012L0#12[#12|Nid7/CL7*'Secret Name'NM]")
    assert "Secret" not in msgspec.json.encode(heard(SIA, "sia/dc09", raw)).decode()


@pytest.mark.parametrize(
    ("version", "code", "word"),
    [
        ("v06", "2", "medication.missed"),
        ("v090", "2", "medication.dispensed"),
        ("v06", "19", "medication.message_acknowledged"),
        ("v090", "3", "medication.message_acknowledged"),
        ("v06", "3", "medication.missed"),
    ],
)
def test_the_version_of_the_code_system_decides_what_a_code_means(version: str, code: str, word: str) -> None:
    assert first(VKP, "fhir/x", dispense(code, version)).type == word


def test_who_a_dispense_is_about_and_what_was_written_of_it_stay_behind() -> None:
    person = {
        "identifier": {"system": "urn:oid:2.16.578.1.12.4.1.4.1", "value": "SECRETNUMBER"},
        "display": "Secret",
    }
    payload = dispense(
        "1", "v090", subject=person, note=[{"text": "Secret"}], dosageInstruction=[{"text": "Secret"}]
    )
    assert "secret" not in msgspec.json.encode(heard(VKP, "fhir/x", payload)).decode().lower()


def test_staff_with_a_person_number_are_never_taken_for_the_device() -> None:
    staff = {"actor": {"identifier": {"system": "urn:oid:2.16.578.1.12.4.1.4.1", "value": "SECRETNUMBER"}}}
    with pytest.raises(Undecodable) as refused:
        heard(VKP, "fhir/x", dispense("1", "v090", performer=[staff]))
    assert refused.value.clause == "VKP-DEVICE"


def test_numbers_and_truths_of_json_are_written_as_xml_writes_them() -> None:
    place = {
        "resourceType": "Bundle",
        "entry": [
            {"resource": {"resourceType": "Device", "identifier": [{"value": "G1"}]}},
            {"resource": {"resourceType": "Location", "position": {"latitude": 1, "longitude": 18.5}}},
        ],
    }
    said = first(VKP, "fhir/x", json.dumps(place))
    assert (said.type, said.native_id) == ("position.update", "G1")
    assert flat_values(said.values) == {"latitude": 1.0, "longitude": 18.5}
