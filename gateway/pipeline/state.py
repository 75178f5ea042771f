"""State: what the single writer knows, and the changes since its last commit."""

from collections.abc import Collection, Mapping
from copy import copy
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from msgspec.structs import replace

from gateway.contract import Changes, Snapshot
from gateway.model.alert import Alert, AlertEntry, AlertState
from gateway.model.delivery import Delivery
from gateway.model.event import Event
from gateway.model.frame import Frame
from gateway.model.people import Context
from gateway.model.registry import Device, Enrolment, Registry, RegistryDocument
from gateway.model.status import DeviceStatus, Discovered, Timer
from gateway.model.trace import Trace
from gateway.pipeline.checks import Checks
from gateway.pipeline.edges import Edges
from gateway.pipeline.equipment import Equipment
from gateway.pipeline.owned import Owned
from gateway.pipeline.people import People
from gateway.pipeline.timers import Timers, with_subjects

NO_FACTS: Mapping[str, Any] = {}
EMPTY = Snapshot(0, RegistryDocument(), {}, {}, {}, {}, {}, {})
NO_TIME_PASSED = timedelta(0)
ALERT_OWNER = "alert"
"""Owner of the timers that are alerts' own deadlines."""
DELIVERY_OWNER = "delivery"
"""Owner of the timers that wait for the proof of a delivery; their subject is an alert."""
POLICY_OWNER = "policy"
"""Owner of the timers by which escalation policies are checked again."""
ORDER_OWNER = "command"
"""Owner of the timers by which commands end; their subject is a command."""
CHECK_OWNER = "check"
"""Owner of the timers by which commissioning checks and their steps end; their subject is a device."""
NO_RULES = frozenset({ALERT_OWNER, DELIVERY_OWNER, POLICY_OWNER, ORDER_OWNER, CHECK_OWNER})
"""Owners of timers that are no rule's, and that no rule's end disarms."""


class Watched(msgspec.Struct, frozen=True, gc=False):
    """An enrolled device with its meaning and its latest word."""

    device: Device
    enrolment: Enrolment
    status: DeviceStatus


