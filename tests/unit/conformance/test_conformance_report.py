"""What a run leaves: JSON, JUnit XML, pages in two languages, and a statement that holds what was signed."""

import base64
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from test_conformance_run import Rule, case, conducted, giving
from virtual_bench import PASSWORD

from gateway.conformance import statement as signed
from gateway.conformance.bench import Bench
from gateway.conformance.case import Drive
from gateway.conformance.page import as_html, dump, texts
from gateway.conformance.report import Report, as_json, read_report
from gateway.conformance.verdict import Finding, Verdict, failed, passed
from gateway.conformance.written import summary, write_forms, write_json
from gateway.contract import ConfigurationError
from gateway.interface.catalogue import catalogue
from gateway.interface.reports import handed_in


async def unlocks(bench: Bench) -> Finding:
    mark = bench.mark()
    await bench.trigger("lock.unlocked")
    event = await bench.wait(10, mark, word="lock.unlocked")
    return passed("it says so", event.number) if event else failed("it says nothing")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Report:
    folder = tmp_path_factory.mktemp("store")
    firmware = folder / "firmware.bin"
    firmware.write_bytes(b"\x7fELF of a lock")
    cases = [
        case("VDI-EVT-03", unlocks, Drive.OPERATE),
        case("VDI-EVT-02", giving(failed("the same id <twice>\x00", 1, 2))),
        case("VDI-TEL-01", giving(passed("good")), needs=frozenset({"telemetry"})),
    ]
    clauses = [Rule(one) for one in ("VDI-EVT-02", "VDI-EVT-03", "VDI-TEL-01", "VDI-MQTT-09")]
    return conducted(folder, cases, clauses, device={"firmware_file": str(firmware)})[1]


def test_the_json_master_reads_back_as_it_was_written(made: Report, tmp_path: Path) -> None:
    data = write_json(made, tmp_path)
    again = read_report(tmp_path / "report.json")
    assert as_json(again) == data
    assert again.verdict is Verdict.FAIL
    assert set(again.digests) == {"declaration", "firmware"}
    assert re.fullmatch(r"[0-9a-f]{64}", again.kit.digest)


def test_the_catalogue_of_tested_products_is_made_from_what_the_kit_wrote(
    made: Report, tmp_path: Path
) -> None:
    folder = tmp_path / "conformance" / "lock-of-a-maker"
    folder.mkdir(parents=True)
    data = write_json(made, folder)
    write_forms(made, folder)
    claim = signed.statement(made, data, "self-declared")
    envelope = signed.sign(claim, Ed25519PrivateKey.generate())
    (folder / "statement.dsse.json").write_bytes(envelope)
    (tested,) = handed_in(tmp_path / "conformance")
    device = made.device
    assert (tested.vendor, tested.product, tested.firmware) == (
        device.vendor,
        device.product,
        device.firmware,
    )
    assert (tested.result, tested.interface, tested.kit) == ("fail", "vaka/1", made.kit.version)
    counted = [f"{made.count('must', verdict)} {verdict.value}" for verdict in Verdict]
    assert tested.figures == "must: " + ", ".join(
        sorted((one for one in counted if one[0] != "0"), key=lambda one: one.partition(" ")[2])
    )
    row = next(line for line in catalogue([], [tested]).splitlines() if device.product in line)
    assert f"| fail | {tested.figures} | {made.ended_at.date().isoformat()} |" in row
    assert handed_in(tmp_path / "nowhere") == []


def test_no_form_holds_the_password(made: Report, tmp_path: Path) -> None:
    write_json(made, tmp_path)
    write_forms(made, tmp_path)
    for file in tmp_path.iterdir():
        content = file.read_bytes()
        assert PASSWORD.encode() not in content
        assert PASSWORD.encode().hex().encode() not in content


