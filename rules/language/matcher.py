"""Matcher: events that a trigger waits for, and the steps that make its alert worse, compiled."""

from collections.abc import Iterable

from gateway.model.event import Event
from rules.language.document import ANY, Step
from rules.language.predicate import Predicate
from rules.language.turn import Turn


class Matcher:
    """Events of some types for which a guard holds."""

    def __init__(self, on: Iterable[str], when: str | None, numbers: Iterable[str]) -> None:
        self.on = frozenset(on)
        self.any = ANY in self.on
        self.when = None if when is None else Predicate(when, tuple(numbers))

    def meets(self, event: Event, turn: Turn) -> bool:
        """Tell whether the event is one of them."""
        return (self.any or event.type in self.on) and turn.holds(self.when)


class Rung:
    """One step of `escalate_if`, its guard compiled."""

    def __init__(self, step: Step, numbers: Iterable[str]) -> None:
        self.step = step
        self.when = None if step.when is None else Predicate(step.when, tuple(numbers))
