"""Rerun: the walk in virtual time over inputs that are known, with the ticks that its own timers ask for."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from gateway.contract import Changes
from gateway.model.frame import Frame, Transport
from gateway.pipeline.decode import NOTHING, Decoded
from gateway.pipeline.state import State
from gateway.pipeline.walk import Walk

FIRST_TICK = 1 << 40
"""Added to a tick's time to make its position: above every journal's, so that no position has two meanings,
and the same in every run, whatever other ticks there are: some alerts are named by it."""
BEGINNING, MICROSECOND = datetime.fromtimestamp(0, UTC), timedelta(microseconds=1)
MAX_TICKS_AT_ONCE = 100_000
"""Ticks between two inputs past which a rule arms timers without end."""
NONE_KNOWN: frozenset[str] = frozenset()
BATCH = 64
"""Inputs after which what they changed is told, where no alert was touched before."""
Told = Callable[[Changes], None]
"""Hears what inputs changed: at once where that is about alerts."""


class Rerun:
    """One walk over one state. Reads no clock: time is what the inputs say, and it never goes back."""

    def __init__(self, walk: Walk, told: Told) -> None:
        self.walk, self.state = walk, State()
        self._told = told
        self._untold = 0

    def come_to(self, moment: datetime) -> None:
        """Fire every timer that is due by then, each at its own time; ValueError for timers without end."""
        for _ in range(MAX_TICKS_AT_ONCE):
            due = self.state.next_due()
            if due is None or due > moment:
                return
            at = max(due, self.state.now)
            position = FIRST_TICK + (at - BEGINNING) // MICROSECOND
            self.take(Frame(Transport.CLOCK, "tick", b"", at, position=position))
        raise ValueError(f"more than {MAX_TICKS_AT_ONCE} ticks by {moment.isoformat()}")

    def take(self, frame: Frame, decoded: Decoded = NOTHING, known: frozenset[str] = NONE_KNOWN) -> None:
        """Walk one input."""
        self.walk.step(self.state, frame, decoded, known, frame.received_at)
        self._untold += 1
        changes = self.state.changes
        if changes.entries or changes.deliveries or self._untold >= BATCH:
            self.flush()

    def flush(self) -> None:
        """Tell what was not told yet."""
        self._untold = 0
        self._told(self.state.take_changes())
