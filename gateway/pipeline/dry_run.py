"""Dry run: who would be called if something happened at a moment and nobody answered; by the real walk."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec.structs import replace

from gateway.contract import Refused, Snapshot
from gateway.model.alert import Alert, AlertEntry
from gateway.model.delivery import Delivery, DeliveryState
from gateway.model.frame import Frame, Transport
from gateway.model.reading import Reading
from gateway.model.vocabulary import VOCABULARY, ClockQuality
from gateway.pipeline import handover
from gateway.pipeline.choice import reasons
from gateway.pipeline.decode import NOTHING, Decoded
from gateway.pipeline.route import at_the_end
from gateway.pipeline.state import State
from gateway.pipeline.walk import Walk

FOR = timedelta(hours=3)
LONGEST = timedelta(days=7)
MAX_TICKS = 5_000
ROUNDS_SHOWN = 3
"""How often the last step's ring is shown before it is said that it goes on for ever."""
TOLD = frozenset(
    {"raised", "repeated", "changed", "cleared", "skipped", "handed_on", "back", "out_of_service"}
)
CLIMBS = frozenset({"widened", "escalated"})


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that would happen, when, to whom, by what channel, and why.

    `what` is an action of history, `called` for a ring by a channel, or `for_ever` for the end that is none.
    """

    at: datetime
    what: str
    alert: str = ""
    who: str = ""
    channels: tuple[str, ...] = ()
    until: datetime | None = None
    reason: str = ""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked: this event of this device at this moment, and then so long of silence."""

    device: str
    event: str
    at: datetime
    values: dict[str, Any] = {}
    for_: timedelta = FOR


def dry_run(walk: Walk, snapshot: Snapshot, asked: Question) -> list[Line]:
    """Play one event and nobody's answer on a copy of the state; Refused when it cannot be asked.

    What rules remember, plans, breaks and reachability are as they stand. Rules' own timers from before do
    not run; alerts that somebody has taken count as their load and stay as they are.
    """
    state = _copy(snapshot, asked)
    frame, decoded = _frame(state, asked)
    handover.expect(state)
    run = _Run(state)
    walk.step(state, frame, decoded, frozenset(), asked.at)
    lines = list(run.told())
    if not run.alerts:
        lines += [Line(at=asked.at, what="no_alert", reason=remark) for remark in run.remarks]
    end = asked.at + asked.for_
    for tick in range(2, MAX_TICKS):
        due = state.next_due()
        if due is None or due > end:
            break
        at = max(due, state.now)
        walk.step(state, Frame(Transport.CLOCK, "tick", b"", at, position=tick), NOTHING, frozenset(), at)
        lines += run.told()
        if run.alerts and all(run.rests(name) for name in run.alerts):
            break
    return lines


class _Run:
    """Follows the alerts that the run itself raised."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._before = frozenset(state.alerts)
        self._rounds: dict[str, int] = {}
        self._ended: set[str] = set()
        self.alerts: set[str] = set()
        self.remarks: list[str] = []

    def told(self) -> Iterator[Line]:
        """Yield what the last step did to them."""
        changes = self._state.take_changes()
        self.remarks = [trace.reason for trace in changes.traces]
        self.alerts |= {name for name in changes.alerts if name not in self._before}
        for entry in changes.entries:
            if entry.alert in self.alerts:
                yield from self._entry(entry)
        yield from self._calls(changes.deliveries)
        yield from self._ends(changes.deliveries)

    def rests(self, alert: str) -> bool:
        """Tell whether nothing new can come of an alert."""
        return alert in self._ended or alert not in self._state.alerts

    def _entry(self, entry: AlertEntry) -> Iterator[Line]:
        if entry.action in TOLD or entry.action in CLIMBS:
            alert = self._state.alerts[entry.alert]
            reason = entry.detail
            if entry.action == "raised":
                reason = f"{alert.severity.value}, {alert.route.value}, ladder {alert.ladder}: {reason}"
            yield Line(at=entry.at, what=entry.action, alert=entry.alert, reason=reason)

    def _calls(self, deliveries: Mapping[str, Delivery]) -> Iterator[Line]:
        called: dict[tuple[str, str, int], list[Delivery]] = {}
        for one in deliveries.values():
            if one.alert in self.alerts and one.state is DeliveryState.QUEUED:
                called.setdefault((one.alert, one.recipient, one.rung), []).append(one)
        for (name, who, rung), ways in called.items():
            alert = self._state.alerts[name]
            seen = "nothing shows that they saw it" if rung else reasons(self._state, alert, who)
            yield Line(
                at=self._state.now,
                what="called",
                alert=name,
                who=who,
                channels=tuple(sorted(one.channel for one in ways)),
                until=ways[0].deadline,
                reason=seen,
            )

    def _ends(self, deliveries: Mapping[str, Delivery]) -> Iterator[Line]:
        rung = {
            one.alert for one in deliveries.values() if one.state is DeliveryState.QUEUED and not one.rung
        }
        for name in sorted(rung & self.alerts - self._ended):
            alert = self._state.alerts[name]
            if not at_the_end(self._state, alert):
                continue
            self._rounds[name] = self._rounds.get(name, 0) + 1
            if self._rounds[name] >= ROUNDS_SHOWN:
                self._ended.add(name)
                yield Line(at=self._state.now, what="for_ever", alert=name, who=_names(alert))


def _names(alert: Alert) -> str:
    return ", ".join(alert.asked)


def _copy(snapshot: Snapshot, asked: Question) -> State:
    """Return the state as of that moment, in which nothing but the question is going on."""
    later = asked.at + asked.for_ + timedelta(hours=1)
    taken = {
        name: replace(a, deadline=later) for name, a in snapshot.alerts.items() if a.assignee is not None
    }
    return State(
        Snapshot(
            cursor=0,
            registry=snapshot.registry,
            statuses={name: msgspec.structs.replace(status) for name, status in snapshot.statuses.items()},
            discovered={},
            memories=snapshot.memories,
            timers={},
            alerts=taken,
            deliveries={},
            now=asked.at,
            records=snapshot.records,
        )
    )


def _frame(state: State, asked: Question) -> tuple[Frame, Decoded]:
    """Return the event as a frame that its adapter has read already."""
    device = state.registry.devices.get(asked.device)
    if device is None or device.id not in state.registry.enrolments:
        raise Refused(f"device: found {asked.device!r}; allowed: an enrolled device")
    word = VOCABULARY.get(asked.event)
    if word is None:
        raise Refused(f"event: found {asked.event!r}; allowed: {', '.join(VOCABULARY)}")
    if not timedelta(0) < asked.for_ <= LONGEST:
        raise Refused(f"hours: found {asked.for_}; allowed: more than 0, at most {LONGEST}")
    try:
        values = msgspec.convert(asked.values, word.values, strict=False)
    except msgspec.ValidationError as error:
        raise Refused(f"values: {error}") from error
    reading = Reading(
        native_id=device.native_id,
        kind=device.kind,
        type=word.name,
        values=values,
        clock=ClockQuality.NONE,
        key=f"dry-run {asked.at.isoformat()}",
    )
    frame = Frame(Transport.HTTP, "dry-run", b"", asked.at, ingress="dry-run", position=1)
    return frame, Decoded(device.adapter, (reading,))
