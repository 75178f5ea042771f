"""Each of the 63 rules, with vectors that fire and vectors that must not; every number is guarded."""

import importlib
from pathlib import Path

import pytest
from trials import CATALOGUE, caught, faults, mutants, vectors

from gateway.commands.rules import table
from gateway.contract import RuleState
from gateway.contract.library import RuleEntry, Vector
from rules import RULES
from rules.language.rule import DocumentRule
from rules.library import words
from rules.plain import PLAIN

ROOT = Path(__file__).parents[3]
SECTIONS = {"G": 11, "D": 10, "L": 10, "C": 8, "X": 10, "S": 14}
"""How many rules each part of the alert rules' section 5 has, 61 together, and X9 and X10 beside them."""
FIRST_RELEASE = {
    *("G1", "G2", "D1", "D5", "D7", "L1", "L6", "C1", "C2", "C5", "C7", "X1", "X2", "X6"),
    *("S1", "S2", "S3", "S4", "S5", "S6", "S7", "S8", "S9", "S12", "S13"),
}
"""Alert rules, end of section 5."""
CONSTANTS = [
    ("S12", "rules.times", "LATE_AFTER_S"),
    ("S12", "rules.system", "LATE_AFTER_S"),
    ("S1", "rules.presence", "BEATS"),
    ("S1", "rules.system", "ACCEPT_LOW_S"),
    ("G1", "rules.alarms", "ACCEPT_HIGH_S"),
    ("G1", "rules.alarms", "ACCEPT_MEDIUM_S"),
    ("G2", "rules.alarms", "ACCEPT_HIGH_S"),
    ("D5", "rules.medication", "ACCEPT_LOW_S"),
    ("L1", "rules.locks", "ACCEPT_MEDIUM_S"),
    ("C1", "rules.supervision", "ACCEPT_MEDIUM_S"),
    ("C2", "rules.supervision", "ACCEPT_HIGH_S"),
    ("C4", "rules.supervision", "ACCEPT_HIGH_S"),
    ("X3", "rules.arrivals", "ACCEPT_HIGH_S"),
]
"""Numbers of Python rules that stand beside them."""


def test_every_rule_of_the_catalogue_exists_exactly_once() -> None:
    wanted = [f"{letter}{number}" for letter, last in SECTIONS.items() for number in range(1, last + 1)]
    assert len(wanted) == 63
    assert list(CATALOGUE) == wanted
    names = [entry.id for entry in CATALOGUE.values()]
    assert len(set(names)) == len(names)


def test_the_first_release_set_is_active_and_the_rest_in_shadow_unless_said_why() -> None:
    for entry in CATALOGUE.values():
        expected = entry.catalogue in FIRST_RELEASE or bool(entry.kept_active)
        assert (entry.state is RuleState.ACTIVE) == expected, entry.catalogue
        assert entry.state in (RuleState.ACTIVE, RuleState.SHADOW)
        assert not (entry.catalogue in FIRST_RELEASE and entry.kept_active), entry.catalogue


def test_the_state_of_every_rule_that_is_asked_is_the_catalogues() -> None:
    for entry in CATALOGUE.values():
        assert {rule.state for rule in entry.rules} <= {entry.state}, entry.catalogue
        assert {rule.catalogue for rule in entry.rules} <= {entry.catalogue}


def test_every_rule_that_the_gateway_finds_is_in_the_catalogue() -> None:
    known = [rule.id for entry in CATALOGUE.values() for rule in entry.rules]
    assert sorted(known) == sorted(rule.id for rule in RULES)
    assert {rule.id for rule in PLAIN} <= set(known)


def test_what_nobody_may_edit_is_no_document() -> None:
    plain = {"G1", "X3", *(name for name in CATALOGUE if name.startswith("S"))}
    assert [name for name in sorted(plain) if CATALOGUE[name].kind == "document"] == []
    assert all(not isinstance(rule, DocumentRule) for rule in RULES if rule.safety)


@pytest.mark.parametrize("entry", CATALOGUE.values(), ids=CATALOGUE.keys())
def test_a_rule_has_its_words_and_shows_that_it_fires_and_that_it_does_not(entry: RuleEntry) -> None:
    for language in ("sv", "en"):
        assert words()[language][f"routine.{entry.id}"]
    if entry.kind == "built_in":
        importlib.import_module(entry.module)
        for named in (*entry.fires_in, *entry.silent_in):
            file, _, test = named.partition("::")
            assert f"def {test}(" in (ROOT / file).read_text(encoding="utf-8"), named
        assert not set(entry.fires_in) & set(entry.silent_in)
        return
    assert any(vector.fires for vector in entry.vectors)
    assert any(not vector.fires for vector in entry.vectors)


@pytest.mark.parametrize(
    ("entry", "vector"), vectors(), ids=[f"{entry.catalogue}-{vector.name}" for entry, vector in vectors()]
)
def test_a_vector_goes_as_it_says(entry: RuleEntry, vector: Vector) -> None:
    assert faults(entry.rules, vector) == []


@pytest.mark.parametrize("entry", CATALOGUE.values(), ids=CATALOGUE.keys())
def test_a_number_changed_up_or_down_is_caught(entry: RuleEntry) -> None:
    assert [label for label, rules in mutants(entry) if not caught(rules, entry)] == []


def test_the_numbers_that_the_catalogue_tells_of_python_rules_are_theirs() -> None:
    for entry in CATALOGUE.values():
        for name, value in entry.numbers.items() if entry.kind == "python" else ():
            theirs = [getattr(rule, name) for rule in entry.rules if hasattr(rule, name)]
            told = [own.total_seconds() if hasattr(own, "total_seconds") else own for own in theirs]
            assert told, (entry.catalogue, name)
            assert set(told) == {value}, (entry.catalogue, name)


@pytest.mark.parametrize(("name", "module", "constant"), CONSTANTS)
@pytest.mark.parametrize("factor", [1.1, 0.9])
def test_a_constant_beside_a_python_rule_is_guarded_too(
    monkeypatch: pytest.MonkeyPatch, name: str, module: str, constant: str, factor: float
) -> None:
    found = importlib.import_module(module)
    monkeypatch.setattr(found, constant, getattr(found, constant) * factor)
    assert caught(CATALOGUE[name].rules, CATALOGUE[name])


def test_the_table_in_the_documents_is_the_catalogues() -> None:
    told = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8").splitlines()
    assert [line for line in told if line.startswith("| ")][-63:] == list(table(list(CATALOGUE.values())))[2:]
