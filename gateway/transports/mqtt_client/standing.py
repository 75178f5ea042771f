"""How the gateway stands with one broker, for the health page: connected or not, since when, how much."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(slots=True)
class Standing:
    """What has been counted since the start.

    `lost_since` is the time since when no connection has held for SETTLED_S, None while one does: a
    connection that comes and goes stays "lost". `subscribed` is true while every filter is granted;
    `refused` are those that the broker does not grant. `trouble` is why the broker is lost.
    """

    lost_since: datetime | None
    connected: bool = False
    subscribed: bool = False
    received: int = 0
    acknowledged: int = 0
    connections: int = 0
    invalid: int = 0
    trouble: str = ""
    refused: tuple[str, ...] = ()

    @property
    def reconnects(self) -> int:
        """Accepted connections after the first one."""
        return max(0, self.connections - 1)
