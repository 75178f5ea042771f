"""Facts: what an expression may speak of, worked out once an input and shared by the rules."""

from collections.abc import Iterable
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

SLOTS = tuple(sorted({word.slot for word in VOCABULARY.values() if word.slot}))
NEVER = 1e9
"""Minutes, where the thing never was or is not to come."""
ALWAYS_THERE = frozenset({"type", "kind", "late", "late_s", "minutes_late"})
"""Fields that every event has; any other is asked for with has()."""
WORKED_OUT = frozenset({"away_m", "inside_zone"})
"""Fields worked out for a position in a home that has a zone: metres outside its edge, 0 inside."""


def context(event: Event | None, at: Situation) -> cel.Context:
    """Return the one context of this input.

    `event` (its type, kind, lateness and values), `local` (hour, minute, weekday 1 to 7, minute of the
    day) and `is_night` at its own time; `device`, `person`, `home`, `status` (each slot's present word,
    "" for none), `minutes` (since each slot was entered), `offline` and `gone`, `battery` (-1 unknown),
    `context` (what is in force), `plan` (in a dose or look, and minutes to the next) at the present.
    """
    found: cel.Context | None = at.shared.get("cel")
    if found is None:
        found = at.shared["cel"] = context_of(_values(event, at))
    return found


def _values(event: Event | None, at: Situation) -> dict[str, Any]:
    moment = at.now if event is None else happened_at(event)
    local = at.local(moment)
    status, person = at.status(), at.person
    return {
        "event": {} if event is None else _event(event, at),
        "local": {
            "hour": local.hour,
            "minute": local.minute,
            "weekday": local.isoweekday(),
            "minute_of_day": local.hour * 60 + local.minute,
        },
        "is_night": is_night(at, moment),
        "device": {"kind": at.device.kind.value, "role": at.enrolment.role},
        "person": {"known": person is not None, "flags": _flags(at)},
        "home": {
            "lives": len(at.residents),
            "high_open": _high_open(at),
            "has_zone": at.home.zone is not None,
        },
        "status": {slot: status.slots.get(slot, "") for slot in SLOTS},
        "minutes": {slot: _since(status.since.get(slot), at.now) for slot in SLOTS},
        "offline": status.offline,
        "gone": gone_since(at) is not None,
        "battery": -1.0 if status.battery_percent is None else float(status.battery_percent),
        "context": {kind.value: bool(at.contexts(kind)) for kind in ContextKind},
        "plan": _plan(at, moment),
    }


def _event(event: Event, at: Situation) -> dict[str, Any]:
    told: dict[str, Any] = {
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


def _flags(at: Situation) -> list[str]:
    """Return the care-plan flags of the person, or of everybody when it watches for everybody."""
    people = at.residents if at.person is None else (at.person,)
    return sorted({flag for person in people for flag in person.flags})


def _high_open(at: Situation) -> bool:
    return any(alert.severity is Severity.HIGH for alert in at.home_alerts())


def _since(moment: datetime | None, now: datetime) -> float:
    return NEVER if moment is None else (now - moment).total_seconds() / 60


def _plan(at: Situation, moment: datetime) -> dict[str, Any]:
    return {
        "in_dose": _in(at.enrolment.doses, moment, at),
        "in_look": _in(at.enrolment.looks, moment, at),
        "dose_in_min": _next(at.enrolment.doses, moment, at),
        "look_in_min": _next(at.enrolment.looks, moment, at),
        "look_min": max((window.minutes for window in at.enrolment.looks), default=0.0),
    }


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
