"""Base: a rule that listens to nothing yet, and the decisions that most rules share."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

from gateway.contract import Arm, Decision, RuleState, Situation
from gateway.model.event import Event
from gateway.model.status import Timer

NOTHING: tuple[Decision, ...] = ()

ACCEPT_HIGH_S = 60.0
ACCEPT_MEDIUM_S = 600.0
ACCEPT_LOW_S = 4 * 3600.0
"""Times to accept an alert of a class where its own rule names none (alert rules, section 5.0)."""


class BaseRule:
    """Fulfils the Rule port with empty handlers; a rule overrides those it needs."""

    id: ClassVar[str]
    catalogue: ClassVar[str]
    safety: ClassVar[bool] = False
    state: RuleState = RuleState.ACTIVE
    listens: ClassVar[frozenset[str]] = frozenset()
    bounds: ClassVar[Mapping[str, tuple[float, float]]] = {}
    """Between what a municipality, a unit or a person may set a number of a safety rule; no other is read."""

    @property
    def arms(self) -> bool:
        """Whether it decides anything when a device is enrolled."""
        return type(self).on_enrolled is not BaseRule.on_enrolled

    def on_enrolled(self, at: Situation) -> Sequence[Decision]:  # noqa: ARG002 - the port's signature
        """Arm nothing."""
        return NOTHING

    def on_event(self, event: Event, at: Situation) -> Sequence[Decision]:  # noqa: ARG002
        """Decide nothing."""
        return NOTHING

    def on_timer(self, timer: Timer, at: Situation) -> Sequence[Decision]:  # noqa: ARG002
        """Decide nothing."""
        return NOTHING

    def number(self, name: str, at: Situation) -> float:
        """Return a number of this rule as it holds here: its own, or the override nearest to the person."""
        own = getattr(self, name)
        default = own.total_seconds() if isinstance(own, timedelta) else float(own)
        if self.safety and name not in self.bounds:
            return default
        least, most = self.bounds.get(name, (0.0, float("inf")))
        return min(max(at.number(name, default), least), most)

    def lasting(self, name: str, at: Situation) -> timedelta:
        """Return such a number, in seconds, as a length of time."""
        own = getattr(self, name)
        if not at.overridden and isinstance(own, timedelta):
            return own
        return timedelta(seconds=self.number(name, at))


def arm_once(
    at: Situation, name: str, due_at: datetime, *, note: str = "", subject: str = ""
) -> list[Decision]:
    """Arm a timer unless it is armed: what runs already keeps its start."""
    return [] if at.armed(name, subject) else [Arm(name=name, due_at=due_at, note=note, subject=subject)]


def moment(facts: Any, name: str) -> datetime | None:
    """Read a remembered moment, None when it was never remembered."""
    found = facts.get(name)
    return None if found is None else datetime.fromisoformat(found)
