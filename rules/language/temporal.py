"""Temporal: what is kept between events for the closed vocabulary, on event time and in any order."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

MOST_HITS = 64
"""Moments that are kept for one count, however many come."""
FORGET_AFTER = timedelta(days=32)


def read(facts: Mapping[str, Any], name: str) -> datetime | None:
    """Return a remembered moment."""
    found = facts.get(name)
    return None if found is None else datetime.fromisoformat(found)


def read_all(facts: Mapping[str, Any], name: str) -> list[datetime]:
    """Return remembered moments, oldest first."""
    return [datetime.fromisoformat(found) for found in facts.get(name, ())]


def counted(hits: Sequence[datetime], hit: datetime, window: timedelta) -> list[datetime]:
    """Return the hits with a new one, as they happened; those that no window can reach are dropped."""
    known = sorted({*hits, hit})
    newest = known[-1]
    return [one for one in known if newest - one <= window][-MOST_HITS:]


def together(hits: Sequence[datetime], hit: datetime, window: timedelta) -> int:
    """Return how many hits the fullest window that holds this one has."""
    near = [one for one in hits if abs(one - hit) <= window]
    return max(sum(timedelta(0) <= one - first <= window for one in near) for first in near if first <= hit)


def newest(before: datetime | None, moment: datetime) -> datetime:
    """Return the later of the two."""
    return moment if before is None else max(before, moment)


def follows(first: datetime | None, then: datetime | None, within: timedelta) -> bool:
    """Tell whether the second came after the first, in time, whichever was heard first."""
    return first is not None and then is not None and timedelta(0) <= then - first <= within


def meet(moments: Iterable[datetime | None], within: timedelta) -> bool:
    """Tell whether all of them happened, within that time of each other."""
    found = list(moments)
    known = [moment for moment in found if moment is not None]
    return len(known) == len(found) and max(known) - min(known) <= within
