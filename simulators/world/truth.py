"""What really happened in the homes: known to nobody but the world, and to whoever stands in the room."""

from datetime import datetime, timedelta

import msgspec

from gateway.model.alert import Alert, AlertType, Outcome

KEPT = 24
"""Happenings remembered of each home."""
BEFORE = timedelta(minutes=30)
"""A happening may begin so long before what an alert takes for its beginning."""


class Happening(msgspec.Struct, frozen=True):
    """One thing that happened: from when until when, told by which kinds of device, and what it was.

    `kinds` () is any. `help_needed` says that somebody must come, `hospital` that they are taken away.
    """

    since: datetime
    until: datetime
    what: str
    outcome: Outcome
    kinds: tuple[str, ...] = ()
    help_needed: bool = False
    hospital: bool = False


class Truth:
    """The happenings of every home, the newest of each."""

    def __init__(self) -> None:
        self._of: dict[str, list[Happening]] = {}

    def note(self, home: str, happening: Happening) -> None:
        """Remember it."""
        known = self._of.setdefault(home, [])
        known.append(happening)
        if len(known) > KEPT:
            del known[0]

    def behind(self, alert: Alert, kind: str, now: datetime) -> Happening | None:
        """Return what is behind an alert about a device of that kind, the newest; None if nothing is."""
        for one in reversed(self._of.get(alert.home, ())):
            meant = not one.kinds or not kind or kind in one.kinds
            if meant and one.since <= now and one.since - BEFORE <= alert.raised_at <= one.until:
                return one
        return None

    def outcome(self, alert: Alert, kind: str, now: datetime) -> Outcome:
        """Return as what who looks into it closes it."""
        found = self.behind(alert, kind, now)
        if alert.type is AlertType.TECHNICAL or alert.text in ABOUT_DEVICES:
            return found.outcome if found and found.outcome is Outcome.TEST else Outcome.TECHNICAL
        return found.outcome if found else Outcome.FALSE


ABOUT_DEVICES = frozenset(
    {
        "device_silent",
        "device_offline",
        "camera_offline",
        "dispenser_offline_dose",
        "rejected_call",
        "rule_fault",
    }
)
"""Alerts for people whose cause is a device: somebody is without a call for help, or without a look."""
