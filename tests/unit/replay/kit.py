"""A gateway's evening in virtual time, kept in a state file as the engine keeps it, to export and replay.

Frames come late, twice, damaged and after a stop; ticks come a little after they are due; a crew answers some
alerts and not others; channels prove some deliveries and fail others.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from heapq import heapify, heappop, heappush
from itertools import count
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import msgspec
from msgspec.structs import replace

from gateway.model.alert import Alert, AlertEntry, Severity
from gateway.model.delivery import Delivery, DeliveryState
from gateway.model.forwarded import forwarded
from gateway.model.frame import Frame, Transport
from gateway.model.registry import Device, Enrolment, Registry, RegistryDocument
from gateway.model.vocabulary import DeviceKind
from gateway.pipeline.state import State
from gateway.pipeline.walk import Walk
from gateway.plugins import load_adapters, load_rules
from gateway.stores.sqlite_store import SqliteStore
from simulators.evening import Evening
from simulators.municipality import make_municipality
from simulators.outputs import Link, Message
from simulators.stage import Stage, play
from simulators.town import make_devices

LOCAL = datetime(2026, 11, 22, 18, 30, tzinfo=ZoneInfo("Europe/Stockholm"))
START = LOCAL.astimezone(UTC)
CHANNELS = ("console", "page", "sms")
TICK_LATE = timedelta(milliseconds=40)
ON_THE_WAY = timedelta(milliseconds=300)
BATCH = 20
STOPS_AT, STOPS_FOR = timedelta(minutes=95), timedelta(minutes=8)
OUTAGE = timedelta(minutes=150)
BOXED, REPLACED = "demo/disp-002", "demo/lock-007"
"""A device that the console enrols beside the file, and one that it replaces."""
EDGE_HOME = "home-005"
"""A home whose devices are heard by an edge."""
CLOSES = {"real": 6, "false": 2, "technical": 1}


@cache
def walk() -> Walk:
    return Walk(load_adapters(), load_rules(), CHANNELS)


@dataclass
class Life:
    """Runs one gateway from its registry on; `until` lets it live, `state.db` has what it did."""

    folder: Path
    document: RegistryDocument
    seed: int = 1
    start: datetime = START
    answering: float = 0.8
    """Part of the alerts that the crew answers."""
    agenda: list[tuple[datetime, int, Frame]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store = SqliteStore(self.folder / "state.db")
        self.state, self.position, self.now = State(), 0, self.start
        self.waiting: list[Frame] = []
        self.order, self.chance = count(), Random(self.seed)
        self.down: tuple[datetime, datetime] | None = None
        payload = self.document.to_json()
        self.step(Frame(Transport.REGISTRY, "registry", payload, self.start, ingress="file"))

    def say(self, at: datetime, frame: Frame) -> None:
        at = at.astimezone(UTC)
        heappush(self.agenda, (at, next(self.order), msgspec.structs.replace(frame, received_at=at)))

    def until(self, end: datetime) -> None:
        while True:
            due = self.state.next_due()
            tick = max(due, self.now) + TICK_LATE if due else end + TICK_LATE
            at = min(tick, self.agenda[0][0] if self.agenda else tick)
            if at > end:
                return
            if self.down and self.down[0] < at <= self.down[1]:
                self._stop()
                continue
            self.now = at
            if self.agenda and self.agenda[0][0] <= tick:
                self.step(heappop(self.agenda)[2])
            else:
                self.step(Frame(Transport.CLOCK, "tick", b"", at, ingress="engine"))

    def _stop(self) -> None:
        """Nobody listens for a while; what was sent comes afterwards, when the gateway has started."""
        assert self.down is not None
        back, self.down = self.down[1], None
        held = sorted((at, n, frame) for at, n, frame in self.agenda if at <= back)
        self.agenda = [one for one in self.agenda if one[0] > back]
        heapify(self.agenda)
        self.now = back
        self.step(Frame(Transport.CLOCK, "start", b"", back, ingress="engine"))
        for number, (_, _, frame) in enumerate(held):
            self.say(back + timedelta(seconds=1, milliseconds=number), frame)

    def step(self, frame: Frame) -> None:
        self.position += 1
        frame = msgspec.structs.replace(frame, position=self.position)
        decoded = walk().read(frame)
        asked = walk().doubtful(self.state, [decoded])
        known = self.store.known(asked) if asked else frozenset()
        before = len(self.state.changes.entries)
        queued = set(self.state.changes.deliveries)
        walk().step(self.state, frame, decoded, known, frame.received_at)
        self.waiting.append(frame)
        for entry in self.state.changes.entries[before:]:
            self._answer(entry)
        for name, one in list(self.state.changes.deliveries.items()):
            if name not in queued and one.state is DeliveryState.QUEUED:
                self._prove(one)
        if len(self.waiting) >= BATCH:
            self.commit()

    def commit(self) -> None:
        changes = self.state.take_changes()
        changes.frames, self.waiting = self.waiting, []
        self.store.commit(changes, self.position)

    def close(self) -> None:
        self.commit()
        self.store.close()

    def _answer(self, entry: AlertEntry) -> None:
        """Plan what the crew does with a new alert: shown, accepted, on site, closed; or nothing."""
        if entry.action != "raised" or self.chance.random() > self.answering:
            return
        alert, chance = self.state.changes.alerts[entry.alert], self.chance
        who = f"staff-{chance.randint(1, 24):02d}"
        at = self.now + timedelta(seconds=chance.uniform(5, 400))
        self._act(at, alert, "accept", {"actor": who, "note": "on my way to Greta"})
        if alert.severity is Severity.HIGH or chance.random() < 0.7:
            at += timedelta(seconds=chance.uniform(120, 1500))
            self._act(at, alert, "on_site", {"actor": who})
        outcome = chance.choices(list(CLOSES), list(CLOSES.values()))[0]
        at += timedelta(seconds=chance.uniform(60, 2400))
        words = {
            "actor": who,
            "outcome": outcome,
            "seen": chance.choice((1, 1, 1, 2, 8)),
            "seen_severity": "high",
        }
        self._act(at, alert, "close", words)

    def _act(self, at: datetime, alert: Alert, action: str, words: dict[str, object]) -> None:
        payload = msgspec.json.encode(words)
        self.say(at, Frame(Transport.PERSON, f"alert/{alert.id}/{action}", payload, at, ingress="page"))

    def _prove(self, one: Delivery) -> None:
        at = max(self.now, one.due_at or self.now) + timedelta(milliseconds=200)
        fails = one.channel == "sms" and self.chance.random() < 0.3
        state = DeliveryState.FAILED if fails else DeliveryState.SENT
        again = "/again" if fails and self.chance.random() < 0.5 else ""
        reason = b"no such number" if fails else b""
        self.say(
            at, Frame(Transport.RECEIPT, f"delivery/{state}/{one.id}{again}", reason, at, ingress="dispatch")
        )
        if one.channel == "page" and self.chance.random() < 0.5:
            shown = self.now + timedelta(seconds=self.chance.uniform(1, 30))
            frame = Frame(
                Transport.RECEIPT, f"shown/{one.alert}", one.recipient.encode(), shown, ingress="page"
            )
            self.say(shown, frame)


def frames_of(stage: Stage, end: datetime, seed: int) -> Iterator[tuple[datetime, Frame]]:
    """What devices send, some of it twice and some of it late; a link that breaks lets the broker speak."""
    chance = Random(seed)
    for step in play(stage, end):
        message = step.output
        if isinstance(message, Link) and not message.up:
            message = stage.devices[step.device].will()
        if not isinstance(message, Message):
            continue
        frame = Frame(
            Transport.MQTT,
            message.topic,
            message.payload,
            step.at,
            ingress="listener",
            source=step.device,
            retained=message.retain,
        )
        late = timedelta(minutes=chance.uniform(2, 40)) if chance.random() < 0.02 else ON_THE_WAY
        yield step.at + late, frame
        if chance.random() < 0.03:
            again = msgspec.structs.replace(frame, duplicate=True)
            yield step.at + late + timedelta(seconds=chance.uniform(1, 60)), again


def town(homes: int = 20, seed: int = 1) -> RegistryDocument:
    document = make_municipality(homes, seed, since=START).document
    tenant = next(one.tenant for one in document.home if one.id == EDGE_HOME)
    name = f"{tenant}/edge"
    edge = Device(id=name, tenant=tenant, adapter="vaka", native_id=name, kind=DeviceKind.GATEWAY)
    enrolled = Enrolment(device=name, home=EDGE_HOME, since=START, heartbeat_s=600)
    return msgspec.structs.replace(
        document, device=(*document.device, edge), enrolment=(*document.enrolment, enrolled)
    )


def through_edge(
    document: RegistryDocument, frames: Iterator[tuple[datetime, Frame]]
) -> Iterator[tuple[datetime, Frame]]:
    """Let one home's devices speak through its edge, which repeats some and once speaks for a stranger."""
    edge = document.device[-1].native_id
    theirs = {one.device for one in document.enrolment if one.home == EDGE_HOME}
    stranger = next(one.device for one in document.enrolment if one.home != EDGE_HOME)
    number = count(1)
    for at, frame in frames:
        if frame.source not in theirs and (frame.source != stranger or at < START + OUTAGE):
            yield at, frame
            continue
        heard_at, n = frame.received_at, next(number)
        synced = n % 7 > 0
        told = forwarded(frame, heard_at, epoch="feedbeefcafe0001", number=n, synced=synced, high=False)
        outer = Frame(Transport.MQTT, f"vaka/1/{edge}/frame", told, at, ingress="listener", source=edge)
        yield at, outer
        if n % 5 == 0:
            yield at + timedelta(seconds=40), outer


