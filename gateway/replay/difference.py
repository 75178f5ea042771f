"""Difference: what became of the alerts of one run in another: the same, earlier, later, worse, new, gone."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from math import ceil

import msgspec

from gateway.model.alert import Severity
from gateway.replay.crew import SAME_EPISODE, SAME_TIME
from gateway.replay.figures import AlertFigure
from gateway.replay.result import Result

Key = tuple[str, str, str, str]


class Pair(msgspec.Struct, frozen=True):
    """One episode in two runs; None where one of them has no alert of it."""

    before: AlertFigure | None
    after: AlertFigure | None

    @property
    def moved(self) -> timedelta:
        """How much later it is afterwards; nothing for what is new or gone."""
        if self.before is None or self.after is None:
            return timedelta(0)
        return self.after.raised_at - self.before.raised_at

    @property
    def what(self) -> str:
        """What became of it, "" for nothing: new, gone, severity, later, earlier."""
        if self.before is None or self.after is None:
            return "gone" if self.after is None else "new"
        if self.before.worst is not self.after.worst:
            return "severity"
        if abs(self.moved) <= SAME_TIME:
            return ""
        return "later" if self.moved > timedelta(0) else "earlier"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """The alerts of one rule and severity before and after, and what became of them."""

    rule: str
    severity: str
    before: int = 0
    after: int = 0
    new: int = 0
    gone: int = 0
    earlier: int = 0
    later: int = 0
    other_severity: int = 0

    @property
    def difference(self) -> int:
        """How many more there are."""
        return self.after - self.before


class Times(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds until half, and nine in ten, of a severity's alerts were taken, attended on site, closed.

    `never` are those that nobody took at all, `climbs` how often nobody answered in time.
    """

    severity: str
    alerts: int
    taken_s: tuple[float, float] | None
    there_s: tuple[float, float] | None
    done_s: tuple[float, float] | None
    never: int
    climbs: int


def pairs(before: Iterable[AlertFigure], after: Iterable[AlertFigure]) -> list[Pair]:
    """Match the alerts of two runs: the same rule about the same, at the same time or the nearest.

    Both must be in the order of time.
    """
    waiting: dict[Key, list[AlertFigure]] = {}
    for one in before:
        waiting.setdefault(_key(one), []).append(one)
    found, rest = list[Pair](), list[AlertFigure]()
    for one in after:  # what was raised at the same time first, so that nothing else is taken for it
        same = _nearest(waiting, one, SAME_TIME)
        if same is None:
            rest.append(one)
        else:
            found.append(Pair(same, one))
    found += [Pair(_nearest(waiting, one, SAME_EPISODE), one) for one in rest]
    found += [Pair(one, None) for left in waiting.values() for one in left]
    return sorted(found, key=_order)


def _nearest(
    waiting: Mapping[Key, list[AlertFigure]], one: AlertFigure, within: timedelta
) -> AlertFigure | None:
    """Take the alert of the same rule and subject that was raised nearest, if it is near enough."""
    theirs = waiting.get(_key(one), [])
    away = [abs(other.raised_at - one.raised_at) for other in theirs]
    if not away or min(away) > within:
        return None
    return theirs.pop(away.index(min(away)))


def _order(pair: Pair) -> tuple[datetime, Key]:
    one = pair.after or pair.before
    if one is None:
        raise ValueError("a pair of nothing")
    return one.raised_at, _key(one)


def rows(found: Iterable[Pair]) -> list[Row]:
    """Return the table, by rule and the severity that its alerts came to."""
    table: dict[tuple[str, str], dict[str, int]] = {}

    def count(one: AlertFigure, *names: str) -> None:
        row = table.setdefault((one.rule, one.worst.value), {})
        for name in names:
            row[name] = row.get(name, 0) + 1

    for pair in found:
        if pair.before is not None:
            count(pair.before, "before", *(() if pair.after else ("gone",)))
        if pair.after is None:
            continue
        if pair.before is None:
            count(pair.after, "after", "new")
            continue
        names = ["after"]
        if abs(pair.moved) > SAME_TIME:
            names.append("later" if pair.moved > timedelta(0) else "earlier")
        if pair.before.worst is not pair.after.worst:
            names.append("other_severity")
        count(pair.after, *names)
    order = [severity.value for severity in Severity]
    keys = sorted(table, key=lambda key: (key[0], order.index(key[1])))
    return [Row(rule=rule, severity=severity, **table[rule, severity]) for rule, severity in keys]


def times(result: Result) -> list[Times]:
    """Return how long people took, by severity."""
    found = []
    for severity in Severity:
        alerts = [one for one in result.alerts if one.worst is severity]
        if not alerts:
            continue
        found.append(
            Times(
                severity=severity.value,
                alerts=len(alerts),
                taken_s=_spread([one.taken_s for one in alerts]),
                there_s=_spread([one.there_s for one in alerts]),
                done_s=_spread([one.done_s for one in alerts]),
                never=sum(one.taken_s is None and one.done_s is None for one in alerts),
                climbs=sum(one.climbs for one in alerts),
            )
        )
    return found


def _spread(found: Sequence[float | None]) -> tuple[float, float] | None:
    """Return the values under which half and nine tenths lie (nearest rank)."""
    told = sorted(one for one in found if one is not None)
    if not told:
        return None
    return told[ceil(0.5 * len(told)) - 1], told[ceil(0.9 * len(told)) - 1]


def _key(one: AlertFigure) -> Key:
    return one.rule, one.home, one.about, "" if one.about else one.subject
