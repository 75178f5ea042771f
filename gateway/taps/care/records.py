"""Care records: what a care system is told of an alert or a dose, the same for every one of them.

One record is one file of JSON; docs/care-record.schema.json is made from these types.
"""

from enum import StrEnum
from typing import Annotated, Literal

import msgspec

from gateway.model.vocabulary import Instant

FORM = "vaka.care-record.v1"
Key = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,127}$")]
"""Names a record for ever; letters, digits and hyphens, so that it can be a path and a file name."""


class Kind(StrEnum):
    """What a record tells of."""

    OPENED = "alert.opened"
    HANDLED = "alert.handled"
    CLOSED = "alert.closed"
    VISIT = "visit.requested"
    DOSE = "dose.deviation"


class Codes(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The happening in Vaka's own word and in the standards' codes, where they have one.

    `scaip` is `dty/stc` or `dty/stc/lco`, `mdc` the 32-bit code of 11073, `vkp` the alert's number.
    """

    word: str
    scaip: tuple[str, ...] = ()
    mdc: tuple[int, ...] = ()
    vkp: tuple[str, ...] = ()


class Step(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of an alert's course: what was done, by whom, when; `text` as staff read it.

    `by` is `person`, `rule` or `system`; `actor` names it, a person by the reference that they log in by.
    """

    version: int
    at: Instant
    action: str
    text: str
    by: Literal["person", "rule", "system"]
    actor: str
    detail: str = ""
    severity: str = ""


class Delivered(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """To whom the alert was sent by which channel, and how far that is proved to have come."""

    at: Instant
    to: str
    channel: str
    state: str


class Course(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All that was done about an alert, oldest first; `left_out` counts the lines of a very long one."""

    steps: tuple[Step, ...] = ()
    left_out: int = 0
    delivered: tuple[Delivered, ...] = ()


class Visit(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A visit outside the plan: that somebody is needed in the home, and how it went.

    `eta` is when who is on the way wants to be there. `cancelled` was closed with nobody on site.
    """

    state: Literal["requested", "on_the_way", "arrived", "done", "cancelled"]
    requested_at: Instant
    by: str = ""
    eta: Instant | None = None
    arrived_at: Instant | None = None
    ended_at: Instant | None = None


class Dose(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What went otherwise than planned with a dose; `dose` is opaque, never a drug or a prescription."""

    deviation: Literal["missed", "retracted", "early", "overdose_attempt"]
    dose: str = ""
    due_at: Instant | None = None
    window_min: float | None = None


class CareRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One record. A higher `version` of a key replaces a lower one, never the other way round.

    `at` is when it happened. `person`, `home` and `device` are opaque references, the municipality's own
    list says whose. `text` is the sentence that staff read, in Swedish. `severity` is high, medium, low
    or info, and `priority` the same in IHE ACM. `handled` says what was done, `course` all of it.
    """

    form: Literal["vaka.care-record.v1"]
    key: Key
    version: Annotated[int, msgspec.Meta(ge=1)]
    kind: Kind
    at: Instant
    tenant: str
    home: str
    text: str
    person: str | None = None
    device: str | None = None
    device_kind: str | None = None
    codes: Codes | None = None
    alert: str | None = None
    severity: str | None = None
    priority: str | None = None
    occurred_at: Instant | None = None
    raised_at: Instant | None = None
    handled: Step | None = None
    outcome: Literal["real", "false", "test", "technical"] | None = None
    outcome_text: str = ""
    note: str = ""
    course: Course | None = None
    visit: Visit | None = None
    dose: Dose | None = None

    @property
    def settled(self) -> bool:
        """True for a record of which there is only ever one version."""
        return self.kind is not Kind.VISIT


def encode(record: CareRecord) -> bytes:
    """Return the record as JSON."""
    return msgspec.json.encode(record)


def decode(body: bytes) -> CareRecord:
    """Read a record; msgspec.DecodeError or ValidationError for what is none."""
    return msgspec.json.decode(body, type=CareRecord)


def schema() -> dict[str, object]:
    """Return the JSON Schema of a record."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | msgspec.json.schema(CareRecord)
