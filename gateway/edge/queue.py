"""Queue: the edge's durable Intake: what was heard is on the disk before its sender is told, and waits there.

One loop commits in groups: what was heard, what is given its number, what is safe at the centre. A number
is on the disk before its frame leaves, so that a power cut never gives one number to two frames.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from gateway.contract import Clock, Sender, StoreUnavailableError
from gateway.edge.file import QueueFile, Work
from gateway.edge.order import Backlog, Entry, Limits
from gateway.model.forwarded import forwarded, numbered
from gateway.model.frame import Frame
from gateway.stores.sqlite import to_us

log = logging.getLogger(__name__)

ACCEPT_WITHIN_S = 8.0
"""As at the centre: on disk within this, or whoever waits is told no."""
A_GROUP = 256
"""Frames that are written in one commit at most."""
MAX_PENDING_BYTES = 4 << 20
"""What may wait for the disk; beyond it the ways in hold back."""
RETRY_S = 0.5
LOOK_EVERY_S = 10.0
"""How often old frames are looked for."""
FORGET_WITHIN_S, FORGET_AT = 1.0, 64
"""What is safe at the centre leaves the disk with the next write, at the latest after so long or so many:
each write wears the card. What a power cut keeps too long is sent again, and the centre knows its number."""
OVERHEAD_BYTES = 120
"""What a frame takes on the disk beside its body."""


class Outlet(Protocol):
    """The connection to the centre, as far as the queue needs it."""

    def room(self) -> int:
        """Return how many more frames may be sent now."""
        ...

    def send(self, number: int, envelope: bytes) -> None:
        """Send a frame; the queue hears of its safety by `acknowledged`."""
        ...


class Believed(Protocol):
    """Whether the edge's clock can be believed."""

    @property
    def synced(self) -> bool:
        """True while it can."""
        ...


@dataclass(frozen=True)
class Reading:
    """How the queue reads a frame: whose order it belongs to, and whether it is a call for help."""

    device: Callable[[Frame], str]
    urgent: Callable[[Frame], bool]


@dataclass
class Counts:
    """What has passed since the queue was made; `dropped` was given up at a limit, `calls` of it for help."""

    heard: int = 0
    safe: int = 0
    dropped: int = 0
    calls: int = 0


class _Caller:
    """Waits for one frame."""

    def __init__(self) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def durable(self, _tokens: Sequence[int]) -> None:
        if not self.done.done():
            self.done.set_result(None)


