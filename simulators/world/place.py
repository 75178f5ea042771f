"""Places: where homes are on the made-up grid, and how long it takes from one to another."""

from math import hypot

from simulators.municipality import number_of
from simulators.staff import HOMES_OF_UNIT

ACROSS = 13
"""Homes side by side in a unit: it is about as wide as long."""
STEP_KM = 0.35
FAR_KM = 8.0
"""Between units."""
MINUTES_A_KM = 2.5
"""By car or bicycle in a built-up area, with everything that holds up."""
DOOR_MIN = 2.0
"""From one door into the street, and from the street to another."""


def way_min(here: str, there: str) -> float:
    """Return the minutes from one home to another; "" for here is the unit's office, in its middle.

    What is about no home is done where one is.
    """
    if not there:
        return 0.0
    unit, place = divmod(number_of(there), HOMES_OF_UNIT)
    row, column = divmod(place, ACROSS)
    other, (from_row, from_column) = unit, (ACROSS / 2, ACROSS / 2)
    if here:
        other, at = divmod(number_of(here), HOMES_OF_UNIT)
        from_row, from_column = divmod(at, ACROSS)
    away_km = hypot(row - from_row, column - from_column) * STEP_KM + (FAR_KM if other != unit else 0)
    return DOOR_MIN + away_km * MINUTES_A_KM
