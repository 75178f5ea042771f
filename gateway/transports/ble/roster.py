"""Roster: who may have one of the adapter's few connections, and who must lend theirs."""

import asyncio
from collections.abc import Callable, Iterable, Mapping

from gateway.ble_settings import BleSettings
from gateway.transports.ble.attendant import Attendant

LOOK_EVERY_S = 1.0
PATIENCE = 4
"""A device that is never done must give its link up after so many turns, when others wait."""


class Roster:
    """Gives links in the order in which devices last had one; after its turn one lends it to who waits."""

    def __init__(
        self, attendants: Mapping[str, Attendant], settings: BleSettings, changed: Callable[[], None]
    ) -> None:
        self._attendants = attendants
        self._settings = settings
        self._changed = changed
        self._held: dict[str, asyncio.Task[None]] = {}
        self._news = asyncio.Event()

    def wake(self) -> None:
        """Something is new: a device was heard, a link has ended."""
        self._news.set()

    async def run(self) -> None:
        """Give and take links until cancelled; then say goodbye to all."""
        try:
            while True:
                self._news.clear()
                self._look()
                try:
                    async with asyncio.timeout(LOOK_EVERY_S):
                        await self._news.wait()
                except TimeoutError:
                    continue
        finally:
            tasks = list(self._held.values())
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks)

    def _look(self) -> None:
        for address in [address for address, task in self._held.items() if task.done()]:
            del self._held[address]
        waiting = sorted(
            (one for one in self._attendants.values() if one.wants and one.address not in self._held),
            key=lambda one: one.since_s,
        )
        free = self._settings.connection_slots - len(self._held)
        for attendant in waiting[: max(0, free)]:
            task = asyncio.create_task(attendant.attend(), name=f"ble {attendant.address}")
            task.add_done_callback(lambda _: self.wake())
            self._held[attendant.address] = task
        self._take_back(len(waiting) - free)
        self._changed()

    def _take_back(self, short: int) -> None:
        """Ask as many links back as are wanted, those first that are held for longest."""
        if short <= 0:
            return
        for attendant in sorted(self._lendable(), key=lambda one: one.since_s)[:short]:
            attendant.lend()

    def _lendable(self) -> Iterable[Attendant]:
        now_s, turn_s = asyncio.get_running_loop().time(), self._settings.turn_s
        for address in self._held:
            attendant = self._attendants[address]
            held_s = now_s - attendant.since_s
            done = attendant.idle and held_s >= turn_s
            if not attendant.profile.stays and (done or held_s >= PATIENCE * turn_s):
                yield attendant
