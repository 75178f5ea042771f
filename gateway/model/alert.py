"""Alert: something a person must know about, until somebody has answered for it."""

from datetime import datetime
from enum import StrEnum

import msgspec

from gateway.model.people import Policy


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


class Route(StrEnum):
    """What kind of people an alert is for; who they are, the escalation policies say."""

    CARE = "care"
    CARE_DELEGATED = "care_delegated"
    NURSE = "nurse"
    NIGHT_PATROL = "night_patrol"
    ALARM_CENTRE = "alarm_centre"
    TECHNICAL = "technical"
    OPERATIONS = "operations"
    MANAGEMENT = "management"
    SECURITY = "security"
    DIGEST = "digest"


ROUTE_OF_TYPE = {
    AlertType.PERSON: Route.CARE,
    AlertType.TECHNICAL: Route.TECHNICAL,
    AlertType.ADVISORY: Route.DIGEST,
}
"""Where an alert goes whose rule does not say it."""


class AlertState(StrEnum):
    """How far people have answered, or why nobody is asked for a while (IEC 62682).

    Every state but `closed` has a deadline, at which it is offered again.
    """

    OFFERED = "offered"
    ACCEPTED = "accepted"
    ON_SITE = "on_site"
    SHELVED = "shelved"
    SUPPRESSED = "suppressed"
    OUT_OF_SERVICE = "out_of_service"
    CLOSED = "closed"


class Phase(StrEnum):
    """What a line of history says in the words of IHE ACM (PCD-04, alert phase)."""

    START = "start"
    CONTINUE = "continue"
    ESCALATE = "escalate"
    DEESCALATE = "deescalate"
    ACKNOWLEDGE = "acknowledge"
    END = "end"


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

    `route` is the kind of people it is for and `policy` how they are asked, as it was when the alert
    was raised; `wave` how many of a step are asked by now, `asked` who was asked last, `declined` who
    said no. `eta` is when who accepted wants to be there. `suppressed_by` links to what makes asking
    needless, `incident` to the alert that speaks for this one too. `worse_at` is the version at which
    it last became more severe.
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
    route: Route = Route.CARE
    policy: Policy | None = None
    wave: int = 0
    asked: tuple[str, ...] = ()
    declined: tuple[str, ...] = ()
    eta: datetime | None = None
    suppressed_by: str = ""
    incident: str = ""
    worse_at: int = 0

    @property
    def shelved_until(self) -> datetime | None:
        """When a shelved alert is offered again; None for one that is not shelved."""
        return self.deadline if self.state is AlertState.SHELVED else None


class AlertEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of an alert's append-only history: who or what did what, when, from which frame.

    `phase`, `severity` (its `acm` is the priority) and `type` are what IHE ACM tells of it.
    """

    alert: str
    version: int
    at: datetime
    action: str
    actor: str
    frame: int
    detail: str = ""
    phase: Phase = Phase.CONTINUE
    severity: Severity | None = None
    type: AlertType | None = None
