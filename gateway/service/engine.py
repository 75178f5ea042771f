"""The engine: the single writer; walks frames in order and commits them with what they changed."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from time import perf_counter
from typing import ParamSpec, Protocol, TypeVar

from msgspec.structs import force_setattr

from gateway.contract import (
    Changes,
    Clock,
    ConfigurationError,
    Snapshot,
    Store,
    StoreUnavailableError,
)
from gateway.model.frame import INTERNAL, Frame, Transport
from gateway.model.trace import Trace, Verdict
from gateway.pipeline.state import State
from gateway.pipeline.walk import Walk
from gateway.service.intake import LaneIntake, Waiting

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
NOT_DONE = "the gateway failed on this: it was not carried out"
PUT_OFF = timedelta(seconds=60)
"""When the timers of a tick that failed as a whole are tried again, so that it does not come without end."""


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
    intake: LaneIntake
    clock: Clock


class Engine:
    """Owns the state. Nobody else changes it; observers see what was committed, never what is in work.

    One transaction holds the frames and all that they changed, and only after its fsync is a sender
    told: what was acknowledged is on disk and judged. While a batch is committed in the store's thread
    the next one is walked. A batch that fails (a rule, an adapter or a value that cannot be stored,
    past every guard before) is taken again frame by frame from the last commit, and the frame that
    fails alone goes to quarantine. `measured` is told the seconds of each commit, in the store's thread.
    `longest_wait_s` may be long where the clock is never set; `stopwatch` measures how long frames take,
    by which batches become smaller.
    """

    def __init__(
        self,
        machinery: Machinery,
        observers: Sequence[Observer],
        *,
        batch: int,
        longest_wait_s: float = MAX_WAIT_S,
        stopwatch: Callable[[], float] = perf_counter,
    ) -> None:
        self._walk = machinery.walk
        self._store = machinery.store
        self._intake = machinery.intake
        self._clock = machinery.clock
        self._observers = observers
        self._batch = batch
        self._longest_wait_s = longest_wait_s
        self._stopwatch = stopwatch
        self._frame_s = PACE_S / batch
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store")
        self._tick_on_its_way = False
        self._committing: asyncio.Task[None] | None = None
        self._in_commit: list[Waiting] = []
        self._again: deque[Waiting] = deque()
        self._walked = 0
        self._stopping = False
        self.cursor = 0
        self.state = State()
        self.failing = ""
        self.measured: Callable[[float], None] | None = None

    def load(self) -> None:
        """Take up the state of the last commit; ConfigurationError if it does not hold."""
        snapshot = self._store.load()
        try:
            self._reset(snapshot)
        except ValueError as error:
            raise ConfigurationError(f"data_dir: the registry kept there does not hold: {error}") from error
        for observer in self._observers:
            observer.load(snapshot)
        self._offer_tick("start")

    @property
    def lag(self) -> int:
        """How many frames wait, or are walked and not yet on disk."""
        return self._intake.waiting + self._walked - self.cursor

    async def run(self) -> None:
        """Take what waits, until told to stop and nothing waits any more; never cancel it."""
        while True:
            group = self._take()
            if group:
                await self._work(group)
                continue
            if not await self._settled():
                continue
            if self._stopping and not self._intake.waiting:
                self._thread.shutdown()
                return
            await self._wait()

    def stop(self) -> None:
        """Let `run` return once everything that waits is walked and committed."""
        self._stopping = True
        self._intake.arrived.set()

    # --- taking frames ---

    async def _wait(self) -> None:
        """Wait for frames, or for the next timer, whose tick comes in like any input."""
        due_at = self.state.next_due()
        wait_s = self._longest_wait_s
        if due_at is not None and not self._tick_on_its_way:
            wait_s = min(wait_s, self._clock.wait_s(due_at))
        if self._intake.waiting or self._stopping:
            return
        self._intake.arrived.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._intake.arrived.wait()

    def _take(self) -> list[Waiting]:
        """Return the next frames, numbered; one alone while a failed batch is taken again."""
        due_at = self.state.next_due()
        if due_at is not None and not self._tick_on_its_way and self._clock.wait_s(due_at) <= 0:
            self._offer_tick("tick")
        group = [self._again.popleft()] if self._again else self._intake.next_group(self._pace())
        for position, (frame, _, _) in enumerate(group, self._walked + 1):
            force_setattr(frame, "position", position)
        return group

    def _pace(self) -> int:
        """Return how many frames a batch may have: fewer where each takes long."""
        return max(FEWEST, min(self._batch, int(PACE_S / self._frame_s)))

    def _offer_tick(self, name: str) -> None:
        frame = Frame(Transport.CLOCK, name, b"", self._clock.now(), ingress="engine")
        self._tick_on_its_way = self._intake.offer(frame)

    # --- walking and committing ---

    async def _work(self, group: list[Waiting]) -> None:
        """Walk a batch while the one before is committed, and start its own commit."""
        first, last = group[0][0].position, group[-1][0].position
        try:
            changes = await self._walk_all([frame for frame, _, _ in group])
        except Exception:
            log.exception("frames %d to %d could not be walked", first, last)
            if await self._settled(group):
                await self._start_over(group)
            return
        if not await self._settled(group):
            return
        self._walked, self._in_commit = last, group
        self._committing = asyncio.create_task(self._commit(changes, group), name=f"commit up to {last}")
        await asyncio.sleep(0)  # it begins now, beside the next walk, which does not pause

    async def _walk_all(self, frames: list[Frame]) -> Changes:
        walk, state = self._walk, self.state
        decoded = [walk.read(frame) for frame in frames]
        asked = walk.doubtful(state, decoded)
        known = await self._persistently(None, self._store.known, asked) if asked else NONE_KNOWN
        now, began = self._clock.now(), self._stopwatch()
        for frame, result in zip(frames, decoded, strict=True):
            if frame.transport is Transport.CLOCK:
                self._tick_on_its_way = False
            walk.step(state, frame, result, known, now)
        took_s = (self._stopwatch() - began) / len(frames)
        self._frame_s += SMOOTHING * (max(took_s, PACE_S / self._batch) - self._frame_s)
        changes = state.take_changes()
        changes.frames = frames
        return changes

    async def _settled(self, following: Sequence[Waiting] = ()) -> bool:
        """Wait until the batch in commit is on disk.

        False when it could not be, and is taken again, with what was walked meanwhile after it.
        """
        if self._committing is None:
            return True
        try:
            await self._committing
        except Exception:
            log.exception("frames %d to %d could not be committed", self.cursor + 1, self._walked)
            self._committing = None
            await self._start_over(self._in_commit, following)
            return False
        self._committing = None
        return True

    async def _start_over(self, group: list[Waiting], following: Sequence[Waiting] = ()) -> None:
        """Go back to the last commit and on from there frame by frame; quarantine what fails alone."""
        self._reset(await self._persistently(None, self._store.load))
        self._again.extendleft(reversed(following))
        if len(group) > 1:
            self._again.extendleft(reversed(group))
            return
        poison = group[0][0]
        force_setattr(poison, "position", self.cursor + 1)
        if poison.transport is Transport.CLOCK:
            self.state.come_to(poison.received_at)
            self.state.put_off(PUT_OFF)
        if poison.transport in INTERNAL:
            self.state.changes.refusals[poison.position] = NOT_DONE
        self.state.quarantine(poison, "", POISON, "engine")
        self.state.trace(Trace(poison.position, "engine", Verdict.QUARANTINED, POISON, "engine"))
        changes = self.state.take_changes()
        changes.frames = [poison]
        await self._commit(changes, group)
        self._walked = poison.position

    async def _commit(self, changes: Changes, group: Sequence[Waiting]) -> None:
        """Commit, trying until the disk takes it: nothing is shown, sent or acknowledged before."""
        cursor = group[-1][0].position
        await self._persistently(self._thread, self._write, changes, cursor)
        self.cursor = cursor
        for observer in self._observers:
            try:
                observer.publish(changes, cursor)
            except Exception:  # what is on disk must not be taken for lost, whoever fails on hearing of it
                log.exception("an observer failed on the commit up to frame %d", cursor)
        self._intake.tell(group)

    def _write(self, changes: Changes, cursor: int) -> None:
        """Runs in the store's thread."""
        began = perf_counter()
        self._store.commit(changes, cursor)
        if self.measured is not None:
            self.measured(perf_counter() - began)

    def _reset(self, snapshot: Snapshot) -> None:
        self.cursor = self._walked = snapshot.cursor
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
                    log.critical("the disk refuses, senders are held back: %s", error)
                self.failing = str(error)
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, RETRY_MAX_S)
            else:
                self.failing = ""
                return done
