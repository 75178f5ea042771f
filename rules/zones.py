"""Zones: a person has left the circle they are expected to stay in (G3)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import ClassVar

import msgspec
from msgspec.structs import replace

from gateway.contract import Change, Clear, Decision, Disarm, Raise, Remember, Say, Situation
from gateway.model.alert import AlertType, Severity
from gateway.model.event import Event
from gateway.model.registry import Zone
from gateway.model.status import Timer
from gateway.model.vocabulary import PositionValues
from rules.base import ACCEPT_HIGH_S, NOTHING, BaseRule, arm_once
from rules.places import distance_m
from rules.times import LATE_AFTER_S, happened_at, is_night

HIGH_FLAG = "zone_high"
"""Care-plan flag: leaving the zone is High at any hour."""
OUTSIDE = "outside"


class Track(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is remembered of a person's way: the newest fix, fixes in a row out or in, the last alert."""

    newest: datetime
    heard_at: datetime
    since: datetime | None = None
    outside: int = 0
    inside: int = 0
    raised_at: datetime | None = None

    def remember(self) -> Remember:
        """Keep it."""
        return Remember(facts=msgspec.to_builtins(self))


class ZoneExit(BaseRule):
    """Outside the zone for two fixes or 120 s, with room for the accuracy (alert rules, 5.1 G3).

    Positions that come late wait `confirm_s` for the rest of their backlog, so that a walk that is
    over long ago does not look like an exit; what they raise then shows how late it is. An alert
    that was closed while the person is still outside is raised again after `remind`.
    """

    id: ClassVar[str] = "zone_exit"
    catalogue: ClassVar[str] = "G3"
    listens: ClassVar[frozenset[str]] = frozenset({"position.update", "geofence.exit", "geofence.enter"})
    margin_m: float = 50
    accuracy_factor: float = 2
    fixes: int = 2
    confirm_s: float = 120
    useless_accuracy_m: float = 200
    remind: timedelta = timedelta(minutes=30)
    accept_s: float = 300

    def on_event(self, event: Event, at: Situation) -> Sequence[Decision]:
        """Judge a fix, or take the device's own word for a crossing."""
        values, zone = event.values, at.home.zone
        if isinstance(values, PositionValues) and zone is None:
            return NOTHING
        before, fixed_at = _track(at), happened_at(event)
        if before is not None and fixed_at < before.newest:
            return [Say(reason="the position is older than the newest one")]
        track = Track(newest=fixed_at, heard_at=event.received_at)
        if isinstance(values, PositionValues) and zone is not None:
            return self._fix(values, zone, track, before or track, at)
        if event.type == "geofence.enter":
            return self._back(replace(track, inside=self.fixes), at, "the device says so")
        return self._left(replace(track, outside=self.fixes, since=fixed_at), at, "the device says so")

    def on_timer(self, timer: Timer, at: Situation) -> Sequence[Decision]:  # noqa: ARG002 - the port's signature
        """No fix has come that says otherwise."""
        track = _track(at)
        reason = f"the newest position has been outside for {self.number('confirm_s', at):.0f} s"
        return NOTHING if track is None else self._left(track, at, reason)

    def _fix(
        self, fix: PositionValues, zone: Zone, track: Track, before: Track, at: Situation
    ) -> Sequence[Decision]:
        if fix.accuracy_m is not None and fix.accuracy_m > self.useless_accuracy_m:
            return [Say(reason=f"the position is too vague: {fix.accuracy_m:.0f} m")]
        track, margin_m = replace(track, raised_at=before.raised_at), self.number("margin_m", at)
        away_m = distance_m(fix.latitude, fix.longitude, zone)
        if away_m > zone.radius_m + max(margin_m, self.accuracy_factor * (fix.accuracy_m or 0)):
            since = (before.since if before.outside else None) or track.newest
            count = min(before.outside + 1, self.fixes)
            return self._outside(replace(track, outside=count, since=since), since, at)
        if away_m < max(zone.radius_m - margin_m, zone.radius_m / 2):
            count = min(before.inside + 1, self.fixes)
            track = replace(track, inside=count)
            if count == self.fixes:
                return self._back(track, at, f"{count} positions in a row")
        return [track.remember(), Disarm(name=OUTSIDE)]

    def _outside(self, track: Track, since: datetime, at: Situation) -> Sequence[Decision]:
        lasted_s = (track.newest - since).total_seconds()
        late = (track.heard_at - track.newest).total_seconds() > LATE_AFTER_S
        if (track.outside >= self.fixes or lasted_s >= self.number("confirm_s", at)) and not late:
            return self._left(track, at, f"{track.outside} positions in a row")
        wait_from = at.now if late else track.newest
        due_at = wait_from + self.lasting("confirm_s", at)
        return [track.remember(), *arm_once(at, OUTSIDE, due_at)]

    def _left(self, track: Track, at: Situation, reason: str) -> Sequence[Decision]:
        """Raise, make an alert that is open worse at night, or wait when one was closed just now."""
        severity, alert = self._severity(track.newest, at), at.open_alert()
        if alert is not None and alert.active:
            worse = Change(
                severity=severity, reason="still outside, and it is night", accept_within_s=ACCEPT_HIGH_S
            )
            return [track.remember(), *([worse] if severity.rank < alert.severity.rank else [])]
        if alert is None and track.raised_at is not None and at.now - track.raised_at < self.remind:
            return [track.remember(), Say(reason="still outside; the alert of it was closed")]
        raised = self._raise(track, severity, reason)
        return [raised, Disarm(name=OUTSIDE), replace(track, raised_at=at.now).remember()]

    def _back(self, track: Track, at: Situation, reason: str) -> Sequence[Decision]:
        alert = at.open_alert()
        back = [Clear(reason=f"back inside the zone: {reason}")] if alert and alert.active else []
        return [replace(track, raised_at=None).remember(), Disarm(name=OUTSIDE), *back]

    def _raise(self, track: Track, severity: Severity, reason: str) -> Raise:
        late_s = (track.heard_at - track.newest).total_seconds()
        return Raise(
            severity=severity,
            type=AlertType.PERSON,
            text="zone_exit",
            reason=f"left the zone: {reason}",
            accept_within_s=ACCEPT_HIGH_S if severity is Severity.HIGH else self.accept_s,
            values={"minutes": round(late_s / 60)} if late_s > LATE_AFTER_S else {},
            occurred_at=track.newest,
        )

    def _severity(self, left_at: datetime, at: Situation) -> Severity:
        flagged = at.person is not None and HIGH_FLAG in at.person.flags
        return Severity.HIGH if flagged or is_night(at, left_at) or is_night(at, at.now) else Severity.MEDIUM


def _track(at: Situation) -> Track | None:
    facts = at.recall()
    return msgspec.convert(dict(facts), Track) if facts else None
