"""Wire: the field types that events, measurements and the status share, and how their time is taken."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from gateway.contract import Undecodable
from gateway.model.instant import to_utc
from gateway.model.vocabulary import ClockQuality

Identity = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
Sequence64 = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
WireClock = Literal["synced", "unsynced"]

CLOCK: dict[WireClock, ClockQuality] = {"synced": ClockQuality.SYNCED, "unsynced": ClockQuality.UNSYNCED}
"""`clockquality` as it is on the wire: a device that gives a time has a clock."""


def moment(time: datetime, native_id: str, path: str) -> datetime:
    """Return a time in UTC; raises Undecodable where UTC has no such time."""
    at = to_utc(time)
    if at is None:
        raise Undecodable(f"`{path}`: outside the calendar in UTC", clause="VDI-EVT-06", native_id=native_id)
    return at
