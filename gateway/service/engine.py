"""The engine: the single writer; walks journalled frames in order, commits their changes with the cursor."""

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from gateway.contract import Changes, Clock, Journal, Snapshot, Store, StoreUnavailableError
from gateway.model.frame import Frame, Transport
from gateway.pipeline.state import State
from gateway.pipeline.walk import Walk
from gateway.service.intake import JournalIntake

log = logging.getLogger(__name__)

RETRY_FIRST_S, RETRY_MAX_S = 0.05, 2.0
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
    """Owns the state. Nobody else changes it; observers see what was committed, never what is in work."""

    def __init__(self, machinery: Machinery, observers: Sequence[Observer], *, batch: int) -> None:
        self._walk = machinery.walk
        self._store = machinery.store
        self._journal = machinery.journal
        self._intake = machinery.intake
        self._clock = machinery.clock
        self._observers = observers
        self._batch = batch
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store")
        self._tick_on_its_way = False
        self._committing: asyncio.Task[None] | None = None
        self._taken = 0
        self._walked = 0
        self._stopping = False
        self.catching_up = True
        self.cursor = 0
        self.state = State()
        self.failing = ""

    def load(self) -> None:
        """Take up the state of the last commit."""
        snapshot = self._store.load()
        self.cursor = self._walked = self._taken = snapshot.cursor
        self.state = State(snapshot)
        for observer in self._observers:
            observer.load(snapshot)

    @property
    def lag(self) -> int:
        """How many journalled frames are not yet committed."""
        return self._journal.last() - self.cursor

    def room(self) -> bool:
        """Tell whether the journal may take another group: one is walked while the next is written.

        No more wait between the two, so that an SOS, which passes all that wait before, is soon reached.
        After a restart with a backlog the journal takes frames all the same: what is on disk is safe.
        """
        return self.catching_up or self._journal.last() - self._taken < self._batch

    async def run(self) -> None:
        """Work off what the journal already holds, then live, until told to stop; never cancel it."""
        while True:
            frames = await self._take()
            if frames:
                self._taken = frames[-1].position
                self._intake.consumed()
                await self._work(frames)
            else:
                await self._committed()
                self.catching_up = False
                if self._stopping:
                    self._thread.shutdown()
                    return
                await self._wait()

    def stop(self) -> None:
        """Let `run` return once everything journalled is walked and committed."""
        self._stopping = True
        self._intake.arrived.set()

    async def _wait(self) -> None:
        """Wait for frames, or for the next timer, whose tick goes through the journal like any input."""
        due_at = self.state.next_due()
        wait_s = None if due_at is None or self._tick_on_its_way else self._clock.wait_s(due_at)
        self._intake.arrived.clear()
        if self._journal.last() > self._walked or self._stopping:
            return
        try:
            async with asyncio.timeout(wait_s):
                await self._intake.arrived.wait()
        except TimeoutError:
            self._tick()

    def _tick(self) -> None:
        now = self._clock.now()
        frame = Frame(
            transport=Transport.CLOCK, channel="tick", payload=b"", received_at=now, ingress="engine"
        )
        self._tick_on_its_way = self._intake.offer(frame)

    async def _take(self) -> list[Frame]:
        """Return the next frames in order: from memory, or from the journal where memory has a gap."""
        if not self._tick_on_its_way:
            self._tick_if_due()
        journalled = self._intake.journalled
        while journalled and journalled[0].position <= self._walked:
            journalled.popleft()
        if journalled and journalled[0].position == self._walked + 1:
            return self._contiguous()
        if self._journal.last() == self._walked:
            return []
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(None, self._journal.read, self._walked, self._batch)

    def _tick_if_due(self) -> None:
        due_at = self.state.next_due()
        if due_at is not None and self._clock.wait_s(due_at) <= 0:
            self._tick()

    def _contiguous(self) -> list[Frame]:
        """Take what follows in memory; only up to an urgent frame if one waits, so that it is not held up."""
        frames: list[Frame] = []
        journalled, expected = self._intake.journalled, self._walked + 1
        urgent = self._intake.urgent_until - self._walked
        most = min(urgent, self._batch) if urgent > 0 else self._batch
        while journalled and journalled[0].position == expected and len(frames) < most:
            frames.append(journalled.popleft())
            expected += 1
        return frames

    async def _work(self, frames: Sequence[Frame]) -> None:
        """Walk a batch while the one before is committed; if the walk breaks, go frame by frame.

        One frame must not stop the rest.
        """
        try:
            changes = await self._walk_all(frames)
        except Exception:
            log.exception("a batch of %d frames failed; taking them one by one", len(frames))
            await self._one_by_one(frames)
        else:
            await self._committed()
            self._walked = frames[-1].position
            commit = self._commit(changes, self._walked)
            self._committing = asyncio.create_task(commit, name=f"commit up to {self._walked}")

    async def _committed(self) -> None:
        """Wait until the batch in commit is on disk."""
        if self._committing is not None:
            await self._committing
            self._committing = None

    async def _walk_all(self, frames: Sequence[Frame]) -> Changes:
        walk, state = self._walk, self.state
        decoded = [walk.read(frame) for frame in frames]
        known = await self._look_up(walk.doubtful(state, decoded))
        now = self._clock.now()
        for frame, result in zip(frames, decoded, strict=True):
            if frame.transport is Transport.CLOCK:
                self._tick_on_its_way = False
            walk.step(state, frame, result, known, now)
        return state.take_changes()

    async def _one_by_one(self, frames: Sequence[Frame]) -> None:
        await self._committed()
        for frame in frames:
            self.state = State(self._store.load())
            try:
                changes = await self._walk_all([frame])
            except Exception:
                log.exception("frame %d is put in quarantine", frame.position)
                self.state = State(self._store.load())
                self.state.quarantine(frame, "", POISON, "engine")
                changes = self.state.take_changes()
            await self._commit(changes, frame.position)
            self._walked = frame.position

    async def _look_up(self, ids: Sequence[str]) -> frozenset[str]:
        if not ids:
            return frozenset()
        pause_s = RETRY_FIRST_S
        while True:
            try:
                return await asyncio.get_running_loop().run_in_executor(None, self._store.known, ids)
            except StoreUnavailableError as error:
                pause_s = await self._refused(error, pause_s)

    async def _commit(self, changes: Changes, cursor: int) -> None:
        """Commit, trying until the disk takes it: nothing is shown or sent before."""
        loop = asyncio.get_running_loop()
        pause_s = RETRY_FIRST_S
        while True:
            try:
                await loop.run_in_executor(self._thread, self._store.commit, changes, cursor)
                break
            except StoreUnavailableError as error:
                pause_s = await self._refused(error, pause_s)
        self.failing = ""
        self.cursor = cursor
        for observer in self._observers:
            observer.publish(changes, cursor)

    async def _refused(self, error: StoreUnavailableError, pause_s: float) -> float:
        if not self.failing:
            log.critical("the state cannot be written or read: %s", error)
        self.failing = str(error)
        await asyncio.sleep(pause_s)
        return min(pause_s * 2, RETRY_MAX_S)
