"""Tap process: the taps run beside the gateway, so that no receiver outside takes time from an alert.

It is kept alive, asked over its standard input, and heard on its standard output; what it carries it reads
from the files, as far as is committed. Its end, by a fault or a kill, delays receivers and nothing else.
"""

import asyncio
import logging
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from gateway.contract import (
    Changes,
    Clock,
    ConfigurationError,
    Cursors,
    Letter,
    Snapshot,
    TapFault,
)
from gateway.service.tap_talk import (
    SAID,
    Again,
    Answered,
    Asked,
    GiveUp,
    Order,
    Said,
    Standing,
    Start,
    TapStanding,
    line_of,
)
from gateway.service.taps import LATE_AFTER, TAKE_WITHIN_S

log = logging.getLogger(__name__)

COMMAND = (sys.executable, "-P", "-m", "gateway.tap_child")
READY_WITHIN_S = 60.0
PATIENCE_S = 30.0
"""So long an order waits for a process that is just starting."""
SILENT_S = 60.0
"""A process that says nothing for so long hangs, and is ended."""
ENDS_WITHIN_S = 5.0
AGAIN_FIRST_S, AGAIN_MAX_S = 0.5, 60.0
MAX_LINE_BYTES = 4 << 20
ENDED = "the process of the taps ended; try again"


class TapsDownError(TapFault):
    """The taps themselves do not answer now; the order may be given again."""


