"""How a command runs: until it is done or told to stop, and a line at a time."""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import TypeVar

import typer

T = TypeVar("T")


def until_stopped(work: Callable[[asyncio.Event], Awaitable[T]]) -> T:
    """Run until it is done, or until SIGINT or SIGTERM asks it to stop."""

    async def run() -> T:
        stop = asyncio.Event()
        for name in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(name, stop.set)
        return await work(stop)

    return asyncio.run(run())


def say(line: str) -> None:
    """Print a line at once, also into a pipe."""
    typer.echo(line)
    sys.stdout.flush()
