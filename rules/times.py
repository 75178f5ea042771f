"""Times: when something really happened, how late it was heard, and whether it was night."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import NamedTuple

from gateway.contract import Situation
from gateway.model.event import Event
from gateway.model.registry import Window

LATE_AFTER_S = 300
"""Device time and time of receipt that differ more: late, or in the future (alert rules, 5.6 S12)."""
ABSURD_AFTER_S = 366 * 86400
"""A device time older than this is a clock that was never set, not an old event."""
SETTLE = timedelta(seconds=60)
"""Time for a backlog to come in, so that what already ended is not judged half-told."""
NIGHT_FROM, NIGHT_TO = 22, 6
"""Local hours of the night (alert rules, section 5.1 G5 and 5.3 L2)."""


def happened_at(event: Event) -> datetime:
    """Return the device's time, or the time of receipt where the device's cannot be true."""
    believable = 0 <= event.late_s <= ABSURD_AFTER_S
    return event.occurred_at if believable else event.received_at


def lateness(event: Event) -> dict[str, str | int | float | bool]:
    """Return the alert value that says how many minutes ago it happened, for an event that came late."""
    return {"minutes": round(event.late_s / 60)} if is_late(event) else {}


def is_late(event: Event) -> bool:
    """Tell whether the event was heard more than five minutes after it happened."""
    return LATE_AFTER_S < event.late_s <= ABSURD_AFTER_S


def settled(due_at: datetime, event: Event, at: Situation) -> datetime:
    """Return when to judge: for a late event not before the rest of its backlog had time to come."""
    return max(due_at, at.now + SETTLE) if is_late(event) else due_at


def is_night(at: Situation, moment: datetime) -> bool:
    """Tell whether it was night in the tenant's own time: from 22:00 until before 06:00."""
    hour = at.local(moment).hour
    return hour >= NIGHT_FROM or hour < NIGHT_TO


def zone_of(at: Situation) -> tzinfo | None:
    """Return the tenant's time zone."""
    return at.local(at.now).tzinfo


class Occurrence(NamedTuple):
    """One day's planned time: its window's reference, the local date, and its ends in UTC."""

    ref: str
    day: date
    starts_at: datetime
    ends_at: datetime

    @property
    def key(self) -> str:
        """The reference and the local date, as timers and subjects carry them."""
        return f"{self.ref}/{self.day.isoformat()}"

    def spans(self, moment: datetime, *, after: timedelta = timedelta(0)) -> bool:
        """Tell whether the moment lies in the window, or up to `after` behind its end."""
        return self.starts_at <= moment <= self.ends_at + after


def on_day(window: Window, day: date, zone: tzinfo | None) -> Occurrence:
    """Return a window's occurrence on a local date.

    A local time that a clock change skips counts with the offset from before the change, one that
    stands twice counts the first time; the length is real minutes either way.
    """
    return _on_day(window.ref, window.at, window.minutes, day, zone)


@lru_cache(8192)
def _on_day(ref: str, at: time, minutes: float, day: date, zone: tzinfo | None) -> Occurrence:
    """Work it out once for all homes: their windows are others, but most are alike."""
    starts_at = datetime.combine(day, at, tzinfo=zone).astimezone(UTC)
    return Occurrence(ref, day, starts_at, starts_at + timedelta(minutes=minutes))


def around(window: Window, moment: datetime, zone: tzinfo | None) -> Sequence[Occurrence]:
    """Return the occurrences that can touch a moment or follow it soon, oldest first."""
    return _around_day(window, moment.astimezone(zone).date(), zone)


@lru_cache(8192)
def _around_day(window: Window, today: date, zone: tzinfo | None) -> tuple[Occurrence, ...]:
    return tuple(on_day(window, today + timedelta(days=days), zone) for days in range(-2, 4))


def nearest(window: Window, moment: datetime, zone: tzinfo | None) -> Occurrence:
    """Return the occurrence whose start is closest to a moment."""
    return min(around(window, moment, zone), key=lambda found: abs(found.starts_at - moment))


def next_ending(window: Window, moment: datetime, zone: tzinfo | None) -> Occurrence:
    """Return the first occurrence that is not over at that moment."""
    return next(found for found in around(window, moment, zone) if found.ends_at > moment)


def due_within(windows: tuple[Window, ...], at: Situation, lead: timedelta) -> Occurrence | None:
    """Return the occurrence that starts within `lead` from now or is going on, the soonest of several."""
    coming = [next_ending(window, at.now, zone_of(at)) for window in windows]
    return min((o for o in coming if o.starts_at - lead <= at.now), key=lambda o: o.starts_at, default=None)