class State:
    """Owned by the one writer and changed in place, for speed; every change is also collected for the commit.

    In place is as good as a pure `state -> state'` here, because nobody else can see it: people and
    pages see only what was committed. Rebuilding it from a snapshot gives an equal state.
    """

    def __init__(self, snapshot: Snapshot = EMPTY) -> None:
        self.away = NO_TIME_PASSED
        self.listening_since = snapshot.listening_since
        self.now = snapshot.now or datetime.min.replace(tzinfo=UTC)
        self.registry = Registry.of(snapshot.registry)
        self.statuses = dict(snapshot.statuses)
        self.discovered = dict(snapshot.discovered)
        self.alerts = dict(snapshot.alerts)
        self.deliveries: dict[str, Delivery] = {}
        self._deliveries_of: dict[str, dict[str, Delivery]] = {}
        self.changes = Changes()
        self._fresh: set[str] = set()
        self._in_commit: set[str] = set()
        self.offered: list[str] = []
        self.closed: list[Alert] = []
        self.channels: tuple[str, ...] = ()
        self.answered: dict[str, str | None] = {}
        self._memories = dict(snapshot.memories)
        self._timers = Timers()
        self._open = {_episode(alert): alert.id for alert in self.alerts.values()}
        self._alerts_of: dict[str, dict[str, None]] = {}
        self._taken_by: dict[str, set[str]] = {}
        for alert in self.alerts.values():
            self._alerts_of.setdefault(alert.home, {})[alert.id] = None
            self._note_taken(alert, None)
        self.moved: set[str] = set()
        self._zones: dict[str, ZoneInfo] = {}
        self._watched: dict[tuple[str, str], Watched] = {}
        self.people = People(snapshot.records, self.put_record)
        self.contexts = self.people.contexts
        self.equipment = Equipment(snapshot.records, self.put_record)
        self.edges = Edges(snapshot.records, self.put_record)
        self.owned = Owned(snapshot.records, self.put_record)
        self.checks = Checks(snapshot.records, self.put_record)
        self.reach = self.people.reach
        for timer in with_subjects(iter(snapshot.timers.values()), self._known_as):
            self._timers.put(timer)
        for delivery in snapshot.deliveries.values():
            self._hold(delivery)
        self.remind_all()

    def come_to(self, moment: datetime) -> None:
        """Let the time go forward to a frame's receipt, never back; `away` is how far it went."""
        if moment > self.now:
            self.away, self.now = moment - self.now, moment
        else:
            self.away = NO_TIME_PASSED

    def take_changes(self) -> Changes:
        """Hand over what changed since the last call, as it stands now.

        The caller may go on with the next batch while this one is committed, but must have it
        committed before it takes the changes of the next.
        """
        taken, self.changes = self.changes, Changes()
        taken.now, taken.listening_since = self.now, self.listening_since
        taken.statuses = {key: copy(status) for key, status in taken.statuses.items()}
        taken.discovered = {key: copy(device) for key, device in taken.discovered.items()}
        self._in_commit, self._fresh = self._fresh, set()
        return taken

    # --- registry and devices ---

    def set_registry(self, document: RegistryDocument) -> None:
        """Replace the registry; raises ValueError, changing nothing, if it does not hold together.

        `moved` collects the devices that watch for another home or person than before.
        """
        before, self.registry = self.registry.enrolments, Registry.of(document)
        self.moved |= {
            device
            for device, enrolment in self.registry.enrolments.items()
            if device not in before or _meaning(before[device]) != _meaning(enrolment)
        }
        self.changes.registry = document
        self._zones.clear()
        self._watched.clear()

    def zone(self, tenant: str) -> ZoneInfo:
        """Return a tenant's time zone."""
        found = self._zones.get(tenant)
        if found is None:
            found = self._zones[tenant] = ZoneInfo(self.registry.tenants[tenant].time_zone)
        return found

    def watched(self, adapter: str, native_id: str) -> Watched | None:
        """Return the enrolled device of a vendor's identity."""
        found = self._watched.get((adapter, native_id))
        if found is not None:
            return found
        device = self.registry.device_named(adapter, native_id)
        enrolment = self.registry.enrolments.get(device.id) if device else None
        if device is None or enrolment is None:
            return None
        found = Watched(device, enrolment, self.status(device.id))
        self._watched[adapter, native_id] = found
        return found

    def status(self, device: str) -> DeviceStatus:
        """Return the latest word of a device, empty if it never spoke."""
        found = self.statuses.get(device)
        if found is None:
            found = self.statuses[device] = DeviceStatus(device=device)
        return found

    def touched(self, status: DeviceStatus) -> None:
        """Collect a changed status."""
        self.changes.statuses[status.device] = status

    def discover(self, key: str, device: Discovered) -> None:
        """Keep a device that is not enrolled."""
        self.discovered[key] = self.changes.discovered[key] = device

    def put_record(self, key: str, body: bytes | None) -> None:
        """Collect a changed small record, as JSON, by kind and name; None forgets it."""
        self.changes.records[key] = body

    def contexts_of(self, home: str) -> list[Context]:
        """Return what is planned or told about a home, and not long over, soonest first."""
        return self.people.contexts_of(home)

    # --- facts about frames and events ---

    def add_event(self, event: Event) -> None:
        """Append to the event log."""
        self.changes.events.append(event)
        self._fresh.add(event.id)

    def uncommitted(self, event: str) -> bool:
        """Tell whether the event was accepted since the last commit that is surely done."""
        return event in self._fresh or event in self._in_commit

    def trace(self, remark: Trace) -> None:
        """Say why a frame went no further, or what was judged."""
        self.changes.traces.append(remark)

    def quarantine(self, frame: Frame, device: str, reason: str, clause: str) -> None:
        """Keep a frame that could not be read, with the reason and the clause."""
        self.changes.quarantine.append((frame, device, reason, clause))

    # --- rule memory and timers ---

    def recall(self, rule: str, subject: str) -> Mapping[str, Any]:
        """Return what a rule remembers of a subject."""
        return self._memories.get(f"{rule}\0{subject}", NO_FACTS)

    def remember(self, rule: str, subject: str, facts: dict[str, Any] | None) -> None:
        """Keep a rule's facts of a subject; None forgets them."""
        key = f"{rule}\0{subject}"
        self.changes.memories[key] = facts
        if facts is None:
            self._memories.pop(key, None)
        else:
            self._memories[key] = facts

    def subjects(self) -> set[str]:
        """Return every subject that a rule remembers, or has a timer for."""
        told = {key.partition("\0")[2] for key in self._memories}
        return told | {timer.subject for timer in self._timers if timer.owner not in NO_RULES}

    def forget(self, subjects: Collection[str]) -> list[Timer]:
        """Drop what all rules remember of these subjects and their timers; returns the timers dropped."""
        for key in [key for key in self._memories if key.partition("\0")[2] in subjects]:
            del self._memories[key]
            self.changes.memories[key] = None
        dropped = [
            timer for timer in self.timers() if timer.owner not in NO_RULES and timer.subject in subjects
        ]
        for timer in dropped:
            self.disarm(timer.key)
        return dropped

    def arm(self, timer: Timer) -> None:
        """Look again at `timer.due_at`; the same key moves."""
        self._timers.put(timer)
        self.changes.timers[timer.key] = timer

    def disarm(self, key: str) -> None:
        """Do not look again."""
        if self._timers.drop(key) is not None:
            self.changes.timers[key] = None

    def timer(self, key: str) -> Timer | None:
        """Return an armed timer."""
        return self._timers.get(key)

    def timers(self) -> list[Timer]:
        """Return all armed timers, soonest first."""
        return sorted(self._timers)

    def next_due(self) -> datetime | None:
        """Return when the next timer is due."""
        timer = self._timers.next()
        return None if timer is None else timer.due_at

    def pop_due(self, now: datetime) -> Timer | None:
        """Take the next timer that is due, or None."""
        timer = self._timers.next()
        if timer is None or timer.due_at > now:
            return None
        self.disarm(timer.key)
        return timer

    def put_off(self, pause: timedelta) -> None:
        """Move every timer that is due to a moment after the present one."""
        while (timer := self.pop_due(self.now)) is not None:
            self.arm(replace(timer, due_at=self.now + pause))

    def _known_as(self, subject: str) -> str | None:
        """Return the registry's own object for the name of a device."""
        device = self.registry.devices.get(subject)
        return None if device is None else device.id

    # --- alerts and deliveries ---

    def open_alert(self, rule: str, subject: str, home: str, person: str | None) -> Alert | None:
        """Return the open alert of a rule and subject about that home and person, and no other's."""
        found = self._open.get((rule, subject, home, person))
        return None if found is None else self.alerts[found]

    def alerts_of(self, home: str) -> list[Alert]:
        """Return the open alerts about a home, oldest first; costs as much as there are of them."""
        return [self.alerts[alert_id] for alert_id in self._alerts_of.get(home, ())]

    def put_alert(self, alert: Alert, entry: AlertEntry) -> None:
        """Keep an alert's new value with its line of history, and its deadline as a durable timer.

        Raises ValueError for an alert that would be open without a deadline: that must never be.
        """
        closed = alert.state is AlertState.CLOSED
        if alert.deadline is None and not closed:
            raise ValueError(f"alert {alert.id} would be open without a deadline")
        before = self.alerts.get(alert.id)
        if closed or (
            alert.assignee is not None and before is not None and before.assignee != alert.assignee
        ):
            self.answered[alert.id] = alert.assignee
        self._note_taken(alert, before)
        self.changes.alerts[alert.id] = alert
        self.changes.entries.append(entry)
        if closed:
            self.closed.append(alert)
            self.alerts.pop(alert.id, None)
            self._alerts_of.get(alert.home, {}).pop(alert.id, None)
            self._open.pop(_episode(alert), None)
            self.disarm(deadline_key(alert.id))
            return
        self.alerts[alert.id] = alert
        self._alerts_of.setdefault(alert.home, {})[alert.id] = None
        self._open[_episode(alert)] = alert.id
        if alert.deadline is not None:
            self._arm_deadline(alert.id, alert.deadline)

    def load_of(self, staff: str) -> int:
        """Return how many open alerts somebody has taken."""
        return len(self._taken_by.get(staff, ()))

    def _note_taken(self, alert: Alert, before: Alert | None) -> None:
        if before is not None and before.assignee is not None:
            self._taken_by.get(before.assignee, set()).discard(alert.id)
        if alert.assignee is not None and alert.state is not AlertState.CLOSED:
            self._taken_by.setdefault(alert.assignee, set()).add(alert.id)

    def _arm_deadline(self, alert_id: str, due_at: datetime) -> None:
        key = deadline_key(alert_id)
        armed = self._timers.get(key)
        if armed is None or armed.due_at != due_at:
            self.arm(
                Timer(owner=ALERT_OWNER, subject=alert_id, name="deadline", due_at=due_at, set_at=self.now)
            )

    def remind_all(self) -> None:
        """Arm the deadline of every open alert that lacks its timer: none may be forgotten."""
        for alert in self.alerts.values():
            if self._timers.get(deadline_key(alert.id)) is None:
                self._arm_deadline(alert.id, alert.deadline or self.now)

    def reminded(self, alert_id: str) -> bool:
        """Tell whether an open alert's deadline has its timer; True for one that is not open any more."""
        return alert_id not in self.alerts or self._timers.get(deadline_key(alert_id)) is not None

    def offer(self, alert_id: str) -> None:
        """Ask for the alert to be routed at the end of this step: it is new, moved up, or rings again."""
        if alert_id not in self.offered:
            self.offered.append(alert_id)

    def put_delivery(self, delivery: Delivery) -> None:
        """Keep a delivery's new value, in reach as long as a further proof of it may come."""
        self.changes.deliveries[delivery.id] = delivery
        if delivery.waits:
            self._hold(delivery)
        elif self.deliveries.pop(delivery.id, None) is not None:
            others = self._deliveries_of[delivery.alert]
            del others[delivery.id]
            if not others:
                del self._deliveries_of[delivery.alert]

    def deliveries_of(self, alert_id: str) -> list[Delivery]:
        """Return the deliveries of an alert of which a further proof may come, oldest first."""
        return list(self._deliveries_of.get(alert_id, {}).values())

    def _hold(self, delivery: Delivery) -> None:
        self.deliveries[delivery.id] = delivery
        self._deliveries_of.setdefault(delivery.alert, {})[delivery.id] = delivery


def deadline_key(alert_id: str) -> str:
    """Return the timer key of an alert's deadline."""
    return f"{ALERT_OWNER}\0{alert_id}\0deadline"


def _episode(alert: Alert) -> tuple[str, str, str, str | None]:
    """Return what makes two alerts one: the person among it, so that no call counts on another's alert."""
    return alert.rule, alert.subject, alert.home, alert.person


def _meaning(enrolment: Enrolment) -> tuple[str, str | None]:
    return enrolment.home, enrolment.person