def test_a_file_that_is_no_report_gives_one_clear_line(tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text('{"form": "something else"}')
    with pytest.raises(ConfigurationError, match="allowed: a JSON report of"):
        read_report(other)


def test_junit_has_every_case_with_its_clauses_and_its_failure(made: Report, tmp_path: Path) -> None:
    write_forms(made, tmp_path)
    suite = ET.parse(tmp_path / "junit.xml").getroot()[0]  # noqa: S314 - written a moment ago by ourselves
    tests = {one.attrib["name"].partition(" ")[0]: one for one in suite.findall("testcase")}
    assert set(tests) == {
        *("TC-PICS-01", "TC-VDI-EVT-03", "TC-VDI-EVT-02", "TC-VDI-TEL-01", "TC-PICS-02", "VDI-MQTT-09"),
    }
    failure = tests["TC-VDI-EVT-02"].find("failure")
    assert failure is not None
    assert failure.attrib["message"].startswith("the same id <twice>")
    properties = [one.attrib["value"] for one in tests["TC-VDI-EVT-02"].iter("property")]
    assert properties == ["VDI-EVT-02"]
    counted = (suite.attrib["tests"], suite.attrib["failures"], suite.attrib["skipped"])
    assert counted == ("6", "1", "2")


class Page(HTMLParser):
    """Collects ids, links and the outline."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.headings: list[int] = []
        self.lang = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "html":
            self.lang = values.get("lang") or ""
        if found := values.get("id"):
            self.ids.append(found)
        if tag == "a":
            self.links.append(values.get("href") or "")
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append(int(tag[1]))


@pytest.mark.parametrize("language", ["sv", "en"])
def test_a_page_leads_from_clause_to_case_to_the_bytes_and_every_link_in_it_leads_somewhere(
    made: Report, language: Any
) -> None:
    text = as_html(made, language, "other.html")
    page = Page(text)
    assert page.lang == language
    assert len(page.ids) == len(set(page.ids))
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    assert page.headings[0] == 1
    assert all(after - before <= 1 for before, after in zip(page.headings, page.headings[1:], strict=False))
    assert "&lt;twice&gt;" in text
    assert "<twice>" not in text
    assert "76 61 6b 61" in text  # "vaka", in the evidence


def test_both_languages_have_the_same_words() -> None:
    def keys(table: dict[str, Any], before: str = "") -> set[str]:
        found: set[str] = set()
        for name, value in table.items():
            found |= keys(value, f"{before}{name}.") if isinstance(value, dict) else {f"{before}{name}"}
        return found

    assert keys(texts("sv")) == keys(texts("en"))


def test_bytes_are_shown_with_offset_and_text() -> None:
    assert dump(b"\x30\x05hello" + bytes(12)).splitlines() == [
        "0000  30 05 68 65 6c 6c 6f 00 00 00 00 00 00 00 00 00  0.hello.........",
        "0010  00 00 00                                         ...",
    ]


def test_the_summary_names_what_is_no_pass_and_ends_with_the_verdict(made: Report) -> None:
    lines = list(summary(made))
    assert any("VDI-EVT-02" in line for line in lines)
    assert any("VDI-MQTT-09: no case tests it" in line for line in lines)
    assert lines[-1] == "verdict: fail"


def test_a_statement_is_in_toto_in_dsse_and_verifies_with_the_key_that_signed_it(made: Report) -> None:
    key = Ed25519PrivateKey.generate()
    data = as_json(made)
    envelope = signed.sign(signed.statement(made, data, "witnessed"), key)
    raw = json.loads(envelope)
    assert raw["payloadType"] == "application/vnd.in-toto+json"
    payload = base64.b64decode(raw["payload"])
    # what DSSE signs, written out by hand from its specification
    authenticated = b"DSSEv1 28 application/vnd.in-toto+json %d " % len(payload) + payload
    key.public_key().verify(base64.b64decode(raw["signatures"][0]["sig"]), authenticated)
    claimed = signed.verified(envelope, key.public_key())
    assert claimed["_type"] == "https://in-toto.io/Statement/v1"
    assert claimed["predicateType"] == "https://in-toto.io/attestation/test-result/v0.1"
    assert claimed["predicate"]["result"] == "FAILED"
    assert claimed["predicate"]["failedTests"] == ["VDI-EVT-02"]
    assert signed.grade_of(claimed) == "witnessed"
    digests = signed.digests_of(claimed)
    assert digests["Exempel AB/L1/1.0.0"] == made.digests["firmware"]
    assert digests["declaration"] == made.digests["declaration"]


def test_a_changed_statement_or_another_key_is_refused(made: Report) -> None:
    key = Ed25519PrivateKey.generate()
    claimed = signed.statement(made, as_json(made), "self-declared")
    envelope = json.loads(signed.sign(claimed, key))
    claimed["predicate"]["result"] = "PASSED"
    forged = envelope | {"payload": base64.b64encode(json.dumps(claimed).encode()).decode()}
    for content, public in (
        (forged, key.public_key()),
        (envelope, Ed25519PrivateKey.generate().public_key()),
        ({}, key.public_key()),
        (envelope | {"payload": "not base64!"}, key.public_key()),
    ):
        with pytest.raises(ConfigurationError, match="allowed"):
            signed.verified(json.dumps(content).encode(), public)


def test_a_key_is_readable_by_its_owner_only_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "vendor.pem"
    public = signed.make_key(path)
    assert path.stat().st_mode & 0o077 == 0
    key = signed.read_private(path)
    assert signed.key_id(key.public_key()) == signed.key_id(signed.read_public(public))
    before = path.read_bytes()
    with pytest.raises(ConfigurationError, match="found a file"):
        signed.make_key(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("read", [signed.read_private, signed.read_public])
def test_a_file_that_is_no_key_gives_one_clear_line(tmp_path: Path, read: Any) -> None:
    path = tmp_path / "key.pem"
    path.write_text("-----BEGIN NOTHING-----")
    with pytest.raises(ConfigurationError, match="allowed: an Ed25519"):
        read(path)
