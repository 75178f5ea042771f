"""Situation: the little that a rule may look at, answered from the single writer's state."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from gateway.model.alert import Alert
from gateway.model.people import Context
from gateway.model.registry import Device, Enrolment, Home, Person, Registry
from gateway.model.status import DeviceStatus
from gateway.model.vocabulary import DeviceKind
from gateway.pipeline.state import State

NO_NUMBERS: Mapping[str, float] = {}


class View:
    """Fulfils the Situation port for one enrolled device; made once an input and handed from rule to rule.

    `rule` is whose memory, timers and alerts are shown; the caller sets it before each rule.
    """

    __slots__ = ("_shared", "_state", "device", "enrolment", "now", "rule")

    def __init__(self, state: State, device: Device, enrolment: Enrolment) -> None:
        self._state = state
        self.now = state.now
        self.device = device
        self.enrolment = enrolment
        self.rule = ""
        self._shared: dict[Any, Any] | None = None

    @property
    def home(self) -> Home:
        """Where it is enrolled."""
        return self._state.registry.homes[self.enrolment.home]

    @property
    def person(self) -> Person | None:
        """For whom it watches: the person enrolled, or whoever lives there alone."""
        if self.enrolment.person is not None:
            return self._state.registry.persons.get(self.enrolment.person)
        living = self.residents
        return living[0] if len(living) == 1 else None

    @property
    def residents(self) -> Sequence[Person]:
        """Everybody who lives there."""
        return self._state.registry.persons_of(self.enrolment.home)

    @property
    def listening_since(self) -> datetime | None:
        """When the gateway could hear again after it had been away."""
        return self._state.listening_since

    def local(self, at: datetime) -> datetime:
        """Return that moment in the tenant's own time zone."""
        return at.astimezone(self._state.zone(self.device.tenant))

    def status(self, device: str = "") -> DeviceStatus:
        """Return the latest word of a device, empty if it never spoke; looking leaves no mark."""
        name = device or self.device.id
        return self._state.statuses.get(name) or DeviceStatus(device=name)

    def neighbours(self, kind: DeviceKind) -> Sequence[Device]:
        """Return the devices of that kind enrolled in the same home, this one among them."""
        return [d for d in self._state.registry.devices_of(self.enrolment.home) if d.kind is kind]

    def recall(self, subject: str = "") -> Mapping[str, Any]:
        """Return what this rule remembered, empty if nothing."""
        return self._state.recall(self.rule, subject or self.device.id)

    def open_alert(self, subject: str = "") -> Alert | None:
        """Return this rule's open alert on the subject."""
        return self.about(subject).own_alert(self.rule, subject or self.device.id)

    def about(self, subject: str) -> "View":
        """Return the situation that a subject belongs to: another device's own, otherwise this one."""
        if subject in ("", self.device.id, self.home.id):
            return self
        device = device_of(self._state.registry, subject)
        found = None if device in (None, self.device.id) else view(self._state, device)
        return found or self

    def own_alert(self, rule: str, subject: str) -> Alert | None:
        """Return a rule's open alert on a subject, about this home and this person."""
        person = self.person
        return self._state.open_alert(rule, subject, self.enrolment.home, person.ref if person else None)

    def armed(self, name: str, subject: str = "") -> bool:
        """Tell whether this rule's timer is armed."""
        return self._state.timer(f"{self.rule}\0{subject or self.device.id}\0{name}") is not None

    @property
    def overridden(self) -> bool:
        """Whether anybody has set numbers of any rule."""
        return bool(self._state.registry.overrides)

    def number(self, name: str, default: float) -> float:
        """Return this rule's number of that name as the person, else the unit, else the tenant has it."""
        overrides = self._state.registry.overrides
        if not overrides:
            return default
        person, home = self.person, self.home
        for whose in (("person", person.ref if person else ""), ("unit", home.unit), ("tenant", home.tenant)):
            found = overrides.get((self.rule, *whose), NO_NUMBERS).get(name)
            if found is not None:
                return found
        return default

    def contexts(self, kind: str, within_s: float = 0) -> Sequence[Context]:
        """Return what is in force here or begins within so many seconds, soonest first."""
        by = self.now + timedelta(seconds=within_s)
        here = self._state.contexts_of(self.enrolment.home)
        return [c for c in here if c.kind == kind and c.since <= by and self.now < c.until and self._mine(c)]

    def home_alerts(self) -> Sequence[Alert]:
        """Return every open alert about this home."""
        return self._state.alerts_of(self.enrolment.home)

    @property
    def shared(self) -> dict[Any, Any]:
        """What rules worked out of this input and leave for the next one."""
        if self._shared is None:
            self._shared = {}
        return self._shared

    def _mine(self, context: Context) -> bool:
        """A context that names nobody is for everybody in the home; so is a device that names nobody."""
        person = self.person
        return not context.person or person is None or context.person == person.ref


def view(state: State, device: str) -> View | None:
    """Return the situation of a device; None when it is not enrolled."""
    known = state.registry.devices.get(device)
    enrolment = state.registry.enrolments.get(device)
    return None if known is None or enrolment is None else View(state, known, enrolment)


def device_of(registry: Registry, subject: str) -> str | None:
    """Return the device a subject speaks of: the longest head of its path, or one of the home so named."""
    head = subject
    while head:
        if head in registry.devices:
            return head
        if living := registry.devices_of(head):
            return living[0].id
        head = head.rpartition("/")[0]
    return None
