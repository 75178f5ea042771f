"""Sections: the report from top to bottom, each with what it is about and its tables and plots."""

from collections.abc import Sequence

import msgspec

from gateway.pilot.ask import QUERIES
from gateway.pilot.plots import Plot, availability_plot, benefit_plot, doses_plot, lines_of
from gateway.pilot.tables import Table, Teller

RANGE = ("low", "likely", "high")
STEPS = ("displayed", "accepted", "on_site", "closed")
OUTCOMES = ("real", "false", "technical", "test", "open")
SMALL_H = 10
"""Hours under which a decimal still says something."""
SEXES = ("female", "male", "untold")


class Section(msgspec.Struct, frozen=True):
    """A heading's name in the texts, and what stands under it."""

    name: str
    tables: Sequence[Table] = ()
    plots: Sequence[Plot] = ()


def sections(teller: Teller, data_file: str) -> list[Section]:
    """Return what there is to tell; a section without a single figure is left out, but for the gaps."""
    told = [
        _availability(teller),
        _delivery(teller),
        _doses(teller),
        _looks(teller),
        _keys(teller),
        _alerts(teller),
        _response(teller),
        _load(teller),
        _benefit(teller),
        _residents(teller),
        _indicators(teller),
        _gaps(teller),
        _appendix(teller, data_file),
    ]
    return [section for section in told if section.tables]


def _availability(teller: Teller) -> Section:
    measures = ("availability", "longest_silence", "outages")
    tables = teller.by_subject("availability", measures, head="product")
    return Section("availability", tables, availability_plot(teller))


def _delivery(teller: Teller) -> Section:
    battery = ("battery_middle", "battery_soonest", "battery_unknown")
    latency = ("latency_p50", "latency_p90", "latency_max", "latency_late")
    tables = [
        *teller.by_subject("battery", battery, head="product", whole=False),
        *teller.by_subject("latency", latency, head="product"),
    ]
    return Section("delivery", tables)


def _doses(teller: Teller) -> Section:
    measures = (
        "doses_planned",
        "doses_in_time",
        "doses_late",
        "doses_missed",
        "doses_no_word",
        "doses_in_time_share",
        "doses_missed_share",
    )
    return Section("doses", teller.by_subject("doses", measures, head="product"), doses_plot(teller))


def _looks(teller: Teller) -> Section:
    measures = ("looks_planned", "looks_done", "looks_not_well", "looks_missed", "visits_replaced")
    name = lambda when: teller.words(f"when.{when}")  # noqa: E731 - a name for the rows
    return Section("looks", teller.by_subject("looks", measures, head="when", name=name))


def _keys(teller: Teller) -> Section:
    return Section(
        "keys", teller.of_whole("keys", ("opened_without_key", "opened_with_key", "opened_unknown"))
    )


def _alerts(teller: Teller) -> Section:
    words, figures = teller.words, teller.figures
    subjects = [*figures.subjects("alerts"), ""]
    rows = [
        [
            words.rule(one) if one else words("page.all"),
            *(_count(teller, "alerts", one, outcome) for outcome in OUTCOMES),
        ]
        for one in subjects
    ]
    heads = [words("column.rule"), *(words(f"outcome.{one}") for one in OUTCOMES)]
    notes = () if len(subjects) > 1 else (words("note.none"),)
    tables = [
        teller.table("alerts", "alerts", heads, rows if len(subjects) > 1 else [], *notes),
        *teller.by_subject(
            "alerts_products",
            ("alerts_device_month",),
            head="product",
            whole=False,
            caption="alerts_products",
        ),
        *teller.of_whole("nuisance", ("stale", "chattering")),
    ]
    return Section("alerts", tables)


def _count(teller: Teller, query: str, subject: str, part: str) -> str:
    """Return a count; what a query that was answered has no row of is nought."""
    found = teller.figures.get(query, "alerts", subject, part)
    return "0" if found is None else teller.words.figure(found)


def _response(teller: Teller) -> Section:
    words, figures = teller.words, teller.figures
    tables = []
    for caption, severity in (("response_high", "high"), ("response", "")):
        if figures.get("response", "response_p50", severity, "accepted") is None:
            continue
        measures = ("response_p50", "response_p90", "response_without")
        rows = [
            [words(f"step.{step}"), *(teller.shown("response", one, severity, step) for one in measures)]
            for step in STEPS
        ]
        tables.append(
            teller.table(caption, "response", [words("column.step"), *teller.measures(measures)], rows)
        )
    kept = ("promise_share", "promise_alarms", "promise_kept", "promise_later", "promise_unrecorded")
    promise = figures.scope.pilot.promise
    for table in teller.of_whole("promise", kept):
        severities = ", ".join(
            words(f"severity.{one}") for one in sorted(promise.severities if promise else ())
        )
        source = promise.source if promise else ""
        note = words("note.no_promise_severity", severities=severities, source=source)
        tables.append(msgspec.structs.replace(table, notes=(*table.notes, note)))
    return Section("response", tables)


