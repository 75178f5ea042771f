"""The port for time."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """The only source of time: wall time, aware and UTC."""

    def now(self) -> datetime:
        """Return the present moment, UTC."""
        ...

    def wait_s(self, until: datetime) -> float:
        """Return how many real seconds to wait until that moment, 0 if it is past."""
        ...
