"""Event: a reading we believe, about a known device in a known home; an immutable fact."""

from datetime import datetime
from hashlib import blake2b
from typing import Any

import msgspec

from gateway.model.vocabulary import VOCABULARY, ClockQuality, DeviceKind, Values


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A fact in the common model.

    Three times: `occurred_at` (the device's word, with `clock` for how far to believe it; the time of
    receipt where it gave none), `received_at` (the gateway had the bytes) and `processed_at` (the
    engine judged it). `late_s` is received minus occurred, negative for a time in the future.
    `frame` is the journal position it came from. `person` is an opaque reference.
    """

    id: str
    type: str
    device: str
    kind: DeviceKind
    home: str
    person: str | None
    occurred_at: datetime
    received_at: datetime
    processed_at: datetime
    clock: ClockQuality
    late_s: float
    frame: int
    values: Values
    sequence: int | None = None


MAX_MILLISECONDS = 0xFFFF_FFFF_FFFF


def event_id(device: str, key: str, at: datetime) -> str:
    """Return the deterministic id of an event: 48 bits of time, then 80 bits of identity, in hexadecimal.

    The same device, key and device time always give the same id, so a message that is sent again is
    the same event; and ids sort by time, so that a store's index grows at its end.
    """
    milliseconds = int(at.timestamp() * 1000)
    if not 0 <= milliseconds <= MAX_MILLISECONDS:
        milliseconds = 0  # before 1970: it sorts first, and the identity still tells it apart
    identity = blake2b(f"{device}\0{key}".encode(), digest_size=10).hexdigest()
    return f"{milliseconds:012x}{identity}"


_STORED = {name: msgspec.json.Decoder(word.values) for name, word in VOCABULARY.items()}


def load_values(event_type: str, stored: bytes) -> Values:
    """Decode stored values of an event of that type; KeyError for a type outside the vocabulary."""
    return _STORED[event_type].decode(stored)


def flat_values(values: Values) -> dict[str, Any]:
    """Return the fields that are set, and the vendor's details beside them, as JSON would hold them.

    A detail never hides a field of the same name.
    """
    fields: dict[str, Any] = msgspec.to_builtins(values)
    details: dict[str, Any] = fields.pop("details", {})
    return {**details, **fields}
