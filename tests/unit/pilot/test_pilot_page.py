"""The page and its data: traced, private, in two languages, and the same for the same data."""

import json
import re
import tomllib
from html import unescape
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gateway.__main__ import app
from gateway.model.pilot import Input, Measure
from gateway.model.vocabulary import DeviceKind
from gateway.pilot.ask import QUERIES, query
from gateway.pilot.compare import products_compared
from gateway.pilot.figures import Figure, Figures
from gateway.pilot.page import as_data, as_html
from gateway.pilot.run import figures_of
from gateway.pilot.words import Words
from tests.unit.pilot.pilot_kit import Notebook
from tests.unit.pilot.two_days import two_days

RUN = CliRunner()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pilot")
    two_days().write(folder)
    return folder


@pytest.fixture(scope="module")
def found(place: Path) -> Figures:
    return figures_of(place, "p")


def plain(page: str) -> str:
    """What a reader sees of a page, without styles and drawings."""
    page = re.sub(r"<style>.*?</style>|<svg.*?</svg>", "", page, flags=re.DOTALL)
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page)))


def test_the_same_data_gives_the_same_bytes(place: Path, found: Figures) -> None:
    again = figures_of(place, "p")

    assert as_html(again, "sv", "r.json") == as_html(found, "sv", "r.json")
    assert as_data(again) == as_data(found)


def test_every_number_of_a_table_leads_to_its_query_and_every_query_to_its_words(found: Figures) -> None:
    page = as_html(found, "en", "r.json")
    linked = set(re.findall(r'href="#q-([a-z_]+)"', page))

    assert linked <= set(QUERIES)
    assert linked >= set(QUERIES) - {"battery", "scope", "availability_weeks", "doses_weeks"}
    assert set(re.findall(r'id="q-([a-z_]+)"', page)) == set(QUERIES)
    tables = re.findall(r"<caption>.*?</caption>", page)
    assert [one for one in tables if "#q-" not in one] == ["<caption>Queries to the data</caption>"]


def test_every_figure_of_the_data_names_a_query_whose_text_stands_beside_it(found: Figures) -> None:
    document = json.loads(as_data(found))

    assert {one["query"] for one in document["figures"]} <= set(document["queries"])
    assert document["queries"]["doses"]["sql"] == query("doses")
    assert all({"value", "unit", "rows", "query"} <= set(one) for one in document["figures"])


@pytest.mark.parametrize("language", ["sv", "en"])
def test_neither_page_nor_data_names_a_person_a_home_or_staff(found: Figures, language: Any) -> None:
    told = plain(as_html(found, language, "r.json")) + as_data(found).decode()

    refs = [r"person-\d", r"\bh\d\b", "anna", "team-day", "team-night", r"\b[AB]-\d\b", r"cam-\d", r"lock-\d"]
    assert [ref for ref in refs if re.search(ref, told)] == []


def test_a_hidden_number_stands_nowhere(found: Figures) -> None:
    document = json.loads(as_data(found))
    hidden = [one for one in document["figures"] if one["hidden"]]

    assert hidden
    assert all(one["value"] is None and one["rows"] is None for one in hidden)


def test_a_head_of_unit_reads_the_five_answers_first(found: Figures) -> None:
    top = plain(as_html(found, "en", "r.json")).partition("Contents")[0].replace("\u00a0", " ")

    assert "86.2 %" in top
    assert "3 of 20" in top
    assert "1.0 to 6.2 h" in top
    assert "\u2212220 kr to 3 300 kr" in top
    assert "For 4 doses there is no word" in top
    assert top.count("Uncertain: the devices were silent") == 2
    assert "The range crosses zero" in top
    assert "Cannot be judged" in top
    assert "Only 3 real alarms" in top


def test_a_promise_is_judged_when_there_are_alarms_enough(tmp_path: Path) -> None:
    book = two_days()
    for n in range(7):
        book.alert(
            "cam-4", "abnormal_look", "high", 2 + n, outcome="real", on_site_s=60, closed_s=90, to="team-day"
        )
    page = plain(as_html(book.figures(tmp_path), "en", "r.json")).replace("\u00a0", " ")

    assert "Not kept 8 of 10 real alarms had somebody on site within 30 minutes (80 %)" in page
    assert "For 1 of them no arrival is on record" in page


def test_what_is_missing_is_said_to_be_missing(tmp_path: Path) -> None:
    book = Notebook()
    book.pilot(products=["P"])
    book.home("h0", "p0")
    book.device("d0", "social_alarm", "P", "h0", "p0")
    book.said("d0", "heartbeat", 1)
    figures = book.figures(tmp_path)
    for language in ("sv", "en"):
        page = plain(as_html(figures, language, "r.json"))
        assert Words(language)("summary.benefit_missing") in page
        assert Words(language)("summary.availability_missing") in page
        assert Words(language)("summary.promise_none") in page


class Structure(HTMLParser):
    """Headings in order, pictures without words, ids that stand twice."""

    def __init__(self) -> None:
        super().__init__()
        self.levels: list[int] = []
        self.ids: list[str] = []
        self.speechless: list[str] = []
        self.captions = self.tables = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        if re.fullmatch(r"h[1-6]", tag):
            self.levels.append(int(tag[1]))
        if told.get("id"):
            self.ids.append(str(told["id"]))
        if told.get("role") == "img" and not told.get("aria-label"):
            self.speechless.append(tag)
        if tag == "svg" and told.get("aria-hidden") != "true":
            self.speechless.append(tag)
        self.captions += tag == "caption"
        self.tables += tag == "table"


