"""Habits: what one resident is like, drawn once from the seed and the home; every number is an assumption."""

from typing import NamedTuple

from simulators.chance import Chance


class Habits(NamedTuple):
    """Hours are local and decimal, rates are a day, chances are from 0 to 1.

    Of the rates: a third of those over 65 fall at least once a year, those with home care more often; a
    detector worn in real life hears 0.025 to 0.049 false falls an hour (alert rules, section 2.4), of which
    what the makers filter out by now is left away here.
    """

    bed_at: float
    up_at: float
    toilet_a_night: float
    naps: float
    outings: float
    walks: float
    walk_min: float
    strays: float
    confused_a_night: float
    falls: float
    false_falls: float
    unwell: float
    mistaken_presses: float
    forgets_dose: float
    late_dose: float
    early_dose: float
    forgets_charger: float
    wears: float
    visits: tuple[float, ...]
    forgotten_lock: float


VISIT_HOURS = (7.75, 12.25, 16.5, 19.5)
"""When home care comes to those who have so many visits; the district's own order moves each a little."""


def habits_of(seed: int, home: str, *, wanders: bool) -> Habits:
    """Draw the habits of the resident of a home."""
    chance = Chance(seed, home, "habits")
    confused = chance.uniform(0.05, 0.2) if wanders else 0.002
    some = tuple(hour for hour in VISIT_HOURS if chance.happens(0.45))
    return Habits(
        bed_at=chance.about(22.0, 0.8),
        up_at=chance.about(7.2, 0.8),
        toilet_a_night=chance.uniform(0.3, 2.6),
        naps=chance.uniform(0, 0.7),
        outings=chance.uniform(0.1, 1.6),
        walks=chance.uniform(0.1, 1.2),
        walk_min=chance.uniform(20, 70),
        strays=chance.uniform(0.01, 0.06) if wanders else chance.uniform(0, 0.01),
        confused_a_night=confused,
        falls=chance.uniform(0.5, 3.0) / 365,
        false_falls=chance.uniform(0.01, 0.08),
        unwell=chance.uniform(4, 30) / 365,
        mistaken_presses=chance.uniform(2, 24) / 365,
        forgets_dose=chance.uniform(0.005, 0.05),
        late_dose=chance.uniform(0.05, 0.3),
        early_dose=chance.uniform(0, 0.02),
        forgets_charger=chance.uniform(0.01, 0.1),
        wears=chance.uniform(0.6, 0.98),
        visits=some,
        forgotten_lock=0.004,
    )
