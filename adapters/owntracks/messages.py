"""The OwnTracks messages: the fields that are read and no others: Wi-Fi names are never decoded."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, TypeVar

import msgspec

from gateway.contract import Undecodable
from gateway.model.instant import from_epoch
from gateway.model.vocabulary import Altitude, Latitude, Longitude, Reference

Epoch = Annotated[float, msgspec.Meta(ge=0)]
Unsure = Annotated[float, msgspec.Meta(ge=-1_000_000, le=100_000_000)]
"""A number that the telephone writes below zero when it does not know it."""


class Kind(msgspec.Struct, frozen=True, gc=False):
    """Which message it is."""

    kind: str = msgspec.field(name="_type")


class Location(msgspec.Struct, frozen=True, gc=False):
    """`_type` location; `vel` in km/h, `batt` in percent, `bs` 1 unplugged, 2 charging, 3 full."""

    tst: Epoch
    lat: Latitude
    lon: Longitude
    acc: Unsure | None = None
    alt: Altitude | None = None
    vel: Unsure | None = None
    batt: Annotated[float, msgspec.Meta(ge=-100, le=100)] | None = None
    bs: int | None = None
    t: Reference | None = None
    conn: Reference | None = None


class Transition(msgspec.Struct, frozen=True, gc=False):
    """`_type` transition: `event` is enter or leave, `desc` the zone's name, `rid` its id."""

    tst: Epoch
    event: Reference
    desc: str | None = None
    rid: Reference | None = None
    wtst: Epoch | None = None
    lat: Latitude | None = None
    lon: Longitude | None = None
    acc: Unsure | None = None
    t: Reference | None = None


class Will(msgspec.Struct, frozen=True, gc=False):
    """`_type` lwt: `tst` is when the app connected."""

    tst: Epoch | None = None


T = TypeVar("T", Kind, Location, Transition, Will)


def reader(message: type[T]) -> Callable[[str, str], T]:
    """Return the decoder of one message, which takes text and native id and raises Undecodable."""
    decode = msgspec.json.Decoder(message, strict=False).decode

    def read(text: str, native_id: str) -> T:
        try:
            return decode(text)
        except msgspec.ValidationError as error:
            clause = "OT-JSON" if "got `array`" in str(error) else "OT-FIELD"
            raise Undecodable(str(error), clause=clause, native_id=native_id) from None
        except (msgspec.DecodeError, RecursionError) as error:
            words = "nested too deep" if isinstance(error, RecursionError) else f"not JSON: {error}"
            raise Undecodable(words, clause="OT-JSON", native_id=native_id) from None

    return read


read_kind = reader(Kind)
read_location = reader(Location)
read_transition = reader(Transition)
read_will = reader(Will)


def moment(tst: float, native_id: str) -> datetime:
    """Return a documented Unix time; raises Undecodable outside the calendar."""
    at = from_epoch(tst)
    if at is None:
        raise Undecodable(f"`$.tst`: {tst!r} is no Unix time", clause="OT-TIME", native_id=native_id)
    return at


def known(number: float | None) -> float | None:
    """Return a number that the telephone knows, None for one below zero."""
    return None if number is None or number < 0 else number
