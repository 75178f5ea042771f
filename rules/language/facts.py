"""Facts: what an expression may speak of, worked out only where it is asked for, and once an input."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

import cel

from gateway.contract import Situation
from gateway.model.alert import Severity
from gateway.model.event import Event, flat_values
from gateway.model.people import ContextKind
from gateway.model.registry import Window
from gateway.model.vocabulary import VOCABULARY, PositionValues
from rules.language.predicate import context_of
from rules.places import distance_m
from rules.presence import gone_since
from rules.times import around, happened_at, is_late, is_night, zone_of

Ask = Callable[[datetime, Situation], Any]
"""Asked with the event's own time, or the present where a timer is judged."""
SLOTS = tuple(sorted({word.slot for word in VOCABULARY.values() if word.slot}))
NEVER = 1e9
"""Minutes, where the thing never was or is not to come."""
ALWAYS_THERE = frozenset({"type", "kind", "late", "late_s", "minutes_late"})
"""Fields that every event has; any other is asked for with has()."""
WORKED_OUT = frozenset({"away_m", "inside_zone"})
"""Fields worked out for a position in a home that has a zone: metres outside its edge, 0 inside."""
EVENT = "event"
MAX_CONTEXTS = 4096
"""Contexts kept from earlier inputs: to make one costs more than to judge by it."""
_CONTEXTS: dict[Any, cel.Context] = {}


def context(event: Event | None, at: Situation, needs: frozenset[str]) -> cel.Context:
    """Return the context of this input that holds what an expression needs; shared by all that need the same.

    To make the whole of it would cost more than all the expressions of an event together.
    """
    found: cel.Context | None = at.shared.get(needs)
    if found is None:
        found = at.shared[needs] = _kept(_values(event, at, needs))
    return found


def _kept(values: dict[str, Any]) -> cel.Context:
    """Return the context of these values, the one made before where many inputs say the same.

    The types are part of what is the same: to an expression 1, 1.0 and true are three things.
    """
    try:
        key = tuple([(name, _told_apart(value)) for name, value in values.items()])
        found = _CONTEXTS.get(key)
    except TypeError:  # a list among them
        return context_of(values)
    if found is None:
        if len(_CONTEXTS) >= MAX_CONTEXTS:
            _CONTEXTS.clear()
        found = _CONTEXTS[key] = context_of(values)
    return found


def _told_apart(value: Any) -> Any:
    if isinstance(value, dict):
        return tuple([(name, _told_apart(inner)) for name, inner in value.items()])
    return type(value), value


def _values(event: Event | None, at: Situation, needs: Iterable[str]) -> dict[str, Any]:
    moment = at.now if event is None else happened_at(event)
    values: dict[str, Any] = {}
    for need in needs:
        variable, _, field = need.partition(".")
        if variable == EVENT:
            told = _event(event, at)
            mine = values.setdefault(EVENT, {})
            if field in told:
                mine[field] = told[field]
        elif field:
            values.setdefault(variable, {})[field] = ANSWERS[need](moment, at)
        else:
            values[variable] = ANSWERS[need](moment, at)
    return values


def _event(event: Event | None, at: Situation) -> Mapping[str, Any]:
    """Return the event's type, kind, lateness and values, worked out once an input."""
    told: dict[str, Any] | None = at.shared.get(EVENT)
    if told is not None or event is None:
        return told or {}
    told = at.shared[EVENT] = {
        **flat_values(event.values),
        "type": event.type,
        "kind": event.kind.value,
        "late": is_late(event),
        "late_s": event.late_s,
        "minutes_late": event.late_s / 60,
    }
    zone, values = at.home.zone, event.values
    if zone is not None and isinstance(values, PositionValues):
        outside = distance_m(values.latitude, values.longitude, zone) - zone.radius_m
        told |= {"away_m": max(outside, 0.0), "inside_zone": outside <= 0}
    return told


def _flags(_moment: datetime, at: Situation) -> list[str]:
    """Return the care-plan flags of the person, or of everybody when it watches for everybody."""
    people = at.residents if at.person is None else (at.person,)
    return sorted({flag for person in people for flag in person.flags})


def _high_open(_moment: datetime, at: Situation) -> bool:
    return any(alert.severity is Severity.HIGH for alert in at.home_alerts())


def _battery(_moment: datetime, at: Situation) -> float:
    percent = at.status().battery_percent
    return -1.0 if percent is None else float(percent)


def _word(slot: str) -> Ask:
    """The slot's present word, "" for none."""
    return lambda _moment, at: at.status().slots.get(slot, "")


def _since(slot: str) -> Ask:
    """Minutes since the slot's present word began."""

    def minutes(_moment: datetime, at: Situation) -> float:
        since = at.status().since.get(slot)
        return NEVER if since is None else (at.now - since).total_seconds() / 60

    return minutes


def _in_force(kind: ContextKind) -> Ask:
    return lambda _moment, at: bool(at.contexts(kind))


def _in(windows: Iterable[Window], moment: datetime, at: Situation) -> bool:
    return any(one.spans(moment) for window in windows for one in around(window, moment, zone_of(at)))


def _next(windows: Iterable[Window], moment: datetime, at: Situation) -> float:
    """Return the minutes to the next planned time, 0 within one."""
    coming = [
        max((one.starts_at - moment).total_seconds() / 60, 0.0)
        for window in windows
        for one in around(window, moment, zone_of(at))
        if one.ends_at > moment
    ]
    return min(coming, default=NEVER)


def _minute_of_day(moment: datetime, at: Situation) -> int:
    local = at.local(moment)
    return local.hour * 60 + local.minute


ANSWERS: dict[str, Ask] = {
    "local.hour": lambda moment, at: at.local(moment).hour,
    "local.minute": lambda moment, at: at.local(moment).minute,
    "local.weekday": lambda moment, at: at.local(moment).isoweekday(),
    "local.minute_of_day": _minute_of_day,
    "is_night": lambda moment, at: is_night(at, moment),
    "device.kind": lambda _moment, at: at.device.kind.value,
    "device.role": lambda _moment, at: at.enrolment.role,
    "person.known": lambda _moment, at: at.person is not None,
    "person.flags": _flags,
    "home.lives": lambda _moment, at: len(at.residents),
    "home.high_open": _high_open,
    "home.has_zone": lambda _moment, at: at.home.zone is not None,
    "offline": lambda _moment, at: at.status().offline,
    "gone": lambda _moment, at: gone_since(at) is not None,
    "battery": _battery,
    "plan.in_dose": lambda moment, at: _in(at.enrolment.doses, moment, at),
    "plan.in_look": lambda moment, at: _in(at.enrolment.looks, moment, at),
    "plan.dose_in_min": lambda moment, at: _next(at.enrolment.doses, moment, at),
    "plan.look_in_min": lambda moment, at: _next(at.enrolment.looks, moment, at),
    **{f"status.{slot}": _word(slot) for slot in SLOTS},
    **{f"minutes.{slot}": _since(slot) for slot in SLOTS},
    **{f"context.{kind.value}": _in_force(kind) for kind in ContextKind},
}
"""Everything that an expression may ask beside the event; each is worked out only for who asks it."""
