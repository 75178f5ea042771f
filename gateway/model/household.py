"""Who is watched over: homes, persons as opaque references, devices, and what enrolments mean by them."""

from datetime import datetime, time
from typing import Annotated, Literal

from msgspec import Meta, field

from gateway.model.alert import Route
from gateway.model.records import Id, Record, Seconds
from gateway.model.vocabulary import DeviceKind


class Zone(Record, frozen=True):
    """The circle a person is expected to stay in: WGS 84 degrees, metres."""

    latitude: Annotated[float, Meta(ge=-90, le=90)]
    longitude: Annotated[float, Meta(ge=-180, le=180)]
    radius_m: Annotated[float, Meta(gt=0, le=100_000)]


class Window(Record, frozen=True):
    """A daily planned time, local to the tenant: starts, and lasts that many minutes."""

    ref: Id
    at: time
    minutes: Annotated[float, Meta(gt=0, le=24 * 60)]


class Home(Record, frozen=True):
    """Where somebody lives, and which ladders its care alerts and technical alerts climb.

    `ladders` names others for kinds of alerts that need them.
    """

    id: Id
    tenant: Id
    unit: Id
    care_ladder: Id
    technical_ladder: Id
    zone: Zone | None = None
    ladders: dict[Route, Id] = field(default_factory=dict)


class Person(Record, frozen=True):
    """A resident by opaque reference; `flags` come from the care plan (as `night_wandering`).

    `sex` is for the national indicators alone, "" where it is not told.
    """

    ref: Id
    home: Id
    flags: frozenset[str] = frozenset()
    sex: Literal["", "female", "male"] = ""


class Device(Record, frozen=True):
    """A thing that sends. `native_id` is its vendor's name for it, unique within its adapter.

    `via` is the bridge it speaks through. `secret` is the salted digest of its MQTT password and
    `certificate` the common name of its client certificate.
    """

    id: Id
    tenant: Id
    adapter: Id
    native_id: Annotated[str, Meta(min_length=1, max_length=256)]
    kind: DeviceKind
    model: str = ""
    via: Id | None = None
    secret: str | None = None
    certificate: str | None = None


class Enrolment(Record, frozen=True, kw_only=True):
    """Gives a device its meaning: for whom it watches, since when, and with which numbers.

    `heartbeat_s` is how often the device is heard at least when it is well; None means as often as
    its kind is. One that is not `supervised` may be silent for ever. `role` tells what its button or
    contact means here (as `entrance_door`, `lamp`).
    """

    device: Id
    home: Id
    person: Id | None = None
    since: datetime
    role: str = ""
    supervised: bool = True
    heartbeat_s: Seconds | None = None
    doses: tuple[Window, ...] = ()
    looks: tuple[Window, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a moment that is another one elsewhere."""
        if self.since.tzinfo is None:
            raise ValueError("since needs an offset, as 2026-01-31T00:00:00+01:00")
