"""The port for a library of rules: catalogue, texts, test vectors, and what is wrong with a file."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

import msgspec

from gateway.contract.rule import Rule, RuleState


class VectorStep(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """At `at` seconds: a device says something, a context begins, an alert is answered, or the gateway stops.

    `ago` is how many seconds before it is heard it happened. A context lasts from `begins` (seconds from
    this step, may be negative) for `lasts` seconds. `down` seconds nothing is heard or judged.
    """

    at: float = 0
    says: str = ""
    device: str = ""
    values: dict[str, Any] = {}
    ago: float = 0
    context: str = ""
    begins: float = 0
    lasts: float = 3600
    answer: str = ""
    down: float = 0


class Expected(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is to be in an alert's history at that second; what is left out is not compared."""

    at: float
    what: Literal["raised", "repeated", "changed", "cleared"] = "raised"
    severity: str = ""
    accept: float | None = None
    route: str = ""
    type: str = ""
    latched: bool | None = None


class Vector(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One trial of one rule in virtual time. `starts` is the local time of second 0; `until` its last second.

    `devices` are enrolments by name with their kind, the first the one that steps mean without a name;
    `home` and `person` are added to the registry's records. `numbers` are the person's own.
    """

    name: str
    fires: bool
    starts: str = "2026-01-14T12:00:00+01:00"
    home: dict[str, Any] = {}
    person: dict[str, Any] = {}
    devices: dict[str, dict[str, Any]]
    numbers: dict[str, float] = {}
    also: tuple[str, ...] = ()
    steps: tuple[VectorStep, ...]
    until: float | None = None
    expect: tuple[Expected, ...] = ()


class RuleEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One rule of the catalogue, whatever does it.

    `title` is what it is about, in English. `texts` holds, by language, the words that staff read:
    `alert.<id>` and `routine.<id>`. `rules` is empty for a mechanism that is built into `module`, shown by
    the tests that `fires_in` and `silent_in` name.
    """

    catalogue: str
    id: str
    version: int
    kind: str
    state: RuleState
    severities: tuple[str, ...]
    route: str
    source: str
    title: str
    budget: float
    texts: Mapping[str, Mapping[str, str]]
    numbers: Mapping[str, float]
    rules: tuple[Rule, ...]
    module: str
    fires_in: tuple[str, ...]
    silent_in: tuple[str, ...]
    vectors: tuple[Vector, ...]
    explanation: tuple[str, ...]
    kept_active: str = ""


class RuleLibrary(Protocol):
    """Rules as documents: its own catalogue, and what a municipality adds."""

    def entries(self) -> Sequence[RuleEntry]:
        """Return the catalogue, in its order."""
        ...

    def read(self, files: Mapping[str, str]) -> tuple[Sequence[RuleEntry], Sequence[str]]:
        """Read documents by file name; return the rules and the faults, one line each."""
        ...

    def read_one(self, name: str, text: str) -> Sequence[str]:
        """Return the faults of one document by itself, one line each."""
        ...
