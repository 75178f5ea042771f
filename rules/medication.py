"""Medication: a dose not taken (D1), a dispenser that is stuck (D5) or out of reach (D7)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import ClassVar

from gateway.contract import Arm, Change, Clear, Decision, Disarm, Raise, Remember, Say, Situation
from gateway.model.alert import AlertType, Route, Severity
from gateway.model.event import Event
from gateway.model.registry import Window
from gateway.model.status import Timer
from gateway.model.vocabulary import DeviceKind, MedicationValues
from rules.base import ACCEPT_LOW_S, NOTHING, BaseRule, arm_once
from rules.offline import OfflineRule
from rules.planned import PlannedRule, kept, overdue, subject_of
from rules.presence import gone_since, heard_at, silence_allowed
from rules.times import (
    Occurrence,
    around,
    due_within,
    happened_at,
    lateness,
    nearest,
    next_ending,
    settled,
    zone_of,
)

TAKEN = frozenset({"medication.taken", "medication.dispensed"})
NOT_TAKEN = frozenset({"medication.missed", "medication.retracted"})


class DoseMissed(PlannedRule):
    """No dose taken by the end of its window, or the device says so: Medium (alert rules, 5.2 D1).

    Every missed dose is an episode of its own.
    """

    id: ClassVar[str] = "dose_missed"
    catalogue: ClassVar[str] = "D1"
    listens: ClassVar[frozenset[str]] = TAKEN | NOT_TAKEN
    accept_s: float = 30 * 60

    def windows(self, at: Situation) -> tuple[Window, ...]:
        """Return the enrolment's doses."""
        return at.enrolment.doses

    def due_at(self, planned: Occurrence, at: Situation) -> datetime:  # noqa: ARG002 - the port's signature
        """Return the window's end."""
        return planned.ends_at

    def judge(self, planned: Occurrence, at: Situation) -> Sequence[Decision]:
        """Raise unless it was taken, or told missed already."""
        facts = at.recall()
        if planned.key in facts.get("taken", ()) or planned.key in facts.get("missed", ()):
            return NOTHING
        reason = f"no dose was taken in its window: {overdue(planned, at, planned.ends_at)}"
        return self._missed(planned, at, reason, planned.ends_at, {})

    def on_event(self, event: Event, at: Situation) -> Sequence[Decision]:
        """Remember what was taken; raise at once what the device says was missed."""
        planned = self._planned(event, at)
        if planned is None:
            return self._unplanned(event, at)
        if event.type in TAKEN:
            return self._taken(planned, at)
        facts = at.recall()
        if planned.key in facts.get("missed", ()):
            return [Say(reason=f"the missed dose {planned.key} was told already")]
        if event.type == "medication.retracted" and at.now < planned.ends_at:
            taken = [key for key in facts.get("taken", ()) if key != planned.key]
            return [
                Remember(facts={**facts, "taken": taken}),
                Say(reason="drawn back: its window is still open"),
            ]
        reason = f"the device says that a dose was not taken: {planned.ref}"
        return self._missed(planned, at, reason, happened_at(event), lateness(event))

    def _taken(self, planned: Occurrence, at: Situation) -> Sequence[Decision]:
        facts = at.recall()
        remember = Remember(facts={**facts, "taken": kept(facts.get("taken", ()), planned.key)})
        alert = at.open_alert(subject_of(at, planned))
        if alert is None or not alert.active:
            return [remember]
        return [remember, Clear(reason="the dose was taken after all", subject=alert.subject)]

    def _missed(
        self,
        planned: Occurrence,
        at: Situation,
        reason: str,
        missed_at: datetime,
        values: dict[str, str | int | float | bool],
    ) -> Sequence[Decision]:
        facts = at.recall()
        taken = [key for key in facts.get("taken", ()) if key != planned.key]
        missed = kept(facts.get("missed", ()), planned.key)
        raised = self._raise(planned.ref, subject_of(at, planned), reason, missed_at, values)
        return [raised, Remember(facts={"taken": taken, "missed": missed})]

    def _unplanned(self, event: Event, at: Situation) -> Sequence[Decision]:
        """A dose that the registry does not know: its being missed is still told, once a day."""
        if event.type != "medication.missed":
            return NOTHING
        dose = (event.values.dose if isinstance(event.values, MedicationValues) else None) or "dose"
        subject = f"{at.device.id}/{dose}/{at.local(happened_at(event)).date().isoformat()}"
        if at.open_alert(subject) is not None:
            return [Say(reason=f"the missed dose {dose} was told already")]
        reason = f"the device says that a dose was not taken: {dose}"
        return [self._raise(dose, subject, reason, happened_at(event), lateness(event))]

    def _raise(
        self, dose: str, subject: str, reason: str, at: datetime, values: dict[str, str | int | float | bool]
    ) -> Raise:
        return Raise(
            severity=Severity.MEDIUM,
            type=AlertType.PERSON,
            text="dose_missed",
            route=Route.CARE_DELEGATED,
            reason=reason,
            accept_within_s=self.accept_s,
            values={"dose": dose, **values},
            subject=subject,
            occurred_at=at,
        )

    def _planned(self, event: Event, at: Situation) -> Occurrence | None:
        """Return the dose an event speaks of: by its reference, else by the window it lies in."""
        values = event.values if isinstance(event.values, MedicationValues) else MedicationValues()
        when, zone = values.due_at or happened_at(event), zone_of(at)
        if values.dose is not None:
            named = [window for window in self.windows(at) if window.ref == values.dose]
            return nearest(named[0], when, zone) if named else None
        days = (planned for window in self.windows(at) for planned in around(window, when, zone))
        return next((planned for planned in days if planned.spans(when)), None)


