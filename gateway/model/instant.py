"""Instants: vendors' ways of writing a moment, as aware UTC."""

from datetime import UTC, datetime

LAST_SECOND = 253_402_300_799
"""9999-12-31T23:59:59Z, the last second a datetime can hold."""


def from_epoch(seconds: float) -> datetime | None:
    """Return the moment of a Unix time; None when it is before 1970 or past the year 9999."""
    if not 0 <= seconds <= LAST_SECOND:
        return None
    return datetime.fromtimestamp(seconds, UTC)


def to_utc(moment: datetime) -> datetime | None:
    """Return an aware moment in UTC; None when UTC cannot hold it (an offset at the ends of the calendar)."""
    if moment.tzinfo is UTC:
        return moment
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return None


def from_iso(text: str) -> datetime | None:
    """Return the moment of an ISO 8601 text with its offset; None for anything else, a local time too."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return to_utc(moment) if moment.tzinfo else None
