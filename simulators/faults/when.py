"""Moments and lengths of time as people write them: "22:10", "+1h20m", "90 s"."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import AfterValidator

LENGTH = re.compile(r"(?:(\d+)\s*d)?\s*(?:(\d+)\s*h)?\s*(?:(\d+)\s*m(?:in)?)?\s*(?:(\d+(?:\.\d+)?)\s*s)?")
CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?")


def length(text: str) -> timedelta:
    """Read a length of time, as "1h20m", "90s" or "14d"; ValueError otherwise."""
    found = LENGTH.fullmatch(text.strip())
    if not text.strip() or found is None:
        raise ValueError('a length of time as "1h20m", "90s" or "14d"')
    days, hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def moment(text: str, start: datetime) -> datetime:
    """Return the first such local time from the start on, or so much later; ValueError otherwise.

    `start` knows its own zone.
    """
    if text.startswith("+"):
        return start + length(text[1:])
    found = CLOCK.fullmatch(text)
    if found is None:
        raise ValueError('a local time as "22:10", or a length after the start as "+1h20m"')
    hour, minute, second = (int(part or 0) for part in found.groups())
    local = start.replace(hour=hour, minute=minute, second=second, microsecond=0)
    return local if local >= start else local + timedelta(days=1)


def _length(text: str) -> str:
    length(text)
    return text


def _moment(text: str) -> str:
    moment(text, datetime.min.replace(tzinfo=UTC))
    return text


Length = Annotated[str, AfterValidator(_length)]
When = Annotated[str, AfterValidator(_moment)]