class DispenserJam(BaseRule):
    """A jam that does not clear itself in 60 s: Medium before a dose, else Low (alert rules, 5.2 D5)."""

    id: ClassVar[str] = "dispenser_jam"
    catalogue: ClassVar[str] = "D5"
    listens: ClassVar[frozenset[str]] = frozenset({"medication.jam", "medication.jam_cleared"})
    clears_itself_s: float = 60
    dose_near: timedelta = timedelta(hours=2)
    accept_medium_s: float = 15 * 60

    def on_event(self, event: Event, at: Situation) -> Sequence[Decision]:
        """Give it time to clear itself."""
        if event.type == "medication.jam":
            if at.status().slots.get("mechanism") == "medication.jam_cleared":
                return [Say(reason="the jam is older than its clearing")]
            due_at = settled(happened_at(event) + self.lasting("clears_itself_s", at), event, at)
            return arm_once(at, "jam", due_at, note=happened_at(event).isoformat())
        if at.status().slots.get("mechanism") == "medication.jam":
            return [Say(reason="the clearing is older than the present jam")]
        alert = at.open_alert()
        cleared = [Clear(reason="the jam is cleared")] if alert and alert.active else []
        return [Disarm(name="jam"), Disarm(name="dose"), *cleared]

    def on_timer(self, timer: Timer, at: Situation) -> Sequence[Decision]:
        """It did not clear itself, or a dose has come near since."""
        near = due_within(at.enrolment.doses, at, self.lasting("dose_near", at))
        if timer.name == "dose":
            return self._dose_near(near, at)
        raised = Raise(
            severity=Severity.MEDIUM if near else Severity.LOW,
            type=AlertType.PERSON if near else AlertType.TECHNICAL,
            text="dispenser_jam",
            route=Route.CARE_DELEGATED if near else "",
            reason="the dispenser is stuck" + (f", and {near.ref} is near" if near else ""),
            accept_within_s=self.accept_medium_s if near else ACCEPT_LOW_S,
            occurred_at=datetime.fromisoformat(timer.note),
        )
        return [raised, *self._watch_dose(at)]

    def _watch_dose(self, at: Situation) -> list[Decision]:
        coming = [next_ending(window, at.now, zone_of(at)).starts_at for window in at.enrolment.doses]
        near = self.lasting("dose_near", at)
        later = [starts_at - near for starts_at in coming if starts_at - near > at.now]
        return [Arm(name="dose", due_at=min(later))] if later else []

    def _dose_near(self, near: Occurrence | None, at: Situation) -> Sequence[Decision]:
        alert = at.open_alert()
        if near is None or alert is None or alert.severity is not Severity.LOW:
            return NOTHING
        reason = f"still stuck, and {near.ref} is near"
        accept = self.accept_medium_s
        return [
            Change(
                severity=Severity.MEDIUM,
                type=AlertType.PERSON,
                route=Route.CARE_DELEGATED,
                reason=reason,
                accept_within_s=accept,
            )
        ]


