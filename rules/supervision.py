"""Supervision: a camera look not done (C1), a person not seen (C2) or in need (C4), a camera away (C5)."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import ClassVar

from gateway.contract import Arm, Change, Clear, Decision, Disarm, Raise, Remember, Say, Situation
from gateway.model.alert import AlertType, Route, Severity
from gateway.model.event import Event
from gateway.model.registry import Window
from gateway.model.status import Timer
from gateway.model.vocabulary import DeviceKind, SupervisionOutcome, SupervisionValues
from rules.base import ACCEPT_HIGH_S, ACCEPT_MEDIUM_S, NOTHING, BaseRule, moment
from rules.planned import PlannedRule, kept, overdue, subject_of
from rules.presence import gone_since
from rules.times import Occurrence, around, happened_at, lateness, nearest, on_day, zone_of

LOOKED = "supervision.performed"
DECLINED = "supervision.declined"
VISITS = frozenset({"visit.started", "visit.ended"})


def outcome_of(event: Event) -> SupervisionOutcome | None:
    """Return what the operator saw."""
    return event.values.outcome if isinstance(event.values, SupervisionValues) else None


class LookMissed(PlannedRule):
    """No look, visit or refusal by ten minutes after the slot: Medium (alert rules, 5.4 C1, C8)."""

    id: ClassVar[str] = "look_missed"
    catalogue: ClassVar[str] = "C1"
    listens: ClassVar[frozenset[str]] = VISITS | {LOOKED, DECLINED}
    grace: timedelta = timedelta(minutes=10)

    def windows(self, at: Situation) -> tuple[Window, ...]:
        """Return the enrolment's looks."""
        return at.enrolment.looks

    def due_at(self, planned: Occurrence, at: Situation) -> datetime:
        """Return the slot's end and the grace."""
        return planned.ends_at + self.lasting("grace", at)

    def judge(self, planned: Occurrence, at: Situation) -> Sequence[Decision]:
        """Raise unless the slot was answered, or staff was in the home."""
        if planned.key in at.recall().get("answered", ()):
            return NOTHING
        visits = (datetime.fromisoformat(visit) for visit in at.recall(at.home.id).get("visits", ()))
        if any(planned.spans(visit, after=self.lasting("grace", at)) for visit in visits):
            return [Say(reason=f"{planned.ref}: a visit took the place of the look")]
        raised = Raise(
            severity=Severity.MEDIUM,
            type=AlertType.PERSON,
            text="look_missed",
            route=Route.NIGHT_PATROL,
            reason=f"the planned look was not done: {overdue(planned, at, self.due_at(planned, at))}",
            accept_within_s=ACCEPT_MEDIUM_S,
            values={"slot": planned.ref},
            subject=subject_of(at, planned),
            occurred_at=planned.ends_at,
        )
        return [raised]

    def on_event(self, event: Event, at: Situation) -> Sequence[Decision]:
        """Remember what answers a slot; clear an alert that the answer comes late for."""
        if event.type in VISITS:
            return self._visited(event, at)
        planned = self._planned(event, at)
        if planned is None:
            return NOTHING
        answered = kept(at.recall().get("answered", ()), planned.key)
        alert = at.open_alert(subject_of(at, planned))
        done = "declined" if event.type == DECLINED else "done"
        cleared = [Clear(reason=f"the look was {done} after all", subject=alert.subject)] if alert else []
        return [Remember(facts={"answered": answered}), *cleared]

    def _visited(self, event: Event, at: Situation) -> Sequence[Decision]:
        if not at.neighbours(DeviceKind.CAMERA):
            return NOTHING
        visits = kept(at.recall(at.home.id).get("visits", ()), happened_at(event).isoformat())
        return [Remember(facts={"visits": visits}, subject=at.home.id)]

    def _planned(self, event: Event, at: Situation) -> Occurrence | None:
        """Return the slot an event answers: by its reference, else by the slot it lies in."""
        when, zone = happened_at(event), zone_of(at)
        slot = event.values.slot if isinstance(event.values, SupervisionValues) else None
        for window in self.windows(at):
            if window.ref == slot:
                return nearest(window, when, zone)
        days = (planned for window in self.windows(at) for planned in around(window, when, zone))
        return next(
            (planned for planned in days if planned.spans(when, after=self.lasting("grace", at))), None
        )


