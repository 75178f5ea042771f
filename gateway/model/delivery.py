"""Delivery: one alert, one recipient, one channel, one deadline, with the proof of how far it got."""

from datetime import datetime
from enum import StrEnum

import msgspec


class DeliveryState(StrEnum):
    """How far a delivery is proved to have come."""

    QUEUED = "queued"
    SENT = "sent"
    DISPLAYED = "displayed"
    FAILED = "failed"


class Delivery(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One attempt to reach one recipient (a team or a person on duty) by one channel."""

    id: str
    alert: str
    recipient: str
    channel: str
    step: int
    round: int
    queued_at: datetime
    deadline: datetime
    state: DeliveryState = DeliveryState.QUEUED
    reason: str = ""
