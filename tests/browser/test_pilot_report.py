"""The report of a pilot as a head of unit meets it: on a phone, on a screen, and on paper."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from gateway.pilot.page import as_html
from tests.unit.pilot.two_days import two_days

pytestmark = pytest.mark.browser

SHOTS = os.environ.get("VAKA_SCREENSHOTS")
A4_MM = (210, 297)
A4_TEXT_PX = round((A4_MM[0] - 28) / 25.4 * 96)
"""The width of the text on paper, in the pixels of CSS."""
OVERFLOWING = """() => [...document.querySelectorAll('body *')]
  .filter(e => !e.closest('svg') && !e.matches('.skip, thead, thead *'))
  .filter(e => e.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
  .map(e => e.tagName + ': ' + e.textContent.trim().slice(0, 60))"""
CUT_OFF = """() => [...document.querySelectorAll('td, th, p, h1, h2, h3, li, caption')]
  .filter(e => e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== 'inline')
  .filter(e => !e.closest('thead')).map(e => e.tagName + ': ' + e.textContent.trim().slice(0, 60))"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        yield found
        found.close()


@pytest.fixture(scope="module", params=["sv", "en"])
def report(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pilot")
    name = "Läkemedelsautomater i ordinärt boende och på korttidsboendet Solgläntan"
    figures = two_days(last_day="2026-01-31", name=name).figures(folder, now_hour=24 * 24)
    path = folder / f"report-{request.param}.html"
    path.write_text(as_html(figures, request.param, "report.json"), encoding="utf-8")
    return path


@pytest.fixture
def opened(browser: Browser, report: Path) -> Iterator[Page]:
    """Open the report without any network; it may not ask for anything."""
    context = browser.new_context(viewport={"width": 360, "height": 740}, offline=True)
    page = context.new_page()
    asked, faults = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(report.as_uri())
    yield page
    context.close()
    assert asked == [report.as_uri()]
    assert not faults


def shoot(page: Page, name: str, folder: Path) -> None:
    target = Path(SHOTS) if SHOTS else folder
    target.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=str(target / f"{name}.png"), full_page=True)


@pytest.mark.parametrize("width", [320, 360, 768, 1280])
def test_nothing_overflows_at_any_width(opened: Page, width: int, tmp_path: Path) -> None:
    opened.set_viewport_size({"width": width, "height": 800})

    assert opened.evaluate("document.documentElement.scrollWidth") <= width
    assert opened.evaluate(OVERFLOWING) == []
    assert opened.evaluate(CUT_OFF) == []
    shoot(opened, f"pilot-report-{width}", tmp_path)


def test_the_five_answers_stand_above_everything_else(opened: Page) -> None:
    tops = opened.evaluate(
        "[...document.querySelectorAll('.answer')].map(e => e.getBoundingClientRect().top)"
    )
    first = opened.evaluate("document.querySelector('nav').getBoundingClientRect().top")

    assert len(tops) == 5
    assert max(tops) < first


def test_the_plots_are_drawn_as_wide_as_the_page_allows(opened: Page) -> None:
    boxes = opened.evaluate(
        "[...document.querySelectorAll('figure svg')].map(e => { const b = e.getBoundingClientRect();"
        " return [b.width, b.height] })"
    )

    assert len(boxes) == 3
    assert all(width > 300 and 100 < height < 600 for width, height in boxes)


def test_on_paper_nothing_is_cut_off_and_the_summary_fills_one_sheet(opened: Page, tmp_path: Path) -> None:
    opened.emulate_media(media="print")
    opened.set_viewport_size({"width": A4_TEXT_PX, "height": 1000})
    assert opened.evaluate("document.documentElement.scrollWidth") <= A4_TEXT_PX
    assert opened.evaluate(OVERFLOWING) == []
    assert opened.evaluate(CUT_OFF) == []
    summary_end = opened.evaluate(
        "document.querySelector('.summary').getBoundingClientRect().bottom + scrollY"
    )
    assert summary_end < (A4_MM[1] - 34) / 25.4 * 96
    shoot(opened, "pilot-report-print", tmp_path)

    printed = opened.pdf(prefer_css_page_size=True)
    sheets = len(re.findall(rb"/Type\s*/Page\b", printed))
    sizes = {
        tuple(round(float(n)) for n in box.split())
        for box in re.findall(rb"/MediaBox\s*\[([^\]]+)\]", printed)
    }
    assert 4 <= sheets <= 14
    assert sizes <= {(0, 0, 595, 842), (0, 0, 596, 842)}
    if SHOTS:
        (Path(SHOTS) / "pilot-report.pdf").write_bytes(printed)


def test_the_page_is_walked_by_keyboard_from_summary_to_query(opened: Page) -> None:
    opened.keyboard.press("Tab")
    assert opened.evaluate("document.activeElement.className") == "skip"
    opened.keyboard.press("Tab")
    assert opened.evaluate("document.activeElement.getAttribute('href')") == "#q-availability"
    opened.keyboard.press("Enter")
    opened.wait_for_function("location.hash === '#q-availability'")
    assert opened.locator("#q-availability").is_visible()
