"""The walk over its real files in virtual time, to be killed: calls for help climb and are answered."""

import json
import os
import random
import signal
import sys
import time
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

import msgspec
from msgspec.structs import replace

from gateway.model.alert import Alert, AlertEntry
from gateway.model.delivery import Delivery
from gateway.model.frame import Frame, Transport
from gateway.model.status import Timer
from gateway.pipeline.state import State
from gateway.pipeline.walk import Walk
from gateway.plugins import load_adapters, load_rules
from gateway.stores.sqlite_journal import SqliteJournal
from gateway.stores.sqlite_store import SqliteStore
from gateway.stores.state_reader import StateReader
from tests.unit.people.crew import DAY, NIGHT, crewed
from tests.unit.pipeline.town import START, document

HOMES = 6
ENDLESS = 1_000_000
LONGEST_LIFE_S = 0.2
SCRIPT = "script"
MEAN_S = 45.0
_TIMES: list[datetime] = []
CHANNELS = ("page", "webpush", "sms", "voice")


def registry() -> bytes:
    """Return six homes with a pendant each, five people by day, two by night, and an alarm centre."""
    names = [f"h{n}" for n in range(1, HOMES + 1)]
    ladders = {"care_ladder": "care", "technical_ladder": "tech", "tenant": "t", "unit": "u"}
    device = {"tenant": "t", "adapter": "vaka", "kind": "social_alarm"}
    parts = crewed(
        home=[{"id": name, **ladders} for name in names],
        person=[{"ref": f"p-{name}", "home": name} for name in names],
        device=[{"id": f"t/{name}", "native_id": f"t/{name}", **device} for name in names],
        enrolment=[
            {"device": f"t/{name}", "home": name, "person": f"p-{name}", "since": START, "supervised": False}
            for name in names
        ],
    )
    return document(**parts).to_json()


@cache
def walk() -> Walk:
    """Return the walk, made once a process."""
    return Walk(load_adapters(), load_rules(), CHANNELS)


def run(folder: Path, until: int) -> None:
    """Go on from what the files hold until the journal has that many frames and all are committed."""
    store = SqliteStore(folder / "state.db")
    journal = SqliteJournal(folder / "state.db")
    snapshot = store.load()
    state, cursor = State(snapshot), snapshot.cursor
    acted = sum(frame.ingress == SCRIPT for frame in _frames(journal))
    while cursor < until:
        frame = replace(_next(state, acted, first=cursor == 0), position=cursor + 1)
        walk().step(state, frame, walk().read(frame), frozenset(), frame.received_at)
        changes = state.take_changes()
        changes.frames = [frame]
        store.commit(changes, frame.position)
        cursor = frame.position
        acted += frame.ingress == SCRIPT
    journal.close()
    store.close()


def kill_often(folder: Path, kills: int, seed: int) -> list[int]:
    """Let so many processes go on one after the other, each killed (SIGKILL) after a random moment.

    Returns how many frames the journal held after each. Call it in a process without threads: it forks.
    """
    walk()  # so that no child spends its life on loading rules
    chance = random.Random(seed)
    lengths = []
    for _ in range(kills):
        child = os.fork()
        if child == 0:
            run(folder, ENDLESS)
            os._exit(0)
        time.sleep(chance.uniform(0.005, LONGEST_LIFE_S))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if os.waitstatus_to_exitcode(status) != -signal.SIGKILL:
            raise RuntimeError("a child ended before it was killed")
        lengths.append(_journalled(folder))
    return lengths


def _journalled(folder: Path) -> int:
    if not (folder / "state.db").exists():
        return 0
    SqliteStore(folder / "state.db").close()  # one that was killed before its tables stood gets them now
    journal = SqliteJournal(folder / "state.db")
    try:
        return journal.last()
    finally:
        journal.close()


def told(folder: Path) -> tuple[list[Frame], list[Alert], list[AlertEntry], list[Delivery], list[Timer]]:
    """Return everything that the files hold about what was done."""
    journal = SqliteJournal(folder / "state.db")
    store = StateReader(folder / "state.db")
    try:
        frames, snapshot = _frames(journal), store.load()
        alerts = [*snapshot.alerts.values(), *store.closed_alerts(100_000)]
        alerts.sort(key=lambda alert: alert.id)
        entries = [entry for alert in alerts for entry in store.history(alert.id)]
        # By identity: rows that one input settled stand in the order in which memory held them.
        deliveries = [one for alert in alerts for one in store.deliveries(alert.id)]
        deliveries.sort(key=lambda one: one.id)
        return (
            frames,
            alerts,
            entries,
            deliveries,
            sorted(snapshot.timers.values(), key=lambda timer: timer.key),
        )
    finally:
        journal.close()
        store.close()


def _frames(journal: SqliteJournal) -> list[Frame]:
    frames: list[Frame] = []
    while found := journal.read(len(frames), 1000):
        frames += found
    return frames


def _next(state: State, acted: int, *, first: bool) -> Frame:
    """Return the next input: the tick of the next deadline, or what the script does, whichever is sooner.

    It depends on nothing but the committed state and how much of the script is in the journal.
    """
    if first:
        return Frame(Transport.REGISTRY, "registry", registry(), START)
    at = _at(acted)
    due = state.next_due()
    if due is not None and due <= at:
        return Frame(Transport.CLOCK, "tick", b"", max(due, state.now))
    return _act(state, acted, at)


def _at(number: int) -> datetime:
    """Return when the script does its so many-eth thing."""
    while len(_TIMES) <= number:
        pause_s = 1 + random.Random(len(_TIMES)).expovariate(1 / MEAN_S)
        _TIMES.append((_TIMES[-1] if _TIMES else START) + timedelta(seconds=pause_s))
    return _TIMES[number]


def _act(state: State, number: int, at: datetime) -> Frame:
    chance = random.Random(f"act {number}")
    alerts = sorted(state.alerts)
    who = chance.choice((*DAY, *NIGHT, "centre-user"))
    if not alerts or chance.random() < 0.3:
        device = f"t/h{chance.randint(1, HOMES)}"
        event = {
            "specversion": "1.0",
            "id": f"e{number}",
            "source": f"vaka:{device}",
            "type": "vaka.alarm.manual.v1",
            "time": at.isoformat(),
            "clockquality": "synced",
            "data": {},
        }
        return _frame(Transport.MQTT, f"vaka/1/{device}/event", event, at)
    if chance.random() < 0.2:
        told = {"channel": "webpush", "reachable": chance.random() < 0.6, "reason": "410"}
        return _frame(Transport.RECEIPT, f"staff/{who}/reach", told, at)
    alert = state.alerts[chance.choice(alerts)]
    action = chance.choice(("accept", "accept", "on_site", "decline", "release", "close"))
    said = {"actor": alert.assignee or who, "note": "a reason"}
    more = {"close": {"outcome": "real", "seen": alert.count}, "accept": {"eta_s": 120.0}}.get(action, {})
    return _frame(Transport.PERSON, f"alert/{alert.id}/{action}", {**said, **more}, at)


def _frame(transport: Transport, channel: str, what: object, at: datetime) -> Frame:
    return Frame(transport, channel, json.dumps(what).encode(), at, ingress=SCRIPT)


def same(a: object, b: object) -> bool:
    """Tell whether two lists of records are byte for byte the same."""
    return msgspec.json.encode(a) == msgspec.json.encode(b)


if __name__ == "__main__":
    print(json.dumps(kill_often(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))  # noqa: T201 - the result