def evening(folder: Path, *, seed: int = 1, minutes: float = 240) -> Life:
    """An evening of the demo, with a stop in it, plans and contexts, and a registry that comes again."""
    document = town(seed=seed)
    filed = without(document, BOXED)
    life = Life(folder, filed, seed)
    script = Evening(make_devices(Registry(document), seed, START), seed, START)
    end = START + timedelta(minutes=minutes)
    for device in script.devices[:24]:
        device.plan(START + OUTAGE, device.go_down)
        device.plan(START + OUTAGE + timedelta(minutes=25), device.come_up)
    for at, frame in through_edge(document, frames_of(Stage(script.devices), end, seed)):
        life.say(at, frame)
    for at, frame in [*inside(filed), *enrolments(document)]:
        life.say(at, frame)
    life.down = (START + STOPS_AT, START + STOPS_AT + STOPS_FOR)
    life.until(end)
    life.close()
    return life


def inside(document: RegistryDocument) -> Iterator[tuple[datetime, Frame]]:
    """What comes from people and the house beside answers."""
    at = START + timedelta(minutes=20)
    context = {
        "id": "ctx-1",
        "kind": "visit",
        "home": "home-002",
        "since": at,
        "until": at + timedelta(hours=1),
        "ref": "staff-09",
        "reason": "Greta is ill",
    }
    yield at, Frame(Transport.PERSON, "context/ctx-1/set", msgspec.json.encode(context), at, ingress="api")
    yield (
        at + timedelta(minutes=30),
        Frame(Transport.PERSON, "context/ctx-1/end", b"", at, ingress="api"),
    )
    reach = {"channel": "page", "reachable": False, "reason": "no sign from the page"}
    frame = Frame(Transport.RECEIPT, "staff/staff-09/reach", msgspec.json.encode(reach), at, ingress="reach")
    yield at + timedelta(minutes=5), frame
    finding = {"kind": "outbox_old", "subject": "outbox", "reason": "a delivery waits since 20 s"}
    report = {"kinds": ["outbox_old"], "findings": [finding]}
    frame = Frame(Transport.WATCH, "watch", msgspec.json.encode(report), at, ingress="auditor")
    yield at + timedelta(minutes=6), frame
    yield at + timedelta(minutes=7), Frame(Transport.PERSON, "people/shifts", b"{broken", at, ingress="api")
    payload = document.to_json()
    yield at + timedelta(minutes=90), Frame(Transport.REGISTRY, "registry", payload, at, ingress="file")


