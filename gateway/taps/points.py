"""Points: what happened, as lines of InfluxDB's line protocol; figures only, and nobody's name.

The same event is the same point however often it is written, and two events are never one. A server knows
a point by measurement, tags and time, and some (VictoriaMetrics) keep milliseconds only, so time alone names
nothing. Hence:

* An event's time is the one in its id: the device's own where its message has a key, else that of receipt.
  One whose device gave no believable time has that of its judgement instead, and `timed_by=gateway`.
* Events of one device and type in one millisecond are told apart by the tag `twin`: 1 for the second in the
  order of the log, 2 for the third; the first has none. The log only grows, so the count stays as it is.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from influxdb_client.client.write.point import Point
from influxdb_client.domain.write_precision import WritePrecision

from gateway.contract import Page
from gateway.model.alert import Alert, AlertEntry
from gateway.model.event import Event
from gateway.model.registry import Registry
from gateway.model.vocabulary import Values

MILLISECONDS: Any = WritePrecision.MS
EVENT, ALERT = "vaka_event", "vaka_alert"
WHERE = frozenset({"latitude", "longitude", "accuracy_m", "altitude_m", "speed_kmh"})
"""Fields that tell where somebody was."""
DETAIL = re.compile(r"[a-z][a-z0-9_]{0,47}")
PLACE_LIKE = re.compile(r"lat|lon|lng|gps|coord|altitude|heading|course|speed")
"""Vendors' own words for a position."""
AHEAD_MS, BEHIND_MS = 300_000, 366 * 86_400_000
"""A time further from that of receipt says that the clock is wrong, as the pipeline judges it."""
_EPOCH = datetime.fromtimestamp(0, UTC)
_MILLISECOND = timedelta(milliseconds=1)


class Line(msgspec.Struct, frozen=True, gc=False):
    """One point: the item that it is, and its line."""

    item: str
    text: str


class Known(msgspec.Struct, frozen=True):
    """What the log holds beside the page: events named for the same moments, and what came just before."""

    named: Iterable[tuple[str, int, str, str]]
    """Id, place, device and type."""
    before: Page


def moment_ms(event: Event) -> int:
    """Return the milliseconds in an event's id, 0 where they are no time to go by."""
    named, heard = int(event.id[:12], 16), _ms(event.received_at)
    return named if named and heard - BEHIND_MS <= named <= heard + AHEAD_MS else 0


def judged_since(page: Page) -> tuple[int | None, int | None]:
    """Return the first millisecond of events without a time to go by, and that of lines of history."""
    events = [_ms(event.processed_at) for _, event in page.events if not moment_ms(event)]
    entries = [_ms(entry.at) for entry in page.entries]
    return min(events, default=None), min(entries, default=None)


def reaches(before: Page, events: int | None, entries: int | None) -> bool:
    """Tell whether these pages begin before both moments: judgement follows the order of the log."""
    judged = [_ms(event.processed_at) for _, event in before.events]
    told = [_ms(entry.at) for entry in before.entries]
    oldest = min(judged, default=None)
    heard = events is None or (oldest is not None and oldest < events)
    written = entries is None or min([*judged, *told], default=entries) < entries
    return heard and written


def lines(page: Page, known: Known, registry: Registry, *, positions: bool) -> Iterator[Line]:
    """Yield the points of a page, in its order."""
    twins = _twins(page, known)
    for place, event in page.events:
        yield _event(place, event, _tenant(registry, event), twins[place], positions=positions)
    seen: Counter[tuple[str, ...]] = Counter()
    for entry in known.before.entries:
        seen[_of(entry, known.before.alerts.get(entry.alert))] += 1
    for entry in page.entries:
        alert = page.alerts.get(entry.alert)
        key = _of(entry, alert)
        yield _entry(entry, alert, seen[key])
        seen[key] += 1


def _twins(page: Page, known: Known) -> Mapping[int, int]:
    """Return how many of the same series and millisecond come before each event in the log."""
    places: dict[tuple[str, str, int], list[int]] = {}
    for name, place, device, word in known.named:
        places.setdefault((device, word, int(name[:12], 16)), []).append(place)
    seen = Counter(_judged(event) for _, event in known.before.events if not moment_ms(event))
    found: dict[int, int] = {}
    for place, event in page.events:
        if at := moment_ms(event):
            found[place] = sum(1 for one in places.get((event.device, event.type, at), ()) if one < place)
        else:
            key = _judged(event)
            found[place] = seen[key]
            seen[key] += 1
    return found


def _judged(event: Event) -> tuple[str, str, int]:
    return event.device, event.type, _ms(event.processed_at)


def _of(entry: AlertEntry, alert: Alert | None) -> tuple[str, ...]:
    """Return what a line of history shares with others of its series, and its millisecond."""
    return alert.home if alert else "", alert.rule if alert else "", entry.action, str(_ms(entry.at))


def _event(place: int, event: Event, tenant: str, twin: int, *, positions: bool) -> Line:
    at = moment_ms(event)
    point = Point(EVENT)
    tags = {
        "tenant": tenant,
        "kind": event.kind.value,
        "type": event.type,
        "device": event.device,
        "home": event.home,
        "timed_by": "" if at else "gateway",
        "twin": str(twin) if twin else "",
    }
    for name, value in tags.items():
        point.tag(name, value)
    point.field("n", 1.0).field("place", float(place)).field("late_s", event.late_s)
    for name, number in _figures(event.values, positions=positions):
        point.field(name, number)
    point.time(at or _ms(event.processed_at), MILLISECONDS)
    return Line(f"event/{event.id}", point.to_line_protocol())


def _figures(values: Values, *, positions: bool) -> Iterator[tuple[str, float]]:
    """Yield what is a number, all as floating point: a field that changes its type is refused for ever."""
    found = msgspec.to_builtins(values)
    details = found.pop("details", {})
    for name, value in found.items():
        if isinstance(value, int | float) and (positions or name not in WHERE):
            yield name, float(value)
    for name, value in details.items():
        if isinstance(value, int | float) and DETAIL.fullmatch(name) and not PLACE_LIKE.search(name):
            yield f"detail_{name}", float(value)


def _entry(entry: AlertEntry, alert: Alert | None, twin: int) -> Line:
    point = Point(ALERT)
    tags = {
        "tenant": alert.tenant if alert else "",
        "home": alert.home if alert else "",
        "rule": alert.rule if alert else "",
        "type": entry.type.value if entry.type else "",
        "severity": entry.severity.value if entry.severity else "",
        "action": entry.action,
        "phase": entry.phase.value,
        "twin": str(twin) if twin else "",
    }
    for name, value in tags.items():
        point.tag(name, value)
    point.field("n", 1.0).field("frame", float(entry.frame)).field("version", float(entry.version))
    if alert is not None:
        point.field("since_raised_s", (entry.at - alert.raised_at).total_seconds())
        point.field("late_s", float(alert.late_s))
    point.time(_ms(entry.at), MILLISECONDS)
    return Line(f"alert/{entry.alert}:{entry.version}", point.to_line_protocol())


def _tenant(registry: Registry, event: Event) -> str:
    home = registry.homes.get(event.home)
    return home.tenant if home else ""


def _ms(moment: datetime) -> int:
    return (moment - _EPOCH) // _MILLISECOND
