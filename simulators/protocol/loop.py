"""Virtual time for asyncio: a loop that jumps to the next thing to do, and a clock that reads it."""

import asyncio
import selectors
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from datetime import datetime, timedelta
from heapq import heappop
from math import inf
from typing import Any, TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class VirtualLoop(asyncio.SelectorEventLoop):
    """Never waits: when nothing is ready, its time jumps to the next timer.

    What would run in a thread runs at once, so that every run has the same order. No real socket can be
    used on it.
    """

    def __init__(self) -> None:
        self._now_s = 0.0
        self._limit_s = inf
        super().__init__(_Jump(self))

    def time(self) -> float:
        """Return the virtual seconds since the loop was made."""
        return self._now_s

    def run_to(self, moment_s: float) -> None:
        """Do everything up to that virtual second, and stand there; an earlier one changes nothing."""
        self._limit_s = max(moment_s, self._now_s)
        try:
            self.run_forever()
        finally:
            self._limit_s = inf

    def next_s(self) -> float | None:
        """Return when the next timer fires, None when there is none."""
        timers: list[asyncio.TimerHandle] = self._scheduled  # type: ignore[attr-defined]  # asyncio's own heap
        while timers and timers[0].cancelled():  # as the loop itself does in its next turn
            self._timer_cancelled_count -= 1  # type: ignore[attr-defined]  # counts what the heap still holds
            heappop(timers)._scheduled = False  # type: ignore[attr-defined]  # noqa: SLF001 - the same
        return timers[0].when() if timers else None

    def jump(self, wait_s: float | None) -> None:
        """Let the time pass that the loop would wait; stop where `run_to` ends."""
        ahead_s = inf if wait_s is None else self._now_s + wait_s
        if ahead_s > self._limit_s or ahead_s == inf:
            self._now_s = self._now_s if self._limit_s == inf else self._limit_s
            self.stop()
        else:
            self._now_s = ahead_s

    def run_in_executor(
        self, _executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """Do it now."""
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - handed to whoever awaits it
            future.set_exception(error)
        return future


class _Jump(selectors.BaseSelector):
    """A selector over nothing: waiting is a jump."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self._keys: dict[int, selectors.SelectorKey] = {}

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        number = fileobj if isinstance(fileobj, int) else fileobj.fileno()
        key = self._keys[number] = selectors.SelectorKey(fileobj, number, events, data)
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys.pop(fileobj if isinstance(fileobj, int) else fileobj.fileno())

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout > 0:
            self._loop.jump(timeout)
        return []

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._keys


class VirtualClock:
    """The port for time, over a virtual loop: it stood at `start` when the loop was made."""

    def __init__(self, loop: VirtualLoop, start: datetime) -> None:
        self._loop = loop
        self.start = start

    def now(self) -> datetime:
        """Return the virtual moment, UTC, to the microsecond."""
        return self.start + timedelta(microseconds=round(self._loop.time() * 1e6))

    def wait_s(self, until: datetime) -> float:
        """Return the virtual seconds until that moment, 0 if it is past."""
        return max(0.0, (until - self.now()).total_seconds())

    def at_s(self, moment: datetime) -> float:
        """Return the loop's second of a moment."""
        return (moment - self.start).total_seconds()
