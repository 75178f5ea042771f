"""Threads of the facade alone: in the loop's own those who tell people of alerts look up whom to reach."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from gateway.api.fhir.errors import ThrottledError

Found = TypeVar("Found")

SEARCHES = 2
"""Searches that read at once; they share one connection to the disk."""
WAITING = 32
"""Searches that run or wait; one more is refused."""
AGAIN_S = 5


class Threads:
    """A few threads for searches, and as many as exports are written at once."""

    def __init__(self, exports: int) -> None:
        self._searching = ThreadPoolExecutor(SEARCHES, thread_name_prefix="fhir search")
        self._exporting = ThreadPoolExecutor(exports, thread_name_prefix="fhir export")
        self._asked = 0

    async def search(self, work: Callable[[], Found]) -> Found:
        """Carry out a search; ThrottledError when so many wait already."""
        if self._asked >= WAITING:
            raise ThrottledError(f"{WAITING} searches wait already", AGAIN_S)
        self._asked += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._searching, work)
        finally:
            self._asked -= 1

    async def export(self, work: Callable[[], None]) -> None:
        """Write an export, when a thread is free."""
        await asyncio.get_running_loop().run_in_executor(self._exporting, work)

    async def close(self) -> None:
        """Wait for the threads to end."""
        for pool in (self._searching, self._exporting):
            await asyncio.to_thread(pool.shutdown)
