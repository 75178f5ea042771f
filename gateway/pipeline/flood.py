"""Flood: when more alerts come than people can take one by one, or a vendor's devices fall silent together.

Counted as they come, kept in the state's memory, so that a restart in the middle changes nothing.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from gateway.model.alert import Alert
from gateway.model.registry import Registry
from gateway.model.status import Timer
from gateway.pipeline.state import State

OWNER = "incident"
"""Owner of what is remembered and armed here."""
WINDOW = timedelta(minutes=10)
RESPONDER_MOST, TENANT_MOST, CALM_UNDER = 10, 50, 5
"""New Low and Medium alerts in the window: more is a flood, fewer is its end (alert rules, 5.6, S4)."""
VENDOR_SHARE, VENDOR_AT_LEAST = 0.3, 5
"""More of a vendor's devices lost in the window is an outage (alert rules, 5.6, S2); one lost device of
two says nothing of their vendor, so it takes at least five."""
LOSSES = frozenset({"device_silent", "device_offline"})
"""Rules by which a device is lost (alert rules, 5.6, S1)."""
BUCKET_S = 60
LOOK_AGAIN = timedelta(minutes=5)
CALM, RECOVERED = "calm", "recovered"
"""Names of the timers that look for the end."""


def responder_of(alert: Alert) -> str:
    """Return the memory's name for those who are asked first: nothing in a registry begins with ~."""
    return f"~responder/{alert.tenant}/{alert.route}/{alert.ladder}"


def vendor_of(state: State, alert: Alert) -> str:
    """Return the memory's name for all devices of one vendor in a tenant, "" for no device's alert."""
    device = state.registry.devices.get(alert.device or "")
    return f"~vendor/{alert.tenant}/{device.adapter}" if device else ""


def overwhelmed(state: State, alert: Alert) -> bool:
    """Count a new Low or Medium alert; True while its responder is in a flood."""
    responder = responder_of(alert)
    tenant_full = _arrive(state, f"~tenant/{alert.tenant}", TENANT_MOST)
    own_full = _arrive(state, responder, RESPONDER_MOST)
    facts = state.recall(OWNER, responder)
    if not facts.get("by") and (own_full or tenant_full):
        by = responder if own_full else f"~tenant/{alert.tenant}"
        state.remember(OWNER, responder, {**facts, "by": by})
        _look_for_calm(state, responder, by)
        return True
    return bool(facts.get("by"))


def calm(state: State, responder: str) -> bool:
    """Tell whether a flood is over, and forget it then; otherwise look again when it could be."""
    facts = state.recall(OWNER, responder)
    by = str(facts.get("by", ""))
    if not by:
        return False
    if len(_recent(state, by)) >= CALM_UNDER:
        _look_for_calm(state, responder, by)
        return False
    state.remember(OWNER, responder, {"recent": facts.get("recent", [])})
    return True


def outage(state: State, alert: Alert) -> bool:
    """Count a lost device; True while so many of its vendor's devices fall silent together."""
    vendor = vendor_of(state, alert)
    if alert.rule not in LOSSES or not vendor:
        return False
    facts = state.recall(OWNER, vendor)
    if facts.get("on"):
        return True
    minute = int(state.now.timestamp()) // BUCKET_S
    oldest = minute - int(WINDOW.total_seconds()) // BUCKET_S
    lost: dict[str, int] = {key: n for key, n in facts.get("lost", {}).items() if int(key) > oldest}
    lost[str(minute)] = lost.get(str(minute), 0) + 1
    many = sum(lost.values())
    on = many >= VENDOR_AT_LEAST and many > VENDOR_SHARE * fleet(state.registry)[vendor]
    state.remember(OWNER, vendor, {"lost": lost, "on": on})
    if on:
        _arm(state, vendor, RECOVERED, state.now + LOOK_AGAIN)
    return on


def recovered(state: State, vendor: str, still_lost: int) -> bool:
    """Tell whether an outage is over, and forget it then: fewer than half of what began it are lost still."""
    if not state.recall(OWNER, vendor).get("on"):
        return False
    if still_lost > VENDOR_SHARE / 2 * fleet(state.registry)[vendor]:
        _arm(state, vendor, RECOVERED, state.now + LOOK_AGAIN)
        return False
    state.remember(OWNER, vendor, None)
    return True


@lru_cache(maxsize=2)
def fleet(registry: Registry) -> Mapping[str, int]:
    """Return how many supervised devices each vendor has, by the memory's name for it; 0 for a stranger."""
    watched = (registry.devices[name] for name, one in registry.enrolments.items() if one.supervised)
    return Counter(f"~vendor/{device.tenant}/{device.adapter}" for device in watched)


def _arrive(state: State, name: str, most: int) -> bool:
    """Count one; remembers no more moments than it takes to know that they are too many."""
    recent = [*_recent(state, name), state.now.timestamp()][-(most + 1) :]
    state.remember(OWNER, name, {**state.recall(OWNER, name), "recent": recent})
    return len(recent) > most


def _recent(state: State, name: str) -> list[float]:
    since = (state.now - WINDOW).timestamp()
    found: Any = state.recall(OWNER, name).get("recent", [])
    return [moment for moment in found if moment > since]


def _look_for_calm(state: State, responder: str, by: str) -> None:
    """Look again when all but fewer than the limit will have left the window."""
    last = sorted(_recent(state, by))[-CALM_UNDER]
    _arm(state, responder, CALM, datetime.fromtimestamp(last, UTC) + WINDOW)


def _arm(state: State, name: str, what: str, due_at: datetime) -> None:
    soonest = state.now + timedelta(seconds=1)
    state.arm(Timer(owner=OWNER, subject=name, name=what, due_at=max(due_at, soonest), set_at=state.now))
