"""Tapping: what a tap may use, made once by the plug board."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.contract import Clock, Log, Page
from gateway.model.alert import AlertEntry
from gateway.model.delivery import Delivery
from gateway.model.registry import Registry
from gateway.tap_settings import TapSection, TapSettings


class Answers(Protocol):
    """The questions that a tap may ask of the committed state, in a thread; StoreUnavailableError."""

    def history(
        self, alert_id: str, *, after: int | None = None, limit: int | None = None
    ) -> list[AlertEntry]:
        """Return the course of events of an alert, oldest first."""
        ...

    def named_at(self, moments: Sequence[str]) -> list[tuple[str, int, str, str]]:
        """Return id, place, device and type of the events whose ids begin so (12 digits: a millisecond)."""
        ...

    def deliveries(self, alert_id: str, *, limit: int | None = None) -> list[Delivery]:
        """Return the deliveries of an alert."""
        ...


@dataclass(frozen=True)
class TapMeans:
    """What taps are made from: their settings, the registry as last committed, the state, the clock."""

    settings: TapSettings
    registry: Callable[[], Registry]
    answers: Answers
    log: Log
    clock: Clock


def tenants_of(page: Page, registry: Registry, wanted: TapSection) -> Page:
    """Return of a page what concerns the tenants that a tap is for; all of it where it names none."""
    if not wanted.tenants:
        return page
    theirs = frozenset(wanted.tenants)
    alerts = {name: alert for name, alert in page.alerts.items() if alert.tenant in theirs}
    events = [
        (place, event)
        for place, event in page.events
        if (device := registry.devices.get(event.device)) is not None and device.tenant in theirs
    ]
    entries = [entry for entry in page.entries if entry.alert in alerts]
    return Page(after=page.after, upto=page.upto, events=events, entries=entries, alerts=alerts)
