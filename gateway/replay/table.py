"""Table: a result, or two of them side by side, as lines to read."""

from collections.abc import Iterable, Iterator, Sequence

from gateway.replay.difference import Pair, Row, Times, pairs, rows, times
from gateway.replay.figures import Load
from gateway.replay.result import Judged, Result
from gateway.replay.run import HABIT, RECORDED

MOVED_SHOWN = 20
"""Alerts that are new, gone or moved and told one by one; further ones are counted."""


def told(before: Result, after: Result | None, notes: Sequence[str] = ()) -> Iterator[str]:
    """Yield what a recording came to and, with `after`, what became different."""
    yield from _head(before, after)
    yield from (f"  note: {note}" for note in notes)
    yield from ("", "Alerts by rule and severity")
    yield from _alerts(before, after)
    if after is not None:
        yield from _moved(before, after)
    yield from ("", "Load of who was asked (ISA-18.2)")
    yield from _loads(before, after)
    yield from ("", "Time to act: half / nine in ten")
    yield from _times(before, after)
    last = after or before
    yield from ("", "Rules against their budget (alerts a person and week, if all were false)")
    yield from _judged(last.judged)


def _head(before: Result, after: Result | None) -> Iterator[str]:
    days = before.hours / 24
    span = f"{before.since:%Y-%m-%d %H:%M} to {before.until:%Y-%m-%d %H:%M} UTC, {days:.1f} days"
    yield f"Recording {before.recording[:12]}: {span}, {before.frames} frames"
    again = f"{before.came_again} of {before.recorded_alerts} recorded alerts came again at their time"
    yield f"Before: vaka {before.gateway}, {', '.join(before.changed) or 'as recorded'}; {again}"
    if after is not None:
        yield f"After:  vaka {after.gateway}, {', '.join(after.changed) or 'nothing changed'}"
    for name, one in (("before", before), ("after", after)):
        if one is not None:
            yield f"  answered {name}: {_answered(one)}"


def _answered(one: Result) -> str:
    by = [alert.answered for alert in one.alerts]
    theirs = by.count(RECORDED)
    usual = by.count(HABIT)
    return f"{theirs} as recorded, {usual} by what the crew mostly does, {len(by) - theirs - usual} by nobody"


def _alerts(before: Result, after: Result | None) -> Iterator[str]:
    found = rows(pairs(before.alerts, (after or before).alerts))
    if after is None:
        yield from _grid(("rule", "severity", "alerts"), [(r.rule, r.severity, str(r.before)) for r in found])
        yield f"  in all {len(before.alerts)}"
        return
    heads = (
        "rule",
        "severity",
        "before",
        "after",
        "diff",
        "new",
        "gone",
        "earlier",
        "later",
        "other severity",
    )
    body = [
        (
            row.rule,
            row.severity,
            *(str(n) for n in (row.before, row.after)),
            f"{row.difference:+d}" if row.difference else "0",
            *(str(n or "") for n in (row.new, row.gone, row.earlier, row.later, row.other_severity)),
        )
        for row in found
        if _differs(row)
    ]
    same = len(found) - len(body)
    yield from _grid(heads, body)
    yield f"  {same} further rows are the same; in all {len(before.alerts)} before, {len(after.alerts)} after"


def _differs(row: Row) -> bool:
    return any((row.difference, row.new, row.gone, row.earlier, row.later, row.other_severity))


def _moved(before: Result, after: Result) -> Iterator[str]:
    lines = [_line(pair) for pair in pairs(before.alerts, after.alerts) if pair.what]
    yield from lines[:MOVED_SHOWN]
    if len(lines) > MOVED_SHOWN:
        yield f"  and {len(lines) - MOVED_SHOWN} more: see --json"


def _line(pair: Pair) -> str:
    one = pair.after or pair.before
    if one is None:
        return ""
    what = pair.what
    if what in {"later", "earlier"}:
        what = f"{_short(abs(pair.moved.total_seconds()))} {what}"
    elif what == "severity" and pair.before is not None:
        what = f"{pair.before.worst.value} before"
    about = one.about or one.subject
    return f"  {one.raised_at:%Y-%m-%d %H:%M:%S}  {one.rule} {one.worst.value} of {about}: {what}"


def _loads(before: Result, after: Result | None) -> Iterator[str]:
    names = sorted({*before.loads, *(after.loads if after else ())})
    body = []
    for name in names:
        mine = [_load(one.loads.get(name, Load()), one.hours) for one in (before, after) if one is not None]
        body.append((name, *(cell for cells in zip(*mine, strict=True) for cell in cells)))
    sides = ("",) if after is None else (" before", " after")
    heads = [f"{what}{side}" for what in ("offers/h", "busiest h", "calls/h") for side in sides]
    yield from _grid(("responder", *heads), body)


def _load(load: Load, hours: float) -> tuple[str, str, str]:
    hours = max(hours, 1e-9)
    return f"{load.offers / hours:.3f}", str(load.busiest), f"{load.calls / hours:.3f}"


def _times(before: Result, after: Result | None) -> Iterator[str]:
    body = []
    for name, one in (("before", before), ("after", after)):
        if one is not None:
            body += [_time(name, found) for found in times(one)]
    heads = ("severity", "", "alerts", "accepted", "on site", "closed", "nobody took", "unanswered in time")
    yield from _grid(heads, sorted(body, key=lambda row: ("high", "medium", "low", "info").index(row[0])))


def _time(side: str, one: Times) -> tuple[str, ...]:
    spreads = (one.taken_s, one.there_s, one.done_s)
    cells = ("-" if found is None else f"{_short(found[0])} / {_short(found[1])}" for found in spreads)
    return one.severity, side, str(one.alerts), *cells, str(one.never), str(one.climbs)


def _judged(judged: Iterable[Judged]) -> Iterator[str]:
    found = sorted(judged, key=lambda one: (one.state, one.rule))
    for one in found:
        if one.raised:
            weighed = f"{one.rule} ({one.catalogue}, {one.state}): {one.per_week:g} a person and week"
            more = f"{one.raised} in all, {one.persons} persons, the one most of all {one.most:g} a week"
            closed = f", {one.false} closed as false" if one.false else ""
            yield f"  {weighed}, budget {one.budget:g}: {one.verdict} ({more}{closed})"
    silent = [one.rule for one in found if not one.raised and one.persons]
    blind = [one.rule for one in found if not one.raised and not one.persons]
    if silent:
        yield f"  within, for they would have raised nothing: {', '.join(silent)}"
    if blind:
        yield f"  not to be judged, for nobody here has what they listen to: {', '.join(blind)}"
    if not found:
        yield "  no rule was judged: none raised anything, and none in shadow was asked"


def _short(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _grid(heads: Sequence[str], body: Sequence[Sequence[str]]) -> Iterator[str]:
    if not body:
        yield "  none"
        return
    widths = [max(len(row[n]) for row in (heads, *body)) for n in range(len(heads))]
    words = sum(not cell.replace(".", "").isdigit() for cell in body[0][:2]) or 1
    for row in (heads, *body):
        cells = (
            cell.ljust(width) if n < words else cell.rjust(width)
            for n, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield "  " + "  ".join(cells).rstrip()
