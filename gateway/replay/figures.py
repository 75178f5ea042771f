"""Figures: what one run came to: its alerts, the load of who was asked, what shadow rules would have done."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime

import msgspec

from gateway.contract import Changes
from gateway.model.alert import Alert, AlertEntry, Outcome, Severity
from gateway.model.delivery import Delivery, DeliveryState
from gateway.model.registry import Registry
from gateway.model.synthetic import SYNTHETIC
from gateway.model.vocabulary import DeviceKind
from gateway.pipeline.decide import SHADOW
from gateway.pipeline.delivering import LATER
from gateway.pipeline.situation import device_of

CLIMBS = frozenset({"widened", "escalated"})
"""Actions of history that say that nobody answered in time."""
HOUR_S = 3600


class AlertFigure(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One alert of a run: when it was raised, how severe it became, and what came of it, in seconds after.

    `answered` says whose answers it had: "recorded", "habit" (what the crew mostly does) or "" for nobody's.
    """

    rule: str
    home: str = ""
    about: str = ""
    subject: str = ""
    severity: Severity
    worst: Severity
    raised_at: datetime
    taken_s: float | None = None
    there_s: float | None = None
    done_s: float | None = None
    offers: int = 0
    climbs: int = 0
    answered: str = ""
    false: bool = False


class Load(msgspec.Struct, kw_only=True):
    """What one responder was asked: offers of alerts, calls by phone or mail, the busiest hour's offers."""

    offers: int = 0
    calls: int = 0
    busiest: int = 0


class Figures:
    """Counts a run from `since` on; it holds one small record an alert, and nothing of the frames."""

    def __init__(self, since: datetime) -> None:
        self._since = since
        self.alerts: dict[str, AlertFigure] = {}
        self.loads: dict[str, Load] = {}
        self.shadow: Counter[tuple[str, str]] = Counter()
        self.kinds: dict[str, set[DeviceKind]] = {}
        self.raised_by: dict[str, set[str]] = {}
        self._queued: set[str] = set()
        self._hours: dict[str, tuple[int, int]] = {}

    def take(self, changes: Changes, now: datetime, registry: Registry) -> None:
        """Count what inputs changed."""
        for event in changes.events:
            self.kinds.setdefault(event.type, set()).add(event.kind)
        if now < self._since:
            return
        for entry in changes.entries:
            self._entry(entry, changes.alerts)
        if changes.deliveries:
            self._deliveries(changes.deliveries, now)
        for key, facts in changes.memories.items():
            if SHADOW in key and facts and facts.get("open"):
                rule, _, subject = key.partition(SHADOW + "\0")
                self.shadow[rule, whom(registry, subject)] += 1

    def _entry(self, entry: AlertEntry, alerts: Mapping[str, Alert]) -> None:
        alert = alerts[entry.alert]
        if entry.action == "raised" and alert.tenant != SYNTHETIC:
            self.raised_by.setdefault(alert.rule, set()).add(alert.device or "")
            self.alerts[alert.id] = AlertFigure(
                rule=alert.rule,
                home=alert.home,
                about=alert.person or alert.device or "",
                subject=alert.subject,
                severity=entry.severity or alert.severity,
                worst=entry.severity or alert.severity,
                raised_at=alert.raised_at,
            )
            return
        known = self.alerts.get(entry.alert)
        if known is None:
            return
        after_s = (entry.at - known.raised_at).total_seconds()
        if entry.severity is not None and entry.severity.rank < known.worst.rank:
            known.worst = entry.severity
        if entry.action == "accepted" and known.taken_s is None:
            known.taken_s = after_s
        elif entry.action == "on_site":
            known.taken_s = after_s if known.taken_s is None else known.taken_s
            known.there_s = after_s if known.there_s is None else known.there_s
        elif entry.action == "closed":
            known.done_s = after_s
            known.false = alert.outcome is Outcome.FALSE
        known.climbs += entry.action in CLIMBS

    def _deliveries(self, deliveries: Mapping[str, Delivery], now: datetime) -> None:
        rings: set[tuple[str, str, int]] = set()
        for one in deliveries.values():
            if one.state is not DeliveryState.QUEUED:
                self._queued.discard(one.id)
                continue
            if one.id in self._queued:
                continue
            self._queued.add(one.id)
            load = self.loads.setdefault(one.recipient, Load())
            if one.channel in LATER:
                load.calls += 1
            elif one.attempt == 1:
                rings.add((one.alert, one.recipient, one.round))
        for alert, recipient, _ in sorted(rings):
            self._offer(recipient, now)
            if alert in self.alerts:
                self.alerts[alert].offers += 1

    def _offer(self, recipient: str, at: datetime) -> None:
        """Count an offer, and the hour that it falls in."""
        load, this = self.loads[recipient], int(at.timestamp()) // HOUR_S
        hour, before = self._hours.get(recipient, (this, 0))
        in_hour = before + 1 if hour == this else 1
        self._hours[recipient] = (this, in_hour)
        load.offers += 1
        load.busiest = max(load.busiest, in_hour)


def whom(registry: Registry, subject: str) -> str:
    """Return the person whom a subject is about, else its home; "" for neither."""
    device = device_of(registry, subject)
    enrolment = registry.enrolments.get(device) if device else None
    if enrolment is None:
        return ""
    if enrolment.person:
        return enrolment.person
    living = registry.persons_of(enrolment.home)
    return living[0].ref if len(living) == 1 else enrolment.home
