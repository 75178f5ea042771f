"""Locks: a door left unlocked after a visit (L1), opened at night (L2)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import ClassVar

from gateway.contract import Arm, Change, Clear, Decision, Disarm, Raise, Remember, Say, Situation
from gateway.model.alert import AlertType, Route, Severity
from gateway.model.event import Event
from gateway.model.status import Timer
from gateway.model.vocabulary import DeviceKind, LockValues, Means
from rules.base import ACCEPT_MEDIUM_S, NOTHING, BaseRule, moment
from rules.times import happened_at, is_night, lateness, settled

STAFF_MEANS = frozenset({Means.PHONE, Means.TAG, Means.CODE})
FROM_INSIDE = frozenset({Means.INSIDE_KNOB, Means.KEY, Means.UNKNOWN})
"""Means by which a resident may have opened; an unknown one counts, for the safe side."""
OPENED = frozenset({"lock.unlocked", "lock.unlatched"})
VISITS = frozenset({"visit.started", "visit.ended"})


def by_staff(event: Event) -> bool:
    """Tell whether a lock was opened with a credential of the staff."""
    values = event.values
    if event.type not in OPENED or not isinstance(values, LockValues):
        return False
    return values.means in STAFF_MEANS and values.credential is not None


class UnlockedAfterVisit(BaseRule):
    """Not locked five minutes after the visit: Low, after ten Medium (alert rules, 5.3 L1).

    Without a check-out, Low an hour after the staff's unlock. The check-out may come from any device
    in the home.
    """

    id: ClassVar[str] = "unlocked_after_visit"
    catalogue: ClassVar[str] = "L1"
    listens: ClassVar[frozenset[str]] = OPENED | {"lock.locked", "visit.ended"}
    first: timedelta = timedelta(minutes=5)
    second: timedelta = timedelta(minutes=10)
    no_checkout: timedelta = timedelta(minutes=60)
    longest_visit: timedelta = timedelta(hours=12)
    accept_low_s: float = 300

    def on_event(self, event: Event, at: Situation) -> Sequence[Decision]:
        """Follow one visit: opened by staff, checked out, locked."""
        if event.type == "visit.ended":
            return [
                step for lock in at.neighbours(DeviceKind.LOCK) for step in self._left(lock.id, event, at)
            ]
        if event.type == "lock.locked":
            return self._locked(at)
        if not by_staff(event):
            return NOTHING
        opened_at = happened_at(event)
        return [
            Remember(facts={"opened_at": opened_at.isoformat()}),
            Arm(name="no_checkout", due_at=settled(opened_at + self.lasting("no_checkout", at), event, at)),
        ]

    def on_timer(self, timer: Timer, at: Situation) -> Sequence[Decision]:
        """Look whether it is locked by now."""
        if at.status().slots.get("lock") == "lock.locked":
            return NOTHING
        if timer.name == "second":
            return self._still(at)
        since = "an hour after the staff came, and nobody checked out"
        if timer.name == "first":
            since = f"{self.number('first', at) / 60:.0f} min after the visit"
        alert = at.open_alert()
        if alert is not None and alert.active:
            return NOTHING
        raised = Raise(
            severity=Severity.LOW,
            type=AlertType.PERSON,
            text="unlocked_after_visit",
            reason=f"not locked {since}",
            accept_within_s=self.accept_low_s,
            occurred_at=datetime.fromisoformat(timer.note) if timer.note else None,
        )
        return [raised]

    def _left(self, lock: str, event: Event, at: Situation) -> Sequence[Decision]:
        opened_at, left_at = moment(at.recall(lock), "opened_at"), happened_at(event)
        if opened_at is None or not timedelta(0) <= left_at - opened_at <= self.longest_visit:
            return NOTHING
        first = settled(left_at + self.lasting("first", at), event, at)
        return [
            Remember(facts=None, subject=lock),
            Disarm(name="no_checkout", subject=lock),
            Arm(name="first", due_at=first, note=left_at.isoformat(), subject=lock),
            Arm(
                name="second",
                due_at=first + self.lasting("second", at) - self.lasting("first", at),
                subject=lock,
            ),
        ]

    def _locked(self, at: Situation) -> Sequence[Decision]:
        if at.status().slots.get("lock") != "lock.locked":
            return [Say(reason="the locking is older than the present state")]
        alert = at.open_alert()
        cleared = [Clear(reason="locked")] if alert and alert.active else []
        return [*(Disarm(name=name) for name in ("no_checkout", "first", "second")), *cleared]

    def _still(self, at: Situation) -> Sequence[Decision]:
        alert = at.open_alert()
        if alert is None or alert.severity is not Severity.LOW:
            return NOTHING
        reason = f"still not locked {self.number('second', at) / 60:.0f} min after the visit"
        return [Change(severity=Severity.MEDIUM, reason=reason, accept_within_s=ACCEPT_MEDIUM_S)]


class DoorAtNight(BaseRule):
    """The door opened from inside at night, nobody of the staff there, a person who may wander: Medium.

    Alert rules, section 5.3 L2. Two devices at one door make one alert: its subject is the home. A door
    that is enrolled for nobody watches for everybody who lives there.
    """

    id: ClassVar[str] = "door_at_night"
    catalogue: ClassVar[str] = "L2"
    listens: ClassVar[frozenset[str]] = OPENED | VISITS | {"door.opened"}
    flag: str = "night_wandering"
    door_role: str = "entrance_door"
    staff_near: timedelta = timedelta(minutes=15)
    accept_s: float = 300

    def on_event(self, event: Event, at: Situation) -> Sequence[Decision]:
        """Remember the staff, judge everybody else."""
        opened_at = happened_at(event)
        if event.type in VISITS or by_staff(event):
            return [Remember(facts={"staff_at": opened_at.isoformat()}, subject=at.home.id)]
        if not self._by_resident(event, at) or not is_night(at, opened_at):
            return NOTHING
        watched = at.residents if at.person is None else (at.person,)
        if not any(self.flag in person.flags for person in watched):
            return NOTHING
        staff_at = moment(at.recall(at.home.id), "staff_at")
        if staff_at is not None and abs(opened_at - staff_at) <= self.lasting("staff_near", at):
            return [Say(reason="opened at night with staff in the home")]
        return [self._raise(event, opened_at, at)]

    def _by_resident(self, event: Event, at: Situation) -> bool:
        if isinstance(event.values, LockValues):
            return event.values.means in FROM_INSIDE and event.values.credential is None
        return at.device.kind is DeviceKind.LOCK or at.enrolment.role == self.door_role

    def _raise(self, event: Event, opened_at: datetime, at: Situation) -> Raise:
        return Raise(
            severity=Severity.MEDIUM,
            type=AlertType.PERSON,
            text="door_at_night",
            route=Route.NIGHT_PATROL,
            reason="the door was opened at night, and no staff is known to be there",
            accept_within_s=self.accept_s,
            values=lateness(event),
            subject=at.home.id,
            occurred_at=opened_at,
        )
