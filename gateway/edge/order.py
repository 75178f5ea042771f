"""Order: what of the queue goes next, and what is given up at its limits; pure, so that it can be tried out.

A call for help goes first, and with it whatever its device said before, so that the order of one device is
never changed. Everything else goes oldest first.
"""

from collections import deque
from collections.abc import Iterable, Iterator

import msgspec


class Entry(msgspec.Struct, gc=False, eq=False):
    """One frame in the queue: its place there, whose order it belongs to, and its number once it was sent.

    `heard_us` is None where the clock was not synced: then nobody knows how old it is. `gone` marks what has
    left its line, which the lines themselves find out later. `swift` is what goes with the calls for help, so
    that the centre too lets all of it overtake together.
    """

    place: int
    device: str
    high: bool
    size: int
    heard_us: int | None
    number: int = 0
    gone: bool = False
    swift: bool = False


class Limits(msgspec.Struct, frozen=True):
    """What the queue may hold; `window` is how many numbers may be on their way."""

    max_bytes: int
    max_frames: int
    max_age_us: int
    window: int


class Backlog:
    """The frames that are not yet safe at the centre, in memory as lines of entries."""

    def __init__(self, limits: Limits, next_number: int = 1) -> None:
        self.limits = limits
        self.next_number = next_number
        self.bytes = 0
        self.waiting = 0
        self._normal: deque[Entry] = deque()
        self._high: deque[Entry] = deque()
        self._of: dict[str, deque[Entry]] = {}
        self._calls: dict[str, int] = {}
        self._chosen = ""
        self._sent: dict[int, Entry] = {}

    def __len__(self) -> int:
        """Return how many frames are not yet safe."""
        return self.waiting + len(self._sent)

    def add(self, entry: Entry) -> None:
        """Take a new frame, behind all others."""
        self.bytes += entry.size
        self.waiting += 1
        (self._high if entry.high else self._normal).append(entry)
        self._of.setdefault(entry.device, deque()).append(entry)
        if entry.high:
            self._calls[entry.device] = self._calls.get(entry.device, 0) + 1
            self._chosen = ""  # it may have less before it than the one that is at work

    def restore(self, entries: Iterable[Entry]) -> None:
        """Take up at a start what was kept, in the order of places; what had a number keeps it."""
        sent = []
        for entry in entries:
            if entry.number:
                sent.append(entry)
            else:
                self.add(entry)
        calls = set(self._calls)
        for entry in sorted(sent, key=lambda one: one.number, reverse=True):
            calls |= {entry.device} if entry.high else set()
            entry.swift = entry.device in calls
        for entry in sorted(sent, key=lambda one: one.number):
            self.bytes += entry.size
            self._sent[entry.number] = entry
            self.next_number = max(self.next_number, entry.number + 1)

    def take(self) -> Entry | None:
        """Give the next frame its number; None when nothing waits, or too many are on their way."""
        lowest = next(iter(self._sent), self.next_number)
        if not self.waiting or self.next_number - lowest >= self.limits.window:
            return None
        entry = self._next_of_calls() if self._calls else _first(self._normal)
        if entry is None:
            return None
        entry.swift = entry.device in self._calls
        self._leave(entry)
        entry.number, self.next_number = self.next_number, self.next_number + 1
        self._sent[entry.number] = entry
        return entry

    def done(self, number: int) -> Entry | None:
        """Forget a frame that is safe at the centre; None for one that is not known any more."""
        entry = self._sent.pop(number, None)
        if entry is not None:
            self.bytes -= entry.size
        return entry

    def sent(self, number: int) -> bool:
        """Tell whether a number is on its way."""
        return number in self._sent

    def on_their_way(self) -> list[Entry]:
        """Return what was sent and is not known to be safe, in the order of its numbers."""
        return list(self._sent.values())

    def trim(self, now_us: int | None) -> list[Entry]:
        """Give up what is too old or too much, and return it; what was sent already is not given up.

        The oldest goes first, and a call for help only when nothing else is left. Without a believed time
        nothing is too old.
        """
        given_up = list(self._too_old(now_us)) if now_us is not None else []
        while self.waiting and (self.bytes > self.limits.max_bytes or len(self) > self.limits.max_frames):
            oldest = _first(self._normal) or _first(self._high)
            if oldest is None:
                break
            self._drop(oldest)
            given_up.append(oldest)
        return given_up

    def oldest_us(self) -> int | None:
        """Return when the oldest frame was heard, None when nothing waits or its age is not known."""
        lines = [entry for entry in (_first(self._normal), _first(self._high)) if entry is not None]
        heard = [one.heard_us for one in (*lines, *self._sent.values()) if one.heard_us is not None]
        return min(heard, default=None)

    def _too_old(self, now_us: int) -> Iterator[Entry]:
        """Yield what is too old; what stands before that and has no time is older still."""
        limit = now_us - self.limits.max_age_us
        for line in (self._normal, self._high):
            found: list[Entry] = []
            aged = 0
            for entry in line:
                if entry.heard_us is not None and entry.heard_us >= limit and not entry.gone:
                    break
                found.append(entry)
                if entry.heard_us is not None:
                    aged = len(found)
            for entry in found[:aged]:
                if not entry.gone:
                    self._drop(entry)
                    yield entry

    def _next_of_calls(self) -> Entry | None:
        """Return the first frame of the device whose call for help has least before it."""
        if self._chosen not in self._calls:
            self._chosen = min(self._calls, key=self._before_call)
        return _first(self._of[self._chosen])

    def _before_call(self, device: str) -> tuple[int, int]:
        """Return how many frames go before a device's first call for help, and that one's place."""
        before = 0
        for entry in self._of[device]:
            if entry.gone:
                continue
            if entry.high:
                return before, entry.place
            before += 1
        return before, 0

    def _drop(self, entry: Entry) -> None:
        self._leave(entry)
        self.bytes -= entry.size

    def _leave(self, entry: Entry) -> None:
        """Take an entry out of its lines."""
        entry.gone = True
        self.waiting -= 1
        if entry.high:
            self._calls[entry.device] -= 1
            self._chosen = ""
            if not self._calls[entry.device]:
                del self._calls[entry.device]
        if _first(self._of[entry.device]) is None:
            del self._of[entry.device]
        _first(self._normal)
        _first(self._high)


def _first(line: deque[Entry]) -> Entry | None:
    """Return the first of a line that has not left it."""
    while line and line[0].gone:
        line.popleft()
    return line[0] if line else None
