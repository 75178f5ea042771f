"""Battery: when a charge will be used up, by a slope that a few wrong charges do not bend."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from math import sqrt
from statistics import median

import msgspec

from gateway.model.equipment import Charge
from gateway.model.vocabulary import BATTERY_CRITICAL_PERCENT

FEWEST = 6
"""Charges below which nothing is forecast."""
SHORTEST = timedelta(days=7)
"""Span below which nothing is forecast: a day's temperature moves a charge more than a day's use."""
MOST = 40
"""Charges that a forecast looks at, spread over all that are known."""
REFILLED_PERCENT = 15.0
"""A rise of so much is a new battery or a charger: what was before says nothing any more."""
CONFIDENCE = 1.96
"""Standard deviations of the 95 % interval."""
FARTHEST_DAYS = 5 * 365.0
"""Nobody can tell more than this ahead."""
_DAY_S = 86_400.0


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """When the charge will be critical, in days from now, with the 95 % interval.

    `known` is False when there are too few charges, or over too short a time; `reason` says which. `days`
    is None when the charge does not fall; `latest` is None when it may well not fall.
    """

    known: bool
    reason: str = ""
    percent_per_day: float | None = None
    days: float | None = None
    earliest_days: float | None = None
    latest_days: float | None = None
    charges: int = 0


def forecast(charges: Sequence[Charge], now: datetime) -> Forecast:
    """Forecast by the median of all slopes (Theil 1950), with the interval of Sen (1968)."""
    used = _thinned(_since_refill(charges))
    n = len(used)
    if n < FEWEST:
        return Forecast(known=False, reason="few", charges=n)
    if used[-1].at - used[0].at < SHORTEST:
        return Forecast(known=False, reason="short", charges=n)
    slopes = _slopes(used)
    if not slopes:
        return Forecast(known=False, reason="short", charges=n)
    slope = median(slopes)
    steepest, flattest = _interval(slopes, n)
    level = median(one.percent + slope * _days(one.at, now) for one in used)
    left = max(0.0, level - BATTERY_CRITICAL_PERCENT)
    return Forecast(
        known=True,
        percent_per_day=slope,
        days=_until(left, slope),
        earliest_days=_until(left, steepest),
        latest_days=_until(left, flattest),
        charges=n,
    )


def _since_refill(charges: Sequence[Charge]) -> Sequence[Charge]:
    for place in range(len(charges) - 1, 0, -1):
        if charges[place].percent - charges[place - 1].percent >= REFILLED_PERCENT:
            return charges[place:]
    return charges


def _thinned(charges: Sequence[Charge]) -> Sequence[Charge]:
    if len(charges) <= MOST:
        return charges
    last = len(charges) - 1
    return [charges[round(place * last / (MOST - 1))] for place in range(MOST)]


def _slopes(used: Sequence[Charge]) -> list[float]:
    found = [
        (later.percent - one.percent) / days
        for place, one in enumerate(used)
        for later in used[place + 1 :]
        if (days := _days(one.at, later.at)) > 0
    ]
    found.sort()
    return found


def _interval(slopes: Sequence[float], n: int) -> tuple[float, float]:
    """Return the ends of the 95 % interval of the slope, the steepest fall first."""
    reach = CONFIDENCE * sqrt(n * (n - 1) * (2 * n + 5) / 18)
    low = max(0, int((len(slopes) - reach) / 2))
    high = min(len(slopes) - 1, int((len(slopes) + reach) / 2))
    return slopes[low], slopes[high]


def _until(left: float, slope: float) -> float | None:
    """Return the days until the charge is critical, None when it does not fall or nobody can tell so far."""
    if slope >= 0:
        return 0.0 if left == 0 else None
    days = left / -slope
    return days if days <= FARTHEST_DAYS else None


def _days(since: datetime, until: datetime) -> float:
    return (until - since).total_seconds() / _DAY_S
