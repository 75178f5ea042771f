"""Arrivals: a lock that is away before a visit (L6), a call for help that nobody has answered (X3)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import ClassVar

from gateway.contract import Arm, Change, Clear, Decision, Raise, Remember, RuleState, Situation
from gateway.model.alert import Alert, AlertState, AlertType, Route, Severity
from gateway.model.event import Event
from gateway.model.people import Context, ContextKind
from gateway.model.status import Timer
from gateway.model.vocabulary import DeviceKind
from rules.base import ACCEPT_HIGH_S, NOTHING, BaseRule
from rules.offline import OfflineRule
from rules.presence import gone_since
from rules.times import happened_at, lateness

AHEAD_S = 400 * 86_400
"""How far ahead a planned visit is looked for."""


class LockOffline(OfflineRule):
    """Away an hour before a visit: Low; still away when it begins: bring the spare key (5.3 L6)."""

    id: ClassVar[str] = "lock_offline_visit"
    catalogue: ClassVar[str] = "L6"
    kind: ClassVar[DeviceKind] = DeviceKind.LOCK
    listens: ClassVar[frozenset[str]] = frozenset({"device.offline", "device.online", "context.visit"})
    before: timedelta = timedelta(minutes=60)
    grace: timedelta = timedelta(seconds=60)
    accept_s: float = 30 * 60

    def on_timer(self, timer: Timer, at: Situation) -> Sequence[Decision]:  # noqa: ARG002 - the port's signature
        """Judge the moment, and find the next one."""
        gone = gone_since(at)
        if gone is None:
            return [*self._back(at), *self._watch(at)]
        near = at.contexts(ContextKind.VISIT, self.lasting("before", at).total_seconds())
        if not near:
            return self._watch(at)
        return [*self._near(near[0], gone, at), *self._watch(at)]

    def _near(self, visit: Context, gone: datetime, at: Situation) -> Sequence[Decision]:
        begun, alert = visit.since <= at.now, at.open_alert()
        about = f"{visit.id} {'begun' if begun else 'near'}"
        if at.recall().get("about") == about:
            return NOTHING
        known = Remember(facts={"about": about})
        if alert is not None and alert.active:
            return [known, *([self._begun()] if begun and alert.severity is Severity.LOW else [])]
        raised = Raise(
            severity=Severity.MEDIUM if begun else Severity.LOW,
            type=AlertType.PERSON if begun else AlertType.TECHNICAL,
            text=self.id,
            reason=f"the lock is away, and the visit {'begins' if begun else 'is near'}",
            accept_within_s=self.accept_s,
            occurred_at=gone,
        )
        return [raised, known]

    def _begun(self) -> Change:
        return Change(
            severity=Severity.MEDIUM,
            type=AlertType.PERSON,
            route=Route.CARE,
            reason="the visit begins and the lock is still away: bring the spare key",
            accept_within_s=self.accept_s,
        )

    def _back(self, at: Situation) -> Sequence[Decision]:
        alert = at.open_alert()
        back = [Clear(reason="the lock is heard again")] if alert and alert.active else []
        return [*([Remember(facts=None)] if at.recall() else []), *back]

    def _watch(self, at: Situation) -> Sequence[Decision]:
        visits, before = at.contexts(ContextKind.VISIT, AHEAD_S), self.lasting("before", at)
        moments = [moment for visit in visits for moment in (visit.since - before, visit.since)]
        coming = [moment for moment in moments if moment > at.now]
        return [Arm(name="watch", due_at=min(coming))] if coming else NOTHING


class NoContact(BaseRule):
    """A call for help that nobody took in three minutes, or whose device then fell silent: go there (5.5 X3).

    Somebody who has taken the call is the contact; there is no other word for it in the vocabulary.
    """

    id: ClassVar[str] = "no_contact"
    catalogue: ClassVar[str] = "X3"
    state: RuleState = RuleState.SHADOW
    listens: ClassVar[frozenset[str]] = frozenset({"alarm.manual"})
    contact: timedelta = timedelta(minutes=3)
    silent: timedelta = timedelta(minutes=10)
    call: ClassVar[str] = "sos"

    def on_event(self, event: Event, at: Situation) -> Sequence[Decision]:
        """Look after both times whether somebody has it, and whether the device still speaks."""
        late = lateness(event).get("minutes", 0)
        note = f"{happened_at(event).isoformat()} {event.received_at.isoformat()} {late}"
        return [
            Arm(name="contact", due_at=at.now + self.lasting("contact", at), note=note),
            Arm(name="silent", due_at=at.now + self.lasting("silent", at), note=note),
        ]

    def on_timer(self, timer: Timer, at: Situation) -> Sequence[Decision]:
        """Nobody has it, or nothing was heard since."""
        call = next((one for one in at.home_alerts() if self._is_call(one, at)), None)
        if call is None:
            return NOTHING
        pressed_at, heard_at, _ = timer.note.split()
        seen = at.status().last_seen_at
        spoke = seen is not None and seen > datetime.fromisoformat(heard_at)
        waiting = call.state is AlertState.OFFERED
        if timer.name == "contact" and not waiting:
            return NOTHING
        if timer.name == "silent" and (spoke or call.state is AlertState.ON_SITE):
            return NOTHING
        why = (
            "nobody has taken the call" if timer.name == "contact" else "the device is silent since the call"
        )
        return [
            Raise(
                severity=Severity.HIGH,
                type=AlertType.PERSON,
                text=self.id,
                reason=f"{why}: go there",
                accept_within_s=ACCEPT_HIGH_S,
                latched=True,
                route=Route.ALARM_CENTRE,
                occurred_at=datetime.fromisoformat(pressed_at),
            )
        ]

    def _is_call(self, alert: Alert, at: Situation) -> bool:
        return alert.rule == self.call and alert.subject == at.device.id
