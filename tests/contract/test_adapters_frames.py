"""Every adapter against the port: its files, and its golden frames."""

import json
from collections.abc import Iterator
from importlib.metadata import entry_points
from importlib.resources import files
from types import ModuleType
from typing import Any

import msgspec
import pytest

from gateway.contract import Adapter, Undecodable
from gateway.contract.golden import RECEIVED, frame_of, told, wanted
from gateway.contract.manifest import QUALITY_RULES, read_quality
from gateway.model.event import load_values
from gateway.model.reading import Reading
from gateway.model.vocabulary import VOCABULARY
from gateway.pipeline.decode import AdapterTable, matches

PERSONAL = (
    "pin_code", "4711", "users", "auth_name", "A Name", "Entrance of a person", "SSID", "mywifi",
    "aa:bb:cc:dd:ee:ff", "Jane Doe", "iVBORw0KGgo", "inregions", "allowing new devices",
    "46701740605", "05073500186", "04056600324",
    "+4670", "192.0.2.1", "Home of", "04112233",
)  # fmt: skip

ADAPTERS: dict[str, Adapter] = {point.name: point.load() for point in entry_points(group="vaka.adapters")}
PACKAGES: dict[str, ModuleType] = {
    point.name: __import__(point.module, fromlist=["ADAPTER"])
    for point in entry_points(group="vaka.adapters")
}


def golden(adapter: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in files(PACKAGES[adapter]).joinpath("frames").iterdir():
        if path.name.endswith(".json"):
            yield path.name.removesuffix(".json"), json.loads(path.read_text("utf-8"))


GOLDEN = [pytest.param(name, case, id=f"{name}-{title}") for name in ADAPTERS for title, case in golden(name)]


def test_the_four_first_adapters_are_found_by_their_entry_points() -> None:
    assert set(ADAPTERS) >= {"vaka", "zigbee2mqtt", "owntracks", "nuki"}


@pytest.mark.parametrize(("name", "case"), GOLDEN)
def test_a_golden_frame_gives_exactly_its_readings_or_its_refusal(name: str, case: dict[str, Any]) -> None:
    assert told(ADAPTERS[name], case) == wanted(case)


@pytest.mark.parametrize(("name", "case"), GOLDEN)
def test_a_golden_frame_says_what_it_shows_and_where_it_is_from(name: str, case: dict[str, Any]) -> None:
    assert name
    assert case["about"]
    assert case["source"]
    assert ("payload" in case) != ("payload_b64" in case)
    assert ("expect" in case) != ("quarantine" in case)


@pytest.mark.parametrize(("name", "case"), GOLDEN)
def test_nothing_personal_leaves_the_decoder(name: str, case: dict[str, Any]) -> None:
    try:
        items = ADAPTERS[name].decode(frame_of(case))
    except Undecodable as refused:
        written = refused.reason
    else:
        written = msgspec.json.encode(items).decode()
    assert not [word for word in PERSONAL if word in written]


@pytest.mark.parametrize(("name", "case"), GOLDEN)
def test_what_a_reading_says_can_be_stored_and_read_again(name: str, case: dict[str, Any]) -> None:
    if "quarantine" in case:
        return
    for item in ADAPTERS[name].decode(frame_of(case)):
        if isinstance(item, Reading):
            assert type(item.values) is VOCABULARY[item.type].values
            assert load_values(item.type, msgspec.json.encode(item.values)) == item.values


@pytest.mark.parametrize("name", ADAPTERS)
def test_every_frame_the_adapter_reads_comes_to_it_by_its_topics(name: str) -> None:
    table = AdapterTable([ADAPTERS[name]])
    unread = {title for title, case in golden(name) if table.find(case["topic"]) is not ADAPTERS[name]}
    assert unread <= {"topic-short", "topic-version", "topic-empty-level"}


@pytest.mark.parametrize("name", ADAPTERS)
def test_a_manifest_says_what_the_adapter_reads_and_from_where(name: str) -> None:
    manifest = ADAPTERS[name].manifest
    assert manifest.id == name
    assert manifest.product
    assert manifest.vendor
    assert manifest.version
    assert manifest.topics
    assert manifest.sources
    assert manifest.variants
    assert manifest.traps
    assert "{native_id}" in manifest.branch
    assert all(isinstance(marker, bytes) and len(marker) >= 8 for marker in manifest.urgent)


@pytest.mark.parametrize("name", ADAPTERS)
def test_every_quality_rule_is_answered_and_what_is_not_done_has_a_reason(name: str) -> None:
    answers = read_quality(files(PACKAGES[name]).joinpath("quality.toml").read_text("utf-8"))
    assert list(answers) == list(dict.fromkeys(answers))
    assert set(answers) == set(QUALITY_RULES)
    assert [rule for rule, answer in answers.items() if answer.status != "done" and not answer.reason] == []


@pytest.mark.parametrize("name", ADAPTERS)
def test_tested_on_a_real_device_is_only_done_when_the_manifest_names_one(name: str) -> None:
    answers = read_quality(files(PACKAGES[name]).joinpath("quality.toml").read_text("utf-8"))
    if not ADAPTERS[name].manifest.tested_with:
        assert answers["tested-on-real-device"].status != "done"


@pytest.mark.parametrize("name", ADAPTERS)
def test_every_refusal_names_a_clause_that_the_adapter_publishes(name: str) -> None:
    cited = {case["quarantine"]["clause"] for _, case in golden(name) if "quarantine" in case}
    assert cited
    assert cited <= set(PACKAGES[name].CLAUSES)


@pytest.mark.parametrize("name", ADAPTERS)
def test_an_adapter_looks_at_nothing_but_the_frame(name: str) -> None:
    for title, case in golden(name):
        if "expect" in case:
            again = msgspec.structs.replace(
                frame_of(case), received_at=RECEIVED.replace(year=2031), position=9
            )
            assert ADAPTERS[name].decode(again) == ADAPTERS[name].decode(frame_of(case)), title


def test_a_device_may_publish_to_its_own_branch_only() -> None:
    branch = ADAPTERS["vaka"].manifest.branch.format(native_id="kommun/d17").split("/")
    assert matches(branch, ["vaka", "1", "kommun", "d17", "event"])
    assert not matches(branch, ["vaka", "1", "kommun", "d18", "event"])
