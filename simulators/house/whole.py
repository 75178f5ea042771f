"""The gateway's real intake, engine, store, board and dispatch, in virtual time: what a crash can hit."""

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from math import ceil
from pathlib import Path
from typing import Any

from gateway.contract import Changes, Snapshot, Store, StoreUnavailableError
from gateway.model.alert import Alert, AlertState
from gateway.model.delivery import Delivery
from gateway.model.frame import Frame
from gateway.service.board import Board
from gateway.service.dispatch import Dispatcher
from gateway.service.engine import Engine, Machinery, Observer
from gateway.service.intake import LaneIntake
from gateway.stores.sqlite_store import SqliteStore
from simulators.house.port import (
    Acknowledged,
    Arrival,
    Committed,
    Crashed,
    Hangs,
    People,
    Setting,
    frame_of,
    fresh,
)
from simulators.outputs import Message
from simulators.protocol.loop import VirtualClock, VirtualLoop

QUEUE_FRAMES = 10_000
BATCH = 64
LONGEST_WAIT_S = 3600.0
"""Virtual time is never set: the engine need not look every second whether it was."""


class Line:
    """One channel of the dispatcher, which ends at simulated phones."""

    def __init__(self, channel: str, people: People, clock: VirtualClock) -> None:
        self.channel, self._people, self._clock = channel, people, clock

    async def deliver(self, delivery: Delivery, alert: Alert) -> str:
        """Let it ring."""
        try:
            return self._people.ring(delivery, alert, self._clock.now())
        except Hangs as fault:
            await asyncio.sleep(fault.after_s)
            raise

    async def close(self) -> None:
        """Nothing to release."""


class Whole:
    """Everything between a way in and a channel is the gateway's own; the files are real."""

    def __init__(self, setting: Setting, folder: Path) -> None:
        self.setting, self.folder = setting, folder
        self.loop = self.make_loop()
        self.clock = VirtualClock(self.loop, setting.start)
        self.acknowledged: Acknowledged = lambda _tokens: None
        self.committed: Committed = lambda _changes, _cursor: None
        self._tasks: list[asyncio.Task[None]] = []
        self._start()
        self.tell(setting.registry())
        self.come_to(setting.start)

    def make_loop(self) -> VirtualLoop:
        """Make the loop that everything runs on."""
        return VirtualLoop()

    def open_ways_in(self) -> None:
        """Open what devices connect to, once the engine runs; here nothing, `take` is the way in."""

    def lose_ways_in(self) -> None:
        """Lose it again, as in a crash; called inside the loop, with the store closed."""

    def open_store(self) -> Store:
        """Open the files; a test may put a store that fails in between."""
        return SqliteStore(self.folder / "state.db")

    # --- Sender and Observer ---

    def durable(self, tokens: Sequence[int]) -> None:
        """Hear from the intake what is on disk."""
        self.acknowledged(tokens)

    def load(self, snapshot: Snapshot) -> None:
        """Nothing is taken up: the board and the dispatcher have it."""

    def publish(self, changes: Changes, cursor: int) -> None:
        """Pass a commit on."""
        self.committed(changes, cursor)

    # --- Gateway ---

    def take(self, arrival: Arrival) -> None:
        """Offer a message; where the intake holds back, its sender is not told and sends again."""
        if self._tasks:
            sender = self if arrival.token else None
            self.intake.offer(frame_of(arrival), sender, arrival.token)

    def link(self, at: datetime, device: str, will: Message, *, up: bool) -> None:
        """Speak the last will of a connection that broke."""
        if not up:
            self.take(Arrival(at, device, fresh(will)))

    def tell(self, frame: Frame) -> None:
        """Offer an answer, a receipt or the like."""
        if self._tasks:
            self.intake.offer(frame)

    def next_at(self) -> datetime | None:
        """Return when its loop has something to do."""
        at_s = self.loop.next_s() if self._tasks else None
        if at_s is None:
            return None
        return self.clock.start + timedelta(microseconds=ceil(at_s * 1e6))

    def come_to(self, now: datetime) -> None:
        """Let its loop run until then; raises what ended a part of it."""
        self.loop.run_to(self.clock.at_s(now))
        for task in self._tasks:
            if task.done():
                task.result()
                raise RuntimeError(f"{task.get_name()} ended by itself")

    def alert(self, alert_id: str) -> Alert | None:
        """Return an open alert as the board shows it."""
        found = self.board.alert(alert_id) if self._tasks else None
        return found if found is not None and found.state is not AlertState.CLOSED else None

    def crash(self) -> None:
        """Stop without a goodbye: the files stay as the last commit left them."""
        self.store.close()
        self._tasks = []
        for ended in self.loop.run_until_complete(self._fall()):
            with suppress(asyncio.CancelledError, StoreUnavailableError, Crashed):
                self.loop.run_until_complete(ended)

    async def _fall(self) -> list[asyncio.Task[Any]]:
        """End everything in one turn of the loop, so that nothing is done after it."""
        self.lose_ways_in()
        ended = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in ended:
            task.cancel()
        return sorted(ended, key=lambda task: task.get_name())

    def restart(self, now: datetime) -> None:
        """Open the files again and go on."""
        self.loop.run_to(self.clock.at_s(now))
        self._start()
        self.come_to(now)

    def close(self) -> None:
        """Stop in order: what waits is walked and committed."""
        if self._tasks:
            self.engine.stop()
            self.loop.run_until_complete(self._tasks[0])
            self.crash()
        self.loop.close()

    # --- parts ---

    def _start(self) -> None:
        self.store = self.open_store()
        walk, people = self.setting.walk, self.setting.people
        self.intake = LaneIntake(queue_frames=QUEUE_FRAMES, urgent=self.setting.urgent)
        self.board = Board()
        lines = {channel: Line(channel, people, self.clock) for channel in walk.channels}
        self.dispatcher = Dispatcher(lines, self.intake, self.clock, self.board.alert)
        machinery = Machinery(walk, self.store, self.intake, self.clock)
        observers: list[Observer] = [self.board, self.dispatcher, self]
        self.engine = Engine(
            machinery, observers, batch=BATCH, longest_wait_s=LONGEST_WAIT_S, stopwatch=self.loop.time
        )
        self.loop.run_until_complete(self._load())
        self._tasks = [self.part(self.engine.run(), "engine"), self.part(self.dispatcher.run(), "dispatch")]
        self.open_ways_in()

    async def _load(self) -> None:
        """Take up the last commit with the loop running, as the gateway does: a retry may be due later."""
        self.engine.load()

    def part(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Run a part that must not end by itself."""
        return self.loop.create_task(work, name=name)
