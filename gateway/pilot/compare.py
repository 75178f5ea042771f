"""Compare: two products of a pilot, or the same pilot in two data directories, on the same measures."""

from collections.abc import Sequence

import msgspec

from gateway.api.texts import Language
from gateway.contract import ConfigurationError
from gateway.pilot.figures import Figure, Figures
from gateway.pilot.page import PAGES
from gateway.pilot.words import MINUS, NARROW, Words

FEW_HOMES = 20
"""Homes of either under which a difference may well be chance, and a warning says so."""
OF_PRODUCTS = (
    ("scope", ("homes",)),
    ("availability", ("availability", "longest_silence", "outages")),
    ("battery", ("battery_middle", "battery_soonest")),
    ("latency", ("latency_p50", "latency_p90", "latency_late")),
    ("doses", ("doses_in_time_share", "doses_missed_share", "doses_no_word")),
    ("alerts_products", ("alerts_device_month",)),
    ("gaps", ("gap_never", "gap_days", "gap_unsynced", "gap_unread")),
)
OF_PILOTS = (
    ("scope", ("homes",)),
    ("availability", ("availability", "longest_silence", "outages")),
    ("latency", ("latency_p50", "latency_p90", "latency_late")),
    ("doses", ("doses_in_time_share", "doses_missed_share", "doses_no_word")),
    ("looks", ("looks_missed", "visits_replaced")),
    ("promise", ("promise_share",)),
    ("residents", ("help_p50", "help_p90", "visits_needless")),
    ("nuisance", ("stale", "chattering")),
)


class Line(msgspec.Struct, frozen=True):
    """One measure of both, and how much the second differs from the first; None where one is missing."""

    query: str
    measure: str
    a: Figure | None
    b: Figure | None
    difference: float | None


class Comparison(msgspec.Struct, frozen=True):
    """What is compared, by name, line by line; `warnings` are keys of sentences with their values."""

    title: str
    a: str
    b: str
    lines: Sequence[Line]
    warnings: Sequence[tuple[str, dict[str, str]]]


def products_compared(figures: Figures, a: str, b: str) -> Comparison:
    """Compare two products of one pilot; ConfigurationError for one that it does not have."""
    known = figures.subjects("scope", "devices")
    for name in (a, b):
        if name not in known:
            raise ConfigurationError(f"products: found {name!r}; allowed: {', '.join(known)}")
    kinds = {
        one["product"]: one["kind"] for one in figures.scope.tables["devices"] if one["product"] in (a, b)
    }
    lines = [
        line for query, names in OF_PRODUCTS for line in _lines(query, names, (figures, a), (figures, b))
    ]
    warnings = _few(lines)
    if len(set(kinds.values())) > 1:
        warnings.append(("kinds", {}))
    return Comparison(figures.scope.pilot.name, a, b, lines, warnings)


def pilots_compared(a: Figures, b: Figures, names: tuple[str, str]) -> Comparison:
    """Compare the same pilot as two data directories have it."""
    lines = [line for query, those in OF_PILOTS for line in _lines(query, those, (a, ""), (b, ""))]
    return Comparison(a.scope.pilot.name, *names, lines, _few(lines))


def as_page(found: Comparison, language: Language) -> str:
    """Return the comparison as one HTML file."""
    words = Words(language)
    values = {
        "t": words,
        "lang": language,
        "found": found,
        "warnings": [words(f"note.{key}", **told) for key, told in found.warnings],
        "heads": _heads(found, words),
        "rows": _rows(found, words),
    }
    return PAGES.get_template("compare.html").render(values)


def as_lines(found: Comparison, language: Language) -> list[str]:
    """Return the comparison as lines for a terminal, warnings first."""
    words = Words(language)
    rows = [_heads(found, words), *_rows(found, words)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    table = [
        "  ".join(
            cell.ljust(width) if not place else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return [*(words(f"note.{key}", **told) for key, told in found.warnings), *table, words("note.difference")]


def _lines(
    query: str, measures: Sequence[str], first: tuple[Figures, str], second: tuple[Figures, str]
) -> list[Line]:
    found = []
    for measure in measures:
        a, b = first[0].get(query, measure, first[1]), second[0].get(query, measure, second[1])
        if a is None and b is None:
            continue
        known = a is not None and b is not None and a.value is not None and b.value is not None
        difference = b.value - a.value if known else None  # type: ignore[union-attr, operator] # known
        found.append(Line(query, measure, a, b, difference))
    return found


def _few(lines: Sequence[Line]) -> list[tuple[str, dict[str, str]]]:
    homes = next(line for line in lines if line.measure == "homes")
    a, b = ((one.value or 0) if one else 0 for one in (homes.a, homes.b))
    return [("few_homes", {"a": f"{a:.0f}", "b": f"{b:.0f}"})] if min(a, b) < FEW_HOMES else []


def _heads(found: Comparison, words: Words) -> list[str]:
    return [words("column.measure"), found.a, found.b, words("column.difference")]


def _rows(found: Comparison, words: Words) -> list[list[str]]:
    return [
        [
            words.get(f"compare.{line.measure}", words(f"measure.{line.measure}")),
            words.figure(line.a),
            words.figure(line.b),
            _difference(line, words),
        ]
        for line in found.lines
    ]


def _difference(line: Line, words: Words) -> str:
    if line.difference is None or line.a is None:
        return words("page.missing")
    shown = words.value(abs(line.difference), line.a.unit)
    if line.a.unit == "percent":
        shown = f"{words.number(abs(line.difference), 1)}{NARROW}{words('unit.percentage_points')}"
    if not any(digit in "123456789" for digit in shown):
        return shown
    return f"{'+' if line.difference > 0 else MINUS}{shown}"
