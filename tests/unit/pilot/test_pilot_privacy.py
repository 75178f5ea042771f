"""Small cells are hidden, and so is what they could be computed from."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from gateway.pilot.figures import Figure
from gateway.pilot.privacy import FEWEST, suppress

PARTS = ("female", "male", "untold")
COUNTS = st.integers(0, 12)


def cell(query: str, subject: str, part: str, n: int) -> tuple[Figure, int | None]:
    figure = Figure(
        query=query, measure="persons", subject=subject, part=part, value=n, unit="persons", rows=n
    )
    return figure, n


def by_sex(counts: Sequence[int]) -> list[tuple[Figure, int | None]]:
    parts = [cell("indicators", "lock", part, n) for part, n in zip(PARTS, counts, strict=True)]
    return [cell("indicators", "lock", "", sum(counts)), *parts]


def solutions(shown: dict[str, Figure]) -> set[tuple[int, ...]]:
    """Every way to fill the hidden cells that a reader who knows how they are hidden cannot rule out."""
    top = 40
    whole = shown[""]
    known = {part: int(shown[part].value or 0) for part in PARTS if not shown[part].hidden}
    hidden = [part for part in PARTS if shown[part].hidden]
    found = set()

    def fill(chosen: dict[str, int]) -> None:
        if len(chosen) == len(hidden):
            counts = [{**known, **chosen}[part] for part in PARTS]
            fits = sum(counts) < FEWEST if whole.hidden else sum(counts) == whole.value
            if fits and (not hidden or any(0 < chosen[part] < FEWEST for part in hidden)):
                found.add(tuple(counts))
            return
        for n in range(1, top):
            fill({**chosen, hidden[len(chosen)]: n})

    fill({})
    return found


@given(st.lists(COUNTS, min_size=3, max_size=3))
def test_no_small_cell_is_shown_and_none_can_be_computed_from_the_rest(counts: list[int]) -> None:
    shown = {figure.part: figure for figure in suppress("indicators", by_sex(counts))}

    for part, n in zip(PARTS, counts, strict=True):
        if 0 < n < FEWEST:
            assert shown[part].hidden
            assert (shown[part].value, shown[part].rows) == (None, None)
    possible = solutions(shown)
    assert tuple(counts) in possible
    for place, n in enumerate(counts):
        if 0 < n < FEWEST and sum(counts) > 1:
            assert len({one[place] for one in possible}) > 1


@given(st.lists(COUNTS, min_size=1, max_size=5))
def test_a_small_subject_hides_the_whole_so_that_the_others_do_not_tell_it(counts: list[int]) -> None:
    cells = [cell("doses", f"product {n}", "", count) for n, count in enumerate(counts)]
    whole, *each = suppress("doses", [cell("doses", "", "", sum(counts)), *cells])
    small = [0 < count < FEWEST for count in counts]

    assert [figure.hidden for figure in each] == small
    assert whole.hidden is (any(small) or 0 < sum(counts) < FEWEST)


@given(st.lists(COUNTS, min_size=3, max_size=3))
def test_what_is_about_enough_people_is_shown(counts: list[int]) -> None:
    cells = by_sex([count + FEWEST for count in counts])

    assert suppress("indicators", cells) == [figure for figure, _ in cells]


def test_a_figure_that_is_about_no_people_is_never_hidden() -> None:
    figure = cell("latency", "", "", 2)[0]

    assert suppress("latency", [(figure, None)]) == [figure]
