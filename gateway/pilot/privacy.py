"""Privacy: cells of fewer than five people are hidden, and so is what they could be computed from."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from msgspec.structs import replace

from gateway.pilot.figures import Figure

FEWEST = 5
"""Homes or persons that a cell must be about to be shown."""
BY_PART = frozenset({"indicators"})
"""Queries whose parts (the sexes) add up to their whole; that is kept where it can be: it is asked for."""
Cell = tuple[Figure, int | None]


def suppress(query: str, cells: Sequence[Cell]) -> list[Figure]:
    """Return the figures of a query, small cells hidden; each cell comes with how many people it is about.

    A cell about nobody is shown: it tells of nobody. Where parts are of a whole, a small one hides every
    part that is not empty, so that the whole less the others gives nothing away. Where subjects are of a
    whole, a small one hides the whole.
    """
    if query in BY_PART:
        groups = groupby(sorted(cells, key=_by_subject), key=_by_subject)
        return [figure for _, group in groups for figure in _of_whole(list(group))]
    small = {(figure.measure, figure.part) for figure, people in cells if figure.subject and _small(people)}
    return [
        _hidden(figure)
        if _small(people) or (not figure.subject and (figure.measure, figure.part) in small)
        else figure
        for figure, people in cells
    ]


def _of_whole(group: Sequence[Cell]) -> Iterable[Figure]:
    any_small = any(_small(people) for figure, people in group if figure.part)
    for figure, people in group:
        reveals = any_small and figure.part and people
        yield _hidden(figure) if _small(people) or reveals else figure


def _small(people: int | None) -> bool:
    return people is not None and 0 < people < FEWEST


def _hidden(figure: Figure) -> Figure:
    """Return it without its number; nor are the rows told, which may be the same number."""
    return replace(figure, value=None, rows=None, hidden=True)


def _by_subject(cell: Cell) -> tuple[str, str]:
    return cell[0].measure, cell[0].subject
