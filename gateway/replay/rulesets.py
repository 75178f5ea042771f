"""Rule sets: the rules of a recording, and the same ones changed as somebody wants to try them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.contract import ConfigurationError, Rule, RuleState, VakaError
from gateway.contract.library import RuleEntry
from gateway.plugins import load_rules
from gateway.replay.frames import Numbers
from gateway.rule_files import catalogue, own_rules


@dataclass(frozen=True)
class Change:
    """What is tried: a folder of own rules for the configured one, shadow rules made active, numbers."""

    folder: Path | None = None
    activate: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    """Each as rule.number=value."""
    shadows: bool = False
    """Whether the other rules in shadow are judged as well."""

    @property
    def told(self) -> tuple[str, ...]:
        """What is changed, in words; nothing when nothing is."""
        folder = (f"rules of {self.folder.name}",) if self.folder else ()
        return (*folder, *(f"{name} active" for name in self.activate), *self.numbers)


@dataclass(frozen=True)
class RuleSet:
    """Rules with their entries in the catalogue, and other numbers for some of them."""

    rules: Sequence[Rule]
    entries: Sequence[RuleEntry]
    numbers: Numbers
    notes: tuple[str, ...] = ()

    def without_shadow(self) -> list[Rule]:
        """Return the rules that can raise something."""
        return [rule for rule in self.rules if rule.state is not RuleState.SHADOW or rule.safety]


def as_recorded(active: Sequence[str], folder: Path | None) -> RuleSet:
    """Return the installed rules with the configured folder, and out of the shadow what was then.

    What was switched on and is not installed here is left out, and said in the notes.
    """
    own = own_rules(folder)
    here = {name for rule in load_rules(own) for name in _names(rule) if rule.state is RuleState.SHADOW}
    gone = [name for name in active if name not in here]
    notes = tuple(f"{name} was active then, and is no shadow rule here" for name in gone)
    known = [name for name in active if name in here]
    return RuleSet(load_rules(own, known), [*catalogue(), *own], {}, notes)


def changed(before: RuleSet, active: Sequence[str], folder: Path | None, change: Change) -> RuleSet:
    """Return the rules as they are to be tried; ConfigurationError for what cannot be changed so."""
    own = own_rules(change.folder or folder)
    rules = load_rules(own)
    shadows = {name for rule in rules for name in _names(rule) if rule.state is RuleState.SHADOW}
    if wrong := [name for name in change.activate if name not in shadows]:
        allowed = ", ".join(sorted(rule.id for rule in rules if rule.state is RuleState.SHADOW))
        raise ConfigurationError(f"--activate: found {wrong[0]!r}; allowed: {allowed}")
    switched = {*(name for name in active if name in shadows), *change.activate}
    entries = [*catalogue(), *own]
    return RuleSet(load_rules(own, switched), entries, numbers_of(change.numbers, entries), before.notes)


def numbers_of(told: Sequence[str], entries: Sequence[RuleEntry]) -> Numbers:
    """Return numbers by rule and name of words as fall.confirm_s=45; VakaError where there is no such."""
    found: dict[str, dict[str, float]] = {}
    for words in told:
        place, equals, value = words.partition("=")
        name, dot, number = place.partition(".")
        entry = next((one for one in entries if name in {one.id, one.catalogue}), None)
        if not equals or not dot or entry is None:
            raise VakaError(f"--set: found {words!r}; allowed: rule.number=value with a rule of vaka rules")
        if number not in entry.numbers:
            allowed = ", ".join(sorted(entry.numbers)) or "none: it has no numbers"
            raise VakaError(f"--set: found {number!r} of {entry.id}; allowed: {allowed}")
        for rule in entry.rules:
            found.setdefault(rule.id, {})[number] = _value(words, value)
    return found


def _value(words: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1e9:
        raise VakaError(f"--set: found {words!r}; allowed: a number from 0 to 1000000000")
    return number


def _names(rule: Rule) -> tuple[str, str]:
    return rule.id, rule.catalogue


def states_of(rules: Sequence[Rule], others: Mapping[str, str]) -> dict[str, str]:
    """Return rules with their states, as a header tells them; `others` are names that no rule object has."""
    return {**others, **{rule.id: rule.state.value for rule in rules}}
