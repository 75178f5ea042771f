"""The code map says something about every word, and nothing that the standards do not have."""

import msgspec
import pytest

from gateway.model.alert import AlertType, Severity
from gateway.model.codes import CODE_MAP, Scaip, codes_for, read_code_map, words_for_scaip
from gateway.model.vocabulary import VOCABULARY

COLUMNS = {
    "scaip": ("scaip",),
    "mdc": ("mdc", "mdc_status"),
    "vkp": ("vkp_alerts", "vkp_dispensing", "vkp_handling"),
}
FHIR = {
    "AuditEvent", "Consent", "DetectedIssue", "Device", "Encounter", "Location", "MedicationDispense",
    "Observation",
}  # fmt: skip


def test_every_word_has_an_entry_and_no_entry_is_without_a_word() -> None:
    assert set(CODE_MAP.word) == set(VOCABULARY)


def test_the_map_says_which_version_it_is() -> None:
    assert CODE_MAP.version == "1"


@pytest.mark.parametrize("word", VOCABULARY)
def test_a_standard_without_a_code_for_a_word_has_a_reason_and_never_both(word: str) -> None:
    codes = codes_for(word)
    for column, fields in COLUMNS.items():
        has = any(getattr(codes, field) for field in fields)
        assert has != bool(codes.none.get(column)), column
    assert (codes.severity is None) == bool(codes.none.get("severity"))
    assert set(codes.none) <= {*COLUMNS, "severity"}
    assert set(codes.proposed) <= {*COLUMNS, "severity"}


@pytest.mark.parametrize("word", VOCABULARY)
def test_every_code_of_a_word_is_in_the_tables_of_its_standard(word: str) -> None:
    codes, scaip = codes_for(word), CODE_MAP.scaip
    for code in codes.scaip:
        assert not code.dty or code.dty in scaip.device_types
        assert code.stc in scaip.status_codes
        assert not code.lco or code.lco in scaip.location_codes
    assert set(codes.mdc) <= set(CODE_MAP.mdc)
    assert set(codes.mdc_status) <= set(CODE_MAP.mdc_status)
    assert set(codes.vkp_alerts) <= set(CODE_MAP.vkp.alerts)
    assert set(codes.vkp_dispensing) <= set(CODE_MAP.vkp.dispensing)
    assert set(codes.vkp_handling) <= set(CODE_MAP.vkp.handling)
    assert codes.fhir in FHIR


def test_the_tables_hold_only_codes_of_the_right_form() -> None:
    assert all(len(code) == 4 and code.isdigit() for code in CODE_MAP.scaip.device_types)
    assert all(len(code) == 4 and code.isdigit() for code in CODE_MAP.scaip.status_codes)
    assert all(len(code) == 3 and code.isdigit() for code in CODE_MAP.scaip.location_codes)
    assert "0042" not in CODE_MAP.scaip.device_types  # not in the source, and never invented
    assert "0049" not in CODE_MAP.scaip.status_codes


@pytest.mark.parametrize("word", VOCABULARY)
def test_a_word_written_as_scaip_and_read_again_is_among_what_it_may_mean(word: str) -> None:
    for code in codes_for(word).scaip:
        assert word in words_for_scaip(code.dty or "0031", code.stc, code.lco)


@pytest.mark.parametrize(
    ("dty", "stc", "lco", "words"),
    [
        ("0003", "0010", "", ("alarm.manual",)),
        ("3", "10", "", ("alarm.manual",)),
        ("0005", "0009", "", ("fall.detected",)),
        ("0051", "0009", "019", ("geofence.exit",)),
        ("0043", "0127", "", ("lock.unlocked",)),
        ("0043", "0052", "", ("lock.jammed",)),
        ("0011", "0052", "", ("medication.jam",)),
        ("0011", "0081", "", ("medication.missed",)),
        ("0011", "0083", "", ("medication.dispensed", "medication.taken")),
        ("0043", "0016", "", ("battery.low",)),
        ("0003", "0019", "", ("alarm.cancelled",)),
        ("0023", "0092", "", ("smoke.cleared",)),
        ("0039", "0068", "", ()),
    ],
)
def test_a_scaip_message_means_these_words(dty: str, stc: str, lco: str, words: tuple[str, ...]) -> None:
    assert words_for_scaip(dty, stc, lco) == words


def test_most_words_with_a_scaip_code_come_back_as_themselves_alone() -> None:
    coded = [word for word in VOCABULARY if codes_for(word).scaip]
    alone = {
        word
        for word in coded
        if any(words_for_scaip(c.dty or "0031", c.stc, c.lco) == (word,) for c in codes_for(word).scaip)
    }
    assert set(coded) - alone == {"test", "medication.dispensed", "medication.taken"}


def test_the_nomenclature_code_of_a_fall_is_the_published_one() -> None:
    assert CODE_MAP.mdc["fall.detected"].code == 8519681


def test_calls_for_help_are_high_and_about_the_person() -> None:
    for word in ("alarm.manual", "fall.detected", "geofence.exit"):
        assert (codes_for(word).severity, codes_for(word).type) == (Severity.HIGH, AlertType.PERSON)


def test_a_word_outside_the_vocabulary_has_no_codes() -> None:
    with pytest.raises(KeyError):
        codes_for("weather.rain")


def test_a_map_with_a_wrong_code_is_refused_with_its_place() -> None:
    with pytest.raises(msgspec.ValidationError, match=r"stc"):
        msgspec.convert({"stc": "10"}, Scaip)
    with pytest.raises(msgspec.ValidationError, match="version"):
        read_code_map("")
