"""Equipment: what is kept of a device beside its status: commands, desired configuration, charges heard."""

from datetime import datetime
from enum import StrEnum

import msgspec

from gateway.model.vocabulary import Masking, Reference
from gateway.model.wire import Config, Do


class OrderState(StrEnum):
    """How far a command has come; the four last are final, but for a result that overtakes an expiry."""

    REQUESTED = "requested"
    SENT = "sent"
    DELIVERED = "delivered"
    DONE = "done"
    REJECTED = "rejected"
    EXPIRED = "expired"
    FAILED = "failed"


OPEN = frozenset({OrderState.REQUESTED, OrderState.SENT, OrderState.DELIVERED})
"""A command that may still be carried out."""


class Step(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of a command's history: when, how far, by which journalled frame, and why."""

    at: datetime
    state: OrderState
    frame: int
    detail: str = ""


class Order(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A command that somebody gave to a device, and its whole history.

    `right` is what allowed the actor to give it. `until`, `masking` and `slot` are those of the look that
    `supervise` opens, `visit` the planned visit that an unlocking is for.
    """

    id: str
    device: str
    do: Do
    actor: str
    right: str
    reason: str
    requested_at: datetime
    expires_at: datetime
    state: OrderState = OrderState.REQUESTED
    visit: Reference | None = None
    until: datetime | None = None
    masking: Masking | None = None
    slot: Reference | None = None
    steps: tuple[Step, ...] = ()


class Twin(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The configuration that a device should have, and the revision that it says it has.

    `published` is the newest revision that went out; `reported_at` is when the device last named its own.
    """

    device: str
    desired: Config | None = None
    actor: str = ""
    reason: str = ""
    set_at: datetime | None = None
    published: int = 0
    reported: int | None = None
    reported_at: datetime | None = None

    @property
    def drifts(self) -> bool:
        """True while the device does not say that it has what is desired."""
        return self.desired is not None and self.reported != self.desired.revision


class Charge(msgspec.Struct, frozen=True, array_like=True):
    """A charge that was heard, in percent."""

    at: datetime
    percent: float
