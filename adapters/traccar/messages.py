"""The forwarded messages: the fields that are read; address, telephone and driver are never decoded."""

from datetime import datetime
from typing import Annotated, Any

import msgspec

from gateway.contract import Undecodable
from gateway.model.instant import from_epoch, to_utc
from gateway.model.vocabulary import Latitude, Longitude, Reference, Text, Whole

KMH_PER_KNOT = 1.852
Time = Annotated[str, msgspec.Meta(max_length=64)] | float | None
Attributes = dict[str, Any] | list[Any] | None
"""An empty one is written as a list by some servers."""
Metres = Annotated[float, msgspec.Meta(ge=-1_000_000, le=1_000_000_000)]


class Position(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """A position: `speed` in knots, `altitude` and `accuracy` in metres, 0 for an accuracy not known."""

    latitude: Latitude
    longitude: Longitude
    id: Whole | None = None
    device_id: Whole | None = None
    fix_time: Time = None
    device_time: Time = None
    server_time: Time = None
    valid: bool = True
    outdated: bool = False
    altitude: Metres | None = None
    speed: Annotated[float, msgspec.Meta(ge=-1, le=1_000_000)] | None = None
    accuracy: Metres | None = None
    network: Any = None
    attributes: Attributes = None

    @property
    def more(self) -> dict[str, Any]:
        """The attributes, which protocols fill as they like."""
        return self.attributes if isinstance(self.attributes, dict) else {}


class Event(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """An event that the server made; older servers write `serverTime`, newer `eventTime`."""

    type: Reference
    id: Whole | None = None
    device_id: Whole | None = None
    event_time: Time = None
    server_time: Time = None
    geofence_id: Whole | None = None
    attributes: Attributes = None

    @property
    def alarm(self) -> str:
        """The kind of alarm, "" where the event is none."""
        more = self.attributes if isinstance(self.attributes, dict) else {}
        said = more.get("alarm")
        return said[:128] if isinstance(said, str) else ""


class Device(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """The device; its name and the telephone number of its bearer stand beside and are left there."""

    unique_id: Reference | None = None
    id: Whole | None = None
    status: Reference | None = None


class Geofence(msgspec.Struct, frozen=True, gc=False):
    """A zone by its name; its area is the server's."""

    name: Text | None = None
    id: Whole | None = None


class Forwarded(msgspec.Struct, frozen=True, gc=False):
    """One forwarded message."""

    event: Event | None = None
    position: Position | None = None
    device: Device | None = None
    geofence: Geofence | None = None

    @property
    def native_id(self) -> str:
        """The identifier that the device reports by, else the server's internal number, else nothing."""
        if self.device is not None and self.device.unique_id:
            return self.device.unique_id
        for part in (self.event, self.position):
            if part is not None and part.device_id:
                return str(part.device_id)
        return str(self.device.id) if self.device is not None and self.device.id else ""


_decode = msgspec.json.Decoder(Forwarded).decode


def read(payload: bytes) -> Forwarded:
    """Decode one message; raises Undecodable. Broken UTF-8 is replaced: it stands in names only."""
    try:
        return _decode(payload.decode("utf-8", "replace"))
    except msgspec.ValidationError as error:
        raise Undecodable(str(error), clause="TC-FIELD" if " - at `$." in str(error) else "TC-JSON") from None
    except (msgspec.DecodeError, RecursionError) as error:
        words = "nested too deep" if isinstance(error, RecursionError) else f"not JSON: {error}"
        raise Undecodable(words, clause="TC-JSON") from None


def moment(said: str | float | None, native_id: str) -> datetime | None:
    """Return a time in UTC, None for none; raises Undecodable for one that is no moment."""
    if said is None or said == "":
        return None
    found: datetime | None = None
    if isinstance(said, str):
        try:
            found = datetime.fromisoformat(said)
        except ValueError:
            found = None
        found = to_utc(found) if found is not None and found.tzinfo is not None else None
    else:
        found = from_epoch(said / 1000)
    if found is None:
        raise Undecodable(f"{said!r} is no time with its offset", clause="TC-TIME", native_id=native_id)
    return found
