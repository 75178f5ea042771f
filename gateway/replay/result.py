"""Result: what one run of a recording came to, as it is kept, compared and printed."""

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

from gateway.contract import ConfigurationError, Rule, RuleState
from gateway.contract.library import RuleEntry
from gateway.model.registry import Registry
from gateway.pipeline.decide import EVERY_TYPE
from gateway.recording.form import Header
from gateway.replay.figures import AlertFigure, Figures, Load

FORM = 1
WEEK_S = 7 * 86_400


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """A rule against its budget: alerts a person and week, where every one of them is taken for false.

    `persons` are those whom it can watch, `most` what the one has most of whom it would disturb most.
    `false` are those that people closed as false.
    """

    rule: str
    catalogue: str
    state: str
    raised: int
    false: int
    persons: int
    per_week: float
    most: float
    budget: float

    weeks: float

    @property
    def verdict(self) -> str:
        """Whether it keeps to its budget; "" where nobody has what it listens to."""
        if not self.persons:
            return ""
        if self.weeks < 1 and self.raised:
            return "too short a time to tell"
        return "within" if self.per_week <= self.budget else "above"


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One run: of which recording, by which version, with what changed, and everything that it came to."""

    form: int = FORM
    recording: str
    gateway: str
    changed: tuple[str, ...]
    since: datetime
    until: datetime
    frames: int
    alerts: tuple[AlertFigure, ...]
    loads: dict[str, Load]
    judged: tuple[Judged, ...]
    recorded_alerts: int
    came_again: int

    @property
    def weeks(self) -> float:
        """How long it is."""
        return (self.until - self.since).total_seconds() / WEEK_S

    @property
    def hours(self) -> float:
        """The same in hours."""
        return self.weeks * 168


class Made(msgspec.Struct, frozen=True):
    """Of what a result is made besides its figures."""

    header: Header
    sha256: str
    gateway: str
    changed: tuple[str, ...]
    recorded: tuple[tuple[str, str, datetime], ...]
    """Rule, who or what it is about, and when: every alert of the recording in its period."""


def result_of(
    made: Made, figures: Figures, registry: Registry, rules: Iterable[Rule], entries: Iterable[RuleEntry]
) -> Result:
    """Return the result of a run that has ended."""
    header = made.header
    alerts = tuple(sorted(figures.alerts.values(), key=lambda one: (one.raised_at, one.rule, one.about)))
    weeks = max((header.until - header.since).total_seconds() / WEEK_S, 1e-9)
    return Result(
        recording=made.sha256,
        gateway=made.gateway,
        changed=made.changed,
        since=header.since,
        until=header.until,
        frames=0,
        alerts=alerts,
        loads=dict(sorted(figures.loads.items())),
        judged=tuple(_judged(figures, registry, rules, entries, weeks)),
        recorded_alerts=len(made.recorded),
        came_again=_came_again(alerts, made.recorded),
    )


def read_result(content: bytes, name: str) -> Result:
    """Read a result that `vaka replay --json` printed; of a comparison, the one after the change."""
    try:
        told = msgspec.json.decode(content, type=_Told)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{name}: found {error}; allowed: what vaka replay --json printed"
        ) from error
    if told.after.form != FORM:
        raise ConfigurationError(f"{name}: found a result of form {told.after.form}; allowed: {FORM}")
    return told.after


class _Told(msgspec.Struct):
    after: Result


def _came_again(alerts: Iterable[AlertFigure], recorded: Iterable[tuple[str, str, datetime]]) -> int:
    """Count the recorded alerts that this run raised too, within five seconds."""
    by_key: dict[tuple[str, str], list[datetime]] = {}
    for one in alerts:
        by_key.setdefault((one.rule, one.about), []).append(one.raised_at)
    found = 0
    for rule, about, at in recorded:
        times = by_key.get((rule, about), [])
        near = next((time for time in times if abs((time - at).total_seconds()) <= 5), None)
        if near is not None:
            times.remove(near)
            found += 1
    return found


def _judged(
    figures: Figures, registry: Registry, rules: Iterable[Rule], entries: Iterable[RuleEntry], weeks: float
) -> Iterable[Judged]:
    raised = _by_person(figures)
    entry_of = {rule.id: entry for entry in entries for rule in entry.rules}
    for rule in rules:
        entry = entry_of.get(rule.id)
        theirs = raised.get(rule.id, {})
        if entry is None or (rule.state is not RuleState.SHADOW and not theirs):
            continue
        persons = len(_watched(figures, registry, rule) | (theirs.keys() & registry.persons.keys()))
        total = sum(theirs.values())
        yield Judged(
            rule=rule.id,
            catalogue=rule.catalogue,
            state=rule.state.value,
            raised=total,
            false=sum(one.false for one in figures.alerts.values() if one.rule == rule.id),
            persons=persons,
            per_week=round(total / max(persons, 1) / weeks, 3),
            most=round(max(theirs.values(), default=0) / weeks, 3),
            budget=entry.budget,
            weeks=round(weeks, 3),
        )


def _by_person(figures: Figures) -> Mapping[str, Mapping[str, int]]:
    """Return how often each rule raised, or would have raised, about whom."""
    found: dict[str, dict[str, int]] = {}
    for one in figures.alerts.values():
        theirs = found.setdefault(one.rule, {})
        about = one.about or one.home
        theirs[about] = theirs.get(about, 0) + 1
    for (rule, whom), times in figures.shadow.items():
        theirs = found.setdefault(rule, {})
        theirs[whom] = theirs.get(whom, 0) + times
    return found


def _watched(figures: Figures, registry: Registry, rule: Rule) -> set[str]:
    """Return who has a device of a kind that said what the rule listens to, or that made it raise."""
    heard = figures.kinds if EVERY_TYPE in rule.listens else rule.listens
    kinds = {kind for name in heard for kind in figures.kinds.get(name, ())}
    kinds |= {
        registry.devices[name].kind for name in figures.raised_by.get(rule.id, ()) & registry.devices.keys()
    }
    homes = {
        enrolment.home: enrolment.person
        for enrolment in registry.document.enrolment
        if registry.devices[enrolment.device].kind in kinds
    }
    return {person.ref for home in homes for person in registry.persons_of(home)}
