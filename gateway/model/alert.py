"""Alert: something a person must know about, until somebody has answered for it."""

from datetime import datetime
from enum import StrEnum

import msgspec


class Severity(StrEnum):
    """The ladder of IEC 60601-1-8 and IHE ACM: PH, PM, PL, PN."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"

    @property
    def acm(self) -> str:
        """The IHE ACM alert priority."""
        return {"high": "PH", "medium": "PM", "low": "PL", "info": "PN"}[self.value]

    @property
    def rank(self) -> int:
        """0 for the most severe."""
        return ("high", "medium", "low", "info").index(self.value)


class AlertType(StrEnum):
    """IHE ACM alert type: about the person, about the technology, or advice."""

    PERSON = "SP"
    TECHNICAL = "ST"
    ADVISORY = "SA"


class AlertState(StrEnum):
    """How far people have answered."""

    OFFERED = "offered"
    ACCEPTED = "accepted"
    ON_SITE = "on_site"
    CLOSED = "closed"


class Outcome(StrEnum):
    """Why a person closed it; feeds the nuisance budget."""

    REAL = "real"
    FALSE = "false"
    TEST = "test"
    TECHNICAL = "technical"


class Alert(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One alert as it stands; every change makes a new value and one entry of history.

    `deadline` is when silence becomes an escalation: always set while the alert is not closed.
    `active` tells whether the cause is still there; a cause that ends never closes the alert.
    `step` is the place on the ladder (0-based), `ladder` the ladder's name in the registry.
    `text` and `values` make the sentence staff read, in either language. `late_s` is how old the
    cause already was when we heard of it.
    """

    id: str
    rule: str
    subject: str
    severity: Severity
    type: AlertType
    text: str
    values: dict[str, str | int | float | bool] = {}
    reason: str
    tenant: str
    home: str
    person: str | None = None
    device: str | None = None
    cause: str | None = None
    frame: int
    occurred_at: datetime
    raised_at: datetime
    late_s: float = 0
    state: AlertState = AlertState.OFFERED
    active: bool = True
    latched: bool = False
    count: int = 1
    ladder: str
    step: int = 0
    deadline: datetime | None
    accept_within_s: float
    assignee: str | None = None
    outcome: Outcome | None = None
    version: int = 1


class AlertEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of an alert's append-only history: who or what did what, when, from which frame."""

    alert: str
    version: int
    at: datetime
    action: str
    actor: str
    frame: int
    detail: str = ""
