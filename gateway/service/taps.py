"""Taps: carry the committed log to receivers outside, each behind its own durable cursor.

A tap comes after the commit and never on the way of an alert: it reads what is on disk, in a process
beside the gateway's, and an outage of its receiver only makes its cursor wait.
"""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import SystemRandom

from msgspec.structs import replace

from gateway.contract import (
    Clock,
    Cursors,
    Handed,
    Letter,
    Log,
    Page,
    StoreUnavailableError,
    Tap,
    TapFault,
)
from gateway.model.synthetic import BUTTON, SYNTHETIC
from gateway.service.parts import cancel
from gateway.service.tap_talk import TapStanding

log = logging.getLogger(__name__)

PAGE_FRAMES = 1000
"""Frames of one page: so much is sent again at most after a kill."""
LOOK_EVERY_S = 0.5
"""So often the log is looked at for news, so that not each event is a page of its own."""
QUIET_FRAMES = 50_000
"""A cursor on disk may lag so far where nothing was to be carried out."""
TAKE_WITHIN_S = 60.0
"""A receiver that has not taken a page by then is disturbed."""
AGAIN_FIRST_S, AGAIN_MAX_S = 0.5, 60.0
LATE_AFTER = timedelta(minutes=5)
"""A tap that is disturbed for longer is told of on the health page."""
MAX_REASON = 200
FRAME = "frame/"
"""A dead letter so named is a whole frame that the tap itself failed on: the log has what it tells."""
CHANCE = SystemRandom()


@dataclass(frozen=True)
class Source:
    """What a tap is fed from: the log, its place in it, the clock."""

    log: Log
    cursors: Cursors
    clock: Clock


