"""The clauses of the device interface: whole, in both languages, and as requirements for a tender."""

import csv
import io
import re
from pathlib import Path
from typing import Any

import pytest

from gateway.api.texts import LANGUAGES, Language
from gateway.conformance.cases import CASES
from gateway.conformance.requirements import as_csv, as_markdown, requirements
from gateway.contract import ConfigurationError
from gateway.contract.clauses import Clause, clauses_of, read_file
from gateway.model.vocabulary import DeviceKind

CLAUSES = clauses_of("v1", "mqtt")
ROOT = Path(__file__).parents[2]
WHOLE = {
    "id": "VDI-EVT-99",
    "level": "must",
    "en": "It is so.",
    "sv": "Det ska vara så.",
    "why_en": "Else not.",
    "why_sv": "Annars inte.",
    "source": "RFC 1",
}


@pytest.mark.parametrize("clause", CLAUSES, ids=lambda clause: clause.id)
def test_a_clause_is_a_sentence_in_both_languages_with_the_verb_of_its_level(clause: Clause) -> None:
    assert all(text.endswith(".") for text in (clause.en, clause.sv, clause.why_en, clause.why_sv))
    assert re.search(r"\bska\b" if clause.level == "must" else r"\bbör\b", clause.sv)


def test_there_is_a_clause_for_each_kind_of_device_that_the_interface_describes() -> None:
    described = {"LOCK", "GPS_ALARM", "SOCIAL_ALARM", "DISPENSER", "CAMERA"}
    assert {kind for clause in CLAUSES for kind in clause.profile} == {DeviceKind[name] for name in described}


def test_every_clause_has_a_case_and_every_case_its_clauses() -> None:
    tested = {name for case in CASES for name in case.clauses}
    assert tested == {clause.id for clause in CLAUSES}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_requirements_in_the_tree_are_those_of_the_code(language: Language) -> None:
    found = requirements(CLAUSES, CASES, language)
    kept = (ROOT / "docs" / "requirements" / f"{language}.md").read_text("utf-8")
    assert kept == as_markdown(found, language, "v1"), "scripts/interface-docs writes it again"


def test_the_requirements_on_a_kind_are_a_table_that_a_spreadsheet_reads() -> None:
    found = requirements(CLAUSES, CASES, "sv", "lock")
    names, *lines = csv.reader(io.StringIO(as_csv(found, "sv"), newline=""))
    assert names[:3] == ["id", "nivå", "för"]
    assert [line[0] for line in lines] == [one.id for one in found]
    assert {line[2] for line in lines} == {"alla enheter", "lås"}
    assert len(found) < len(CLAUSES)


def test_a_kind_that_is_none_is_named_with_those_that_are() -> None:
    with pytest.raises(ConfigurationError, match=r"--kind: found 'lok'; allowed: .*lock"):
        requirements(CLAUSES, CASES, "en", "lok")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"sv": ""}, "sv"),
        ({"level": "may"}, "level"),
        ({"id": "EVT-1"}, "id"),
        ({"profile": ["toaster"]}, "profile"),
        ({"proof": "x"}, "proof"),
        ({"sv": None}, "sv"),
    ],
)
def test_a_clause_that_is_not_whole_is_named_with_its_file_and_key(
    change: dict[str, Any], told: str, tmp_path: Path
) -> None:
    clause = {key: value for key, value in (WHOLE | change).items() if value is not None}
    lines = [f"{key} = {value!r}".replace("'", '"') for key, value in clause.items()]
    (tmp_path / "wrong.toml").write_text("\n".join(["[[clause]]", *lines]), "utf-8")
    with pytest.raises(ConfigurationError, match=rf"wrong\.toml: .*{told}"):
        read_file(tmp_path / "wrong.toml")
