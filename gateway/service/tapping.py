"""Tapping: what a tap may use, made once by the plug board."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from gateway.contract import Clock, Log, Page
from gateway.model.alert import Alert, AlertEntry
from gateway.model.delivery import Delivery
from gateway.model.event import Event
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

    def event_word(self, event_id: str) -> str:
        """Return the type of an event, "" for one that is not in the log."""
        ...

    def events(self, *, frame: int | None = None, limit: int = 100) -> list[tuple[int, Event]]:
        """Return the events of a frame with their place in the log."""
        ...


class Words(Protocol):
    """What staff read, in the language that receivers are told things in."""

    def alert(self, alert: Alert) -> str:
        """Return the sentence of an alert."""
        ...

    def get(self, key: str, otherwise: str) -> str:
        """Return a word that may be unknown."""
        ...


class NoWords:
    """Stands where nobody reads what is told: the names of things themselves."""

    def alert(self, alert: Alert) -> str:
        """Return the rule's id."""
        return alert.rule

    def get(self, key: str, otherwise: str) -> str:  # noqa: ARG002 - the port's signature
        """Return what is given."""
        return otherwise


@dataclass(frozen=True)
class TapMeans:
    """What taps are made from: their settings, the registry as last committed, the state, clock and words."""

    settings: TapSettings
    registry: Callable[[], Registry]
    answers: Answers
    log: Log
    clock: Clock
    words: Words = field(default_factory=NoWords)


def tenants_of(page: Page, registry: Registry, wanted: TapSection) -> Page:
    """Return of a page what concerns the tenants that a tap is for; all of it where it names none."""
    if not wanted.tenants:
        return page
    theirs = frozenset(wanted.tenants)
    alerts = {name: alert for name, alert in page.alerts.items() if alert.tenant in theirs}
    events = [(place, event) for place, event in page.events if _tenant_of(event, registry) in theirs]
    entries = [entry for entry in page.entries if entry.alert in alerts]
    return Page(after=page.after, upto=page.upto, events=events, entries=entries, alerts=alerts)


def _tenant_of(event: Event, registry: Registry) -> str:
    """Return whose an event is: of the home it happened in, for its device may have moved to others since."""
    home = registry.homes.get(event.home)
    if home is not None:
        return home.tenant
    device = registry.devices.get(event.device)
    return device.tenant if device is not None else ""
