"""One direction of a link: packets arrive in order, or are sent again until the link is given up."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol

from bumble import hci
from bumble.controller import Controller

from simulators.radio.conditions import Conditions

Call = Callable[[Controller], None]


class Air(Protocol):
    """What a direction needs of the medium."""

    conditions: Conditions

    def reaches(self, a: hci.Address, b: hci.Address) -> bool:
        """Whether they are in range of each other."""
        ...

    def loses(self) -> bool:
        """Throw the dice for one packet on the air."""
        ...

    def delay_s(self) -> float:
        """Return how long the next packet takes."""
        ...

    def find_le_controller(self, address: hci.Address) -> Controller | None:
        """Return whose address that is."""
        ...

    def drop(self, ends: tuple[hci.Address, hci.Address]) -> None:
        """End a link as a lost one."""
        ...


class Direction:
    """A queue with at most one packet on the air, as the link layer has it; nothing overtakes.

    Packets without delay and loss go through the loop's own queue, so that a quick radio costs nothing.
    """

    def __init__(self, air: Air, source: hci.Address, target: hci.Address) -> None:
        self._air = air
        self._ends = (source, target)
        self._queue: deque[Call] = deque()
        self._timer: asyncio.Handle | None = None
        self._stopped = False

    def send(self, give: Call) -> None:
        """Hand over one packet."""
        self._queue.append(give)
        self.go_on()

    def stop(self) -> None:
        """The link is gone, and all that waited with it."""
        self._stopped = True
        self._queue.clear()
        if self._timer is not None:
            self._timer.cancel()

    def go_on(self) -> None:
        """Put the next packet on the air, if there is one and the other end is in range."""
        if self._timer is not None or not self._queue or not self._air.reaches(*self._ends):
            return
        delay_s = self._air.delay_s()
        limit_s = self._air.conditions.supervision_timeout_s
        again_s = 0.0
        while again_s < limit_s and self._air.loses():
            again_s += self._air.conditions.connection_interval_s
        loop = asyncio.get_running_loop()
        if again_s >= limit_s:
            self._timer = loop.call_later(limit_s, self._air.drop, self._ends)
        elif delay_s + again_s:
            self._timer = loop.call_later(delay_s + again_s, self._arrive)
        else:
            self._timer = loop.call_soon(self._arrive)

    def _arrive(self) -> None:
        self._timer = None
        if self._stopped or not self._air.reaches(*self._ends):
            return
        receiver = self._air.find_le_controller(self._ends[1])
        give = self._queue.popleft()
        if receiver is not None:
            give(receiver)
        self.go_on()