class DispenserOffline(OfflineRule):
    """A dispenser out of reach before a dose, or for four hours: a visit for the dose (alert rules, 5.2 D7).

    One timer, "watch", moves to the next moment at which that can become true; nothing is done for
    the messages in between.
    """

    id: ClassVar[str] = "dispenser_offline_dose"
    catalogue: ClassVar[str] = "D7"
    kind: ClassVar[DeviceKind] = DeviceKind.DISPENSER
    listens: ClassVar[frozenset[str]] = frozenset({"device.offline", "device.online"})
    before_dose: timedelta = timedelta(minutes=60)
    too_long: timedelta = timedelta(hours=4)
    grace: timedelta = timedelta(seconds=60)
    look_again: timedelta = timedelta(minutes=5)
    accept_s: float = 20 * 60

    def on_timer(self, timer: Timer, at: Situation) -> Sequence[Decision]:  # noqa: ARG002 - the port's signature
        """Judge the moment, and find the next one."""
        gone = gone_since(at)
        if gone is None:
            return [*self._back(at), *self._watch(at)]
        reason, about = self._why(gone, at)
        if not about or at.recall().get("about") == about:
            return self._watch(at)
        raised = Raise(
            severity=Severity.MEDIUM,
            type=AlertType.PERSON,
            text="dispenser_offline_dose",
            route=Route.CARE_DELEGATED,
            reason=reason,
            accept_within_s=self.accept_s,
            values={"minutes": round((at.now - gone).total_seconds() / 60)},
        )
        return [raised, Remember(facts={"about": about}), *self._watch(at)]

    def _why(self, gone: datetime, at: Situation) -> tuple[str, str]:
        """Return the reason to raise, and what makes it one occasion; empty when there is none."""
        near = due_within(at.enrolment.doses, at, self.lasting("before_dose", at))
        if near is not None:
            return f"out of reach with {near.ref} due: visit for the dose", f"{near.key} {gone.isoformat()}"
        too_long = self.lasting("too_long", at)
        if at.now - gone >= too_long:
            return f"out of reach for {too_long.total_seconds() / 3600:.0f} h", gone.isoformat()
        return "", ""

    def _back(self, at: Situation) -> list[Decision]:
        alert = at.open_alert()
        return [Clear(reason="the dispenser is heard again")] if alert and alert.active else []

    def _watch(self, at: Situation) -> list[Decision]:
        """Arm the next moment at which being out of reach would matter."""
        gone, heard, allowed = gone_since(at), heard_at(at), silence_allowed(at)
        coming = [next_ending(window, at.now, zone_of(at)) for window in at.enrolment.doses]
        moments = [planned.starts_at - self.lasting("before_dose", at) for planned in coming]
        if gone is not None:
            moments += [gone + self.lasting("too_long", at), at.now + self.look_again]
        elif allowed is not None:
            near = due_within(at.enrolment.doses, at, self.lasting("before_dose", at))
            moments.append(heard + (allowed if near else max(allowed, self.lasting("too_long", at))))
        later = [found for found in moments if found > at.now]
        return [Arm(name="watch", due_at=min(later))] if later else []
