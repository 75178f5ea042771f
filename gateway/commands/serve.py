"""`vaka serve`: run the gateway until it is told to stop."""

import asyncio
import ctypes
import gc
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress

import uvloop

from gateway.config import Settings
from gateway.contract import Clock
from gateway.wiring import Gateway

SWITCH_S = 0.0002
"""How long a thread with a committed batch waits for the event loop to let it on (default 5 ms)."""


def serve(
    settings: Settings, clock: Clock | None = None, ready: Callable[[Gateway], Awaitable[None]] | None = None
) -> None:
    """Run a gateway; SIGINT and SIGTERM end it cleanly, with everything accepted written and walked."""
    sys.setswitchinterval(SWITCH_S)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings, clock, ready))


def give_back() -> None:
    """Give the memory back that only the start needed, where the C library can (glibc)."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


async def _serve(
    settings: Settings, clock: Clock | None, ready: Callable[[Gateway], Awaitable[None]] | None
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    gateway = Gateway(settings, clock)

    async def say() -> None:
        gc.collect()
        give_back()
        gc.freeze()  # what the start made stays: walking through it again and again cost 0.1 s at a time
        if ready is not None:
            await ready(gateway)

    await gateway.run(stop, say)
