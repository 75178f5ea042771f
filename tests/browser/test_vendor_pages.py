"""What a maker of devices reads, the interface's pages and the kit's report, on a phone and on a screen."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from gateway.conformance.prompts import Language
from gateway.conformance.report import CaseResult, Device, Kit, PacketLine, Report
from gateway.conformance.run import Standing
from gateway.conformance.verdict import Finding, Verdict
from gateway.conformance.written import write_forms
from gateway.contract.clauses import clauses_of
from gateway.interface import catalogue
from gateway.interface.documents import adapter_documents, published, write
from gateway.plugins import load_adapters

pytestmark = pytest.mark.browser

SHOTS = os.environ.get("VAKA_SCREENSHOTS")
WIDTHS = (320, 360, 768, 1280)
OVERFLOWING = """() => [...document.querySelectorAll('body *')]
  .filter(e => !e.matches('.skip, thead, thead *, .scroll *, pre *'))
  .filter(e => e.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
  .map(e => e.tagName + ': ' + e.textContent.trim().slice(0, 60))"""
SQUEEZED = """() => [...document.querySelectorAll('caption, .level, .verdict')]
  .filter(e => e.textContent.trim() && e.getClientRects().length && !e.closest('.skip'))
  .filter(e => {
    const range = document.createRange();
    range.selectNodeContents(e);
    const lines = new Set([...range.getClientRects()].map(r => Math.round(r.top))).size;
    return lines > 1 + e.textContent.trim().length / 12;
  }).map(e => e.tagName + ': ' + e.textContent.trim().slice(0, 60))"""
"""Words that stand in columns of single letters, because nothing keeps their box open."""
MIDNIGHT = datetime(2026, 2, 3, tzinfo=UTC)


def report() -> Report:
    """Return a report with every clause, every verdict and packets that findings point to."""
    verdicts = list(Verdict)
    clauses = tuple(
        Standing(
            one.id, one.level, one.en, "" if place % 4 else "En svensk text.", verdicts[place % 5], "as it is"
        )
        for place, one in enumerate(clauses_of("v1"))
    )
    findings = (Finding(Verdict.FAIL, "the same id came twice with other content", (1,)),)
    case = CaseResult("TC-EVT-02", ("VDI-EVT-02",), "Says it.", "Säger det.", "operate", 1.0, 2.0, findings)
    packet = PacketLine(
        1, 1.5, 1, "from device", "PUBLISH", "passed", 90, "41" * 90, "vaka/1/demo/lock-1/event"
    )
    return Report(
        verdict=Verdict.FAIL,
        device=Device("Leverantör med ett mycket långt namn AB", "Dörrlåsautomatik", "1.0.0-rc.1", "lock"),
        kit=Kit("0.1.0", "a" * 64, 1),
        counterpart="the kit's own listener",
        began_at=MIDNIGHT,
        ended_at=MIDNIGHT,
        digests={"declaration": "b" * 64},
        declaration={},
        clauses=clauses,
        cases=(case,),
        exclusions=(),
        packets=(packet,),
    )


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        yield found
        found.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("pages")
    write_forms(report(), found)
    tested = catalogue.Tested(
        "Leverantör AB",
        "Lås",
        "1.0",
        "lock",
        "vaka/1",
        "0.1.0",
        "2026-02-03",
        "fail",
        "must: 1 fail, 24 pass",
    )
    write({**published(), **adapter_documents(load_adapters(), [tested])}, found)
    return found


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(offline=True)
    yield context.new_page()
    context.close()


@pytest.mark.parametrize(
    "name",
    ["report.sv.html", "report.en.html", "index.html", "v1/index.html", "policy.html", "catalogue.html"],
)
def test_nothing_overflows_and_no_word_is_squeezed_at_any_width(
    page: Page, folder: Path, name: str, tmp_path: Path
) -> None:
    page.goto((folder / name).as_uri())
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width, width
        assert page.evaluate(OVERFLOWING) == [], width
        assert page.evaluate(SQUEEZED) == [], width
        target = Path(SHOTS) if SHOTS else tmp_path
        page.screenshot(path=str(target / f"{name.replace('/', '-')}-{width}.png"))


@pytest.mark.parametrize("language", ["sv", "en"])
def test_a_clause_says_in_which_language_its_text_is(page: Page, folder: Path, language: Language) -> None:
    page.goto((folder / f"report.{language}.html").as_uri())
    found = page.eval_on_selector_all(
        "#clauses + table th[scope=row] span[lang]", "all => all.map(e => [e.lang, e.textContent])"
    )
    assert len(found) == len(clauses_of("v1"))
    assert {lang for lang, text in found if text == "En svensk text."} == (
        {"sv"} if language == "sv" else set()
    )
    assert {lang for lang, text in found if text != "En svensk text."} == {"en"}
