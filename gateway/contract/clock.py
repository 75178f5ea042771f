"""The port for time."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """The only source of time: wall time, aware and UTC."""

    def now(self) -> datetime:
        """Return the present moment, UTC."""
        ...
