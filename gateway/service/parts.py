"""Parts: the tasks that a running program is made of, cancelled in time and named when one fails."""

import asyncio
import logging
from collections.abc import Collection
from typing import Any, NoReturn

from gateway.contract import VakaError

log = logging.getLogger(__name__)

CANCEL_WITHIN_S = 5.0


class PartFailedError(VakaError):
    """A part of the gateway ended by itself, so the gateway has stopped."""


async def cancel(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Cancel tasks and wait for their end, but not for ever."""
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=CANCEL_WITHIN_S)


def end_if_cancelled() -> None:
    """End a loop that was cancelled while a library kept the cancellation for itself.

    asyncio.wait_for does so before Python 3.12, when what it waits for comes at the same moment.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def fail(part: asyncio.Task[None]) -> NoReturn:
    """Raise for a part that ended by itself; the traceback goes to the log."""
    error = None if part.cancelled() else part.exception()
    if isinstance(error, VakaError):
        raise PartFailedError(f"{part.get_name()}: {error}") from error
    if error is not None:
        log.critical("%s failed", part.get_name(), exc_info=error)
    what = f"failed with {type(error).__name__}: {error}" if error else "ended by itself"
    raise PartFailedError(f"{part.get_name()}: {what}; the gateway has stopped")
