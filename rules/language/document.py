"""Document: one rule as it stands in a TOML file, held to its form."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from gateway.contract import RuleState
from gateway.model.alert import AlertType, Route, Severity
from gateway.model.people import ContextKind

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,47}$")]
"""A name of a rule or a number: small letters, digits and _."""
Source = Annotated[str, Field(min_length=1, max_length=200_000)]
"""A CEL expression; its own limits are checked with it, so that the message can tell what was found."""
Sentence = Annotated[str, Field(min_length=3, max_length=400)]
Number = Annotated[float, Field(ge=0, le=1e9)]
Anchor = Annotated[
    str, Field(pattern=r"^(dose_start|dose_end|look_start|look_end|visit_start|visit_end|\d\d:\d\d)$")
]
"""A planned moment: the ends of doses, looks and visits, or a local time of every day."""
ANY = "any"
"""In `on`: events of every type."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Match(_Part):
    """Events of these types for which the expression holds."""

    on: tuple[str, ...] = Field(min_length=1, max_length=32)
    when: Source | None = None


class Absent(_Part):
    """None of these came `within` so many seconds, or `by` a planned moment (and `plus` some seconds)."""

    on: tuple[str, ...] = Field(min_length=1, max_length=64)
    when: Source | None = None
    within: Name | None = None
    by: Anchor | None = None
    plus: Name | None = None
    since: Name | None = None

    @model_validator(mode="after")
    def _one_limit(self) -> Self:
        if (self.within is None) == (self.by is None):
            raise ValueError("absent has exactly one of within and by")
        if self.by is None and (self.plus or self.since):
            raise ValueError("plus and since belong to by")
        if self.by is not None and self.since is None:
            raise ValueError("by needs since: how many seconds before it an answer still counts")
        return self


class Count(_Part):
    """So many of them in a window; `reset` begins anew."""

    n: Name
    window: Name
    reset: Match | None = None


class Sequence(_Part):
    """Then this, within so many seconds."""

    then: Match
    within: Name


class Hysteresis(_Part):
    """A level that begins at or under `on` and is over at or above `off`."""

    value: Name
    on: Name
    off: Name


class Correlate(_Part):
    """Together with one of each of these about the same person or home, in any order."""

    key: Literal["person", "home"]
    within: Name
    with_: tuple[Match, ...] = Field(alias="with", min_length=1, max_length=4)


class Step(_Part):
    """What becomes of the alert when it is still open, its cause still there, so long after it was raised.

    With `on`, when one of these events comes instead.
    """

    after: Name | None = None
    on: tuple[str, ...] = ()
    when: Source | None = None
    severity: Severity | None = None
    accept: Name | None = None
    route: Route | None = None
    type: AlertType | None = None

    @model_validator(mode="after")
    def _one_cause(self) -> Self:
        if (self.after is None) == (not self.on):
            raise ValueError("escalate_if has exactly one of after and on")
        return self


class Trigger(_Part):
    """One way in which the rule is met."""

    on: tuple[str, ...] = Field(default=(), max_length=64)
    when: Source | None = None
    for_: Name | None = Field(default=None, alias="for")
    until: Match | None = None
    keep_for: Name | None = None
    absent: Absent | None = None
    count: Count | None = None
    sequence: Sequence | None = None
    hysteresis: Hysteresis | None = None
    correlate: Correlate | None = None
    still: Source | None = None
    suppress_while: tuple[ContextKind, ...] = ()
    severity: Severity
    accept: Name
    route: Route | None = None
    type: AlertType | None = None
    escalate_if: tuple[Step, ...] = Field(default=(), max_length=8)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        gathering = [self.count, self.sequence, self.hysteresis, self.correlate]
        if sum(part is not None for part in gathering) > 1:
            raise ValueError("a trigger has at most one of count, sequence, hysteresis and correlate")
        if self.for_ and self.absent:
            raise ValueError("a trigger has at most one of for and absent")
        planned = self.absent is not None and self.absent.by is not None
        if planned == bool(self.on):
            raise ValueError("a trigger has either on, or absent with by")
        if self.keep_for and not (self.until or self.hysteresis):
            raise ValueError("keep_for needs until or hysteresis: what ends it")
        return self


class Texts(_Part):
    """What staff read: the alert in one sentence, and what to do."""

    alert: Sentence
    routine: Sentence


class Words(_Part):
    """The same in both languages."""

    sv: Texts
    en: Texts


class Document(_Part):
    """One rule. `budget` is how many false alerts per person and week are still bearable (S14).

    `kind` is "document" for a rule in this language, "python" for one in `rules/` named by its id,
    "built_in" for a mechanism elsewhere, named by `module`; the last two have no triggers.
    `also` names further Python rules of the same id, with their words; `answers_for` alerts of the same
    mechanism that have the same routine. `kept_active` says why a rule outside the first-release set is
    in force; `fires_in` and `silent_in` name the tests of a mechanism, as `file::test`, that show it and
    show that it stays silent.
    """

    catalogue: Annotated[str, Field(pattern=r"^([GDLCXS]|M)[0-9]{1,3}$")]
    id: Name
    version: Annotated[int, Field(ge=1, le=9999)]
    kind: Literal["document", "python", "built_in"] = "document"
    state: RuleState
    source: Sentence
    severity: tuple[Severity, ...] = ()
    type: AlertType = AlertType.PERSON
    route: Route | None = None
    subject: Literal["device", "home"] = "device"
    latched: bool = False
    budget: Annotated[float, Field(ge=0, le=100)]
    kept_active: str = ""
    module: str = ""
    fires_in: tuple[str, ...] = ()
    silent_in: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    numbers: dict[Name, Number] = Field(default={}, max_length=32)
    bounds: dict[Name, tuple[Number, Number]] = {}
    texts: Words
    also: dict[Name, Words] = {}
    answers_for: tuple[Name, ...] = ()
    trigger: tuple[Trigger, ...] = Field(default=(), max_length=8)
    vectors: tuple[dict[str, Any], ...] = Field(default=(), max_length=64)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.kind == "document") != bool(self.trigger):
            raise ValueError("a document has [[trigger]], and nothing else has")
        if (self.kind == "built_in") != bool(self.module):
            raise ValueError("a built_in rule names its module, and nothing else does")
        if stray := set(self.bounds) - set(self.numbers):
            raise ValueError(f"bounds names {min(stray)!r}, which is not under [numbers]")
        for name, (least, most) in self.bounds.items():
            if not least <= self.numbers[name] <= most:
                raise ValueError(f"numbers.{name} is not within its own bounds")
        return self

    @property
    def severities(self) -> tuple[Severity, ...]:
        """Every severity that an alert of this rule can have, worst first."""
        found = {trigger.severity for trigger in self.trigger} | set(self.severity)
        steps = [step for trigger in self.trigger for step in trigger.escalate_if]
        found |= {step.severity for step in steps if step.severity is not None}
        return tuple(sorted(found, key=lambda severity: severity.rank))
