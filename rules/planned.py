"""Planned: what doses and looks share: a timer for each day's planned time, in the tenant's own time."""

from abc import abstractmethod
from collections.abc import Sequence
from datetime import date, datetime, timedelta

from gateway.contract import Arm, Decision, Say, Situation
from gateway.model.registry import Window
from gateway.model.status import Timer
from rules.base import BaseRule
from rules.times import Occurrence, around, on_day, zone_of

CATCH_UP = timedelta(days=2)
"""After a standstill, planned times older than this are not judged one by one any more."""
KEPT = 32
"""Answered planned times that are remembered."""


class PlannedRule(BaseRule):
    """Arms a timer for the next occurrence of every window, judges it when due, and arms the next one.

    A timer carries the occurrence in its name and when it is due in its note: a changed plan moves it
    or leaves it behind, and an overdue one is still judged for its own day.
    """

    @abstractmethod
    def windows(self, at: Situation) -> tuple[Window, ...]:
        """Return the planned times that this rule watches."""

    @abstractmethod
    def due_at(self, planned: Occurrence, at: Situation) -> datetime:
        """Return when an occurrence is to be judged."""

    @abstractmethod
    def judge(self, planned: Occurrence, at: Situation) -> Sequence[Decision]:
        """Judge one occurrence, which is due."""

    def on_enrolled(self, at: Situation) -> Sequence[Decision]:
        """Arm the next occurrence of every window."""
        return [self._next(window, at.now, at) for window in self.windows(at)]

    def on_timer(self, timer: Timer, at: Situation) -> Sequence[Decision]:
        """Judge the occurrence that the timer names."""
        ref, _, day = timer.name.rpartition("/")
        window = next((window for window in self.windows(at) if window.ref == ref), None)
        if window is None:
            return [Say(reason=f"the planned time {ref!r} is not in the registry any more")]
        planned = on_day(window, date.fromisoformat(day), zone_of(at))
        due_at = self.due_at(planned, at)
        if timer.note != due_at.isoformat():
            return [Say(reason=f"the planned time {ref!r} has moved, and has a timer of its own")]
        return [*self.judge(planned, at), self._next(window, max(due_at, at.now - CATCH_UP), at)]

    def _next(self, window: Window, after: datetime, at: Situation) -> Decision:
        """Arm the first occurrence due after a moment that began after the enrolment."""
        since = at.enrolment.since
        coming = around(window, max(after, since), zone_of(at))
        planned = next(o for o in coming if self.due_at(o, at) > after and o.starts_at >= since)
        due_at = self.due_at(planned, at)
        return Arm(name=planned.key, due_at=due_at, note=due_at.isoformat())


def subject_of(at: Situation, planned: Occurrence) -> str:
    """Return the subject that makes every occurrence an episode of its own."""
    return f"{at.device.id}/{planned.key}"


def kept(keys: Sequence[str], *more: str) -> list[str]:
    """Add keys to those remembered, dropping the oldest."""
    return [*(key for key in keys if key not in more), *more][-KEPT:]


def overdue(planned: Occurrence, at: Situation, due_at: datetime) -> str:
    """Return the words for a judgement that comes late because the watch stood still."""
    late_s = (at.now - due_at).total_seconds()
    return f"{planned.ref}, judged {late_s / 60:.0f} min late" if late_s >= 60 else planned.ref