class NotVisible(BaseRule):
    """Not seen: Low, and a second look is expected; not seen again within the hour: High (5.4 C2).

    When the second look does not come, the alert becomes Medium: nobody knows then.
    """

    id: ClassVar[str] = "not_visible"
    catalogue: ClassVar[str] = "C2"
    safety: ClassVar[bool] = True
    listens: ClassVar[frozenset[str]] = frozenset({LOOKED})
    second_look: timedelta = timedelta(minutes=15)
    second_look_grace: timedelta = timedelta(minutes=10)
    again_within: timedelta = timedelta(minutes=60)

    def on_event(self, event: Event, at: Situation) -> Sequence[Decision]:
        """Count looks in a row at which the person was not seen."""
        outcome, looked_at = outcome_of(event), happened_at(event)
        newest, first = moment(at.recall(), "newest"), moment(at.recall(), "first")
        if newest is not None and looked_at < newest:
            return [Say(reason="the look is older than the newest one")]
        if outcome is SupervisionOutcome.NOT_VISIBLE:
            again = first is not None and looked_at - first <= self.again_within
            return self._again(looked_at, at) if again else self._first(event, looked_at)
        if outcome is None:
            return NOTHING
        alert = at.open_alert()
        seen = outcome is SupervisionOutcome.SEEN and alert is not None and alert.active
        known: list[Decision] = [_looked(looked_at), Disarm(name="second")]
        return [*known, Clear(reason="the person was seen")] if seen else known

    def on_timer(self, timer: Timer, at: Situation) -> Sequence[Decision]:  # noqa: ARG002 - the port's signature
        """The second look did not come."""
        alert = at.open_alert()
        if alert is None or alert.severity is not Severity.LOW:
            return NOTHING
        reason = "the second look was not done"
        return [Change(severity=Severity.MEDIUM, reason=reason, accept_within_s=ACCEPT_MEDIUM_S)]

    def _first(self, event: Event, looked_at: datetime) -> Sequence[Decision]:
        return [
            self._raise(Severity.LOW, looked_at, "the person was not visible", event),
            _looked(looked_at, first=looked_at),
            Arm(name="second", due_at=looked_at + self.second_look + self.second_look_grace),
        ]

    def _again(self, looked_at: datetime, at: Situation) -> Sequence[Decision]:
        """Make the alert High; raise it anew if somebody closed the first one."""
        reason = "the person was not visible at the second look: go there"
        alert = at.open_alert()
        known: list[Decision] = [_looked(looked_at, first=looked_at), Disarm(name="second")]
        if alert is None:
            return [self._raise(Severity.HIGH, looked_at, reason, None), *known]
        change = Change(severity=Severity.HIGH, reason=reason, accept_within_s=ACCEPT_HIGH_S)
        return [change, *known]

    def _raise(self, severity: Severity, looked_at: datetime, reason: str, event: Event | None) -> Raise:
        accept = ACCEPT_HIGH_S if severity is Severity.HIGH else self.second_look.total_seconds()
        return Raise(
            severity=severity,
            type=AlertType.PERSON,
            text="not_visible",
            route=Route.NIGHT_PATROL,
            reason=reason,
            accept_within_s=accept,
            values=lateness(event) if event else {},
            occurred_at=looked_at,
        )


class AbnormalLook(BaseRule):
    """The operator saw a person in need: High at once and latched (alert rules, 5.4 C4)."""

    id: ClassVar[str] = "abnormal_look"
    catalogue: ClassVar[str] = "C4"
    safety: ClassVar[bool] = True
    listens: ClassVar[frozenset[str]] = frozenset({LOOKED})

    def on_event(self, event: Event, at: Situation) -> Sequence[Decision]:  # noqa: ARG002 - the port's signature
        """Raise what the operator marked abnormal."""
        if outcome_of(event) is not SupervisionOutcome.ABNORMAL:
            return NOTHING
        raised = Raise(
            severity=Severity.HIGH,
            type=AlertType.PERSON,
            text="abnormal_look",
            route=Route.NIGHT_PATROL,
            reason="the operator marked the look abnormal",
            accept_within_s=ACCEPT_HIGH_S,
            values=lateness(event),
            latched=True,
            occurred_at=happened_at(event),
        )
        return [raised]


