"""Tables: rows of figures with a caption and the name of the query they came from."""

from collections.abc import Callable, Iterable, Sequence

import msgspec

from gateway.pilot.figures import Figures
from gateway.pilot.words import Words

SHORT = 12
"""Rows of a table that is not broken between two sheets."""


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """A caption, column heads (the first is the rows' own), and rows whose first cell is their head.

    `prose` are the columns that hold words and no figures.
    """

    caption: str
    query: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()
    prose: Sequence[int] = ()

    @property
    def short(self) -> bool:
        """True for a table that fits on what is left of a sheet."""
        return len(self.rows) <= SHORT


class Teller:
    """Figures and words together: what every section is told with."""

    def __init__(self, figures: Figures, words: Words) -> None:
        self.figures = figures
        self.words = words

    def shown(self, query: str, measure: str, subject: str = "", part: str = "") -> str:
        """Return a figure as it is shown."""
        return self.words.figure(self.figures.get(query, measure, subject, part))

    def by_subject(
        self,
        query: str,
        measures: Sequence[str],
        *,
        head: str,
        name: Callable[[str], str] = str,
        whole: bool = True,
        caption: str = "",
    ) -> list[Table]:
        """Return a table with one row a subject and one column a measure; none without subjects."""
        subjects = self.figures.subjects(query, measures[0])
        if not subjects:
            return []
        rows = [(name(one), one) for one in subjects]
        if whole and len(subjects) > 1:
            rows.append((self.words("page.all"), ""))
        cells = [[label, *(self.shown(query, one, subject) for one in measures)] for label, subject in rows]
        heads = [self.words(f"column.{head}"), *self.measures(measures)]
        return [self.table(caption or query, query, heads, cells)]

    def of_whole(self, query: str, measures: Sequence[str], caption: str = "") -> list[Table]:
        """Return a table with one row a measure; none where the query answered nothing."""
        if all(self.figures.get(query, one) is None for one in measures):
            return []
        heads = [self.words("column.measure"), self.words("column.value")]
        cells = [[self.words(f"measure.{one}"), self.shown(query, one)] for one in measures]
        return [self.table(caption or query, query, heads, cells)]

    def measures(self, measures: Iterable[str]) -> list[str]:
        """Return the names of measures."""
        return [self.words(f"measure.{one}") for one in measures]

    def table(
        self,
        caption: str,
        query: str,
        heads: Sequence[str],
        rows: Sequence[Sequence[str]],
        *notes: str,
        prose: Sequence[int] = (),
    ) -> Table:
        """Return a table; it says so itself where one of its cells is hidden."""
        hidden = self.words("page.hidden")
        said = list(notes)
        if any(cell == hidden for row in rows for cell in row):
            said.append(self.words("note.hidden"))
        return Table(
            caption=self.words(f"table.{caption}"),
            query=query,
            heads=heads,
            rows=rows,
            notes=tuple(said),
            prose=prose,
        )
