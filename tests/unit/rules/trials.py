"""What the catalogue's tests share: every rule with its own vectors, and every number changed up and down."""

from collections.abc import Iterator
from copy import copy
from datetime import timedelta
from typing import Any

from gateway.contract import Rule
from gateway.contract.library import RuleEntry, Vector
from gateway.pipeline.rehearse import rehearse
from rules.language.document import Document
from rules.language.rule import DocumentRule
from rules.library import catalogue
from rules.plain import PLAIN

BY_ID = {rule.id: rule for rule in PLAIN}
CATALOGUE = {entry.catalogue: entry for entry in catalogue()}
STEP = 0.1
"""Part by which a number is changed; a small whole one (a count, an hour) is changed by one."""


def vectors() -> list[tuple[RuleEntry, Vector]]:
    return [(entry, vector) for entry in CATALOGUE.values() for vector in entry.vectors]


def faults(rules: tuple[Rule, ...], vector: Vector) -> list[str]:
    return rehearse(BY_ID, rules, vector)


def caught(rules: tuple[Rule, ...], entry: RuleEntry) -> bool:
    """Tell whether some vector of the rule fails; a rule that breaks is caught as well."""
    for vector in entry.vectors:
        try:
            if faults(rules, vector):
                return True
        except ValueError:
            return True
    return False


def changed(value: float) -> tuple[float, float]:
    if value <= 24 and value == int(value):
        return value + 1, value - 1
    return value * (1 + STEP), value * (1 - STEP)


def mutants(entry: RuleEntry) -> Iterator[tuple[str, tuple[Rule, ...]]]:
    """Yield every change of one number of a rule, with the rule as it is then."""
    for name, value in entry.numbers.items():
        for other in changed(value):
            yield (
                f"{entry.catalogue} {name} = {other:g}",
                tuple(with_number(rule, name, other) for rule in entry.rules),
            )
    for rule in entry.rules:
        if isinstance(rule, DocumentRule):
            for label, document in moved_hours(rule.document):
                yield f"{entry.catalogue} {label}", (DocumentRule(document),)


def with_number(rule: Rule, name: str, value: float) -> Rule:
    if isinstance(rule, DocumentRule):
        numbers = {**rule.document.numbers, name: value}
        return DocumentRule(rule.document.model_copy(update={"numbers": numbers}))
    if not hasattr(rule, name):
        return rule
    other: Any = copy(rule)
    own = getattr(rule, name)
    setattr(other, name, timedelta(seconds=value) if isinstance(own, timedelta) else type(own)(value))
    return other


def moved_hours(document: Document) -> Iterator[tuple[str, Document]]:
    """Yield the document with a local time of day of its own an hour earlier and later."""
    for number, trigger in enumerate(document.trigger):
        by = trigger.absent.by if trigger.absent else None
        if trigger.absent is None or by is None or ":" not in by:
            continue
        for hour in (int(by[:2]) - 1, (int(by[:2]) + 1) % 24):
            absent = trigger.absent.model_copy(update={"by": f"{hour:02d}{by[2:]}"})
            other = trigger.model_copy(update={"absent": absent})
            triggers = (*document.trigger[:number], other, *document.trigger[number + 1 :])
            yield f"by {hour:02d}{by[2:]}", document.model_copy(update={"trigger": triggers})
