"""The ports on the way in: sender, intake, journal."""

from collections.abc import Sequence
from typing import Protocol

from gateway.model.frame import Frame


class Sender(Protocol):
    """Whoever sent frames and waits to hear that they are on disk; called on the event loop."""

    def durable(self, tokens: Sequence[int]) -> None:
        """Tell that the frames offered with these tokens are on disk; one call a sender and commit."""
        ...


class Intake(Protocol):
    """The way to the engine."""

    def offer(self, frame: Frame, sender: Sender | None = None, token: int = 0) -> bool:
        """Queue a frame; False when the queue's limit is reached and nothing was taken.

        `sender.durable` is called after the fsync. Never blocks, never raises.
        """
        ...

    async def accept(self, frame: Frame) -> int:
        """Queue a frame and return its journal position once it is on disk.

        Raises StoreUnavailableError when that does not happen within the intake's limit.
        """
        ...


class Journal(Protocol):
    """The append-only log of frames, written by the store in the transaction of what they changed."""

    def read(self, after: int, limit: int) -> list[Frame]:
        """Return at most `limit` frames with positions above `after`, in order."""
        ...

    def last(self) -> int:
        """Return the last position, 0 for an empty journal."""
        ...
