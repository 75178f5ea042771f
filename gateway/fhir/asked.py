"""Asked: the values of search parameters as FHIR R4 writes them, read (3.1.1, search)."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import msgspec

from gateway.fhir.names import DIGEST, logical_id, name_of

PREFIXED = re.compile(r"^(eq|ge|gt|le|lt|sa|eb)?(\d{4}(?:-\d\d(?:-\d\d(?:T.+)?)?)?)$")
PART = re.compile(r"(?:\\.|[^,\\]|\\$)+", re.DOTALL)
"""What stands between commas; a backslash takes the meaning from the character after it."""
ESCAPED = re.compile(r"\\([,\\$|])")


class BadValue(ValueError):  # noqa: N818 - it is the value that is bad
    """A value that cannot be read; its text says what was found and what is allowed."""


class Period(msgspec.Struct, frozen=True):
    """From `since` to before `until`; None is open."""

    since: datetime | None = None
    until: datetime | None = None

    def holds(self, at: datetime) -> bool:
        """Tell whether a moment is in it."""
        return (self.since is None or at >= self.since) and (self.until is None or at < self.until)

    def within(self, other: "Period") -> "Period":
        """Return what both have."""
        since = [one for one in (self.since, other.since) if one is not None]
        until = [one for one in (self.until, other.until) if one is not None]
        return Period(max(since, default=None), min(until, default=None))


def period_of(name: str, values: Iterable[str]) -> Period:
    """Return the period that all values of a date parameter have in common; a time without offset is UTC."""
    found = Period()
    for value in values:
        found = found.within(_period(name, value))
    return found


def alternatives(values: Iterable[str]) -> list[list[str]]:
    """Return what is between commas, any of which may hold, for each repetition, which all must hold."""
    return [[ESCAPED.sub(r"\1", part) for part in PART.findall(value)] for value in values if value]


def ids_of(name: str, values: Iterable[str], kind: str) -> frozenset[str]:
    """Return the logical ids that references to that kind name: `Patient/x`, `x`, or a whole address."""
    sets = []
    for parts in alternatives(values):
        found = set()
        for part in parts:
            *before, written = part.split("/")
            if before and before[-1] != kind:
                raise BadValue(f"{name}: found {part[:80]!r}; allowed: a reference to {kind}")
            found.add(written)
        sets.append(found)
    return frozenset(set.intersection(*sets)) if sets else frozenset()


def names_of(ids: Iterable[str], known: Iterable[str] = ()) -> frozenset[str]:
    """Return our names of logical ids; one that is only a digest is looked for among the known."""
    found, lost = set(), set()
    for written in ids:
        if written.startswith(DIGEST):
            lost.add(written)
        else:
            found.add(name_of(written))
    if lost:
        found |= {name for name in known if logical_id(name) in lost}
    return frozenset(found - {""}) or frozenset({"\0none"})


def _period(name: str, value: str) -> Period:
    found = PREFIXED.match(value)
    if found is None:
        allowed = "a date or time with or without eq, ge, gt, le, lt, sa, eb"
        raise BadValue(f"{name}: found {value[:80]!r}; allowed: {allowed}")
    start, end = _interval(name, found[2])
    prefix = found[1] or "eq"
    if prefix == "ge":
        return Period(start, None)
    if prefix in {"gt", "sa"}:
        return Period(end, None)
    if prefix == "le":
        return Period(None, end)
    return Period(None, start) if prefix in {"lt", "eb"} else Period(start, end)


def _interval(name: str, written: str) -> tuple[datetime, datetime]:
    """Return the first moment of what was written and the first one after it."""
    try:
        if len(written) == 4:
            year = int(written)
            return datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)
        if len(written) == 7:
            start = datetime.fromisoformat(f"{written}-01").replace(tzinfo=UTC)
            return start, (start + timedelta(days=31)).replace(day=1)
        at = datetime.fromisoformat(written)
        at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
        return at, at + _precision(written)
    except (ValueError, OverflowError) as error:
        raise BadValue(f"{name}: found {written[:80]!r}; allowed: a date or time that there is") from error


def _precision(written: str) -> timedelta:
    if "T" not in written:
        return timedelta(days=1)
    clock = re.split(r"[Z+]|-(?=\d\d:\d\d$)", written.split("T")[1])[0]
    if "." in clock:
        return timedelta(milliseconds=1) if len(clock.split(".")[1]) <= 3 else timedelta(microseconds=1)
    return timedelta(seconds=1) if clock.count(":") == 2 else timedelta(minutes=1)
