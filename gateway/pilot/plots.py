"""Plots: few, large and plainly labelled, as SVG in the page; the same data give the same bytes."""

import io
import re
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import msgspec
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure as Drawing

from gateway.pilot.figures import Figures
from gateway.pilot.tables import Teller

STYLE: Any = {
    "svg.hashsalt": "vaka",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": 13,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "hatch.linewidth": 0.8,
}
SIZE_IN = (6.4, 3.8)
INK = "#1c262e"
LINES = (
    ("#14595b", "-", "o"),
    ("#a51c16", "--", "s"),
    ("#1d5686", "-.", "^"),
    ("#834600", ":", "D"),
    ("#4a5560", "-", "x"),
    ("#1a6638", "--", "v"),
)
"""Colour, dash and mark together: one of them is enough to tell two lines apart."""
BARS = (("missed", "#a51c16", ""), ("late", "#f2c9a0", "///"), ("no_word", "#ffffff", "..."))
LINES_OF_BENEFIT = ("night_visits", "dose_visits", "key_trips", "alarms", "devices", "start", "")
MOST_LINES = len(LINES)
MOST_WEEKS = 13
"""Labels under an axis of weeks; more would overlap."""


class Plot(msgspec.Struct, frozen=True):
    """A drawing, what it shows in words for who cannot see it, and its caption and query."""

    svg: str
    alt: str
    caption: str
    query: str


def availability_plot(teller: Teller) -> list[Plot]:
    """Return the lines of the products' availability; none for a single week."""
    figures, words = teller.figures, teller.words
    weeks = sorted(set(figures.parts("availability_weeks", "availability")))
    products = figures.subjects("availability_weeks")[:MOST_LINES]
    if len(weeks) < 2:
        return []
    drawing, axes = _drawing()
    lowest: tuple[float, str, str] | None = None
    for product, (colour, dash, mark) in zip(products, LINES, strict=False):
        values = [figures.value("availability_weeks", "availability", product, week) for week in weeks]
        axes.plot(range(len(weeks)), values, dash, color=colour, marker=mark, label=product, linewidth=2)
        pairs = [(value, week) for value, week in zip(values, weeks, strict=True) if value is not None]
        least = min((*pairs, (101.0, "")))
        lowest = min(lowest or (101.0, "", ""), (least[0], least[1], product))
    least_shown = min(lowest[0] if lowest else 100.0, 99.0)
    axes.set_ylim(least_shown - 0.1 * (100 - least_shown), 100 + 0.05 * (100 - least_shown))
    axes.set_ylabel(words("plot.availability_axis"))
    _name_weeks(axes, weeks, words("plot.week"))
    _legend(drawing, axes)
    value, week, product = lowest or (0.0, "", "")
    alt = words(
        "plot.availability_alt", product=product, value=words.value(value, "percent"), week=_week(week)
    )
    return [Plot(_svg(drawing, "availability"), alt, words("plot.availability"), "availability_weeks")]


def doses_plot(teller: Teller) -> list[Plot]:
    """Return the stacked bars of doses that were not taken in time; none for a single week."""
    figures, words = teller.figures, teller.words
    weeks = sorted(set(figures.parts("doses_weeks", "doses")))
    if len(weeks) < 2 or all(one.value is None for one in figures.all if one.query == "doses_weeks"):
        return []
    drawing, axes = _drawing()
    heights = [0.0] * len(weeks)
    for outcome, colour, hatch in BARS:
        values = [figures.value("doses_weeks", "doses", outcome, week) or 0.0 for week in weeks]
        label = words(f"outcome.{outcome}")
        axes.bar(
            range(len(weeks)), values, bottom=heights, color=colour, hatch=hatch, edgecolor=INK, label=label
        )
        heights = [height + value for height, value in zip(heights, values, strict=True)]
    axes.set_ylabel(words("plot.doses_axis"))
    axes.yaxis.get_major_locator().set_params(integer=True)
    _name_weeks(axes, weeks, words("plot.week"))
    _legend(drawing, axes)
    most = max(heights)
    alt = words("plot.doses_alt", n=words.number(most), week=_week(weeks[heights.index(most)]))
    return [Plot(_svg(drawing, "doses"), alt, words("plot.doses"), "doses_weeks")]


def benefit_plot(teller: Teller) -> list[Plot]:
    """Return each line's range with the likely value marked; none without a total."""
    figures, words = teller.figures, teller.words
    lines = lines_of(figures)
    found = [(line, _range(teller, line)) for line in lines]
    ranges = [(line, values) for line, values in found if values is not None]
    if not ranges or ranges[-1][0]:
        return []
    drawing, axes = _drawing(0.7 + 0.5 * len(ranges))
    for row, (line, (low, likely, high)) in enumerate(reversed(ranges)):
        colour = INK if not line else "#7c8790"
        axes.barh(row, high - low, left=low, height=0.5, color=colour, edgecolor=INK)
        axes.plot([likely], [row], marker="D", color="#ffffff", markeredgecolor=INK, markersize=8)
    axes.axvline(0, color=INK, linewidth=1)
    names = [words(f"line.{line or 'total'}") for line, _ in reversed(ranges)]
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel(words("plot.benefit_axis"))
    low, _, high = ranges[-1][1]
    alt = words("plot.benefit_alt", low=words.money(low * 1000), high=words.money(high * 1000))
    return [Plot(_svg(drawing, "benefit"), alt, words("plot.benefit"), "benefit")]


def lines_of(figures: Figures) -> list[str]:
    """Return the lines of the benefit: what was saved, what it cost, and the total ("")."""
    there = figures.subjects("benefit", "benefit_sek")
    return [line for line in LINES_OF_BENEFIT if line in there or not line]


def _range(teller: Teller, line: str) -> tuple[float, float, float] | None:
    values = [
        teller.figures.value("benefit", "benefit_sek", line, part) for part in ("low", "likely", "high")
    ]
    low, likely, high = values
    if low is None or likely is None or high is None:
        return None
    return low / 1000, likely / 1000, high / 1000


def _drawing(height_in: float = SIZE_IN[1]) -> tuple[Drawing, Any]:
    with mpl.rc_context(STYLE):
        drawing = Drawing(figsize=(SIZE_IN[0], height_in), layout="constrained")
        return drawing, drawing.add_subplot()


def _legend(drawing: Drawing, axes: Any) -> None:
    handles, labels = axes.get_legend_handles_labels()
    drawing.legend(handles, labels, loc="outside upper left", ncols=2, frameon=False)


def _name_weeks(axes: Any, weeks: Sequence[str], title: str) -> None:
    every = -(-len(weeks) // MOST_WEEKS)
    places = range(0, len(weeks), every)
    axes.set_xticks(places, [_week(weeks[place]) for place in places])
    axes.set_xlabel(title)


def _week(week: str) -> str:
    """Return the number of an ISO week, as calendars in Sweden show it."""
    return week.rpartition("W")[2].lstrip("0")


def _svg(drawing: Drawing, name: str) -> str:
    """Return the drawing without a date, its ids its own, so that several can stand in one page."""
    with mpl.rc_context(STYLE):
        buffer = io.StringIO()
        canvas: Any = FigureCanvasSVG(drawing)
        canvas.print_svg(buffer, metadata={"Date": None, "Creator": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r'\1 aria-hidden="true" focusable="false"', svg, count=1)
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', svg)
    return re.sub(r'(url\(|href="|xlink:href=")#', rf"\1#{name}-", svg)
