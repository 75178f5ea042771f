"""How the gateway stands with its Bluetooth adapter and the devices behind it, for the health page."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(slots=True)
class Standing:
    """What has been counted since the start.

    `lost_since` is the time since when no scan has run, None while one does, and `trouble` why. `refused`
    are devices whose word is not taken, each with its reason. `devices` says of each, by its address, what
    it is doing. `dropped` counts what was heard and had no room: advertisements and levels, never an event.
    """

    lost_since: datetime | None
    trouble: str = ""
    scanning: bool = False
    advertisements: int = 0
    repeats: int = 0
    connected: int = 0
    connections: int = 0
    failed: int = 0
    heard: int = 0
    dropped: int = 0
    refused: tuple[str, ...] = ()
    devices: dict[str, str] = field(default_factory=dict)
