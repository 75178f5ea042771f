"""System: a device that is silent or offline (S1), an event that comes late or from the future (S12)."""

from collections.abc import Sequence
from datetime import timedelta
from typing import ClassVar

from gateway.contract import Arm, Clear, Decision, Disarm, Raise, Remember, Say, Situation
from gateway.model.alert import AlertType, Severity
from gateway.model.event import Event
from gateway.model.status import Timer
from gateway.model.vocabulary import SOS_KINDS, SOS_ROLE, DeviceKind
from rules.base import ACCEPT_LOW_S, ACCEPT_MEDIUM_S, NOTHING, BaseRule, arm_once, moment
from rules.presence import BEATS, heard_at, last_heard, silence_allowed
from rules.times import ABSURD_AFTER_S, LATE_AFTER_S, happened_at, is_late

OWN_ALERT = frozenset({"alarm.manual", "fall.detected"})
"""Types whose own alert says how late they are."""
TIMED = OWN_ALERT | {
    "alarm.cancelled",
    "door.opened",
    "geofence.exit",
    "lock.locked",
    "lock.unlatched",
    "lock.unlocked",
    "medication.dispensed",
    "medication.missed",
    "medication.retracted",
    "medication.taken",
    "supervision.declined",
    "supervision.performed",
    "visit.ended",
    "visit.started",
}
"""Types whose rules need the right time. Positions are not among them: trackers send them in batches;
nor conditions, which are true when they are heard."""


def _is_sos(at: Situation) -> bool:
    return at.device.kind in SOS_KINDS or at.enrolment.role == SOS_ROLE


