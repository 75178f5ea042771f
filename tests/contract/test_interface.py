"""The published documents: complete, valid, equal to the code, in two versions at once."""

import json
import re
import shutil
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from adapters.vaka import ADAPTER
from gateway.commands.interface import app
from gateway.conformance.declaration import read_declaration
from gateway.contract import Undecodable
from gateway.contract.adapter import Manifest
from gateway.interface.documents import adapter_documents, all_documents, published
from gateway.interface.reports import handed_in
from gateway.interface.version import VERSIONS, Version, read_version
from gateway.model.codes import CODE_MAP
from gateway.model.frame import Frame, Transport
from gateway.model.reading import Ignored, Reading
from gateway.model.vocabulary import VOCABULARY, Values
from gateway.pipeline.decode import AdapterTable
from gateway.plugins import load_adapters

ROOT = Path(__file__).parents[2]
RECEIVED = datetime(2026, 2, 3, 20, 15, tzinfo=UTC)
V1 = VERSIONS["v1"]
AGAIN = "run scripts/interface-docs"
MESSAGES = ("Envelope", "Status", "Measurement", "Batch", "Command", "Grant", "Result", "Config")
PARTS = ("Geofence", "Dose", "Look", "GrantKey", "Radio")


def schema(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(published()[f"v1/schema/{name}.json"])
    return found


def valid(name: str, body: object) -> bool:
    checker = Draft202012Validator.FORMAT_CHECKER
    return Draft202012Validator(schema(name), format_checker=checker).is_valid(body)


def frame(branch: str, payload: bytes, root: str = "vaka/1") -> Frame:
    return Frame(Transport.MQTT, f"{root}/kommun/d17/{branch}", payload, RECEIVED)


SCHEMAS = [path for path in published() if path.startswith("v1/schema/") and path.endswith(".json")]
EXAMPLES = [path for path in published() if path.startswith("v1/examples/") and path.endswith(".json")]


@pytest.mark.parametrize("path", SCHEMAS)
def test_a_schema_is_a_schema(path: str) -> None:
    found = json.loads(published()[path])
    Draft202012Validator.check_schema(found)
    assert found["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("path", EXAMPLES)
def test_an_example_is_valid_by_its_schema(path: str) -> None:
    name = path.removeprefix("v1/examples/").removesuffix(".json")
    body = json.loads(published()[path])
    found = schema("status" if name == "will" else name)
    Draft202012Validator(found, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(body)


@pytest.mark.parametrize("path", [path for path in EXAMPLES if "/event/" in path])
def test_an_example_of_an_event_is_read_by_the_gateway_and_shows_known_fields_only(path: str) -> None:
    (reading,) = ADAPTER.decode(frame("event", published()[path].encode()))
    assert isinstance(reading, Reading)
    assert f"/{reading.type}.json" in path
    data = json.loads(published()[path])["data"]
    assert set(data) <= set(VOCABULARY[reading.type].values.__struct_fields__)


@pytest.mark.parametrize("name", ["status", "telemetry", "result"])
def test_an_example_of_another_branch_is_read_by_the_gateway(name: str) -> None:
    assert ADAPTER.decode(frame(name, published()[f"v1/examples/{name}.json"].encode()))


def test_the_example_of_a_grant_is_signed_with_the_key_of_the_example_of_a_configuration() -> None:
    examples = V1.examples
    header, claims, signature = examples["command"]["grant"].split(".")
    (key,) = examples["config"]["grant_keys"]

    def raw(part: str) -> bytes:
        return urlsafe_b64decode(part + "=" * (-len(part) % 4))

    Ed25519PublicKey.from_public_bytes(raw(key["x"])).verify(raw(signature), f"{header}.{claims}".encode())
    assert json.loads(raw(header)) == {"alg": "EdDSA", "kid": key["kid"]}
    assert json.loads(raw(claims)) == examples["grant"]


def golden() -> Iterator[Any]:
    for path in sorted((ROOT / "adapters" / "vaka" / "frames").glob("*.json")):
        case = json.loads(path.read_text())
        branch = case["topic"].rpartition("/")[2]
        if branch in {"event", "status", "telemetry", "result"} and "payload" in case:
            yield pytest.param(branch, case["payload"], id=path.stem)


BEYOND_A_SCHEMA = {"VDI-EVT-05", "VDI-ENC-01", "VDI-ENC-02", "VDI-MQTT-01", "VDI-MQTT-03"}
"""Clauses that tell of the topic, the bytes or the calendar: a schema of the body cannot know."""


@pytest.mark.parametrize(("branch", "payload"), list(golden()))
def test_the_schema_and_the_gateway_judge_alike(branch: str, payload: str) -> None:
    try:
        ADAPTER.decode(frame(branch, payload.encode()))
        clause = ""
    except Undecodable as error:
        clause = error.clause
    try:
        body = json.loads(payload)
    except RecursionError:
        assert clause == "VDI-ENC-02"
        return
    except ValueError:
        assert branch == "status" or clause in {"VDI-ENC-02", "VDI-MQTT-03"}
        return
    if clause in BEYOND_A_SCHEMA or "out" in clause or "9999" in payload or "0001-01" in payload:
        return
    name = branch
    if branch == "event" and isinstance(body, dict):
        known = [word.name for _, word, _ in V1.words() if V1.wire(word) == body.get("type")]
        if not known:
            assert clause
            return
        name = f"event/{known[0]}"
    assert valid(name, body) is (clause == "")


VALUES: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**54), 2**54),
    st.floats(-1e9, 1e9).filter(lambda one: not one.is_integer()),  # 1.0 is whole to a schema, not to us
    st.sampled_from(
        ["", "x", "x" * 129, "x" * 513, "synced", "phone", "2026-02-03T20:00:00+01:00", "2026-02-03"]
    ),
    st.just([]),
    st.just({}),
)