def without(document: RegistryDocument, name: str) -> RegistryDocument:
    """Return a registry without one device."""
    return replace(
        document,
        device=tuple(one for one in document.device if one.id != name),
        enrolment=tuple(one for one in document.enrolment if one.device != name),
    )


def enrolments(document: RegistryDocument) -> Iterator[tuple[datetime, Frame]]:
    """What an engineer enrols and replaces in the console, beside the file; the second is refused."""
    registry = Registry(document)
    entry = {"device": registry.devices[BOXED], "enrolment": registry.enrolments[BOXED]}
    for minutes, word, told in (
        (5, "add", {"devices": [entry]}),
        (6, "add", {"devices": [entry]}),
        (100, "replace", {"device": REPLACED, "native_id": "demo/fresh", "reason": "Greta let it fall"}),
    ):
        at = START + timedelta(minutes=minutes)
        payload = msgspec.json.encode(told)
        yield at, Frame(Transport.PERSON, f"enrol/{word}", payload, at, ingress="api", source="eva")


@dataclass(frozen=True)
class Kept:
    """What a state file holds of alerts."""

    alerts: dict[str, Alert]
    entries: list[AlertEntry]
    deliveries: dict[str, Delivery]


def kept(folder: Path) -> Kept:
    store = SqliteStore(folder / "state.db")
    try:
        entries = store.entries(0, 1 << 60)
        names = {entry.alert for entry in entries}
        alerts = {name: found for name in names if (found := store.alert(name))}
        deliveries = {one.id: one for name in names for one in store.deliveries(name)}
    finally:
        store.close()
    return Kept(alerts, entries, deliveries)