class CameraOffline(PlannedRule):
    """Away half an hour before a slot: Low; still away at the slot: a visit, Medium (alert rules, 5.4 C5)."""

    id: ClassVar[str] = "camera_offline"
    catalogue: ClassVar[str] = "C5"
    listens: ClassVar[frozenset[str]] = frozenset({"device.online"})
    before: timedelta = timedelta(minutes=30)
    accept_low_s: float = 30 * 60
    at_start: ClassVar[str] = "/start"

    def windows(self, at: Situation) -> tuple[Window, ...]:
        """Return the enrolment's looks."""
        return at.enrolment.looks

    def due_at(self, planned: Occurrence, at: Situation) -> datetime:
        """Return half an hour before the slot."""
        return planned.starts_at - self.lasting("before", at)

    def judge(self, planned: Occurrence, at: Situation) -> Sequence[Decision]:
        """Tell technicians while there is time, and look again when the slot starts."""
        start = Arm(
            name=planned.key + self.at_start,
            due_at=planned.starts_at,
            note=planned.starts_at.isoformat(),
        )
        if gone_since(at) is None:
            return [start]
        reason = f"the camera is away {self.number('before', at) / 60:.0f} min before {planned.ref}"
        raised = self._raise(planned, at, Severity.LOW, AlertType.TECHNICAL, reason)
        return [start, raised, Remember(facts={"open": subject_of(at, planned)})]

    def on_timer(self, timer: Timer, at: Situation) -> Sequence[Decision]:
        """Judge half an hour before a slot, and at its start."""
        if not timer.name.endswith(self.at_start):
            return super().on_timer(timer, at)
        ref, _, day = timer.name.removesuffix(self.at_start).rpartition("/")
        window = next((window for window in self.windows(at) if window.ref == ref), None)
        if window is None:
            return [Say(reason=f"the planned time {ref!r} is not in the registry any more")]
        planned = on_day(window, date.fromisoformat(day), zone_of(at))
        if timer.note != planned.starts_at.isoformat():
            return [Say(reason=f"the planned time {ref!r} has moved, and has a timer of its own")]
        return self._starts(planned, at)

    def on_event(self, event: Event, at: Situation) -> Sequence[Decision]:  # noqa: ARG002 - the port's signature
        """Clear when it is back."""
        return self._back(at)

    def _starts(self, planned: Occurrence, at: Situation) -> Sequence[Decision]:
        if gone_since(at) is None:
            return self._back(at)
        alert = at.open_alert(subject_of(at, planned))
        if alert is None:
            reason = f"the camera is away and {planned.ref} has begun: visit instead"
            raised = self._raise(planned, at, Severity.MEDIUM, AlertType.PERSON, reason)
            return [raised, Remember(facts={"open": subject_of(at, planned)})]
        change = Change(
            severity=Severity.MEDIUM,
            type=AlertType.PERSON,
            route=Route.NIGHT_PATROL,
            reason="the look becomes a physical visit",
            accept_within_s=ACCEPT_MEDIUM_S,
            subject=alert.subject,
        )
        return [change]

    def _back(self, at: Situation) -> Sequence[Decision]:
        subject = at.recall().get("open")
        alert = at.open_alert(subject) if subject else None
        if alert is None or not alert.active or at.status().offline:
            return NOTHING
        return [Clear(reason="the camera is heard again", subject=alert.subject), Remember(facts=None)]

    def _raise(
        self, planned: Occurrence, at: Situation, severity: Severity, kind: AlertType, reason: str
    ) -> Raise:
        return Raise(
            severity=severity,
            type=kind,
            text="camera_offline",
            route=Route.NIGHT_PATROL if kind is AlertType.PERSON else "",
            reason=reason,
            accept_within_s=self.accept_low_s if severity is Severity.LOW else ACCEPT_MEDIUM_S,
            values={"slot": planned.ref},
            subject=subject_of(at, planned),
        )


def _looked(newest: datetime, *, first: datetime | None = None) -> Remember:
    facts = {"newest": newest.isoformat()}
    return Remember(facts=facts | ({"first": first.isoformat()} if first else {}))
