"""Turn: one input before one rule: what it remembers of the subject, and what it decides."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from gateway.contract import Arm, Clear, Decision, Disarm, Raise, Remember, RuleState, Say, Situation
from gateway.model.alert import Alert
from gateway.model.event import Event
from rules.language import facts
from rules.language.predicate import Predicate
from rules.language.temporal import read

SHADOWED = "shadowed"
"""The fact that a shadow rule would have an alert open."""


class Turn:
    """Gathers decisions; `facts` are written back once, and only when they changed."""

    def __init__(
        self,
        at: Situation,
        event: Event | None,
        subject: str,
        numbers: Mapping[str, float],
        state: RuleState,
    ) -> None:
        self.at = at
        self.event = event
        self.subject = subject
        self.numbers = numbers
        self.state = state
        self.decisions: list[Decision] = []
        self._facts: dict[str, Any] = dict(at.recall(subject))
        self._changed = False

    def holds(self, predicate: Predicate | None) -> bool:
        """Tell whether a guard holds for this input; none always does."""
        return predicate is None or predicate.holds(
            facts.context(self.event, self.at, predicate.needs), self.numbers
        )

    def lasting(self, name: str) -> timedelta:
        """Return a number of seconds as a length of time."""
        return timedelta(seconds=self.numbers[name])

    def recall(self, key: str) -> datetime | None:
        """Return a remembered moment."""
        return read(self._facts, key)

    @property
    def facts(self) -> Mapping[str, Any]:
        """What is remembered, with the changes of this turn."""
        return self._facts

    def keep(self, key: str, value: Any) -> None:
        """Remember; None forgets."""
        if isinstance(value, datetime):
            value = value.isoformat()
        elif isinstance(value, list):
            value = [one.isoformat() for one in value]
        if self._facts.get(key) == value:
            return
        self._changed = True
        if value is None:
            self._facts.pop(key, None)
        else:
            self._facts[key] = value

    def armed(self, name: str) -> bool:
        """Tell whether a timer of this rule and subject runs."""
        return self.at.armed(name, self.subject)

    def arm(self, name: str, due_at: datetime, note: str = "") -> None:
        """Look again then."""
        self.decisions.append(Arm(name=name, due_at=due_at, note=note, subject=self.subject))

    def disarm(self, name: str) -> None:
        """Do not look again."""
        if self.armed(name):
            self.decisions.append(Disarm(name=name, subject=self.subject))

    def say(self, reason: str) -> None:
        """Tell the trace why nothing was raised."""
        self.decisions.append(Say(reason=reason))

    def alert(self, subject: str = "") -> Alert | None:
        """Return the open alert of this subject, or of one of its own episodes."""
        return self.at.open_alert(subject or self.subject)

    def clear(self, reason: str) -> None:
        """The cause is gone: of the open alert, or of what a shadow rule would have raised."""
        alert = self.alert()
        if any(isinstance(decision, Clear) for decision in self.decisions):
            return
        raised = any(isinstance(decision, Raise) for decision in self.decisions)
        if self._facts.get(SHADOWED):
            self.keep(SHADOWED, None)
            raised = True
        if raised or (alert is not None and alert.active):
            self.decisions.append(Clear(reason=reason, subject=self.subject))

    def raise_(self, raised: Raise) -> None:
        """A person must know; a shadow rule remembers that it would have said so, to know when it is over."""
        self.decisions.append(raised)
        if self.state is RuleState.SHADOW:
            self.keep(SHADOWED, value=True)

    def done(self) -> list[Decision]:
        """Return the decisions, what is to be remembered among them."""
        if self._changed:
            self.decisions.append(Remember(facts=self._facts or None, subject=self.subject))
        return self.decisions
