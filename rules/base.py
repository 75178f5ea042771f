"""Base: a rule that listens to nothing yet, and the decisions that most rules share."""

from collections.abc import Sequence
from datetime import datetime
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

    def on_enrolled(self, at: Situation) -> Sequence[Decision]:  # noqa: ARG002 - the port's signature
        """Arm nothing."""
        return NOTHING

    def on_event(self, event: Event, at: Situation) -> Sequence[Decision]:  # noqa: ARG002
        """Decide nothing."""
        return NOTHING

    def on_timer(self, timer: Timer, at: Situation) -> Sequence[Decision]:  # noqa: ARG002
        """Decide nothing."""
        return NOTHING


def arm_once(
    at: Situation, name: str, due_at: datetime, *, note: str = "", subject: str = ""
) -> list[Decision]:
    """Arm a timer unless it is armed: what runs already keeps its start."""
    return [] if at.armed(name, subject) else [Arm(name=name, due_at=due_at, note=note, subject=subject)]


def moment(facts: Any, name: str) -> datetime | None:
    """Read a remembered moment, None when it was never remembered."""
    found = facts.get(name)
    return None if found is None else datetime.fromisoformat(found)
