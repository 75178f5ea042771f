"""The port for rules: what a rule may see, and what it may decide."""

from collections.abc import Mapping, Sequence
from copy import copy
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

import msgspec

from gateway.model.alert import Alert, AlertType, Severity
from gateway.model.event import Event
from gateway.model.people import Context
from gateway.model.registry import Device, Enrolment, Home, Person
from gateway.model.status import DeviceStatus, Timer
from gateway.model.vocabulary import DeviceKind


class Raise(msgspec.Struct, frozen=True, kw_only=True):
    """A person must know. Raised again while open, it is counted on the same alert.

    `subject` is what the episode is about (a device, a home); `cause` the event, None for a tick.
    `text` is a key of the alert texts, `reason` a sentence for the course of events. `route` is the kind
    of people it is for (`gateway.model.alert.Route`), "" for those that the alert's type means.
    """

    severity: Severity
    type: AlertType
    text: str
    reason: str
    accept_within_s: float
    values: dict[str, str | int | float | bool] = {}
    latched: bool = False
    subject: str = ""
    occurred_at: datetime | None = None
    route: str = ""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """The open alert of this rule and subject changes severity or text; it never ends by this.

    `type` moves it to the ladder of that type, as when a technical fault leaves a person without
    protection; `accept_within_s` is the time to answer from now on. More severe, or on another
    ladder, it is offered anew. `route` names another kind of people, None keeps them.
    """

    severity: Severity | None = None
    text: str | None = None
    type: AlertType | None = None
    accept_within_s: float | None = None
    reason: str
    subject: str = ""
    route: str | None = None


class Clear(msgspec.Struct, frozen=True, kw_only=True):
    """The cause of this rule's open alert is gone; the alert stays until a person closes it."""

    reason: str
    subject: str = ""


class Arm(msgspec.Struct, frozen=True, kw_only=True):
    """Look again at `due_at`; arming the same name moves it. `note` comes back with the timer."""

    name: str
    due_at: datetime
    note: str = ""
    subject: str = ""


class Disarm(msgspec.Struct, frozen=True, kw_only=True):
    """Do not look again."""

    name: str
    subject: str = ""


class Remember(msgspec.Struct, frozen=True, kw_only=True):
    """Keep small facts for this rule and subject; None forgets them."""

    facts: dict[str, Any] | None
    subject: str = ""


class Say(msgspec.Struct, frozen=True, kw_only=True):
    """Tell the trace why nothing was raised although one might expect it."""

    reason: str


Decision = Raise | Change | Clear | Arm | Disarm | Remember | Say


class RuleState(StrEnum):
    """How far a rule is trusted. A shadow rule remembers and waits, and what it would raise is only told."""

    DRAFT = "draft"
    SHADOW = "shadow"
    ACTIVE = "active"
    RETIRED = "retired"


class Situation(Protocol):
    """What a rule may look at; everything else does not exist for it.

    In every decision and question `subject` "" means the enrolled device itself.
    """

    @property
    def now(self) -> datetime:
        """The moment this input is judged for, UTC."""
        ...

    @property
    def device(self) -> Device:
        """The enrolled device."""
        ...

    @property
    def enrolment(self) -> Enrolment:
        """Its meaning."""
        ...

    @property
    def home(self) -> Home:
        """Where it is enrolled."""
        ...

    @property
    def person(self) -> Person | None:
        """For whom it watches."""
        ...

    @property
    def residents(self) -> Sequence[Person]:
        """Everybody who lives in that home."""
        ...

    @property
    def listening_since(self) -> datetime | None:
        """When the gateway could hear again after it had been away; None when it never was."""
        ...

    def local(self, at: datetime) -> datetime:
        """Return that moment in the tenant's own time zone."""
        ...

    def status(self, device: str = "") -> DeviceStatus:
        """Return the latest word of a device (this one when not named)."""
        ...

    def neighbours(self, kind: DeviceKind) -> Sequence[Device]:
        """Return the devices of that kind enrolled in the same home."""
        ...

    def recall(self, subject: str = "") -> Mapping[str, Any]:
        """Return what this rule remembered, empty if nothing."""
        ...

    def open_alert(self, subject: str = "") -> Alert | None:
        """Return this rule's open alert on the subject."""
        ...

    def armed(self, name: str, subject: str = "") -> bool:
        """Tell whether this rule's timer is armed."""
        ...

    @property
    def overridden(self) -> bool:
        """Whether anybody has set numbers of any rule: without that, every number is the rule's own."""
        ...

    def number(self, name: str, default: float) -> float:
        """Return this rule's number of that name: the person's own, else the unit's, else the tenant's."""
        ...

    def contexts(self, kind: str, within_s: float = 0) -> Sequence[Context]:
        """Return what is in force here, or begins within so many seconds (a visit), soonest first."""
        ...

    def home_alerts(self) -> Sequence[Alert]:
        """Return every open alert about this home, whichever rule raised it."""
        ...

    @property
    def shared(self) -> dict[Any, Any]:
        """What rules worked out of this input and leave for the next one; gone when it is judged."""
        ...


class Rule(Protocol):
    """One rule: pure, and blind to everything but its arguments.

    `listens` names event types, or holds "*" for all. `catalogue` is its id in the rule catalogue
    and `safety` marks rules that no configuration can switch off: they are always active. One that
    listens to `context.<kind>` is asked again, as at the enrolment, when such a context begins or ends.
    One that has an attribute `arms`, and it is false, never decides anything when a device is enrolled.
    """

    @property
    def id(self) -> str: ...  # noqa: D102 - said in the class

    @property
    def catalogue(self) -> str: ...  # noqa: D102

    @property
    def safety(self) -> bool: ...  # noqa: D102

    @property
    def state(self) -> RuleState: ...  # noqa: D102

    @property
    def listens(self) -> frozenset[str]: ...  # noqa: D102

    def on_enrolled(self, at: Situation) -> Sequence[Decision]:
        """A device was enrolled, or the registry was read again: arm what must be armed."""
        ...

    def on_event(self, event: Event, at: Situation) -> Sequence[Decision]:
        """An event of a type it listens to."""
        ...

    def on_timer(self, timer: Timer, at: Situation) -> Sequence[Decision]:
        """One of its timers is due; `at.now` is the present, `timer.due_at` when it should have been."""
        ...


def as_active(rule: Rule) -> Rule:
    """Return the rule in force: a shadow rule that somebody has decided to trust, or one on trial."""
    if rule.state is RuleState.ACTIVE:
        return rule
    other = copy(rule)
    setattr(other, "state", RuleState.ACTIVE)  # noqa: B010 - to those who read it, a rule's state is fixed
    return other
