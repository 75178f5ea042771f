"""The notifications: the fields that are read; the state of Wi-Fi and system is never looked into."""

from datetime import datetime
from typing import Annotated, Any, TypeVar

import msgspec

from gateway.contract import Undecodable
from gateway.model.instant import from_epoch
from gateway.model.vocabulary import Reference, Whole

CLOCK_SET_AFTER = 1_000_000_000
"""A Unix time before this (2001) is that of a device whose clock has not been set since it started."""
MAX_EVENTS = 64
T = TypeVar("T")
Seconds = Annotated[float, msgspec.Meta(ge=-1, le=1e15)] | None


class Event(msgspec.Struct, frozen=True, gc=False):
    """One event of a component; what else a script puts into it is left there."""

    component: Reference
    event: Reference
    id: Whole | None = None
    idx: Whole | None = None
    ts: Seconds = None
    data: Any = None


class Events(msgspec.Struct, frozen=True, gc=False):
    """The parameters of NotifyEvent."""

    events: Annotated[list[Event], msgspec.Meta(max_length=MAX_EVENTS)]
    ts: Seconds = None


class Notification(msgspec.Struct, frozen=True, gc=False):
    """The envelope: a message without a method is the answer to a question."""

    method: Reference | None = None
    params: msgspec.Raw = msgspec.Raw(b"{}")


class Battery(msgspec.Struct, frozen=True, gc=False):
    """The charge; -1 and null are those of a device that does not know."""

    percent: Annotated[float, msgspec.Meta(ge=-1, le=100)] | None = None
    volts: Annotated[float, msgspec.Meta(ge=0, le=1000)] | None = msgspec.field(default=None, name="V")


class Status(msgspec.Struct, frozen=True, gc=False):
    """The status of one component: each kind has a few of these fields, a change only those that changed."""

    state: bool | None = None
    alarm: bool | None = None
    value: bool | float | str | None = None
    battery: Battery | float | None = None
    rssi: Annotated[float, msgspec.Meta(ge=-200, le=200)] | None = None
    errors: Annotated[list[Reference], msgspec.Meta(max_length=32)] | None = None


def read(payload: bytes | msgspec.Raw, shape: type[T], native_id: str, path: str = "$") -> T:
    """Decode one part as its shape; raises Undecodable with the whole path."""
    try:
        return msgspec.json.decode(payload, type=shape)
    except msgspec.ValidationError as error:
        words = str(error)
        clause = "SH-FIELD" if " - at `$" in words or path != "$" else "SH-JSON"
        if " - at `$" in words:
            words = words.replace("`$", f"`{path}", 1)
        else:
            words = f"{words} - at `{path}`" if path != "$" else words
        raise Undecodable(words, clause=clause, native_id=native_id) from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        words = "nested too deep" if isinstance(error, RecursionError) else f"not JSON: {error}"
        raise Undecodable(words, clause="SH-JSON", native_id=native_id) from None


def moment(ts: float | None) -> datetime | None:
    """Return the device's time, None while its clock is not set or outside the calendar."""
    return from_epoch(ts) if ts is not None and ts >= CLOCK_SET_AFTER else None