class DeviceSilent(BaseRule):
    """Nothing heard for three heartbeats, counted from the enrolment: Low; Medium for an SOS (5.6 S1).

    One timer a device asks when it was heard last, so that a message costs nothing here. A bridge's
    alert stands for what is silent behind it, but never for an SOS: whoever wears that is without a call
    for help, and care staff must know. Its timer looks at the bridge too.
    """

    id: ClassVar[str] = "device_silent"
    catalogue: ClassVar[str] = "S1"
    safety: ClassVar[bool] = True
    accept_medium_s: float = 2 * 3600
    bridge_first: timedelta = timedelta(seconds=60)
    look_again_most: timedelta = timedelta(minutes=10)
    look_at_bridge: timedelta = timedelta(minutes=2)
    remind: timedelta = timedelta(hours=24)

    def on_enrolled(self, at: Situation) -> Sequence[Decision]:
        """Count from the enrolment."""
        limit = self._limit(at)
        return NOTHING if limit is None else [self._next(limit, at)]

    def on_timer(self, timer: Timer, at: Situation) -> Sequence[Decision]:  # noqa: ARG002 - the port's signature
        """Ask when it was heard last."""
        limit, alert = self._limit(at), at.open_alert()
        cut_off = self._cut_off(at)
        if limit is not None and (cut_off or at.now - heard_at(at) >= limit):
            again = Arm(name="silent", due_at=at.now + min(limit / BEATS, self.look_again_most))
            return [again, *self._silent(limit, cut_off, at)]
        over = "can be heard again" if limit is not None else "not supervised any more"
        decisions: list[Decision] = [Remember(facts=None)] if at.recall() else []
        if alert is not None and alert.active:
            decisions.append(Clear(reason=over))
        if limit is not None:
            decisions.append(self._next(limit, at))
        return decisions

    def _next(self, limit: timedelta, at: Situation) -> Arm:
        due_at = max(heard_at(at) + limit, at.now)
        if _is_sos(at) and at.device.via is not None:
            due_at = min(due_at, at.now + self.look_at_bridge)
        return Arm(name="silent", due_at=due_at)

    def _cut_off(self, at: Situation) -> str:
        """Return why a call for help could not come through its bridge, empty when it could."""
        bridge = at.device.via
        if bridge is None or not _is_sos(at) or not self._away(bridge, at):
            return ""
        return f"its bridge {bridge} is away, and no call for help comes through"

    def _away(self, bridge: str, at: Situation) -> bool:
        status, alert = at.status(bridge), at.open_alert(bridge)
        if alert is not None and alert.active:
            return True
        return status.offline and at.now - status.since.get("link", at.now) >= self.bridge_first

    def _limit(self, at: Situation) -> timedelta | None:
        """Return the silence allowed; a device behind a bridge waits a little for the bridge to speak."""
        allowed = silence_allowed(at)
        return allowed if allowed is None or at.device.via is None else allowed + self.bridge_first

    def _silent(self, limit: timedelta, cut_off: str, at: Situation) -> Sequence[Decision]:
        alert, told_at = at.open_alert(), moment(at.recall(), "told_at")
        heard = heard_at(at).isoformat()
        known = Remember(facts={"heard": heard, "told_at": at.now.isoformat()})
        if alert is not None and alert.active:
            return [known]  # so that the reminder counts from its closing
        same = at.recall().get("heard") == heard
        if same and told_at is not None and at.now - told_at < self.remind:
            return NOTHING
        absorbed = self._absorbed(at)
        return [known, Say(reason=absorbed)] if absorbed else [known, self._raise(limit, cut_off, at)]

    def _absorbed(self, at: Situation) -> str:
        if _is_sos(at):
            return ""
        bridge = at.device.via
        if bridge is not None:
            alert = at.open_alert(bridge)
            if at.status(bridge).offline or (alert is not None and alert.active):
                return f"silent because its bridge {bridge} is away: the bridge's alert stands for it"
        if at.status().offline:
            return "silent because it is offline: the alert of that stands for it"
        return ""

    def _raise(self, limit: timedelta, cut_off: str, at: Situation) -> Raise:
        unprotected = _is_sos(at)
        minutes = round((at.now - last_heard(at)).total_seconds() / 60)
        return Raise(
            severity=Severity.MEDIUM if unprotected else Severity.LOW,
            type=AlertType.PERSON if unprotected else AlertType.TECHNICAL,
            text="device_silent",
            reason=cut_off or self._told(limit, minutes, at),
            accept_within_s=self.accept_medium_s if unprotected else ACCEPT_LOW_S,
            values={"minutes": minutes},
        )

    def _told(self, limit: timedelta, minutes: int, at: Situation) -> str:
        """Say since when nothing was heard, and from when that counts if the gateway was away meanwhile."""
        since = at.local(last_heard(at)).isoformat(" ", "minutes")
        told = f"nothing heard since {since}, for {minutes} min; allowed are {limit.total_seconds() / 60:.0f}"
        if at.listening_since is None or last_heard(at) >= at.listening_since:
            return told
        return (
            f"{told}, from {at.local(at.listening_since).isoformat(' ', 'minutes')} when the gateway was back"
        )


