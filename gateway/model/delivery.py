"""Delivery: one alert, one recipient, one channel, one deadline, with the proof of how far it got."""

from datetime import datetime
from enum import StrEnum

import msgspec


class DeliveryState(StrEnum):
    """How far a delivery is proved to have come; of two proofs the further one holds.

    SENT means that the channel took it, DELIVERED that it says it reached the device, DISPLAYED that
    the device says it was shown. SKIPPED was not sent because it was needless by then.
    """

    QUEUED = "queued"
    SENT = "sent"
    DELIVERED = "delivered"
    DISPLAYED = "displayed"
    ACCEPTED = "accepted"
    FAILED = "failed"
    SKIPPED = "skipped"

    @property
    def final(self) -> bool:
        """True where nothing more is to be heard of the delivery."""
        return self in (DeliveryState.ACCEPTED, DeliveryState.FAILED, DeliveryState.SKIPPED)


class Delivery(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One attempt to reach one recipient (a team or a person on duty) by one channel.

    `step` is the alert's place on its ladder of people, `rung` the place on the ladder of channels;
    `round` the alert's version for which it was made. `after` is the delivery whose failure or
    silence led to this one, `attempt` counts the tries by the same channel, of which a further one is
    sent at `due_at`. `frame` is the journal position of what led to it. `settled` says that no further
    proof is waited for.
    """

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
    rung: int = 0
    attempt: int = 1
    after: str = ""
    frame: int = 0
    due_at: datetime | None = None
    settled: bool = False

    @property
    def waits(self) -> bool:
        """True while a further proof may come and means something."""
        return not (self.settled or self.state.final)
