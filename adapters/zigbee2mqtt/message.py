"""The device message: the fields that are read, and nothing else, so that PIN codes are never decoded."""

from datetime import datetime
from typing import Annotated

import msgspec

from gateway.contract import Undecodable
from gateway.model.instant import from_epoch, to_utc
from gateway.model.vocabulary import LinkQuality, Reference, Whole

NO_USER = 65535
"""`action_user` when nobody is known (issue 22779)."""

Charge = Annotated[float, msgspec.Meta(ge=-1_000_000, le=1_000_000)]
"""As the device says it: some say more than 100, which must not cost the rest of the message."""
Millivolt = Annotated[float, msgspec.Meta(ge=0, le=100_000)]


class Message(msgspec.Struct, frozen=True, gc=False):
    """One device message; every field may be missing or null."""

    action: Reference | None = None
    action_source_name: Reference | None = None
    action_user: Whole | None = None
    lock_state: Reference | None = None
    state: Reference | bool | Whole | float | None = None
    door_state: Reference | None = None
    contact: bool | None = None
    occupancy: bool | None = None
    presence: bool | None = None
    water_leak: bool | None = None
    smoke: bool | None = None
    carbon_monoxide: bool | None = None
    gas: bool | None = None
    vibration: bool | None = None
    sos: bool | None = None
    tamper: bool | None = None
    battery: Charge | Annotated[str, msgspec.Meta(max_length=16)] | None = None
    battery_low: bool | None = None
    voltage: Millivolt | None = None
    linkquality: LinkQuality | None = None
    last_seen: Reference | Whole | float | None = None

    @property
    def percent(self) -> float | None:
        """The charge, None when it is none that a battery can have; old bridges write it as text."""
        try:
            charge = float(self.battery) if self.battery is not None else -1.0
        except ValueError:
            return None
        return charge if 0 <= charge <= 100 else None


_decode = msgspec.json.Decoder(Message).decode


def read(payload: bytes, native_id: str) -> Message:
    """Decode a device message; raises Undecodable. Broken UTF-8 is replaced: it stands in names only."""
    if not payload:
        raise Undecodable("the payload is empty", clause="Z2M-EMPTY", native_id=native_id)
    try:
        return _decode(payload.decode("utf-8", "replace"))
    except msgspec.ValidationError as error:
        clause = "Z2M-FIELD" if " - at `$." in str(error) else "Z2M-JSON"
        raise Undecodable(str(error), clause=clause, native_id=native_id) from None
    except (msgspec.DecodeError, RecursionError) as error:
        words = "nested too deep" if isinstance(error, RecursionError) else f"not JSON: {error}"
        raise Undecodable(words, clause="Z2M-JSON", native_id=native_id) from None


def seen_at(message: Message, native_id: str) -> datetime | None:
    """Return when the bridge last heard the device; None when it does not say, or not with an offset."""
    said = message.last_seen
    if said is None:
        return None
    if not isinstance(said, str):
        moment = from_epoch(said / 1000)
    else:
        moment = _from_text(said, native_id)
        if moment is None:
            return None
        moment = to_utc(moment)
    if moment is None:
        raise Undecodable(
            f"`$.last_seen`: {said!r} is outside the calendar", clause="Z2M-TIME", native_id=native_id
        )
    return moment


def _from_text(said: str, native_id: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(said)
    except ValueError:
        reason = f"`$.last_seen`: {said!r} is no ISO 8601 time"
        raise Undecodable(reason, clause="Z2M-TIME", native_id=native_id) from None
    return moment if moment.tzinfo else None
