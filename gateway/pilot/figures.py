"""Figures: what a query answered, with its unit and the rows behind it; one that is missing is never 0."""

from collections.abc import Iterable

import msgspec

from gateway.pilot.scope import Scope


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One number. `subject` and `part` say of what ("" for all), `rows` how many records it was made from.

    `value` None is missing: it could not be computed, or with `hidden` it would tell of fewer than five.
    """

    query: str
    measure: str
    subject: str = ""
    part: str = ""
    value: float | None
    unit: str
    rows: int | None
    hidden: bool = False


class Figures:
    """All figures of a pilot, to be asked for by name."""

    def __init__(self, scope: Scope, found: Iterable[Figure]) -> None:
        self.scope = scope
        self.all = tuple(found)
        self._by_name = {(one.query, one.measure, one.subject, one.part): one for one in self.all}

    def get(self, query: str, measure: str, subject: str = "", part: str = "") -> Figure | None:
        """Return one figure; None where the query had nothing to answer."""
        return self._by_name.get((query, measure, subject, part))

    def value(self, query: str, measure: str, subject: str = "", part: str = "") -> float | None:
        """Return a figure's value; None where it is missing or hidden."""
        found = self.get(query, measure, subject, part)
        return None if found is None else found.value

    def subjects(self, query: str, measure: str | None = None) -> list[str]:
        """Return what a query has figures of, in its own order, without the whole ("")."""
        those = (one for one in self.all if one.query == query and measure in (None, one.measure))
        return list(dict.fromkeys(one.subject for one in those if one.subject))

    def parts(self, query: str, measure: str) -> list[str]:
        """Return the parts of a measure, in the query's order, without the whole ("")."""
        those = (one for one in self.all if one.query == query and one.measure == measure)
        return list(dict.fromkeys(one.part for one in those if one.part))