class DeviceOffline(BaseRule):
    """Offline by its own word or its last will, for longer than a minute: Low; a bridge Medium (5.6 S1).

    Closed while it is still offline, it is told again a day later.
    """

    id: ClassVar[str] = "device_offline"
    catalogue: ClassVar[str] = "S1"
    listens: ClassVar[frozenset[str]] = frozenset({"device.offline", "device.online"})
    grace: timedelta = timedelta(seconds=60)
    look_again: timedelta = timedelta(minutes=10)
    look_if_closed: timedelta = timedelta(hours=1)
    remind: timedelta = timedelta(hours=24)

    def on_enrolled(self, at: Situation) -> Sequence[Decision]:
        """Look at a device that was offline already."""
        waiting = at.status().offline and at.enrolment.supervised
        return arm_once(at, "grace", at.now + self.grace) if waiting else NOTHING

    def on_event(self, event: Event, at: Situation) -> Sequence[Decision]:
        """Give it a minute to come back."""
        if at.status().offline:
            if event.type == "device.online" or not at.enrolment.supervised:
                return NOTHING
            return arm_once(at, "grace", at.now + self.grace)
        alert = at.open_alert()
        back = [Clear(reason="online again")] if alert and alert.active else []
        forgot = [Remember(facts=None)] if at.recall() else []
        return [Disarm(name="grace"), *forgot, *back]

    def on_timer(self, timer: Timer, at: Situation) -> Sequence[Decision]:  # noqa: ARG002 - the port's signature
        """It did not come back; looked at again and again, so that a closed alert is not the end of it."""
        if not at.status().offline or not at.enrolment.supervised:
            return NOTHING
        bridge = at.device.via
        if bridge is not None and at.status(bridge).offline:
            said = Say(reason=f"offline because its bridge {bridge} is: the bridge's alert stands for it")
            return [said, Arm(name="grace", due_at=at.now + self.look_again)]
        alert, told_at = at.open_alert(), moment(at.recall(), "told_at")
        again = Arm(name="grace", due_at=at.now + self.look_if_closed)
        known = Remember(facts={"told_at": at.now.isoformat()})
        if alert is not None and alert.active:
            return [again, known]  # so that the reminder counts from its closing
        if alert is None and told_at is not None and at.now - told_at < self.remind:
            return [again]
        return [again, known, self._raise(at)]

    def _raise(self, at: Situation) -> Raise:
        is_bridge = at.device.kind is DeviceKind.GATEWAY
        since = at.status().since.get("link", at.now)
        return Raise(
            severity=Severity.MEDIUM if is_bridge else Severity.LOW,
            type=AlertType.TECHNICAL,
            text="device_offline",
            reason=f"offline for {(at.now - since).total_seconds():.0f} s",
            accept_within_s=ACCEPT_MEDIUM_S if is_bridge else ACCEPT_LOW_S,
            occurred_at=since,
        )


class LateEvent(BaseRule):
    """An event heard more than five minutes late: Low, technical, one alert a device (5.6 S12)."""

    id: ClassVar[str] = "late_event"
    catalogue: ClassVar[str] = "S12"
    safety: ClassVar[bool] = True
    listens: ClassVar[frozenset[str]] = frozenset(TIMED)

    def on_event(self, event: Event, at: Situation) -> Sequence[Decision]:  # noqa: ARG002 - the port's signature
        """Tell that it was late; a late call for help has its own alert."""
        if not is_late(event):
            return NOTHING
        minutes = round(event.late_s / 60)
        if event.type in OWN_ALERT:
            return [Say(reason=f"{event.type} was heard {minutes} min late: its own alert says so")]
        raised = Raise(
            severity=Severity.LOW,
            type=AlertType.TECHNICAL,
            text="late_event",
            reason=f"{event.type} was heard {minutes} min late",
            accept_within_s=ACCEPT_LOW_S,
            values={"minutes": minutes},
            occurred_at=happened_at(event),
        )
        return [raised]


class ClockFault(BaseRule):
    """A device time more than five minutes ahead, or years back: its clock is wrong (5.6 S12)."""

    id: ClassVar[str] = "clock_fault"
    catalogue: ClassVar[str] = "S12"
    safety: ClassVar[bool] = True
    listens: ClassVar[frozenset[str]] = frozenset(TIMED | {"heartbeat", "position.update"})

    def on_event(self, event: Event, at: Situation) -> Sequence[Decision]:
        """Tell once: a wrong clock is wrong on every message."""
        if -LATE_AFTER_S <= event.late_s <= ABSURD_AFTER_S or at.open_alert() is not None:
            return NOTHING
        minutes = round(abs(event.late_s) / 60)
        raised = Raise(
            severity=Severity.LOW,
            type=AlertType.TECHNICAL,
            text="clock_fault",
            reason=f"the device's clock is {minutes} min {'ahead' if event.late_s < 0 else 'back'}",
            accept_within_s=ACCEPT_LOW_S,
            values={"minutes": minutes},
            occurred_at=event.received_at,
        )
        return [raised]
