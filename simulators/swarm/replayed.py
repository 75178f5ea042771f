"""Replay equals live: the journal of a run walked again must give what the gateway wrote at the time."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

import msgspec
from msgspec.structs import replace

from gateway.contract import Changes
from gateway.model.event import Event
from gateway.model.trace import Trace
from gateway.pipeline.state import State
from gateway.pipeline.walk import Walk
from simulators.scenarios.evidence import Evidence

SHOWN = 5
"""Differences that are told of one kind; further ones are counted."""


class Again(msgspec.Struct):
    """What a second walk gave: rows as the store would keep them."""

    events: dict[str, Event] = {}
    alerts: dict[str, Any] = {}
    entries: dict[str, Any] = {}
    deliveries: dict[str, Any] = {}
    timers: dict[str, Any] = {}
    memories: dict[str, Any] = {}
    statuses: dict[str, Any] = {}
    remarks: dict[str, Any] = {}


def walk_again(walk: Walk, evidence: Evidence) -> Again:
    """Walk the journal from its beginning, one frame a commit."""
    again, state = Again(), State()
    for frame in evidence.frames.values():
        decoded = walk.read(frame)
        asked = walk.doubtful(state, [decoded])
        known = frozenset(name for name in asked if name in again.events)
        walk.step(state, frame, decoded, known, frame.received_at)
        _keep(again, state.take_changes())
    return again


def differences(walk: Walk, evidence: Evidence) -> Iterator[str]:
    """Say where a second walk of the journal gives something else than was written."""
    again = walk_again(walk, evidence)
    was = evidence.snapshot
    lived = {event.id: event for events in evidence.events.values() for event in events}
    yield from _differ("event", _bare(lived), _bare(again.events))
    yield from _differ("alert", evidence.alerts, again.alerts)
    written = {f"{e.alert} version {e.version}": e for all_ in evidence.entries.values() for e in all_}
    yield from _differ("line of history", written, again.entries)
    sent = {one.id: one for all_ in evidence.deliveries.values() for one in all_}
    yield from _differ("delivery", sent, again.deliveries)
    yield from _differ("timer", was.timers, again.timers)
    yield from _differ("memory", was.memories, again.memories)
    yield from _differ("status", was.statuses, again.statuses)
    yield from _differ(
        "remarks on frame", _remarks(chain.from_iterable(evidence.traces.values())), again.remarks
    )


def _keep(again: Again, changes: Changes) -> None:
    for event in changes.events:
        again.events.setdefault(event.id, event)
    again.alerts.update(changes.alerts)
    for entry in changes.entries:
        again.entries.setdefault(f"{entry.alert} version {entry.version}", entry)
    again.deliveries.update(changes.deliveries)
    again.statuses.update(changes.statuses)
    again.remarks.update(_remarks(changes.traces))
    for kept, changed in ((again.timers, changes.timers), (again.memories, changes.memories)):
        for key, value in changed.items():
            kept[key] = value
            if value is None:
                del kept[key]


def _remarks(traces: Iterable[Trace]) -> dict[str, list[Trace]]:
    found: dict[str, list[Trace]] = {}
    for trace in traces:
        found.setdefault(str(trace.frame), []).append(trace)
    return found


def _bare(events: Mapping[str, Event]) -> dict[str, Event]:
    """Return events without the moment of their judging, which the journal does not know."""
    return {key: replace(event, processed_at=event.received_at) for key, event in events.items()}


def _differ(what: str, live: Mapping[str, Any], again: Mapping[str, Any]) -> Iterator[str]:
    found = [key for key in {**live, **again} if not _same(live.get(key), again.get(key))]
    for key in found[:SHOWN]:
        name = key.replace("\0", " ")
        yield f"{what} {name}: live {_told(live.get(key), again.get(key))}"
    if len(found) > SHOWN:
        yield f"{what}: {len(found) - SHOWN} more differ"


def _told(live: Any, again: Any) -> str:
    one, two = _plain(live), _plain(again)
    if isinstance(one, dict) and isinstance(two, dict):
        keys: Iterable[str] = [key for key in {**one, **two} if one.get(key) != two.get(key)]
        parts = [f"{key} = {one.get(key)!r}, again {two.get(key)!r}" for key in keys]
        return "; ".join(parts)
    return f"{one!r}, again {two!r}"


def _same(one: Any, two: Any) -> bool:
    return bool(one == two) or _plain(one) == _plain(two)


def _plain(value: Any) -> Any:
    """Return it as the store would read it back."""
    return msgspec.json.decode(msgspec.json.encode(value))