class TapRunner:
    """One tap at work. One that never was begins after the frame `begins`, or now."""

    def __init__(self, tap: Tap, source: Source, begins: int | None = None) -> None:
        self.tap = tap
        self._log, self._cursors, self._clock = source.log, source.cursors, source.clock
        found = self._cursors.cursor(tap.name)
        begins = self._log.cursor() if begins is None else begins
        self.cursor = found if found is not None else begins
        self._kept = self.cursor if found is not None else -1
        self._frames = PAGE_FRAMES
        self._taking = asyncio.Lock()
        self.news = asyncio.Event()
        self.fault = ""
        self.disturbed_since: datetime | None = None
        self.events = self.entries = 0
        self.letters = self._cursors.waiting(tap.name)

    async def begin(self) -> None:
        """Write down where the tap begins, or one that begins now would begin later after a kill."""
        if self._kept < 0:
            await self._keep(self.cursor, ())

    async def run(self) -> None:
        """Carry out page after page until cancelled."""
        again_s = AGAIN_FIRST_S
        try:
            while True:
                try:
                    page = await self._next()
                    await self._carried(page)
                except Exception as error:  # noqa: BLE001 - one tap's trouble is none of the others'
                    self._disturbed(self._reason(error))
                    await asyncio.sleep(again_s * CHANCE.uniform(0.75, 1.25))
                    again_s = min(again_s * 2, AGAIN_MAX_S)
                else:
                    again_s = AGAIN_FIRST_S
        finally:
            with suppress(Exception):  # what cannot be closed is closed by the end of the process
                await self.tap.close()

    async def again(self, number: int) -> str:
        """Send a dead letter once more; returns "" or why it is still refused.

        TapFault when there is none of that number; that, TimeoutError or StoreUnavailableError: it stays.
        """
        letter = await self._letter(number)
        handed = await asyncio.wait_for(self._once_more(letter), TAKE_WITHIN_S)
        refused = next((one.refused for one in handed if one.refused), "")
        if not refused:
            await self._settle(letter, handed)
        return refused

    async def give_up(self, number: int) -> None:
        """Remove a dead letter that nobody will send again; TapFault when there is none of that number."""
        await self._settle(await self._letter(number), ())

    def report(self) -> TapStanding:
        """Return how the tap stands, for people and metrics."""
        since = self.disturbed_since
        return TapStanding(
            cursor=self.cursor,
            events=self.events,
            entries=self.entries,
            dead_letters=self.letters,
            fault=self.fault,
            disturbed_since=since,
            late=since is not None and self._clock.now() - since > LATE_AFTER,
            told=getattr(self.tap, "number", 0),
        )

    async def _next(self) -> Page:
        """Wait until there is something to carry out, and return it."""
        await self.begin()
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

    async def _carried(self, page: Page) -> None:
        try:
            async with self._taking, asyncio.timeout(TAKE_WITHIN_S):
                handed = await self.tap.take(page)
        except TimeoutError:
            self._frames = max(1, self._frames // 2)  # a receiver so slow takes a smaller page in time
            raise
        except TapFault:
            raise
        except Exception as error:
            log.exception("tap %s failed on frames %d to %d", self.tap.name, page.after + 1, page.upto)
            if self._frames > 1:  # look for the one frame that it fails on, so that no other waits for it
                self._frames = max(1, self._frames // 10)
                return
            reason = f"the tap failed on this frame: {type(error).__name__}: {error}"[:MAX_REASON]
            handed = [Handed(item=f"{FRAME}{page.upto}", refused=reason)]
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

    async def _letter(self, number: int) -> Letter:
        letter = await asyncio.to_thread(self._cursors.letter, self.tap.name, number)
        if letter is None:
            raise TapFault(f"there is no dead letter {number}")
        return letter

    async def _once_more(self, letter: Letter) -> Sequence[Handed]:
        """Send the bytes that were refused, or of a frame that the tap failed on what the log has of it."""
        if not letter.item.startswith(FRAME):
            return [await self.tap.again(letter.item, letter.body)]
        frame = int(letter.item.removeprefix(FRAME))
        page = ours(await asyncio.to_thread(self._log.page, frame - 1, 1))
        async with self._taking:
            return await self.tap.take(page) or [Handed(item=letter.item, proof="taken")]

    async def _settle(self, letter: Letter, handed: Sequence[Handed]) -> None:
        """Remove a letter, with the proofs of what was sent for it; nothing was where it is given up."""
        for one in handed or (None,):
            await asyncio.to_thread(self._cursors.settle, letter, one, self._now_us())
        self.letters = await asyncio.to_thread(self._cursors.waiting, self.tap.name)

    @staticmethod
    def _reason(error: Exception) -> str:
        if isinstance(error, TimeoutError):
            return f"no answer within {TAKE_WITHIN_S:.0f} s"
        if isinstance(error, TapFault | StoreUnavailableError):
            return str(error)
        log.error("a tap failed", exc_info=error)
        return f"failed: {type(error).__name__}: {error}"

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
    """All taps of a gateway, woken when the log has grown."""

    def __init__(self, runners: Sequence[TapRunner], source: Source) -> None:
        self.runners = {runner.tap.name: runner for runner in runners}
        self.source = source
        self._group: asyncio.TaskGroup | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}

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
            await self._watch()

    def report(self) -> dict[str, TapStanding]:
        """Return how each tap stands."""
        return {name: runner.report() for name, runner in self.runners.items()}

    async def _watch(self) -> None:
        """Wake the taps when something was committed."""
        seen = -1
        while True:
            with suppress(StoreUnavailableError):  # each tap finds that out itself, and says so
                cursor = await asyncio.to_thread(self.source.log.cursor)
                if cursor != seen:
                    seen = cursor
                    for runner in self.runners.values():
                        runner.news.set()
            await asyncio.sleep(LOOK_EVERY_S)


def ours(page: Page) -> Page:
    """Leave out the synthetic alarm, which is about nobody."""
    strange = {name for name, alert in page.alerts.items() if alert.tenant == SYNTHETIC}
    return replace(
        page,
        events=[(place, event) for place, event in page.events if event.device != BUTTON],
        entries=[entry for entry in page.entries if entry.alert not in strange],
        alerts={name: alert for name, alert in page.alerts.items() if name not in strange},
    )
