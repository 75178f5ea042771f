"""The account of a run in process: alerts by rule and severity, and how soon people knew and were there."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from gateway.contract import Changes
from gateway.model.alert import Alert
from gateway.model.frame import Transport
from simulators.house.keep import Digest

DISPLAYED = "delivery/displayed/"
STEPS = {"accepted": "accepted", "on_site": "on_site"}


class Spread(msgspec.Struct, frozen=True):
    """Seconds from the raising of an alert, over those alerts that came so far."""

    alerts: int
    p50_s: float
    p99_s: float
    longest_s: float


class Account:
    """Takes every commit; `digest` is that of the event log, the same for the same run."""

    def __init__(self) -> None:
        self.alerts: dict[str, Alert] = {}
        self.reached: dict[str, dict[str, datetime]] = {"displayed": {}, "accepted": {}, "on_site": {}}
        self.frames = self.events = 0
        self._log = Digest()
        self._alert_of: dict[str, str] = {}

    def take(self, changes: Changes, cursor: int) -> None:
        """Take one commit."""
        self._log.commit(changes, cursor)
        self.frames, self.events = cursor, self._log.events
        self.alerts.update(changes.alerts)
        self._alert_of.update({one.id: one.alert for one in changes.deliveries.values()})
        for frame in changes.frames:
            if frame.transport is Transport.RECEIPT and frame.channel.startswith(DISPLAYED):
                alert = self._alert_of.get(frame.channel.removeprefix(DISPLAYED))
                if alert is not None:
                    self.reached["displayed"].setdefault(alert, frame.received_at)
        for entry in changes.entries:
            if entry.action in STEPS:
                self.reached[entry.action].setdefault(entry.alert, entry.at)

    @property
    def digest(self) -> str:
        """SHA-256 of events, history and deliveries in the order of their making."""
        return self._log.hexdigest()

    def by_rule(self) -> Mapping[str, Mapping[str, int]]:
        """Return how many alerts each rule raised, by severity."""
        found: dict[str, Counter[str]] = {}
        for alert in self.alerts.values():
            found.setdefault(alert.rule, Counter())[alert.severity.value] += 1
        return {rule: dict(sorted(counts.items())) for rule, counts in sorted(found.items())}

    def spread(self, step: str) -> Spread | None:
        """Return how long alerts took to a step; None when none came there."""
        took_s = sorted(
            (at - self.alerts[alert].raised_at).total_seconds()
            for alert, at in self.reached[step].items()
            if alert in self.alerts
        )
        if not took_s:
            return None
        return Spread(len(took_s), *(round(quantile(took_s, share), 1) for share in (0.5, 0.99, 1)))


def quantile(ordered: Sequence[float], share: float) -> float:
    """Return the value below which that share lies, of values in order."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def same_alerts(one: Mapping[str, Alert], other: Mapping[str, Alert]) -> list[str]:
    """Return what two runs' alerts differ in, a line each: rule, subject, severity and when it happened."""
    mine, theirs = ({_key(alert) for alert in found.values()} for found in (one, other))
    return sorted([f"- {key}" for key in mine - theirs] + [f"+ {key}" for key in theirs - mine])


def _key(alert: Alert) -> str:
    at = alert.occurred_at.isoformat(timespec="seconds")
    return f"{alert.rule} {alert.home} {alert.subject} {alert.severity.value} {at}"