@pytest.mark.parametrize("language", ["sv", "en"])
def test_the_page_can_be_read_by_who_does_not_see_it(tmp_path: Path, language: Any) -> None:
    figures = two_days(last_day="2026-01-31").figures(tmp_path, now_hour=24 * 20)
    page = as_html(figures, language, "r.json")
    seen = Structure()
    seen.feed(page)

    assert page.count('role="img"') == 3
    assert seen.speechless == []
    assert seen.captions == seen.tables
    assert len(seen.ids) == len(set(seen.ids))
    assert seen.levels[0] == 1
    assert all(after - before <= 1 for before, after in zip(seen.levels, seen.levels[1:], strict=False))
    assert f'<html lang="{language}">' in page
    assert not re.search(r'(src|href)="(https?:)?//', page)


def texts(language: str) -> dict[str, dict[str, str]]:
    file = resources.files("gateway.pilot") / "texts" / f"{language}.toml"
    return tomllib.loads(file.read_text(encoding="utf-8"))


def test_both_languages_have_the_same_words_with_the_same_values() -> None:
    def shape(language: str) -> dict[str, set[str]]:
        return {
            f"{section}.{key}": set(re.findall(r"\{(\w+)\}", text))
            for section, words in texts(language).items()
            for key, text in words.items()
        }

    assert shape("sv") == shape("en")


def test_every_name_that_a_record_can_have_has_its_words() -> None:
    words = texts("sv")

    assert set(words["baseline"]) == set(Measure)
    assert set(words["input"]) == set(Input)
    assert set(words["query"]) == set(QUERIES)
    assert {kind.value for kind in DeviceKind} - {"gps_tracker"} <= set(words["technology"])


@pytest.mark.parametrize(
    ("unit", "value", "shown"),
    [
        ("percent", 99.97, "99,9 %"),
        ("percent", 100, "100 %"),
        ("percent", 0.004, "0,1 %"),
        ("seconds", 90, "90 s"),
        ("seconds", 2.345, "2,3 s"),
        ("seconds", 1234, "21 min"),
        ("seconds", 9000, "2,5 h"),
        ("hours", 48, "2 dygn"),
        ("days", 83.9, "83 dygn"),
        ("kr", 123_456, "123 000 kr"),
        ("kr", -4321, "\u22124 300 kr"),
        ("number", 1234.5, "1 234,5"),
    ],
)
def test_numbers_are_shown_as_people_read_them(unit: str, value: float, shown: str) -> None:
    figure = Figure(query="q", measure="m", value=value, unit=unit, rows=1)

    assert Words("sv").figure(figure).replace("\u00a0", " ") == shown


def test_products_are_compared_side_by_side_with_a_warning_where_homes_are_few(found: Figures) -> None:
    compared = products_compared(found, "Product A", "Product B")
    lines = {line.measure: line.difference for line in compared.lines}

    assert lines["availability"] == pytest.approx(80 - 92.5)
    assert lines["doses_missed_share"] == pytest.approx(10)
    assert lines["alerts_device_month"] is None
    assert compared.warnings == [("few_homes", {"a": "5", "b": "5"})]


def test_different_kinds_of_devices_are_compared_with_a_warning(found: Figures) -> None:
    assert ("kinds", {}) in products_compared(found, "Product A", "Cam").warnings


def test_the_commands_list_report_and_compare(place: Path, tmp_path: Path) -> None:
    data = ["--data", str(place)]
    listed = RUN.invoke(app, ["pilot", "list", *data])
    assert listed.stdout == "p  2026-01-05 to 2026-01-06  Two dispensers\n"

    page = tmp_path / "report.html"
    assert RUN.invoke(app, ["pilot", "report", "p", "--out", str(page), *data]).exit_code == 0
    assert "Sammanfattning" in page.read_text()
    assert json.loads(page.with_suffix(".json").read_text())["pilot"] == "p"

    out = tmp_path / "compare.html"
    words = ["pilot", "compare", "p", "--products", "Product A", "Product B", "--lang", "en"]
    told = RUN.invoke(app, [*words, "--out", str(out), *data])
    assert told.exit_code == 0
    assert re.search(r"Availability\s+92.5.%\s+80.%\s+\u221212.5.percentage points", told.stdout)
    assert "Warning: only 5 and 5 homes" in out.read_text()

    both = RUN.invoke(app, ["pilot", "compare", "p", "--with", str(place), *data])
    assert both.exit_code == 0
    assert "+" not in both.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["report", "q"], "pilot: found 'q'; allowed: p"),
        (
            ["report", "p", "--out", "x.json"],
            "--out: found x.json; allowed: a name that does not end in .json",
        ),
        (["compare", "p"], "compare: found neither or both"),
        (
            ["compare", "p", "--products", "Product A", "Product C"],
            "products: found 'Product C'; allowed: Cam",
        ),
    ],
)
def test_a_mistake_is_one_clear_line(place: Path, words: list[str], said: str) -> None:
    result = RUN.invoke(app, ["pilot", *words, "--data", str(place)])

    assert result.exit_code == 2
    assert result.stderr.startswith(said)
    assert len(result.stderr.splitlines()) == 1


def test_a_pilot_that_has_not_begun_has_nothing_to_tell(tmp_path: Path) -> None:
    two_days(first_day="2027-01-01", last_day="2027-01-02").write(tmp_path)
    result = RUN.invoke(app, ["pilot", "report", "p", "--data", str(tmp_path)])

    assert result.exit_code == 2
    assert "allowed: data after 2026-12-31T23:00:00+00:00" in result.stderr