def _load(teller: Teller) -> Section:
    measures = (
        "load_alerts",
        "load_hour",
        "load_peak",
        "load_flood",
        "load_high",
        "load_medium",
        "load_low",
    )
    name = lambda n: teller.words("responder.name", n=n)  # noqa: E731 - a name for the rows
    return Section(
        "load", teller.by_subject("responders", measures, head="responder", name=name, whole=False)
    )


def _benefit(teller: Teller) -> Section:
    words, figures, pilot = teller.words, teller.figures, teller.figures.scope.pilot
    tables = []
    if pilot.baseline:
        heads = [words(f"column.{one}") for one in ("measure", "before", "now", "source")]
        rows = [
            [
                words(f"baseline.{one.measure}"),
                teller.shown("baseline", "before", one.measure),
                teller.shown("baseline", "now", one.measure),
                one.source,
            ]
            for one in pilot.baseline
        ]
        tables.append(teller.table("baseline", "baseline", heads, rows, prose=(3,)))
    lines = lines_of(figures)
    rows = [_line(teller, line) for line in lines]
    heads = [words(f"column.{one}") for one in ("line", "fewer", "hours", "sek")]
    notes = (words("note.night_cap"), words("note.missing_line"))
    tables.append(teller.table("benefit", "benefit", heads, rows, *notes))
    if pilot.assumption:
        heads = [words(f"column.{one}") for one in ("input", *RANGE, "source")]
        rows = [
            [
                words(f"input.{one.input}"),
                *(words.value(value, "number") for value in (one.low, one.likely, one.high)),
                one.source,
            ]
            for one in pilot.assumption
        ]
        tables.append(teller.table("assumptions", "benefit", heads, rows, prose=(4,)))
    return Section("benefit", tables, benefit_plot(teller))


def _line(teller: Teller, line: str) -> list[str]:
    words = teller.words
    counted = line not in ("", "devices", "start")
    return [
        words(f"line.{line or 'total'}"),
        _fewer(teller, line) if counted else "",
        spanned(teller, "benefit_hours", line) if counted or not line else "",
        spanned(teller, "benefit_sek", line),
    ]


def _fewer(teller: Teller, line: str) -> str:
    found = teller.figures.get("benefit", "benefit_fewer", line)
    whole = found is not None and found.value is not None
    return teller.words.number(found.value) if whole else teller.words.figure(found)  # type: ignore[union-attr, arg-type] # whole


def spanned(teller: Teller, measure: str, line: str = "") -> str:
    """Return a benefit as its range, never as a point."""
    figures = teller.figures
    low, high = (figures.get("benefit", measure, line, part) for part in ("low", "high"))
    if low is None or high is None or low.value is None or high.value is None:
        return teller.words.figure(low)
    words = teller.words
    if measure == "benefit_hours":
        decimals = 0 if max(abs(low.value), abs(high.value)) >= SMALL_H else 1
        ends = {"low": words.number(low.value, decimals), "high": words.number(high.value, decimals)}
        return f"{words('page.to', **ends)}\u00a0h"
    return words("page.to", low=words.money(low.value), high=words.money(high.value))


def _residents(teller: Teller) -> Section:
    measures = ("help_p50", "help_p90", "supervision_missed", "visits_needless")
    return Section("residents", teller.of_whole("residents", measures))


def _indicators(teller: Teller) -> Section:
    words, figures = teller.words, teller.figures
    rows = [
        [
            words.get(f"technology.{one}", one),
            teller.shown("indicators", "persons", one),
            *(_persons(teller, one, sex) for sex in SEXES),
        ]
        for one in figures.subjects("indicators")
    ]
    heads = [words("column.technology"), words("column.all"), *(words(f"sex.{one}") for one in SEXES)]
    return Section("indicators", [teller.table("indicators", "indicators", heads, rows)] if rows else [])


def _persons(teller: Teller, technology: str, sex: str) -> str:
    found = teller.figures.get("indicators", "persons", technology, sex)
    return "0" if found is None else teller.words.figure(found)


def _gaps(teller: Teller) -> Section:
    measures = (
        "gap_devices",
        "gap_never",
        "gap_days",
        "gap_messages",
        "gap_unsynced",
        "gap_untimed",
        "gap_unread",
        "gap_unpromised",
    )
    return Section("gaps", teller.by_subject("gaps", measures, head="product", whole=False))


def _appendix(teller: Teller, data_file: str) -> Section:
    words, figures = teller.words, teller.figures
    counts = {name: sum(one.query == name for one in figures.all) for name in QUERIES}
    rows = [[name, words(f"query.{name}"), str(counts[name])] for name in QUERIES]
    heads = [words(f"column.{one}") for one in ("query", "asks", "figures")]
    note = words("section.appendix_lead", file=data_file)
    return Section("appendix", [teller.table("queries", "", heads, rows, note, prose=(1,))])
