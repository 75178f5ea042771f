"""Reading: what the vendor said, decoded and not yet believed."""

from datetime import datetime
from typing import Literal

import msgspec

from gateway.model.vocabulary import ClockQuality, DeviceKind, Values


class Reading(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One statement of one device, in our vocabulary but by the vendor's identities.

    `native_id` is the device as the vendor names it. `key` is the protocol's own idempotency key
    ("" where it has none): equal keys of one device are one event, however often it is sent.
    `happened` is False for a level that the device merely repeats: such a reading is news only when
    its type's slot changes. `occurred_at` is None when the vendor gives no time. `packet` is a counter
    too small to be a key: the same one, heard again within seconds, is the same message.
    """

    native_id: str
    kind: DeviceKind
    type: str
    values: Values
    occurred_at: datetime | None = None
    clock: ClockQuality = ClockQuality.NONE
    key: str = ""
    sequence: int | None = None
    happened: bool = True
    packet: str = ""


class Ignored(msgspec.Struct, frozen=True):
    """A message the adapter knows and has no use for, with the reason."""

    native_id: str
    reason: str


class CommandResult(Ignored, frozen=True, kw_only=True):
    """What a device says came of the command with this id: no reading of the home, so no event either."""

    id: str
    outcome: Literal["done", "rejected", "expired", "failed"]
    told: str = ""