class Queue:
    """An Intake whose frames go to the centre. Everything but the disk happens on the event loop."""

    def __init__(
        self, file: QueueFile, limits: Limits, reading: Reading, clock: Clock, believed: Believed
    ) -> None:
        self._file, self._reading, self._clock, self._believed = file, reading, clock, believed
        facts = file.facts
        self.counts = Counts(dropped=int(facts.get("dropped", "0")), calls=int(facts.get("calls", "0")))
        self.backlog = Backlog(limits, int(facts.get("next", "1")))
        entries = list(file.entries())
        self.backlog.restore(entries)
        self._place = max((one.place for one in entries), default=0)
        self._pending: list[tuple[Frame, Sender | None, int]] = []
        self._pending_bytes = 0
        self._safe: list[int] = []
        self._removed: list[int] = []
        self._again: list[Entry] = []
        self._outlet: Outlet | None = None
        self._anew = False
        self._arrived = asyncio.Event()
        self._stopping = False
        self._look_at = 0.0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="queue")
        self.failing = ""

    # --- the port ---

    def offer(self, frame: Frame, sender: Sender | None = None, token: int = 0) -> bool:
        """Queue a frame; False when too much waits for the disk and nothing was taken."""
        if self._pending_bytes >= MAX_PENDING_BYTES or self._stopping:
            return False
        self._pending.append((frame, sender, token))
        self._pending_bytes += len(frame.payload) + len(frame.channel)
        self._arrived.set()
        return True

    async def accept(self, frame: Frame) -> int:
        """Queue a frame and return once it is on disk; its place at the centre is not known yet, so 0."""
        caller = _Caller()
        if not self.offer(frame, caller):
            raise StoreUnavailableError("the edge's queue is full: try again in a moment")
        try:
            await asyncio.wait_for(caller.done, ACCEPT_WITHIN_S)
        except TimeoutError as error:
            raise StoreUnavailableError(f"not on disk within {ACCEPT_WITHIN_S:.0f} s") from error
        return 0

    # --- the connection to the centre ---

    def attach(self, outlet: Outlet) -> None:
        """Send by this connection from now on, first of all what is on its way and not known to be safe."""
        self._outlet, self._anew = outlet, True
        self._arrived.set()

    def detach(self, outlet: Outlet) -> None:
        """Send no more by this connection."""
        if self._outlet is outlet:
            self._outlet = None

    def acknowledged(self, number: int) -> None:
        """A frame is on the centre's disk."""
        self._safe.append(number)
        self._arrived.set()

    # --- the loop ---

    async def run(self) -> None:
        """Write and send until told to stop and nothing waits for the disk; never cancel it."""
        while not (self._stopping and not self._pending):
            await self._wait()
            await self._round()
        await self._round()
        self._thread.shutdown()
        self._file.close()

    def stop(self) -> None:
        """Take nothing more, write what waits, and end."""
        self._stopping = True
        self._arrived.set()

    async def prove(self) -> None:
        """Show that the disk takes a write; StoreUnavailableError when it does not."""
        work = Work(facts={"proved": self._clock.now().isoformat()})
        await asyncio.get_running_loop().run_in_executor(self._thread, self._file.commit, work)

    async def keep(self, name: str, value: str) -> None:
        """Keep a small fact beside the frames; StoreUnavailableError."""
        self._file.facts[name] = value
        work = Work(facts={name: value})
        await asyncio.get_running_loop().run_in_executor(self._thread, self._file.commit, work)

    def fact(self, name: str) -> str:
        """Return a small fact, "" when it was never kept."""
        return self._file.facts.get(name, "")

    @property
    def oldest_s(self) -> float | None:
        """Return how long the oldest frame has waited, None when none does or nobody knows."""
        oldest_us = self.backlog.oldest_us()
        return None if oldest_us is None else max(0.0, (to_us(self._clock.now()) - oldest_us) / 1e6)

    async def _wait(self) -> None:
        if self._stopping:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(FORGET_WITHIN_S if self._removed else LOOK_EVERY_S):
                await self._arrived.wait()
        self._arrived.clear()

    async def _round(self) -> None:
        """Write one group and send what may go."""
        woken = self._arrived.is_set() or bool(self._pending or self._safe)
        group = self._group()
        work = Work(added=[self._entered(frame) for frame, _, _ in group])
        for added, _ in work.added:
            self.backlog.add(added)
        self._settle()
        self._trim(work)
        outlet = self._outlet
        resend = self._resend(outlet.room()) if outlet is not None else []
        while outlet is not None and len(resend) + len(work.numbered) < outlet.room():
            taken = self.backlog.take()
            if taken is None:
                break
            work.numbered.append(taken)
        if work.numbered:
            work.facts["next"] = str(self.backlog.next_number)
        if work or not woken or self._stopping or len(self._removed) >= FORGET_AT:
            work.removed, self._removed = self._removed, []
        sends = [*resend, *work.numbered]
        bodies = await self._persistently(work, [entry.place for entry in sends])
        self._tell(group)
        if outlet is not None and outlet is self._outlet and not self._anew:
            for entry in sends:
                outlet.send(entry.number, self._envelope(entry, bodies[entry.place]))

    def _group(self) -> list[tuple[Frame, Sender | None, int]]:
        group, self._pending = self._pending[:A_GROUP], self._pending[A_GROUP:]
        self._pending_bytes -= sum(len(frame.payload) + len(frame.channel) for frame, _, _ in group)
        if self._pending:
            self._arrived.set()
        return group

    def _entered(self, frame: Frame) -> tuple[Entry, bytes]:
        """Make a frame's entry and body; its envelope gets its number and mark when it is sent."""
        synced = self._believed.synced
        self._place += 1
        self.counts.heard += 1
        body = forwarded(
            frame, frame.received_at, epoch=self._file.epoch, number=1, synced=synced, high=False
        )
        entry = Entry(
            self._place,
            self._reading.device(frame),
            self._reading.urgent(frame),
            len(body) + OVERHEAD_BYTES,
            to_us(frame.received_at) if synced else None,
        )
        return entry, body

    def _settle(self) -> None:
        """Forget what is safe at the centre."""
        safe, self._safe = self._safe, []
        gone = [entry for number in safe if (entry := self.backlog.done(number)) is not None]
        self.counts.safe += len(gone)
        self._removed += [entry.place for entry in gone]

    def _trim(self, work: Work) -> None:
        """Give up what is past the limits, and count it durably."""
        now = asyncio.get_running_loop().time()
        look = self._believed.synced and now >= self._look_at
        if look:
            self._look_at = now + LOOK_EVERY_S
        given_up = self.backlog.trim(to_us(self._clock.now()) if look else None)
        if not given_up:
            return
        self.counts.dropped += len(given_up)
        self.counts.calls += sum(entry.high for entry in given_up)
        self._removed += [entry.place for entry in given_up]
        work.facts |= {"dropped": str(self.counts.dropped), "calls": str(self.counts.calls)}
        log.error("the queue is at its limit: gave up %d frames, the oldest", len(given_up))

    def _resend(self, room: int) -> list[Entry]:
        """Return what a new connection must send again, as far as it has room."""
        if self._anew:
            self._anew, self._again = False, self.backlog.on_their_way()
        still = [entry for entry in self._again if self.backlog.sent(entry.number)]
        now, self._again = still[:room], still[room:]
        return now

    async def _persistently(self, work: Work, places: Sequence[int]) -> dict[int, bytes]:
        """Write until the disk takes it; meanwhile nobody is told that anything is safe."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                found = await loop.run_in_executor(self._thread, self._written, work, places)
            except StoreUnavailableError as error:
                if self.failing != str(error):
                    log.critical("the queue cannot be written, and holds its senders back: %s", error)
                self.failing = str(error)
                await asyncio.sleep(RETRY_S)
            else:
                self.failing = ""
                return found

    def _written(self, work: Work, places: Sequence[int]) -> dict[int, bytes]:
        if work:
            self._file.commit(work)
        return self._file.bodies(places) if places else {}

    def _tell(self, group: Sequence[tuple[Frame, Sender | None, int]]) -> None:
        tokens: dict[Sender, list[int]] = {}
        for _, sender, token in group:
            if sender is not None:
                tokens.setdefault(sender, []).append(token)
        for sender, theirs in tokens.items():
            try:
                sender.durable(theirs)
            except Exception:  # one sender's fault must not end the writing for all
                log.exception("a sender failed on hearing that %d frames are on disk", len(theirs))

    def _envelope(self, entry: Entry, body: bytes) -> bytes:
        return numbered(body, entry.number, high=entry.swift)
