"""The published maps: both ways, without a code that leads nowhere, and what does not map has its reason."""

import json

import pytest
from typer.testing import CliRunner

from adapters.scaip.words import word_for
from gateway.__main__ import app
from gateway.interface.maps import map_documents
from gateway.model.codes.maps import ANY, PANEL, Standard, map_of, translated, words_for
from gateway.model.vocabulary import VOCABULARY

UNDEFINED = "0001"
CALLS = ("alert:3", "alert:4.13", "alert:4.14")


@pytest.mark.parametrize("standard", Standard)
def test_a_word_written_in_a_standard_and_read_again_is_among_what_its_code_may_mean(
    standard: Standard,
) -> None:
    one = map_of(standard)
    assert one.codes
    for word, codes in one.codes.items():
        assert all(word in words_for(standard, code) for code in codes), word


@pytest.mark.parametrize("standard", Standard)
def test_a_code_read_and_written_again_is_among_the_codes_of_each_word_it_may_mean(
    standard: Standard,
) -> None:
    one = map_of(standard)
    for code, words in one.words.items():
        assert all(code in one.codes[word] for word in words), code


@pytest.mark.parametrize("standard", Standard)
def test_every_word_has_a_code_or_the_reason_why_it_has_none(standard: Standard) -> None:
    one = map_of(standard)
    assert set(one.codes) | set(one.words_without_code) == set(VOCABULARY)
    assert not set(one.codes) & set(one.words_without_code)
    assert all(one.words_without_code.values())
    if standard in {Standard.SCAIP, Standard.IEEE_11073, Standard.VKP, Standard.FHIR}:
        assert PANEL not in one.words_without_code.values()


def test_what_a_scaip_unit_says_is_read_as_the_published_map_says() -> None:
    one = map_of(Standard.SCAIP)
    assert len(one.read_as) > 60
    for code, word in one.read_as.items():
        device, status = code.split("/")
        assert words_for(Standard.SCAIP, code) == (word,)
        assert word_for(UNDEFINED if device == ANY else device, status, "") == word, code


@pytest.mark.parametrize("standard", Standard)
def test_no_code_is_both_mapped_and_listed_as_not_mapping(standard: Standard) -> None:
    one = map_of(standard)
    assert not (set(one.words) | set(one.read_as)) & set(one.codes_without_word)
    assert not set(one.words) & set(one.read_as)
    assert set(one.read_as.values()) <= set(VOCABULARY)


@pytest.mark.parametrize(
    ("code", "of", "into", "expected"),
    [
        (
            "0003/0010",
            Standard.SCAIP,
            Standard.VKP,
            {"alarm.manual": ("alert:3", "alert:4.13", "alert:4.14")},
        ),
        ("0039/0016", Standard.SCAIP, Standard.SIA, {"battery.low": ("YT", "XT", "YM")}),
        ("8519681", Standard.IEEE_11073, Standard.SCAIP, {"fall.detected": ("0005/0009",)}),
        ("FA", Standard.SIA, Standard.VKP, {"smoke.detected": ("alert:4.11",)}),
        ("R301", Standard.CONTACT_ID, Standard.SIA, {"power.restored": ("AR",)}),
        ("0039/9999", Standard.SCAIP, Standard.VKP, {}),
    ],
)
def test_a_code_is_translated_by_way_of_the_words_it_may_mean(
    code: str, of: Standard, into: Standard, expected: dict[str, tuple[str, ...]]
) -> None:
    assert translated(code, of, into) == expected


def test_the_published_files_hold_the_maps_and_the_page_names_what_does_not_map() -> None:
    documents = map_documents()
    for standard in Standard:
        told = json.loads(documents[f"codes/{standard.value}.json"])
        assert told["words"] == {code: list(words) for code, words in map_of(standard).words.items()}
    page = documents["codes/index.md"]
    for standard in Standard:
        assert all(f"`{word}`" in page for word in map_of(standard).words_without_code)


def test_the_command_looks_up_both_ways_and_says_in_a_line_what_it_does_not_have() -> None:
    run = CliRunner()
    found = run.invoke(app, ["codes", "0003/0010", "--of", "scaip", "--into", "vkp", "--json"])
    assert json.loads(found.output) == {"alarm.manual": {"vkp": list(CALLS)}}
    assert "PA" in run.invoke(app, ["codes", "alarm.manual"]).output
    for words in (["nonsense"], ["9999/1", "--of", "scaip"], ["AB", "--of", "sia"]):
        wrong = run.invoke(app, ["codes", *words])
        assert (wrong.exit_code, wrong.output.count("\n")) == (2, 1), wrong.output
