"""Whatever policies, plans and answers there are: every open alert has somebody, or a deadline to come."""

from datetime import timedelta
from typing import Any

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gateway.contract import Changes, Snapshot
from gateway.model.alert import Alert, AlertState, Severity
from gateway.model.frame import Transport
from gateway.model.registry import RegistryDocument
from gateway.pipeline.state import State, deadline_key
from tests.unit.people.crew import DAY, NIGHT, Crew, crewed, rotation, staff
from tests.unit.pipeline.town import LOCK, PENDANT, document

TEAMS = ("day", "night", "centre", "tech")
PEOPLE = (*DAY, *NIGHT)
ACTORS = st.sampled_from((*PEOPLE, "anna", "centre-user"))
CLOCK = st.sampled_from(("00:00", "06:30", "07:00", "13:05", "15:00", "22:30"))
STEP = st.fixed_dictionaries(
    {"to": st.lists(st.sampled_from(TEAMS), min_size=1, max_size=2, unique=True)},
    optional={
        "at_night": st.lists(st.sampled_from(TEAMS), min_size=1, max_size=2, unique=True),
        "role": st.sampled_from(("", "lead", "carer")),
        "within_s": st.sampled_from((10, 90, 4000)),
    },
)
ROTATION = st.tuples(
    st.sampled_from((("day", DAY), ("night", NIGHT))),
    st.lists(st.integers(0, 4), min_size=1, max_size=5, unique=True),
    CLOCK,
    CLOCK,
    st.integers(1, 3),
)
EVENTS = st.sampled_from(
    ((PENDANT, "alarm.manual"), (LOCK, "lock.jammed"), (LOCK, "lock.locked"), (LOCK, "lock.unlocked"))
)
ANSWERS = st.fixed_dictionaries(
    {},
    optional={
        "note": st.sampled_from(("", "a reason")),
        "eta_s": st.sampled_from((0.0, 60.0, 900.0, 20000.0)),
        "to": st.sampled_from((*TEAMS, "gone")),
        "for_s": st.sampled_from((1.0, 3600.0, 7200.0, 90000.0, 700000.0)),
        "seen_severity": st.sampled_from([one.value for one in Severity]),
    },
)
ACTIONS = st.sampled_from(
    ("accept", "on_site", "release", "decline", "hand_over", "shelve", "suppress", "unshelve", "close")
)


class Kept:
    """What a store would give back after a restart."""

    def __init__(self) -> None:
        self.registry = RegistryDocument()
        self.parts: dict[str, dict[str, Any]] = {
            name: {}
            for name in ("statuses", "discovered", "memories", "timers", "alerts", "deliveries", "records")
        }

    def take(self, changes: Changes) -> None:
        self.registry = changes.registry or self.registry
        for name, known in self.parts.items():
            known.update(getattr(changes, name))
        gone = {
            name: {key for key, value in known.items() if value is None} for name, known in self.parts.items()
        }
        gone["alerts"] = {k for k, a in self.parts["alerts"].items() if a.state is AlertState.CLOSED}
        gone["deliveries"] |= {k for k, d in self.parts["deliveries"].items() if d.settled}
        for name, keys in gone.items():
            for key in keys:
                del self.parts[name][key]

    def snapshot(self, crew: Crew) -> Snapshot:
        parts = {name: dict(known) for name, known in self.parts.items()}
        kept = Snapshot(cursor=crew.position, registry=self.registry, now=crew.state.now, **parts)
        for name in ("alerts", "timers"):
            known = getattr(kept, name)
            setattr(
                kept,
                name,
                {k: msgspec.json.decode(msgspec.json.encode(v), type=type(v)) for k, v in known.items()},
            )
        return kept


