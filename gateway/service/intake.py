"""Intake: frames into the journal in groups, one fsync a group; only then do their senders hear of it."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter

from msgspec.structs import force_setattr

from gateway.contract import Journal, Sender, StoreUnavailableError
from gateway.model.frame import INTERNAL, Frame

log = logging.getLogger(__name__)

ACCEPT_WITHIN_S = 8.0
"""An accepted frame is on disk within this or its sender is told no (standards: acknowledgement <= 8 s)."""
RETRY_FIRST_S, RETRY_MAX_S = 0.05, 2.0
ALONGSIDE = 32
"""Other frames in a group of urgent ones: few, so that it is soon on disk and walked, but always some."""
URGENT_A_SOURCE = 64
"""Urgent frames of one source that may wait in the fast lane; its further ones wait with the others."""
MAX_WAITING_BYTES = 64 << 20
"""What may wait for the disk in both lanes together, payloads and channels; devices wait beyond it."""
MAX_IN_MEMORY = 8192
"""Journalled frames handed over in memory; past it the engine reads them back from the journal."""
LARGE_BYTES, MAX_LARGE = 2048, 512
"""Of payloads larger than this, no more frames than this are handed over in memory."""

Waiting = tuple[Frame, Sender | None, int]
Urgent = Callable[[Frame], bool]


class _Caller:
    """Waits for one frame, for those who need its position."""

    def __init__(self) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def durable(self, _tokens: Sequence[int]) -> None:
        if not self.done.done():
            self.done.set_result(None)


class JournalIntake:
    """Two lanes into one journal: urgent frames overtake the others on the way to the disk.

    While one group is written the next one forms by itself. When the disk refuses, the group is
    kept and tried again; when `queue_frames` wait in a lane, or too many bytes in both, `offer` says
    no and the ways in hold back. Frames made inside the house always pass: their makers bound them.
    `measured` is told the seconds of each write, in the journal's thread; `most` is what the engine wants
    in a group at most.
    """

    def __init__(self, journal: Journal, *, batch: int, queue_frames: int, urgent: Urgent) -> None:
        self._journal = journal
        self._batch = self.most = batch
        self._limit = queue_frames
        self._urgent = urgent
        self._lanes: tuple[deque[Waiting], deque[Waiting]] = (deque(), deque())
        self._bytes = 0
        self._urgent_of: dict[str, int] = {}
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self.journalled: deque[Frame] = deque()
        self.arrived = asyncio.Event()
        self.urgent_until = 0
        self.taken = 0
        self.failing: str = ""
        self.measured: Callable[[float], None] | None = None

    def offer(self, frame: Frame, sender: Sender | None = None, token: int = 0) -> bool:
        """Queue a frame; False when a limit is reached and nothing was taken."""
        urgent, normal = self._lanes
        if frame.transport in INTERNAL:
            urgent.append((frame, sender, token))
            self._room.set()
        elif self._bytes >= MAX_WAITING_BYTES:
            return False
        elif self._urgent(frame) and self._may_overtake(frame.source):
            urgent.append((frame, sender, token))
            self._room.set()
        elif len(normal) < self._limit:
            normal.append((frame, sender, token))
        else:
            return False
        self._bytes += len(frame.payload) + len(frame.channel)
        self._wake.set()
        return True

    def _may_overtake(self, source: str) -> bool:
        """Count an urgent frame of a source; False when the fast lane or the source's share is full."""
        if len(self._lanes[0]) >= self._limit:
            return False
        if source:
            waiting = self._urgent_of.get(source, 0)
            if waiting >= URGENT_A_SOURCE:
                return False
            self._urgent_of[source] = waiting + 1
        return True

    async def accept(self, frame: Frame) -> int:
        """Queue a frame and return its journal position once it is on disk."""
        caller = _Caller()
        if not self.offer(frame, caller):
            raise StoreUnavailableError("the gateway is full: try again in a moment")
        try:
            await asyncio.wait_for(caller.done, ACCEPT_WITHIN_S)
        except TimeoutError as error:
            raise StoreUnavailableError(
                f"not on disk within {ACCEPT_WITHIN_S:.0f} s: {self.failing}"
            ) from error
        return frame.position

    @property
    def waiting(self) -> int:
        """How many frames wait for the disk."""
        return len(self._lanes[0]) + len(self._lanes[1])

    def consumed(self) -> None:
        """Tell that the engine took frames, so that there may be room for the next group."""
        self._room.set()

    async def run(self, room: Callable[[], bool]) -> None:
        """Write group after group until cancelled; `room` tells whether the engine can take one more."""
        while True:
            await self._wake.wait()
            while not self._lanes[0] and not room():
                self._room.clear()
                await self._room.wait()
            group, urgent = self._next_group()
            await self._write([frame for frame, _, _ in group])
            self._tell(group, urgent)

    async def drain(self) -> None:
        """Write what waits and stop the thread; for a clean stop.

        Raises StoreUnavailableError when the disk refuses: nobody was told that those frames are safe.
        """
        try:
            while self.waiting:
                group, urgent = self._next_group()
                frames = [frame for frame, _, _ in group]
                await asyncio.get_running_loop().run_in_executor(self._thread, self._append, frames)
                self._tell(group, urgent)
            # A group that was being written when `run` was cancelled: its file must not be closed under it.
            await asyncio.get_running_loop().run_in_executor(self._thread, _done)
        finally:
            self._thread.shutdown(wait=False)

    def _next_group(self) -> tuple[list[Waiting], int]:
        """Take the next group from the lanes, the urgent frames first, and say how many they are."""
        urgent, normal = self._lanes
        batch = min(self._batch, self.most)
        size = min(batch, len(urgent) + ALONGSIDE) if urgent else batch
        first = min(len(urgent), batch - min(ALONGSIDE, batch // 4))
        group = [urgent.popleft() for _ in range(first)]
        if group:
            self._left_fast_lane(group)
        group.extend(normal.popleft() for _ in range(min(size - first, len(normal))))
        self._bytes -= sum([len(frame.payload) + len(frame.channel) for frame, _, _ in group])
        if not urgent and not normal:
            self._wake.clear()
        return group, first

    def _left_fast_lane(self, group: Sequence[Waiting]) -> None:
        """Give the sources their share of the fast lane back."""
        shares = self._urgent_of
        for frame, _, _ in group:
            if frame.source and frame.transport not in INTERNAL:
                if shares[frame.source] == 1:
                    del shares[frame.source]
                else:
                    shares[frame.source] -= 1

    async def _write(self, frames: list[Frame]) -> None:
        loop = asyncio.get_running_loop()
        pause_s = RETRY_FIRST_S
        while True:
            writing = loop.run_in_executor(self._thread, self._append, frames)
            try:
                await asyncio.shield(writing)  # a stop lets it end, for its place is before what drain writes
            except StoreUnavailableError as error:
                if not self.failing:
                    log.critical("the journal refuses, %d frames held back: %s", len(frames), error)
                self.failing = str(error)
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, RETRY_MAX_S)
            else:
                if self.failing:
                    log.warning("the journal takes frames again")
                    self.failing = ""
                return

    def _append(self, frames: list[Frame]) -> None:
        """Runs in the journal's thread; a frame gets its position here, once, before anybody else sees it."""
        began = perf_counter()
        first = self._journal.append(frames)
        if self.measured is not None:
            self.measured(perf_counter() - began)
        for position, frame in enumerate(frames, first):
            force_setattr(frame, "position", position)

    def _tell(self, group: Sequence[Waiting], urgent: int) -> None:
        """Pass the frames on and tell each sender once what is safe."""
        tokens: dict[Sender, list[int]] = {}
        if urgent:
            self.urgent_until = group[urgent - 1][0].position
        journalled = self.journalled
        for frame, sender, token in group:
            waiting = len(journalled)
            if waiting < MAX_LARGE or (waiting < MAX_IN_MEMORY and len(frame.payload) <= LARGE_BYTES):
                journalled.append(frame)
            if sender is not None:
                tokens.setdefault(sender, []).append(token)
        self.taken += len(group)
        self.arrived.set()
        for sender, theirs in tokens.items():
            try:
                sender.durable(theirs)
            except Exception:  # one sender's fault must not end the writing for all
                log.exception("a sender failed on hearing that %d frames are on disk", len(theirs))


def _done() -> None:
    """Do nothing, in the journal's thread, after everything that was begun there."""
