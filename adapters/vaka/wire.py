"""Wire: how the times of events, measurements and the status are taken."""

from datetime import datetime

from gateway.contract import Undecodable
from gateway.model.instant import to_utc
from gateway.model.vocabulary import ClockQuality
from gateway.model.wire import WireClock

CLOCK: dict[WireClock, ClockQuality] = {"synced": ClockQuality.SYNCED, "unsynced": ClockQuality.UNSYNCED}
"""`clockquality` as it is on the wire: a device that gives a time has a clock."""


def moment(time: datetime, native_id: str, path: str) -> datetime:
    """Return a time in UTC; raises Undecodable where UTC has no such time."""
    at = to_utc(time)
    if at is None:
        raise Undecodable(f"`{path}`: outside the calendar in UTC", clause="VDI-EVT-06", native_id=native_id)
    return at
