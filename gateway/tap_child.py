"""Tap child: all taps of a gateway in a process beside it, which an alert never waits for.

It reads what is committed from the gateway's files, hears orders on its standard input, tells on its
standard output how the taps stand, and ends when its input does.
"""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import uvloop

from gateway.api.texts import Language, learn, texts
from gateway.contract import ConfigurationError, StoreUnavailableError, TapFault, VakaError
from gateway.fhir.subscribing import Subscription
from gateway.logs import FORMAT
from gateway.plugins import load_taps
from gateway.rule_files import joined, own_rules
from gateway.service.clock import SystemClock
from gateway.service.parts import cancel
from gateway.service.subscribing import SUBSCRIPTIONS
from gateway.service.tap_talk import (
    ASKED,
    Again,
    Answered,
    Asked,
    GiveUp,
    Order,
    Said,
    Standing,
    Start,
    Subscribe,
    TapStanding,
    Unfit,
    line_of,
    tap_of,
)
from gateway.service.tapping import TapMeans
from gateway.service.taps import Source, TapRunner, Taps
from gateway.stores.follower import Follower
from gateway.stores.lock import wait_for_turn
from gateway.stores.sessions import SqliteSessionStore
from gateway.stores.taps import FILE, SqliteCursors
from gateway.tap_settings import TapSettings
from gateway.taps.subscription import SubscriptionTap

log = logging.getLogger(__name__)

TOLD_IN: Language = "sv"
"""The language of what is written in care systems, whichever the pages are read in."""
NICENESS = 10
"""Alerts come first where the processors are few (nice(1)); a tap has the rest, which is nearly all."""
TURN = "taps.lock"
TURN_WITHIN_S = 10.0
"""So long the taps of a gateway that was killed may take to notice it."""
TELL_EVERY_S, TELL_AT_LEAST_EVERY_S = 0.5, 2.0
ENDS_WITHIN_S = 2.0
MAX_LINE_BYTES = 4 << 20


class TapChild:
    """The taps, and the orders that concern them; ConfigurationError for settings they cannot run with."""

    def __init__(self, start: Start) -> None:
        folder = Path(start.data_dir)
        learn(joined(own_rules(Path(start.rules_dir) if start.rules_dir else None, examined=True)))
        settings = TapSettings.model_validate_json(bytes(start.settings))
        reader, clock = Follower(folder / "state.db"), SystemClock()
        self._base = start.base
        self._means = TapMeans(settings, reader.registry, reader, reader, clock, texts(TOLD_IN))
        self._sent = SqliteSessionStore(folder / SUBSCRIPTIONS)
        self._source = Source(reader, SqliteCursors(folder / FILE), clock)
        begins = {section.name: 0 if section.backfill else start.begins for section in settings.all()}
        made = [TapRunner(tap, self._source, begins.get(tap.name)) for tap in load_taps(self._means)]
        told = [TapRunner(self._subscription(one), self._source) for one in start.subscriptions]
        self.taps = Taps([*made, *told], self._source)

    async def answer(self, asked: Asked) -> Answered:
        """Carry out an order; a fault is told in words."""
        try:
            refused = await self._carry_out(asked.order)
        except TimeoutError:
            return Answered(number=asked.number, fault="no answer in time")
        except VakaError as error:
            return Answered(number=asked.number, fault=str(error))
        except Exception as error:
            log.exception("an order to the taps failed")
            return Answered(number=asked.number, fault=f"failed: {type(error).__name__}")
        return Answered(number=asked.number, refused=refused)

    async def _carry_out(self, order: Order | Start) -> str:
        match order:
            case Again():
                return await self._runner(order.tap).again(order.letter)
            case GiveUp():
                await self._runner(order.tap).give_up(order.letter)
            case Subscribe():
                await self._subscribe(order.subscription)
            case Start():
                raise TapFault("started already")
            case _:
                await self.taps.drop(tap_of(order.id))
        return ""

    def _runner(self, name: str) -> TapRunner:
        found = self.taps.runners.get(name)
        if found is None:
            raise TapFault(f"there is no tap {name}")
        return found

    def _subscription(self, one: Subscription) -> SubscriptionTap:
        return SubscriptionTap(one, self._means, self._sent, self._base)

    async def _subscribe(self, one: Subscription) -> None:
        tap = self._subscription(one)
        if one.topic:
            try:
                await tap.handshake()
            except BaseException:
                await tap.close()
                raise
        runner = TapRunner(tap, self._source)
        await runner.begin()
        self.taps.add(runner)


class Talk:
    """The talk with the gateway: orders as they come, each in a task of its own, and how the taps stand."""

    def __init__(self, child: TapChild, reader: asyncio.StreamReader, to_gateway: BinaryIO) -> None:
        self._child, self._reader, self._to_gateway = child, reader, to_gateway
        self._orders: set[asyncio.Task[None]] = set()

    async def hear(self) -> None:
        """Carry out orders until the gateway is gone."""
        while line := await self._reader.readline():
            order = asyncio.create_task(self._answer(ASKED.decode(line)))
            self._orders.add(order)
            order.add_done_callback(self._orders.discard)

    async def tell(self) -> None:
        """Tell how the taps stand: soon when that has changed, else now and then."""
        loop = asyncio.get_running_loop()
        told: dict[str, TapStanding] = {}
        told_at = float("-inf")
        while True:
            found = self._child.taps.report()
            if found != told or loop.time() - told_at > TELL_AT_LEAST_EVERY_S:
                say(self._to_gateway, Standing(found))
                told, told_at = found, loop.time()
            await asyncio.sleep(TELL_EVERY_S)

    async def _answer(self, asked: Asked) -> None:
        answer = await self._child.answer(asked)
        # Whoever gave the order looks next what came of it.
        say(self._to_gateway, Standing(self._child.taps.report()))
        say(self._to_gateway, answer)


def say(told: BinaryIO, words: Said) -> None:
    """Write one line to the gateway."""
    told.write(line_of(words))
    told.flush()


async def run(told: BinaryIO) -> None:
    """Run the taps until the gateway closes the pipe."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=MAX_LINE_BYTES)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer)
    first = await reader.readline()
    if not first:
        return
    start = ASKED.decode(first).order
    if not isinstance(start, Start):
        raise TypeError("the first words are those to start with")
    logging.basicConfig(level=start.log_level, format=FORMAT)
    try:
        with wait_for_turn(Path(start.data_dir) / TURN, TURN_WITHIN_S):
            child = TapChild(start)
            await _until_one_ends(Talk(child, reader, told), child)
    except ConfigurationError as error:
        say(told, Unfit(str(error)))
    except StoreUnavailableError as error:
        log.error("the taps cannot begin: %s", error)  # noqa: TRY400 - its text says it all


async def _until_one_ends(talk: Talk, child: TapChild) -> None:
    async def part(work: Coroutine[None, None, None]) -> None:
        try:
            await work
        except BrokenPipeError:
            return  # the gateway is gone
        except Exception:
            log.exception("the process of the taps fails")

    tasks = [asyncio.create_task(part(work)) for work in (talk.hear(), talk.tell(), child.taps.run())]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    await asyncio.wait([asyncio.create_task(cancel(tasks))], timeout=ENDS_WITHIN_S)


def main() -> None:
    """Be the process."""
    told = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints is not for the gateway
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the gateway ends us, when it has ended itself
    with suppress(OSError):  # where a service may not
        os.nice(NICENESS)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(told))
        logging.shutdown()
        os._exit(0)  # what hangs in a thread does not hold us: a page that is not through comes again


if __name__ == "__main__":
    main()