@st.composite
def damaged(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """An example with one field of the envelope or the data taken out, put in or made something else."""
    name = draw(st.sampled_from(sorted(word.name for _, word, _ in V1.words())))
    body: dict[str, Any] = json.loads(published()[f"v1/examples/event/{name}.json"])
    inside = draw(st.booleans())
    place = body["data"] if inside else body
    fields = VOCABULARY[name].values.__struct_fields__ if inside else tuple(set(body) - {"type"})
    field = draw(st.sampled_from(sorted(fields)))
    if draw(st.booleans()):
        place.pop(field, None)
    else:
        place[field] = draw(VALUES)
    return name, body


@given(damaged())
@settings(max_examples=300)
def test_the_schema_and_the_gateway_judge_damaged_events_alike(case: tuple[str, dict[str, Any]]) -> None:
    name, body = case
    try:
        ADAPTER.decode(frame("event", json.dumps(body).encode()))
        clause = ""
    except Undecodable as error:
        clause = error.clause
    if clause not in BEYOND_A_SCHEMA:
        assert valid(f"event/{name}", body) is (clause == ""), clause


def test_every_word_has_a_text_an_example_a_schema_and_a_place_on_the_page() -> None:
    told = [word.name for _, word, _ in V1.words()]
    assert sorted(told) == sorted(set(told))
    assert set(told) == set(VOCABULARY), "words.toml: one entry for every word of the vocabulary"
    page = published()["v1/index.md"]
    assert [word for word in VOCABULARY.values() if f"\n#### {V1.wire(word)}\n" not in page] == []
    assert set(told) == set(CODE_MAP.word)


def structs() -> set[type[msgspec.Struct]]:
    return {word.values for word in VOCABULARY.values()} | {V1.message(name) for name in (*MESSAGES, *PARTS)}


def test_every_field_has_a_text_and_no_text_is_of_a_field_that_is_gone() -> None:
    known = {
        base.__name__: set(base.__struct_fields__)
        for struct in structs()
        for base in struct.__mro__
        if issubclass(base, msgspec.Struct) and base is not msgspec.Struct
    }
    gone = {
        f"{name}.{field}"
        for name, fields in V1.texts.items()
        for field in fields
        if field not in known.get(name, ())
    }
    assert gone == set()
    assert {field for struct in structs() for field in struct.__struct_fields__} <= {
        field for fields in V1.texts.values() for field in fields
    }


def test_every_code_of_a_closed_list_has_its_meaning_on_the_page() -> None:
    page = published()["v1/index.md"]
    for codes in V1.codes.values():
        for code, meaning in codes.items():
            assert f"`{code}` - {meaning}" in page


def test_the_page_has_every_clause_with_its_level() -> None:
    page = published()["v1/index.md"]
    assert len(V1.clauses) >= 27
    assert [clause.id for clause in V1.clauses if f"| {clause.id} | {clause.level} |" not in page] == []


def test_every_link_within_the_documents_leads_somewhere() -> None:
    found = {**published(), **adapter_documents(load_adapters())}
    for path, text in found.items():
        if path.endswith(".html"):
            here = Path(path).parent
            anchors = set(re.findall(r' id="([^"]+)"', text))
            for target in re.findall(r'href="(?!https?:)([^"]+)"', text):
                name, _, anchor = target.partition("#")
                assert not anchor or name or anchor in anchors, (path, target)
                assert not name or (Path("/") / here / name).resolve().relative_to("/").as_posix() in found


def test_a_page_needs_nothing_beside_it() -> None:
    for path, text in published().items():
        if path.endswith(".html"):
            assert not re.search(r"<(script|link|img|iframe)|@import|url\(", text), path
            assert '<html lang="en">' in text


def test_the_committed_copies_are_what_the_code_makes() -> None:
    folder = ROOT / "docs" / "interface"
    kept = {p.relative_to(folder).as_posix(): p.read_text("utf-8") for p in folder.rglob("*") if p.is_file()}
    made = dict(published())
    assert sorted(kept) == sorted(made), AGAIN
    assert [path for path, text in made.items() if kept[path] != text] == [], AGAIN


def test_the_catalogue_of_adapters_is_what_the_code_makes() -> None:
    assert (ROOT / "docs" / "adapters.md").read_text("utf-8") == catalogue_made(), AGAIN


def catalogue_made() -> str:
    return adapter_documents(load_adapters(), handed_in(ROOT / "docs" / "conformance"))["catalogue.md"]


# -- two versions at once


@pytest.fixture
def second(tmp_path: Path) -> Version:
    """A second version, made of data: other topics and types, one word less, and a state of its own."""
    folder = tmp_path / "v2"
    shutil.copytree(ROOT / "gateway" / "interface" / "v1", folder)
    for path in folder.iterdir():
        text = path.read_text().replace("vaka/1", "vaka/2")
        path.write_text(re.sub(r"(vaka\.[a-z_.]+\.)v1", r"\1v2", text))
    about = (folder / "version.toml").read_text()
    for before, after in (
        ('id = "v1"', 'id = "v2"'),
        ("version 1", "version 2"),
        ('suffix = "v1"', 'suffix = "v2"'),
        ("leaves_out = []", 'leaves_out = ["camera.moved"]'),
    ):
        assert before in about
        about = about.replace(before, after)
    (folder / "version.toml").write_text(about)
    clauses = [msgspec.structs.replace(one, en=one.en.replace("vaka/1", "vaka/2")) for one in V1.clauses]
    return read_version(folder, clauses=tuple(clauses))


class SecondAdapter:
    """Reads version 2, which is version 1 with other names."""

    manifest = Manifest(
        id="vaka2",
        product="Devices that speak version 2",
        version="2",
        topics=("vaka/2/+/+/+",),
        branch="vaka/2/{native_id}/#",
        inbox="vaka/2/{native_id}/+",
    )

    def decode(self, frame: Frame) -> list[Reading | Ignored]:
        body = json.loads(frame.payload)
        body["type"] = body["type"].replace(".v2", ".v1")
        payload = json.dumps(body).encode()
        return list(
            ADAPTER.decode(
                msgspec.structs.replace(
                    frame, channel=frame.channel.replace("vaka/2", "vaka/1"), payload=payload
                )
            )
        )


def test_a_second_version_stands_beside_the_first_and_changes_nothing_in_it(second: Version) -> None:
    both = all_documents({"v1": V1, "v2": second})
    first = {path: text for path, text in both.items() if path.startswith("v1/")}
    assert first == {path: text for path, text in published().items() if path.startswith("v1/")}
    assert "vaka/2/{tenant}/{device}/event" in both["v2/index.md"]
    assert "vaka.lock.unlocked.v2" in both["v2/index.md"]
    assert "vaka/1/" not in both["v2/index.md"]
    assert "v2/schema/event/camera.moved.json" not in both
    assert "v2/schema/event/lock.unlocked.json" in both
    assert "(v1/index.md)" in both["index.md"]
    assert "(v2/index.md)" in both["index.md"]


def test_devices_of_both_versions_are_read_side_by_side(second: Version) -> None:
    table = AdapterTable([ADAPTER, SecondAdapter()])
    both = all_documents({"v1": V1, "v2": second})
    for name, root in (("v1", "vaka/1"), ("v2", "vaka/2")):
        payload = both[f"{name}/examples/event/lock.unlocked.json"].encode()
        found = table.find(f"{root}/kommun/d17/event")
        assert found is not None
        (reading,) = found.decode(frame("event", payload, root))
        assert isinstance(reading, Reading)
        assert (reading.type, reading.native_id) == ("lock.unlocked", "kommun/d17")


def test_a_deprecated_version_says_so_first(second: Version) -> None:
    about = msgspec.structs.replace(
        second.about, state="deprecated", replaced_by="v3", served_until="2032-01-01"
    )
    page = all_documents({"v2": msgspec.structs.replace(second, about=about)})["v2/index.md"]
    head = page.partition("## Quick start")[0]
    assert "This version is deprecated." in head
    assert "2032-01-01" in head


def test_the_declaration_on_the_page_is_one_that_the_kit_takes(tmp_path: Path) -> None:
    (text,) = re.findall(r"```toml\n(.*?)```", published()["v1/index.md"], flags=re.DOTALL)
    path = tmp_path / "device.toml"
    path.write_text(text)
    assert read_declaration(path).pics.commands == ("lock", "unlock")


def test_values_common_to_all_data_are_told_once() -> None:
    page = published()["v1/index.md"]
    for field in Values.__struct_fields__:
        assert page.count(f"\n| `{field}` |") == 1


def test_the_command_writes_every_document_and_says_in_one_line_what_it_cannot_write(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["write", "--out", str(tmp_path / "made")])
    assert done.exit_code == 0
    assert (tmp_path / "made" / "v1" / "index.html").read_text("utf-8") == published()["v1/index.html"]
    assert (tmp_path / "made" / "catalogue.md").is_file()
    (tmp_path / "a file").write_text("")
    done = CliRunner().invoke(app, ["write", "--out", str(tmp_path / "a file")])
    assert done.exit_code == 2
    assert done.stderr.count("\n") == 1
    assert "a file" in done.stderr
