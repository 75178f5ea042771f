"""Alarms: calls for help, pressed (G1) or felt by a fall detector (G2)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import ClassVar

from gateway.contract import Arm, Change, Decision, Disarm, Raise, Remember, Say, Situation
from gateway.model.alert import AlertType, Severity
from gateway.model.event import Event
from gateway.model.status import Timer
from gateway.model.vocabulary import SOS_ROLE, AlarmValues
from rules.base import ACCEPT_HIGH_S, ACCEPT_MEDIUM_S, NOTHING, BaseRule, moment
from rules.times import happened_at, is_late, lateness


class Sos(BaseRule):
    """A call for help: High at once and latched; presses add up on the same alert (alert rules, 5.1 G1)."""

    id: ClassVar[str] = "sos"
    catalogue: ClassVar[str] = "G1"
    safety: ClassVar[bool] = True
    listens: ClassVar[frozenset[str]] = frozenset({"alarm.manual", "alarm.cancelled", "button.pressed"})

    def on_event(self, event: Event, at: Situation) -> Sequence[Decision]:
        """Raise on a press; a cancel on the device only lowers it."""
        if event.type == "alarm.cancelled":
            return cancelled(at, moment(at.recall(), "pressed_at"), happened_at(event))
        if event.type == "button.pressed" and at.enrolment.role != SOS_ROLE:
            return NOTHING
        return [self._call(event), Remember(facts={"pressed_at": happened_at(event).isoformat()})]

    def _call(self, event: Event) -> Raise:
        presses = event.values.presses if isinstance(event.values, AlarmValues) else 1
        late = f", {event.late_s / 60:.0f} min before it was heard" if is_late(event) else ""
        return Raise(
            severity=Severity.HIGH,
            type=AlertType.PERSON,
            text="sos",
            reason=f"the alarm button was pressed{late}",
            accept_within_s=ACCEPT_HIGH_S,
            values={"presses": max(presses, 1), **lateness(event)},
            latched=True,
            occurred_at=happened_at(event),
        )


class Fall(BaseRule):
    """A fall that nobody cancels on the device within 30 s: High and latched (alert rules, 5.1 G2)."""

    id: ClassVar[str] = "fall"
    catalogue: ClassVar[str] = "G2"
    safety: ClassVar[bool] = True
    listens: ClassVar[frozenset[str]] = frozenset({"fall.detected", "alarm.cancelled"})
    confirm_s: float = 30
    bounds: ClassVar[Mapping[str, tuple[float, float]]] = {"confirm_s": (0, 60)}

    def on_event(self, event: Event, at: Situation) -> Sequence[Decision]:
        """Wait for a cancel, unless the time for it is over already."""
        if event.type == "alarm.cancelled":
            return self._cancelled(event, at)
        fell_at = happened_at(event)
        due_at = fell_at + self.lasting("confirm_s", at)
        remember = Remember(facts={"fell_at": fell_at.isoformat()})
        if at.now >= due_at:
            return [
                self._fell(fell_at, "heard when the time to cancel it was over", lateness(event)),
                remember,
            ]
        if at.armed("confirm"):
            return [Say(reason="a fall is being confirmed already")]
        return [Arm(name="confirm", due_at=due_at, note=fell_at.isoformat()), remember]

    def on_timer(self, timer: Timer, at: Situation) -> Sequence[Decision]:
        """Nobody cancelled it."""
        fell_at = datetime.fromisoformat(timer.note)
        within_s = self.number("confirm_s", at)
        return [self._fell(fell_at, f"not cancelled on the device within {within_s:.0f} s", {})]

    def _cancelled(self, event: Event, at: Situation) -> Sequence[Decision]:
        fell_at = moment(at.recall(), "fell_at")
        if not at.armed("confirm"):
            return cancelled(at, fell_at, happened_at(event))
        after_s = (happened_at(event) - fell_at).total_seconds() if fell_at else 0
        if 0 <= after_s <= self.number("confirm_s", at):
            return [
                Disarm(name="confirm"),
                Say(reason=f"cancelled on the device {after_s:.0f} s after the fall"),
            ]
        return [Say(reason=f"the cancel belongs {after_s:.0f} s after the fall: the fall stands")]

    def _fell(self, fell_at: datetime, reason: str, values: dict[str, str | int | float | bool]) -> Raise:
        return Raise(
            severity=Severity.HIGH,
            type=AlertType.PERSON,
            text="fall",
            reason=f"a fall was detected, {reason}",
            accept_within_s=ACCEPT_HIGH_S,
            values=values,
            latched=True,
            occurred_at=fell_at,
        )


def cancelled(at: Situation, alarmed_at: datetime | None, cancelled_at: datetime) -> Sequence[Decision]:
    """Lower an open High alert to Medium because it was cancelled on the device; it never ends by that."""
    alert = at.open_alert()
    if alert is None:
        return NOTHING
    if alarmed_at is not None and cancelled_at < alarmed_at:
        return [Say(reason="the cancel is older than the newest alarm: the alarm stands")]
    if alert.severity is not Severity.HIGH:
        return [Say(reason="cancelled on the device once more")]
    reason = "cancelled on the device: lowered, and still to be answered"
    return [Change(severity=Severity.MEDIUM, reason=reason, accept_within_s=ACCEPT_MEDIUM_S)]
