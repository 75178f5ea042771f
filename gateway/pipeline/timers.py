"""Timers: the promises to look again, by what they are for and by when they are due."""

from collections.abc import Callable, Iterator
from datetime import datetime
from heapq import heapify, heappop, heappush
from typing import Any

from msgspec.structs import force_setattr

from gateway.model.status import Timer

LEFT_OVER = 1024
"""So many entries of timers that were moved or disarmed may wait in the queue, whatever it holds."""
REMEMBERED = 8192
"""Moments and words that are remembered, so that the timers of one planned time share them."""


class Timers:
    """All that are armed, each under its key; a timer put under a key moves the one there.

    A large municipality has some hundred thousand of them, so nothing is held twice: one table for each
    owner and name, which has the timers by subject (an object that others hold too), and a queue of the
    timers themselves.
    """

    def __init__(self) -> None:
        self._rows: dict[str, dict[str, Timer]] = {}
        self._queue: list[Timer] = []
        self._known: dict[Any, Any] = {}
        self._armed = 0

    def __iter__(self) -> Iterator[Timer]:
        for row in self._rows.values():
            yield from row.values()

    def get(self, key: str) -> Timer | None:
        """Return the timer of that key."""
        name, subject = _split(key)
        return self._rows.get(name, _NONE).get(subject)

    def put(self, timer: Timer) -> None:
        """Keep a timer in place of the one with the same key."""
        self._thin(timer)
        name, subject = _place(timer)
        row = self._rows.get(name)
        if row is None:
            row = self._rows[name] = {}
        before = len(row)
        row[subject] = timer
        self._armed += len(row) - before
        heappush(self._queue, timer)
        if len(self._queue) > 2 * self._armed + LEFT_OVER:
            self._queue = list(self)
            heapify(self._queue)

    def drop(self, key: str) -> Timer | None:
        """Forget a timer, and return it if it was armed."""
        name, subject = _split(key)
        row = self._rows.get(name, _NONE)
        timer = row.pop(subject, None)
        if timer is not None:
            self._armed -= 1
            if not row:
                del self._rows[name]
        return timer

    def next(self) -> Timer | None:
        """Return the timer that is due next: of several at one moment, the first by its key."""
        while self._queue:
            first = self._queue[0]
            timer = self.get(first.key)
            if timer is not None and timer.due_at == first.due_at:
                return timer
            heappop(self._queue)  # moved or disarmed since it was queued
        return None

    def _thin(self, timer: Timer) -> None:
        """Let its words and moments be objects that other timers have as well."""
        known = self._known
        if len(known) > REMEMBERED:
            known.clear()
        due_at = known.setdefault(timer.due_at, timer.due_at)
        if due_at.tzinfo is timer.due_at.tzinfo:
            force_setattr(timer, "due_at", due_at)
        for word in ("owner", "name", "note"):
            said = getattr(timer, word)
            force_setattr(timer, word, known.setdefault(said, said))


_NONE: dict[str, Timer] = {}


def with_subjects(timers: Iterator[Timer], known: Callable[[str], str | None]) -> Iterator[Timer]:
    """Let timers that were read from a file name their subjects by the objects that are known already."""
    set_at: dict[datetime, datetime] = {}
    for timer in timers:
        force_setattr(timer, "subject", known(timer.subject) or timer.subject)
        force_setattr(timer, "set_at", set_at.setdefault(timer.set_at, timer.set_at))
        yield timer


def _place(timer: Timer) -> tuple[str, str]:
    """Return what `_split` does of its key, its subject the same object."""
    if "\0" in timer.name or "\0" in timer.owner:
        return _split(timer.key)
    return f"{timer.owner}\0{timer.name}", timer.subject


def _split(key: str) -> tuple[str, str]:
    """Return the owner and name of a key, and the subject between them."""
    owner, _, rest = key.partition("\0")
    subject, _, name = rest.rpartition("\0")
    return f"{owner}\0{name}", subject
