"""The engine: the single writer; walks journalled frames in order, commits their changes with the cursor."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import ParamSpec, Protocol, TypeVar

from gateway.contract import (
    Changes,
    Clock,
    ConfigurationError,
    Journal,
    Snapshot,
    Store,
    StoreUnavailableError,
)
from gateway.model.frame import Frame, Transport
from gateway.model.trace import Trace, Verdict
from gateway.pipeline.state import State
from gateway.pipeline.walk import Walk
from gateway.service.intake import JournalIntake

log = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")

RETRY_FIRST_S, RETRY_MAX_S = 0.05, 2.0
MAX_WAIT_S = 1.0
"""The longest sleep: a clock that was set forward is noticed within it."""
PACE_S = 0.02
"""So long the walk of one batch should take, for an SOS waits until the one before it is through."""
FEWEST = 4
SMOOTHING = 0.1
NONE_KNOWN: frozenset[str] = frozenset()
POISON = "the engine failed on this frame; its bytes are kept here"


class Observer(Protocol):
    """Whoever may know what was committed: the board for people, the dispatcher."""

    def load(self, snapshot: Snapshot) -> None:
        """Take up the state of the last commit before a restart."""
        ...

    def publish(self, changes: Changes, cursor: int) -> None:
        """Take up one commit; called on the event loop, in order."""
        ...


@dataclass(frozen=True)
class Machinery:
    """What the engine works with."""

    walk: Walk
    store: Store
    journal: Journal
    intake: JournalIntake
    clock: Clock


class Engine:
    """Owns the state. Nobody else changes it; observers see what was committed, never what is in work.

    While a batch is committed in the store's thread the next one is walked. A batch that fails (a rule,
    an adapter or a value that cannot be stored, past every guard before) is taken again frame by frame
    from the last commit, and the frame that fails alone goes to quarantine.
    """

    def __init__(self, machinery: Machinery, observers: Sequence[Observer], *, batch: int) -> None:
        self._walk = machinery.walk
        self._store = machinery.store
        self._journal = machinery.journal
        self._intake = machinery.intake
        self._clock = machinery.clock
        self._observers = observers
        self._batch = batch
        self._frame_s = PACE_S / batch
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store")
        self._tick_on_its_way = False
        self._committing: asyncio.Task[None] | None = None
        self._taken = 0
        self._walked = 0
        self._careful_until = 0
        self._stopping = False
        self.catching_up = True
        self.cursor = 0
        self.state = State()
        self.failing = ""

    def load(self) -> None:
        """Take up the state of the last commit; ConfigurationError if the journal is not the state's own."""
        snapshot = self._store.load()
        if snapshot.cursor > self._journal.last():
            found = f"the state has walked {snapshot.cursor} frames, the journal holds {self._journal.last()}"
            raise ConfigurationError(f"data_dir: {found}; allowed: both files of one gateway, of one moment")
        try:
            self._reset(snapshot)
        except ValueError as error:
            raise ConfigurationError(f"data_dir: the registry kept there does not hold: {error}") from error
        for observer in self._observers:
            observer.load(snapshot)
        self._offer_tick("start")

    @property
    def lag(self) -> int:
        """How many journalled frames are not yet committed."""
        return self._journal.last() - self.cursor

    def room(self) -> bool:
        """Tell whether the journal may take another group: one is walked while the next is written.

        No more wait between the two, so that an SOS, which passes all that wait before, is soon reached.
        After a restart with a backlog the journal takes frames all the same: what is on disk is safe.
        """
        self._intake.most = self._pace()
        return self.catching_up or self._journal.last() - self._taken < self._intake.most

    def _pace(self) -> int:
        """Return how many frames a batch may have: fewer where each takes long, all of it in a backlog."""
        paced = int(PACE_S / self._frame_s)
        return self._batch if self.catching_up else max(FEWEST, min(self._batch, paced))

    async def run(self) -> None:
        """Work off what the journal already holds, then live, until told to stop; never cancel it."""
        while True:
            frames = await self._take()
            if frames:
                self._taken = frames[-1].position
                self._intake.consumed()
                await self._work(frames)
                continue
            if not await self._settled():
                continue
            self.catching_up = False
            if self._stopping:
                self._thread.shutdown()
                return
            await self._wait()

    def stop(self) -> None:
        """Let `run` return once everything journalled is walked and committed."""
        self._stopping = True
        self._intake.arrived.set()

    # --- taking frames ---

    async def _wait(self) -> None:
        """Wait for frames, or for the next timer, whose tick goes through the journal like any input."""
        due_at = self.state.next_due()
        wait_s = MAX_WAIT_S
        if due_at is not None and not self._tick_on_its_way:
            wait_s = min(wait_s, self._clock.wait_s(due_at))
        self._intake.arrived.clear()
        if self._journal.last() > self._walked or self._stopping:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._intake.arrived.wait()

    async def _take(self) -> list[Frame]:
        """Return the next frames in order: from memory, or from the journal where memory has a gap."""
        due_at = self.state.next_due()
        if due_at is not None and not self._tick_on_its_way and self._clock.wait_s(due_at) <= 0:
            self._offer_tick("tick")
        most = 1 if self._walked < self._careful_until else self._pace()
        journalled = self._intake.journalled
        while journalled and journalled[0].position <= self._walked:
            journalled.popleft()
        if journalled and journalled[0].position == self._walked + 1:
            return self._contiguous(most)
        if self._journal.last() == self._walked:
            return []
        return await self._persistently(None, self._journal.read, self._walked, most)

    def _contiguous(self, most: int) -> list[Frame]:
        """Take what follows in memory; only up to an urgent frame if one waits, so that it is not held up."""
        frames: list[Frame] = []
        journalled, expected = self._intake.journalled, self._walked + 1
        urgent = self._intake.urgent_until - self._walked
        most = min(urgent, most) if urgent > 0 else most
        while journalled and journalled[0].position == expected and len(frames) < most:
            frames.append(journalled.popleft())
            expected += 1
        return frames

    def _offer_tick(self, name: str) -> None:
        frame = Frame(Transport.CLOCK, name, b"", self._clock.now(), ingress="engine")
        self._tick_on_its_way = self._intake.offer(frame)

    # --- walking and committing ---

    async def _work(self, frames: Sequence[Frame]) -> None:
        """Walk a batch while the one before is committed, and start its own commit."""
        try:
            changes = await self._walk_all(frames)
        except Exception:
            log.exception("frames %d to %d could not be walked", frames[0].position, frames[-1].position)
            if await self._settled():
                await self._start_over(frames)
            return
        if await self._settled():
            self._walked = frames[-1].position
            commit = self._commit(changes, self._walked)
            self._committing = asyncio.create_task(commit, name=f"commit up to {self._walked}")

    async def _walk_all(self, frames: Sequence[Frame]) -> Changes:
        walk, state = self._walk, self.state
        decoded = [walk.read(frame) for frame in frames]
        asked = walk.doubtful(state, decoded)
        known = await self._persistently(None, self._store.known, asked) if asked else NONE_KNOWN
        now, began = self._clock.now(), perf_counter()
        for frame, result in zip(frames, decoded, strict=True):
            if frame.transport is Transport.CLOCK:
                self._tick_on_its_way = False
            walk.step(state, frame, result, known, now)
        took_s = (perf_counter() - began) / len(frames)
        self._frame_s += SMOOTHING * (max(took_s, PACE_S / self._batch) - self._frame_s)
        return state.take_changes()

    async def _settled(self) -> bool:
        """Wait until the batch in commit is on disk; False when it could not be, and is taken again."""
        if self._committing is None:
            return True
        try:
            await self._committing
        except Exception:
            log.exception("frames %d to %d could not be committed", self.cursor + 1, self._walked)
            self._committing = None
            await self._start_over([])
            return False
        self._committing = None
        return True

    async def _start_over(self, frames: Sequence[Frame]) -> None:
        """Go back to the last commit and on from there frame by frame; quarantine what fails alone."""
        alone = len(frames) == 1 or self._walked == self.cursor + 1
        until = max([self._walked, *(frame.position for frame in frames)])
        self._reset(await self._persistently(None, self._store.load))
        self._careful_until = max(self._careful_until, until)
        if alone and until == self.cursor + 1:
            (poison,) = await self._persistently(None, self._journal.read, self.cursor, 1)
            self.state.quarantine(poison, "", POISON, "engine")
            self.state.trace(Trace(poison.position, "engine", Verdict.QUARANTINED, POISON, "engine"))
            await self._commit(self.state.take_changes(), poison.position)
            self._walked = self._taken = poison.position

    async def _commit(self, changes: Changes, cursor: int) -> None:
        """Commit, trying until the disk takes it: nothing is shown or sent before."""
        await self._persistently(self._thread, self._store.commit, changes, cursor)
        self.cursor = cursor
        for observer in self._observers:
            observer.publish(changes, cursor)

    def _reset(self, snapshot: Snapshot) -> None:
        self.cursor = self._walked = self._taken = snapshot.cursor
        self.state = State(snapshot)
        self._tick_on_its_way = False

    async def _persistently(
        self, thread: ThreadPoolExecutor | None, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Do blocking work in a thread, and again as long as the disk refuses."""
        loop = asyncio.get_running_loop()
        pause_s = RETRY_FIRST_S
        while True:
            try:
                done = await loop.run_in_executor(thread, partial(work, *args, **kwargs))
            except StoreUnavailableError as error:
                if not self.failing:
                    log.critical("the journal or the state cannot be used: %s", error)
                self.failing = str(error)
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, RETRY_MAX_S)
            else:
                self.failing = ""
                return done
