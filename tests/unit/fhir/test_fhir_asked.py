"""What a search asks for, as FHIR R4 writes it, against what a resource says."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.fhir.asked import BadValue, alternatives, ids_of, names_of, period_of
from gateway.fhir.fits import fits
from gateway.fhir.kinds import KINDS, words_coded
from gateway.fhir.names import logical_id
from gateway.fhir.terms import WORD
from gateway.model.vocabulary import VOCABULARY

DAY = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("asked", "since", "until"),
    [
        ("2026-03-01", DAY, DAY + timedelta(days=1)),
        ("ge2026-03-01", DAY, None),
        ("gt2026-03-01", DAY + timedelta(days=1), None),
        ("lt2026-03-01", None, DAY),
        ("le2026-03-01", None, DAY + timedelta(days=1)),
        ("2026-03", DAY, DAY + timedelta(days=31)),
        ("sa2025", datetime(2026, 1, 1, tzinfo=UTC), None),
        ("ge2026-03-01T01:00+01:00", DAY, None),
        ("eq2026-03-01T00:00:00Z", DAY, DAY + timedelta(seconds=1)),
        (
            "2026-03-01T00:00:00.250-00:00",
            DAY + timedelta(milliseconds=250),
            DAY + timedelta(milliseconds=251),
        ),
    ],
)
def test_a_date_is_a_period_as_long_as_it_is_precise(
    asked: str, since: datetime | None, until: datetime | None
) -> None:
    found = period_of("date", [asked])
    assert (found.since, found.until) == (since, until)


def test_repeated_dates_have_to_hold_together() -> None:
    found = period_of("date", ["ge2026-03-01", "lt2026-03-02", "ge2026-02"])
    assert (found.since, found.until) == (DAY, DAY + timedelta(days=1))


@pytest.mark.parametrize(
    "asked", ["yesterday", "2026-13-01", "xx2026", "ap2026", "2026-3-1", "", "9999", "ge2026-02-30"]
)
def test_a_date_that_is_none_is_refused_with_what_was_found(asked: str) -> None:
    with pytest.raises(BadValue, match="date: found"):
        period_of("date", [asked])


def test_a_reference_may_be_an_id_a_path_or_an_address() -> None:
    assert ids_of("patient", ["a,Patient/b,https://x.example/fhir/Patient/c"], "Patient") == {"a", "b", "c"}
    assert ids_of("patient", ["a,b", "b,c"], "Patient") == {"b"}
    with pytest.raises(BadValue, match="a reference to Patient"):
        ids_of("patient", ["Device/b"], "Patient")


def test_a_name_that_is_only_a_digest_is_found_among_the_known() -> None:
    long = "t/" + "a_" * 60
    assert names_of([logical_id(long), logical_id("t/1")], ["t/1", long]) == {long, "t/1"}
    assert names_of(["no.such"], []) != frozenset()  # nothing is meant, which is not everything


RESOURCE = {
    "resourceType": "Task",
    "id": "x1",
    "meta": {"lastUpdated": "2026-03-01T12:00:00.000Z"},
    "status": "requested",
    "businessStatus": {"coding": [{"system": "urn:s", "code": "offered"}]},
    "identifier": [{"system": "urn:i", "value": "17"}],
    "for": {"reference": "Patient/p1"},
    "focus": {"reference": "DetectedIssue/x1"},
}


@pytest.mark.parametrize(
    ("name", "asked", "is_one"),
    [
        ("status", "requested", True),
        ("status", "accepted,requested", True),
        ("status", "accepted", False),
        ("business-status", "urn:s|offered", True),
        ("business-status", "urn:other|offered", False),
        ("business-status", "urn:s|", True),
        ("business-status", "|offered", False),
        ("status", "|requested", True),
        ("identifier", "urn:i|17", True),
        ("identifier", "18", False),
        ("patient", "p1", True),
        ("patient", "Patient/p1", True),
        ("patient", "Patient/p2", False),
        ("focus", "https://x.example/fhir/DetectedIssue/x1", True),
        ("_lastUpdated", "ge2026-03-01", True),
        ("_lastUpdated", "lt2026-03-01", False),
        ("_id", "x1,x2", True),
    ],
)
def test_a_resource_is_one_of_those_asked_for_or_not(name: str, asked: str, is_one: bool) -> None:  # noqa: FBT001 - a table
    types = {**KINDS["Task"].params, "identifier": "token"}
    assert fits(RESOURCE, {name: [asked]}, types) is is_one


@pytest.mark.parametrize(
    ("asked", "parts"),
    [
        ("a,b", ["a", "b"]),
        (r"a\,b", ["a,b"]),
        (r"a\\,b", ["a\\", "b"]),
        (r"a\$\|b,,c", ["a$|b", "c"]),
        ("a\\", ["a\\"]),
        (",", []),
    ],
)
def test_a_comma_parts_what_may_be_unless_it_is_escaped(asked: str, parts: list[str]) -> None:
    assert alternatives([asked]) == [parts]


def test_a_code_of_any_system_leads_to_the_words() -> None:
    assert words_coded(None, "alarm.manual") == {"alarm.manual"}
    assert "alarm.manual" in words_coded("http://ehelse.no/fhir/CodeSystem/vkp-alert-code-v090", "4.13")
    assert words_coded("urn:nobody", "alarm.manual") == frozenset()
    assert words_coded(WORD, "") == frozenset(VOCABULARY)
