"""Taps: carry the committed log to receivers outside, each behind its own durable cursor.

A tap comes after the commit and never on the way of an alert: it reads what is on disk, in a task of its
own, and an outage of its receiver only makes its cursor wait.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import SystemRandom
from typing import Any

from msgspec.structs import replace

from gateway.contract import (
    Changes,
    Clock,
    Cursors,
    Handed,
    Letter,
    Log,
    Page,
    Snapshot,
    StoreUnavailableError,
    Tap,
    TapFault,
)
from gateway.model.synthetic import BUTTON, SYNTHETIC
from gateway.service.parts import cancel

log = logging.getLogger(__name__)

PAGE_FRAMES = 1000
"""Frames of one page: so much is sent again at most after a kill."""
LINGER_S = 0.5
"""So long a tap lets news gather, so that it does not write to the disk for each event of its own."""
QUIET_FRAMES = 50_000
"""A cursor on disk may lag so far where nothing was to be carried out."""
TAKE_WITHIN_S = 60.0
"""A receiver that has not taken a page by then is disturbed."""
AGAIN_FIRST_S, AGAIN_MAX_S = 0.5, 60.0
LATE_AFTER = timedelta(minutes=5)
"""A tap that is disturbed for longer is told of on the health page."""
MAX_REASON = 200
CHANCE = SystemRandom()


@dataclass(frozen=True)
class Source:
    """What a tap is fed from: the log, its place in it, the clock."""

    log: Log
    cursors: Cursors
    clock: Clock


class TapRunner:
    """One tap at work. `backfill` tells where one begins that never was: at the first frame, or now."""

    def __init__(self, tap: Tap, source: Source, *, backfill: bool = False) -> None:
        self.tap = tap
        self._log, self._cursors, self._clock = source.log, source.cursors, source.clock
        found = self._cursors.cursor(tap.name)
        self.cursor = found if found is not None else 0 if backfill else self._log.cursor()
        self._kept = self.cursor if found is not None else -1
        self._frames = PAGE_FRAMES
        self.news = asyncio.Event()
        self.fault = ""
        self.disturbed_since: datetime | None = None
        self.events = self.entries = 0
        self.letters = self._cursors.waiting(tap.name)

    async def run(self) -> None:
        """Carry out page after page until cancelled."""
        again_s = AGAIN_FIRST_S
        try:
            while True:
                try:
                    page = await self._next()
                    await self._carried(page)
                except (TapFault, StoreUnavailableError, TimeoutError) as error:
                    self._disturbed(str(error) or f"no answer within {TAKE_WITHIN_S:.0f} s")
                    await asyncio.sleep(again_s * CHANCE.uniform(0.75, 1.25))
                    again_s = min(again_s * 2, AGAIN_MAX_S)
                else:
                    again_s = AGAIN_FIRST_S
        finally:
            await self.tap.close()

    def refused(self, limit: int) -> Sequence[Letter]:
        """Return the oldest dead letters; blocking."""
        return self._cursors.letters(self.tap.name, limit)

    def letter(self, number: int) -> Letter | None:
        """Return one dead letter; blocking."""
        return self._cursors.letter(self.tap.name, number)

    async def again(self, letter: Letter) -> str:
        """Send a dead letter once more; returns "" or why it is still refused.

        TapFault, TimeoutError or StoreUnavailableError: it stays as it was.
        """
        handed = await asyncio.wait_for(self.tap.again(letter.item, letter.body), TAKE_WITHIN_S)
        if not handed.refused:
            await self._settle(letter, handed)
        return handed.refused

    async def give_up(self, letter: Letter) -> None:
        """Remove a dead letter that nobody will send again."""
        await self._settle(letter, None)

    def report(self) -> dict[str, Any]:
        """Return how the tap stands, for people and metrics."""
        since = self.disturbed_since
        return {
            "cursor": self.cursor,
            "events": self.events,
            "entries": self.entries,
            "dead_letters": self.letters,
            "fault": self.fault,
            "disturbed_since": since.isoformat() if since else None,
            "late": since is not None and self._clock.now() - since > LATE_AFTER,
        }

    async def _next(self) -> Page:
        """Wait until there is something to carry out, and return it."""
        if self._kept < 0:  # or one that begins now would begin later after a kill
            await self._keep(self.cursor, ())
        while True:
            self.news.clear()
            page = await asyncio.to_thread(self._log.page, self.cursor, self._frames)
            page = ours(page)
            if not page.empty:
                return page
            if page.upto - self._kept > QUIET_FRAMES:
                await self._keep(page.upto, ())
            if page.upto > self.cursor:
                self.cursor = page.upto
                continue
            self._well()
            await self.news.wait()
            await asyncio.sleep(LINGER_S)

    async def _carried(self, page: Page) -> None:
        try:
            async with asyncio.timeout(TAKE_WITHIN_S):
                handed = await self.tap.take(page)
        except (TapFault, TimeoutError):
            raise
        except Exception as error:
            log.exception("tap %s failed on frames %d to %d", self.tap.name, page.after + 1, page.upto)
            if self._frames > 1:  # look for the one frame that it fails on, so that no other waits for it
                self._frames = max(1, self._frames // 10)
                return
            reason = f"the tap failed on this frame: {type(error).__name__}: {error}"[:MAX_REASON]
            handed = [Handed(item=f"frame/{page.upto}", refused=reason)]
        await self._keep(page.upto, handed)
        self._frames = min(PAGE_FRAMES, self._frames * 2)
        self.cursor = page.upto
        self.events += len(page.events)
        self.entries += len(page.entries)
        self._well()

    async def _keep(self, upto: int, handed: Sequence[Handed]) -> None:
        await asyncio.to_thread(self._cursors.commit, self.tap.name, upto, handed, self._now_us())
        self._kept = upto
        if any(one.refused for one in handed):
            self.letters = await asyncio.to_thread(self._cursors.waiting, self.tap.name)

    async def _settle(self, letter: Letter, handed: Handed | None) -> None:
        await asyncio.to_thread(self._cursors.settle, letter, handed, self._now_us())
        self.letters = await asyncio.to_thread(self._cursors.waiting, self.tap.name)

    def _disturbed(self, reason: str) -> None:
        if not self.fault:
            log.warning("tap %s waits: %s", self.tap.name, reason)
            self.disturbed_since = self._clock.now()
        self.fault = reason[:MAX_REASON]

    def _well(self) -> None:
        if self.fault:
            log.warning("tap %s works again", self.tap.name)
        self.fault, self.disturbed_since = "", None

    def _now_us(self) -> int:
        return round(self._clock.now().timestamp() * 1e6)


class Taps:
    """All taps of a gateway; an Observer that wakes them at each commit."""

    def __init__(self, runners: Sequence[TapRunner], source: Source) -> None:
        self.runners = {runner.tap.name: runner for runner in runners}
        self.source = source
        self._cursor = 0
        self._group: asyncio.TaskGroup | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def load(self, snapshot: Snapshot) -> None:
        """Note how long the log is."""
        self._cursor = snapshot.cursor

    def publish(self, _changes: Changes, cursor: int) -> None:
        """Wake the taps."""
        self._cursor = cursor
        for runner in self.runners.values():
            runner.news.set()

    def add(self, runner: TapRunner) -> None:
        """Take one more tap, which runs as long as the others do."""
        name = runner.tap.name
        self.runners[name] = runner
        if self._group is not None:
            self._tasks[name] = self._group.create_task(runner.run(), name=f"tap {name}")

    async def drop(self, name: str) -> None:
        """End a tap."""
        self.runners.pop(name, None)
        task = self._tasks.pop(name, None)
        if task is not None:
            await cancel([task])

    async def run(self) -> None:
        """Run all taps until cancelled."""
        async with asyncio.TaskGroup() as self._group:
            for runner in list(self.runners.values()):
                self.add(runner)
            await asyncio.Event().wait()

    def report(self) -> dict[str, dict[str, Any]]:
        """Return how each tap stands."""
        return {
            name: runner.report() | {"behind_frames": max(0, self._cursor - runner.cursor)}
            for name, runner in self.runners.items()
        }


def ours(page: Page) -> Page:
    """Leave out the synthetic alarm, which is about nobody."""
    strange = {name for name, alert in page.alerts.items() if alert.tenant == SYNTHETIC}
    return replace(
        page,
        events=[(place, event) for place, event in page.events if event.device != BUTTON],
        entries=[entry for entry in page.entries if entry.alert not in strange],
        alerts={name: alert for name, alert in page.alerts.items() if name not in strange},
    )
