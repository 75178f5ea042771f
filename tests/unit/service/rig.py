"""The real intake, store and engine on a temporary disk, with a clock that a test sets."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

from gateway.contract import Changes, Rule, Snapshot
from gateway.model.frame import Frame, Transport
from gateway.pipeline.walk import Walk
from gateway.plugins import load_adapters, load_rules
from gateway.service.engine import Engine, Machinery
from gateway.service.intake import LaneIntake
from gateway.stores.sqlite_journal import SqliteJournal
from gateway.stores.sqlite_store import SqliteStore
from tests.unit.pipeline.town import START, document


class SetClock:
    """Stands still until a test moves it; waiting takes no real time once a moment is past."""

    def __init__(self) -> None:
        self.at = START

    def now(self) -> datetime:
        return self.at

    def wait_s(self, until: datetime) -> float:
        return 0.0 if until <= self.at else 0.01

    def forward(self, **delta: float) -> None:
        self.at += timedelta(**delta)


class Seen:
    """An observer that keeps what was committed."""

    def __init__(self) -> None:
        self.cursor = 0
        self.commits: list[Changes] = []

    def load(self, snapshot: Snapshot) -> None:
        self.cursor = snapshot.cursor

    def publish(self, changes: Changes, cursor: int) -> None:
        self.commits.append(changes)
        self.cursor = cursor


class Rig:
    """One gateway's inside; `crash` leaves everything as a power cut would, but for the open files."""

    def __init__(self, folder: Path, clock: SetClock, rules: Sequence[Rule]) -> None:
        self.clock = clock
        self.store = SqliteStore(folder / "state.db")
        self.journal = SqliteJournal(folder / "state.db")
        self.intake = LaneIntake(queue_frames=1000, urgent=lambda _: False)
        self.seen = Seen()
        walk = Walk(load_adapters(), rules, ("page",))
        machinery = Machinery(walk, self.store, self.intake, clock)
        no_time = 0.0  # a slow machine would make the batches smaller
        self.engine = Engine(machinery, (self.seen,), batch=8, stopwatch=lambda: no_time)

    async def send(self, channel: str, payload: bytes, transport: Transport = Transport.MQTT) -> int:
        return await self.intake.accept(Frame(transport, channel, payload, self.clock.now()))


@asynccontextmanager
async def rig(
    folder: Path, clock: SetClock | None = None, rules: Sequence[Rule] | None = None
) -> AsyncIterator[Rig]:
    found = Rig(folder, clock or SetClock(), load_rules() if rules is None else rules)
    try:
        found.engine.load()
        running = asyncio.create_task(found.engine.run())
        if not found.store.load().registry.device:
            await found.send("registry", document().to_json(), Transport.REGISTRY)
        yield found
        found.engine.stop()
        await asyncio.wait_for(running, 10)
    finally:
        found.journal.close()
        found.store.close()
