"""Cause: what made a rule look, and how late that was."""

from datetime import datetime, timedelta

import msgspec

from gateway.model.frame import Frame


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """What made the rule look: the event's id or a name of the tick, its frame and its times.

    `heard_at` is when the gateway first knew: the receipt of the event, or when the timer was set.
    `due_at` is when a tick should have been, None for an event.
    """

    name: str
    event: str | None
    frame: int
    occurred_at: datetime
    heard_at: datetime
    due_at: datetime | None = None

    @classmethod
    def of_frame(cls, frame: Frame, now: datetime) -> "Cause":
        """Return a frame itself as what made us look, where no event was made of it."""
        name = f"frame {frame.position}"
        return cls(name=name, event=None, frame=frame.position, occurred_at=now, heard_at=now)

    def late_s(self, occurred_at: datetime, now: datetime) -> float:
        """Return how old the matter already was when we heard of it, or how overdue the tick was."""
        overdue = now - self.due_at if self.due_at else timedelta(0)
        return max((self.heard_at - occurred_at).total_seconds(), overdue.total_seconds(), 0.0)
