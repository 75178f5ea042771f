"""What a run left behind: all of the gateway's state file, and what devices and people know themselves."""

import sqlite3
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import msgspec

from gateway.contract import Snapshot
from gateway.model.alert import Alert, AlertEntry
from gateway.model.delivery import Delivery
from gateway.model.event import Event
from gateway.model.frame import INTERNAL, Frame
from gateway.model.trace import Trace
from gateway.stores.sqlite_journal import SqliteJournal
from gateway.stores.state_reader import StateReader
from simulators.faults.active import Active
from simulators.faults.medium import Sent
from simulators.faults.spec import Disk
from simulators.scenarios.build import Outcome, Play

MANY = 1 << 30
K = TypeVar("K")
V = TypeVar("V")


@dataclass
class Evidence:
    """The state file read once, in the shapes that the invariants ask for."""

    begins: datetime
    ends: datetime
    outcome: Outcome
    disks: list[Active]
    sent: dict[int, Sent]
    acknowledged: dict[int, datetime]
    came: dict[int, list[bytes]]
    on_disk: list[tuple[int, datetime]]
    frames: dict[int, Frame]
    events: dict[int, list[Event]]
    traces: dict[int, list[Trace]]
    quarantine: dict[int, tuple[Frame, str, str, str]]
    alerts: dict[str, Alert]
    entries: dict[str, list[AlertEntry]]
    deliveries: dict[str, list[Delivery]]
    snapshot: Snapshot
    unwatched: list[str]

    def of_devices(self) -> list[Frame]:
        """Return the frames that devices sent, in order."""
        return [frame for frame in self.frames.values() if frame.transport not in INTERNAL]


def read_evidence(play: Play, folder: Path) -> Evidence:
    """Read everything; the gateway is closed by then."""
    path = folder / "state.db"
    store, journal = StateReader(path), SqliteJournal(path)
    try:
        traces = store.traces(limit=MANY)[::-1]
        return Evidence(
            begins=play.start,
            ends=play.until,
            outcome=play.outcome,
            disks=[one for one in play.faults if isinstance(one.fault, Disk)],
            sent=play.medium.log,
            acknowledged=play.medium.told,
            came=play.medium.came,
            on_disk=play.outcome.on_disk,
            frames={frame.position: frame for frame in journal.read(0, MANY)},
            events=_by([(event.frame, event) for _, event in store.events(limit=MANY)]),
            traces=_by([(trace.frame, trace) for trace in traces]),
            quarantine={row[0].position: row for row in store.quarantined(limit=MANY)},
            alerts={alert.id: alert for alert in _all(path, "alerts", Alert)},
            entries=_by([(e.alert, e) for e in _all(path, "entries", AlertEntry)]),
            deliveries=_by([(d.alert, d) for d in _all(path, "deliveries", Delivery)]),
            snapshot=store.load(),
            unwatched=store.unwatched(),
        )
    finally:
        journal.close()
        store.close()


def _by(pairs: list[tuple[K, V]]) -> dict[K, list[V]]:
    found: dict[K, list[V]] = defaultdict(list)
    for key, value in pairs:
        found[key].append(value)
    return dict(found)


ORDER = {"alerts": "raised_us, id", "entries": "alert, version", "deliveries": "rowid"}


def _all(path: Path, table: str, kind: type[V]) -> list[V]:
    """Return every row's body: the questions of the store are about one alert, these about all."""
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    try:
        query = f"SELECT body FROM {table} ORDER BY {ORDER[table]}"  # noqa: S608 - our own table names
        rows = connection.execute(query).fetchall()
    finally:
        connection.close()
    decoder = msgspec.json.Decoder(kind)
    return [decoder.decode(body) for (body,) in rows]
