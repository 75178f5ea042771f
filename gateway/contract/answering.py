"""The port for adapters whose protocol wants an answer of its own beside what the transport acknowledges."""

from datetime import datetime
from enum import StrEnum
from typing import Protocol, runtime_checkable

import msgspec

from gateway.model.frame import Frame


class Outcome(StrEnum):
    """What became of a frame on the gateway's side; what its bytes are worth the adapter sees by itself."""

    TAKEN = "taken"
    TOO_LONG = "too long"
    UNKNOWN = "unknown"
    FOREIGN = "foreign"
    BUSY = "busy"


class Told(msgspec.Struct, frozen=True):
    """What an answer is made of besides the frame.

    `at` is the gateway's time. `interval` is the code of the heartbeat interval that the operator has set,
    None for none.
    """

    outcome: Outcome
    at: datetime
    interval: int | None = None


@runtime_checkable
class Answering(Protocol):
    """An adapter that answers; pure as `decode` is."""

    def reply(self, frame: Frame, told: Told) -> bytes:
        """Return the answer in the protocol's own form, b"" where none is due; never raises."""
        ...