class TapProcess:
    """All taps of a gateway. An Observer, only to know how far they are behind.

    `start` gives the first words of each life. When no tap is expected, the first order starts the process.
    """

    def __init__(self, start: Callable[[], Start], cursors: Cursors, clock: Clock) -> None:
        self.cursors = cursors
        self._start, self._clock = start, clock
        self._taps: dict[str, TapStanding] = {}
        self.begins = self._cursor = 0
        self._wanted, self._ready = asyncio.Event(), asyncio.Event()
        self._unfit, self._ran = "", False
        self._process: Process | None = None
        self._fault, self._since = "", clock.now()
        self._waiting: dict[int, asyncio.Future[Answered]] = {}
        self._numbers = 0

    @property
    def names(self) -> Sequence[str]:
        """The taps, those of subscriptions among them."""
        return list(self._taps)

    @property
    def pid(self) -> int | None:
        """The process's id while it lives."""
        return self._process.pid if self._process is not None else None

    def expect(self, name: str) -> None:
        """Have the process started with the gateway, for a tap that is known by its name; blocking."""
        self._wanted.set()
        self._taps[name] = TapStanding(cursor=self.cursors.cursor(name) or 0)

    def load(self, snapshot: Snapshot) -> None:
        """Note how long the log is when the gateway starts."""
        self.begins = self._cursor = snapshot.cursor

    def publish(self, _changes: Changes, cursor: int) -> None:
        """Note how long the log is."""
        self._cursor = cursor

    def report(self) -> dict[str, dict[str, Any]]:
        """Return how each tap stands, by the last that was heard of it."""
        return {name: self._told(standing) for name, standing in self._taps.items()}

    def fault_of(self, name: str) -> tuple[str, int]:
        """Return why a tap waits ("" while it works), and how many it told."""
        found = self._taps.get(name)
        return (self._fault or found.fault, found.told) if found else (self._fault, 0)

    def letters(self, name: str, limit: int) -> Sequence[Letter]:
        """Return the oldest dead letters of a tap; blocking."""
        return self.cursors.letters(name, limit)

    def letter(self, name: str, number: int) -> Letter | None:
        """Return one dead letter of a tap; blocking."""
        return self.cursors.letter(name, number)

    async def again(self, letter: Letter) -> str:
        """Send a dead letter once more; returns "" or why it is refused. TapFault: it stays as it was."""
        return (await self.ask(Again(letter.tap, letter.id))).refused

    async def give_up(self, letter: Letter) -> None:
        """Remove a dead letter that nobody will send again; TapFault."""
        await self.ask(GiveUp(letter.tap, letter.id))

    async def ask(self, order: Order) -> Answered:
        """Give an order and wait until it is carried out; TapFault says why it was not.

        TapsDownError when the taps do not run, which is nobody else's fault.
        """
        self._wanted.set()
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._ready.wait()
            async with asyncio.timeout(TAKE_WITHIN_S + PATIENCE_S):
                answer = await self._ordered(order)
        except TimeoutError as error:
            raise TapsDownError(self._fault or "the taps did not answer") from error
        if answer.fault:
            raise TapFault(answer.fault)
        return answer

    async def started(self) -> None:
        """Wait until the configured taps run; ConfigurationError when they cannot run so.

        A process that will not start for another reason is tried again, and no alert waits for it.
        """
        if not self._wanted.is_set():
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(READY_WITHIN_S):
                await self._ready.wait()
        if self._unfit and not self._ran:
            raise ConfigurationError(self._unfit)

    async def run(self) -> None:
        """Keep the process alive until cancelled; whatever it does or says, the gateway goes on."""
        await self._wanted.wait()
        loop, again_s = asyncio.get_running_loop(), AGAIN_FIRST_S
        while True:
            began = loop.time()
            reason = await self._life()
            self._fell(reason)
            again_s = AGAIN_FIRST_S if loop.time() - began > AGAIN_MAX_S else again_s
            await asyncio.sleep(again_s)
            again_s = min(again_s * 2, AGAIN_MAX_S)

    async def _life(self) -> str:
        """Start the process and listen to it; returns why it is no more."""
        try:
            process = await asyncio.create_subprocess_exec(
                *COMMAND, stdin=PIPE, stdout=PIPE, limit=MAX_LINE_BYTES
            )
        except OSError as error:
            return f"cannot be started: {error.strerror}"
        self._process = process
        try:
            await self._say(Asked(0, self._start()))
            return await self._listen(process)
        except Exception as error:
            log.exception("the talk with the process of the taps failed")
            return f"cannot be talked with ({type(error).__name__})"
        finally:
            self._process = None
            await _end(process)

    async def _listen(self, process: Process) -> str:
        stream = process.stdout
        while stream is not None:
            try:
                async with asyncio.timeout(SILENT_S):
                    line = await stream.readline()
            except TimeoutError:
                process.kill()
                return f"said nothing for {SILENT_S:.0f} s"
            if not line:
                break
            self._hear(SAID.decode(line))
        return f"cannot run: {self._unfit}" if self._unfit else "ended"

    def _hear(self, said: Said) -> None:
        match said:
            case Answered():
                waits = self._waiting.get(said.number)
                if waits is not None and not waits.done():
                    waits.set_result(said)
            case Standing():
                if self._fault:
                    log.warning("the process of the taps works again")
                self._taps, self._fault, self._unfit = said.taps, "", ""
                self._ran = True
                self._ready.set()
            case _:
                self._unfit = said.reason
                self._ready.set()

    async def _ordered(self, order: Order) -> Answered:
        self._numbers += 1
        number = self._numbers
        waits: asyncio.Future[Answered] = asyncio.get_running_loop().create_future()
        self._waiting[number] = waits
        try:
            await self._say(Asked(number, order))
            return await waits
        except OSError as error:
            raise TapsDownError(ENDED) from error
        finally:
            del self._waiting[number]

    async def _say(self, words: Asked) -> None:
        pipe = self._process.stdin if self._process is not None else None
        if pipe is None:
            raise BrokenPipeError
        pipe.write(line_of(words))
        await pipe.drain()

    def _fell(self, reason: str) -> None:
        log.error("the process of the taps %s; it is started again", reason)
        self._ready.clear()
        if not self._fault:
            self._since = self._clock.now()
        self._fault = f"the process of the taps {reason}"
        for waits in self._waiting.values():
            if not waits.done():
                waits.set_exception(TapsDownError(ENDED))

    def _told(self, standing: TapStanding) -> dict[str, Any]:
        if self._fault:
            since = standing.disturbed_since or self._since
            standing = replace(standing, fault=self._fault, disturbed_since=since, late=self._late(since))
        told: dict[str, Any] = msgspec.to_builtins(standing)
        return told | {"behind_frames": max(0, self._cursor - standing.cursor)}

    def _late(self, since: datetime) -> bool:
        return self._clock.now() - since > LATE_AFTER


async def _end(process: Process) -> None:
    """Let the process end by closing its input; one that does not is killed."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        async with asyncio.timeout(ENDS_WITHIN_S):
            await process.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
