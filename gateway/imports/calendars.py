"""Calendars: a shift plan as iCalendar (RFC 5545), with its repetitions, exceptions and cancellations."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from dateutil.rrule import rruleset, rrulestr
from icalendar import Calendar, Event

from gateway.contract import ConfigurationError
from gateway.imports.tables import Row, local, shift

MAX_EVENTS = 20_000
LONGEST_SPAN = timedelta(days=400)
STAFF, TEAM = "X-VAKA-STAFF", "X-VAKA-TEAM"
"""Who works, and in which team; else the summary and the category say it."""


def shifts(  # noqa: PLR0917 - what a plan says, and what it leaves to whoever imports it
    content: bytes, zone: ZoneInfo, source: str, team: str, since: datetime | None, until: datetime | None
) -> list[Row]:
    """Return the shifts of a calendar; one that repeats needs the span for which it is meant."""
    found: list[Row] = []
    for number, event in enumerate(_events(content), start=1):
        for row in _of_event(number, event, zone, source, team, _span(since, until)):
            inside = (since is None or row["since"] >= since) and (until is None or row["since"] < until)
            if inside:
                found.append(row)
            if len(found) > MAX_EVENTS:
                raise ConfigurationError(f"event {number}: more than {MAX_EVENTS} shifts")
    return found


def _events(content: bytes) -> Iterator[Event]:
    try:
        calendar = Calendar.from_ical(content)
    except (ValueError, IndexError, KeyError) as error:
        raise ConfigurationError(f"the calendar cannot be read: {error}") from error
    events = [one for one in calendar.walk("VEVENT") if isinstance(one, Event)]
    for event in events:
        if event.get("RECURRENCE-ID") is not None:  # a changed repetition stands instead of the planned one
            _except(events, event)
    for event in events:
        if str(event.get("STATUS", "")).upper() != "CANCELLED":
            yield event


def _except(events: list[Event], changed: Event) -> None:
    moment = changed.decoded("RECURRENCE-ID")
    for event in events:
        if event.get("UID") == changed.get("UID") and event.get("RRULE") is not None:
            event.add("EXDATE", moment)


def _of_event(  # noqa: PLR0917 - as above
    number: int,
    event: Event,
    zone: ZoneInfo,
    source: str,
    team: str,
    span: tuple[datetime, datetime] | None,
) -> Iterator[Row]:
    who = str(event.get(STAFF) or event.get("SUMMARY") or "").strip()
    where = str(event.get(TEAM) or _category(event) or team).strip()
    begin, end = _decoded(number, event, "DTSTART"), _decoded(number, event, "DTEND")
    if not who or not where:
        raise ConfigurationError(f"event {number}: SUMMARY: found no staff, or no team in CATEGORIES")
    if begin is None or end is None:
        raise ConfigurationError(f"event {number}: DTSTART, DTEND: found a day; allowed: times")
    for start in _starts(number, event, begin, zone, span):
        # By the wall clock: a night is as long as the clocks make it.
        stop = start + (end.replace(tzinfo=None) - begin.replace(tzinfo=None))
        aware = begin.tzinfo or zone
        name = f"{event.get('UID', '')}/{start.isoformat()}"
        yield shift(
            who,
            where,
            local(start.replace(tzinfo=aware), zone),
            local(stop.replace(tzinfo=aware), zone),
            source,
            name=name if event.get("UID") else "",
        )


def _starts(
    number: int, event: Event, begin: datetime, zone: ZoneInfo, span: tuple[datetime, datetime] | None
) -> Iterator[datetime]:
    """Yield the beginnings by the event's own wall clock."""
    first = begin.replace(tzinfo=None)
    if event.get("RRULE") is None:
        yield first
        return
    if span is None:
        raise ConfigurationError(
            f"event {number}: RRULE: it repeats: say since when and until when it is meant"
        )
    aware = begin.tzinfo or zone
    rules = rruleset()
    text = _rule_of(event)
    try:
        rules.rrule(rrulestr(_without_zone(text, aware), dtstart=first))
    except ValueError as error:
        raise ConfigurationError(f"event {number}: RRULE: found {text!r}: {error}") from error
    for skipped in _exceptions(event):
        rules.exdate(skipped.astimezone(aware).replace(tzinfo=None) if skipped.tzinfo else skipped)
    since, until = (moment.astimezone(aware).replace(tzinfo=None) for moment in span)
    yield from rules.between(since, until, inc=True)


def _rule_of(event: Event) -> str:
    found = event["RRULE"].to_ical()
    return found.decode() if isinstance(found, bytes) else str(found)


def _without_zone(rule: str, zone: Any) -> str:
    """Return the rule with its UNTIL by the event's own clock (RFC 5545, 3.3.10 gives it in UTC)."""
    parts = []
    for part in rule.split(";"):
        name, _, value = part.partition("=")
        if name == "UNTIL" and value.endswith("Z"):
            moment = datetime.strptime(value, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).astimezone(zone)
            value = f"{moment:%Y%m%dT%H%M%S}"
        parts.append(f"{name}={value}")
    return ";".join(parts)


def _exceptions(event: Event) -> Iterator[datetime]:
    lists = event.get("EXDATE") or []
    for one in lists if isinstance(lists, list) else [lists]:
        for skipped in one.dts:
            if isinstance(skipped.dt, datetime):
                yield skipped.dt


def _decoded(number: int, event: Event, name: str) -> datetime | None:
    try:
        found = event.decoded(name)
    except (KeyError, ValueError) as error:
        raise ConfigurationError(f"event {number}: {name}: is missing, or no time") from error
    return found if isinstance(found, datetime) and isinstance(found, date) else None


def _category(event: Event) -> str:
    found = event.get("CATEGORIES")
    if found is None:
        return ""
    first = found[0] if isinstance(found, list) else found
    return str(first.cats[0]) if first.cats else ""


def _span(since: datetime | None, until: datetime | None) -> tuple[datetime, datetime] | None:
    if since is None or until is None:
        return None
    if until - since > LONGEST_SPAN:
        raise ConfigurationError(
            f"since, until: found {until - since}; allowed: at most {LONGEST_SPAN.days} days"
        )
    return since, until