class Watch(RuleBasedStateMachine):
    """People, plans and events at random; time only goes forward, and its ticks come."""

    @initialize(
        steps=st.lists(STEP, min_size=1, max_size=4),
        failsafe=st.booleans(),
        rotations=st.lists(ROTATION, max_size=3),
    )
    def begin(self, steps: list[dict[str, Any]], rotations: list[Any], *, failsafe: bool) -> None:
        self.kept = Kept()
        self.crew = Crew()
        self.kept.registry = self.crew.state.registry.document
        self.kept.parts["timers"] = {timer.key: timer for timer in self.crew.state.timers()}
        self.kept.parts["memories"] = dict(self.crew.state._memories)
        self.ended: dict[str, str] = {}
        self.policies(steps, rotations, failsafe=failsafe)

    def took(self, changes: Changes) -> None:
        self.kept.take(changes)
        for entry in changes.entries:
            if entry.action == "closed":
                self.ended[entry.alert] = entry.actor
        for alert in changes.alerts.values():
            if alert.state is AlertState.CLOSED:
                assert self.ended.get(alert.id) not in (None, "vaka"), "closed without a person"
        rings = [
            (d.alert, d.round, d.recipient, d.channel)
            for d in changes.deliveries.values()
            if d.state == "queued"
        ]
        assert len(rings) == len(set(rings)), "fired twice to the same person"

    @rule(
        steps=st.lists(STEP, min_size=1, max_size=4),
        failsafe=st.booleans(),
        rotations=st.lists(ROTATION, max_size=3),
    )
    def policies(self, steps: list[dict[str, Any]], rotations: list[Any], *, failsafe: bool) -> None:
        turns = [
            rotation(team, tuple(people[i] for i in chosen if i < len(people)) or people[:1], begins, ends)
            | {"id": f"r{n}", "every_days": every}
            for n, ((team, people), chosen, begins, ends, every) in enumerate(rotations)
        ]
        parts = crewed(
            tenant=[{"id": "t", "name": "T", "failsafe": ["centre"] if failsafe else []}],
            staff=[staff(ref, "day", roles=["lead"] if ref == "staff-3" else ["carer"]) for ref in DAY]
            + [staff(ref, "night") for ref in NIGHT],
            rotation=turns,
            ladder=[{"id": "care", "tenant": "t", "steps": steps}, crewed()["ladder"][1]],
        )
        payload = document(**parts).to_json()
        self.took(self.crew.take(Transport.REGISTRY, "registry", payload))

    @rule(event=EVENTS)
    def happens(self, event: tuple[str, str]) -> None:
        means = {"means": "tag", "credential": "staff-2"} if event[1] == "lock.unlocked" else {}
        self.took(self.crew.send(*event, **means))

    @rule(ref=st.sampled_from(PEOPLE), reachable=st.booleans())
    def phone(self, ref: str, *, reachable: bool) -> None:
        self.took(self.crew.reach(ref, reachable=reachable))

    @rule(ref=st.sampled_from(PEOPLE), minutes=st.sampled_from((1, 30, 200)))
    def pause(self, ref: str, minutes: int) -> None:
        self.took(self.crew.pause(ref, minutes))

    @rule(ref=st.sampled_from(PEOPLE))
    def back_from_pause(self, ref: str) -> None:
        self.took(self.crew.tells(f"context/break-{ref}/end", {}))

    @rule(minutes=st.sampled_from((5, 600)))
    def maintenance(self, minutes: int) -> None:
        self.took(self.crew.context("m", kind="maintenance", home="h1", minutes=minutes))

    @rule(ref=st.sampled_from(PEOPLE), hours=st.integers(1, 30), off=st.booleans())
    def planned(self, ref: str, hours: int, *, off: bool) -> None:
        now, until = self.crew.now, self.crew.now + timedelta(hours=hours)
        team = "day" if ref in DAY else "night"
        shift = {
            "id": ref,
            "staff": ref,
            "team": team,
            "since": now,
            "until": until,
            "source": ref,
            "off": off,
        }
        told = {"source": ref, "since": now, "until": now + timedelta(days=9), "shifts": [shift]}
        self.took(self.crew.tells("people/shifts", told, Transport.REGISTRY))

    @precondition(lambda self: self.crew.state.alerts)
    @rule(which=st.integers(0, 9), other=st.integers(0, 9), action=ACTIONS, actor=ACTORS, more=ANSWERS)
    def answered(self, which: int, other: int, action: str, actor: str, more: dict[str, Any]) -> None:
        alerts = sorted(self.crew.state.alerts)
        alert, by = alerts[which % len(alerts)], alerts[other % len(alerts)]
        outcome = {"outcome": "real"} if action == "close" else {}
        self.took(self.crew.answer(alert, action, actor, by=by, **outcome, **more))

    @rule(seconds=st.sampled_from((1, 20, 61, 600, 3600, 40000, 100000)))
    def time_passes(self, seconds: int) -> None:
        """Wake at every deadline on the way, as the engine does."""
        until = self.crew.now + timedelta(seconds=seconds)
        for _ in range(60):
            due = self.crew.state.next_due()
            if due is None or due > until:
                break
            self.crew.now = max(due, self.crew.now)
            self.took(self.crew.later(seconds=0))
        self.crew.now = until
        self.took(self.crew.later(seconds=0))

    @rule()
    def restarts(self) -> None:
        before = {alert.id: alert for alert in self.crew.state.alerts.values()}
        self.crew.state = State(self.kept.snapshot(self.crew))
        assert self.crew.state.alerts == before
        self.took(self.crew.take(Transport.CLOCK, "start", b""))

    @invariant()
    def somebody_has_it_or_a_deadline_is_to_come(self) -> None:
        if not hasattr(self, "crew"):
            return
        for alert in self.crew.state.alerts.values():
            self.is_never_silent(alert)

    def is_never_silent(self, alert: Alert) -> None:
        assert alert.deadline is not None
        assert alert.deadline > self.crew.state.now, (alert.state, alert.deadline)
        timer = self.crew.state.timer(deadline_key(alert.id))
        assert timer is not None
        assert timer.due_at == alert.deadline
        if alert.state in (AlertState.ACCEPTED, AlertState.ON_SITE):
            assert alert.assignee
        if alert.state is AlertState.OFFERED:
            assert alert.asked, "offered to nobody"
            assert alert.assignee is None
        if alert.severity is Severity.HIGH:
            assert alert.state in (AlertState.OFFERED, AlertState.ACCEPTED, AlertState.ON_SITE)


TestNeverSilent = Watch.TestCase
TestNeverSilent.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
