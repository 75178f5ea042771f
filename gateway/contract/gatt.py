"""The port for a product on Bluetooth Low Energy: what it advertises, and its GATT sessions without I/O."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Protocol

import msgspec


class Advertisement(msgspec.Struct, frozen=True, kw_only=True):
    """What one advertisement said, its scan response included; UUIDs in full, lower case."""

    address: str
    rssi_dbm: int
    service_uuids: tuple[str, ...] = ()
    service_data: Mapping[str, bytes] = {}
    manufacturer_data: Mapping[int, bytes] = {}


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """A connection that stands: `room` is how many bytes a write may hold, `characteristics` what there is.

    A characteristic is called by its UUID, in full and in lower case, where the device has it once, and
    always by `{service's UUID}/{its own}`.
    """

    room: int
    characteristics: frozenset[str]


class Cause(StrEnum):
    """Why an order could not be carried out."""

    SECURITY = "security"  # ATT errors 0x05, 0x08, 0x0C and 0x0F: the link is not encrypted or bonded enough
    REFUSED = "refused"  # the device answered with another ATT error, or refused to bond
    TIMEOUT = "timeout"
    FAILED = "failed"


class Fault(msgspec.Struct, frozen=True):
    """What came of an order that failed, in words for an engineer; never the bytes of the message."""

    cause: Cause
    words: str


class Pair(msgspec.Struct, frozen=True):
    """Bond with the device, or encrypt with the bond there is: LE Secure Connections."""


class Read(msgspec.Struct, frozen=True):
    """Read a characteristic, as a long read where needed."""

    characteristic: str


class Subscribe(msgspec.Struct, frozen=True):
    """Ask for the notifications or indications of a characteristic."""

    characteristic: str


class Write(msgspec.Struct, frozen=True):
    """Write a characteristic; `note` is the session's own mark, by which it knows the answer."""

    characteristic: str
    payload: bytes
    response: bool = True
    note: int = 0


class Hear(msgspec.Struct, frozen=True):
    """Take this in as a frame. With a token the session is told when it is on disk; without one nobody waits.

    What has a token is sent again by the device after a new connection, until it was stored.
    """

    channel: str
    payload: bytes
    token: int = 0


class Bind(msgspec.Struct, frozen=True):
    """Remember that this address is this device, so that no other can speak in its place."""

    identity: str


class Sent(msgspec.Struct, frozen=True):
    """The device has the message of ours with this topic and these bytes."""

    topic: str
    payload: bytes


class Disconnect(msgspec.Struct, frozen=True):
    """End the link and connect again later; `why` is told to engineers."""

    why: str


class Refuse(msgspec.Struct, frozen=True):
    """End the link and show the device as refused: nothing of it was believed; a person must look.

    `forgotten` says that it has lost the bond that we still hold.
    """

    why: str
    forgotten: bool = False


class WakeAt(msgspec.Struct, frozen=True):
    """Call `tick` at that moment; a later one replaces it."""

    moment: datetime


Request = Pair | Read | Subscribe | Write
"""Orders that go over the air, one after the other, each with an answer."""
Order = Request | Hear | Bind | Sent | Disconnect | Refuse | WakeAt


class Session(Protocol):
    """One device over all its connections; pure: every input returns what is to be done."""

    @property
    def idle(self) -> bool:
        """True while the link may be given to another device without cutting anything short."""
        ...

    def connected(self, link: Link, now: datetime) -> Sequence[Order]:
        """A connection stands."""
        ...

    def done(self, request: Request, payload: bytes, now: datetime) -> Sequence[Order]:
        """A request was carried out; `payload` is what a Read gave."""
        ...

    def failed(self, request: Request, fault: Fault, now: datetime) -> Sequence[Order]:
        """A request could not be carried out."""
        ...

    def value(self, characteristic: str, payload: bytes, now: datetime) -> Sequence[Order]:
        """A notification or an indication came."""
        ...

    def stored(self, tokens: Sequence[int], now: datetime) -> Sequence[Order]:
        """What was heard with these tokens is on disk."""
        ...

    def outward(self, topic: str, payload: bytes, now: datetime) -> Sequence[Order] | None:
        """A message of ours for a device; None when it is not for this one, or no connection is ready."""
        ...

    def signal(self, rssi_dbm: int, now: datetime) -> Sequence[Order]:
        """How strongly the device was heard, dBm."""
        ...

    def tick(self, now: datetime) -> Sequence[Order]:
        """The moment of the last WakeAt has come."""
        ...

    def disconnected(self, now: datetime, *, ours: bool) -> Sequence[Order]:
        """The link is gone: by our own will, or lost. Requests have no effect now."""
        ...


class Profile(Protocol):
    """One product or protocol on the air.

    Without `connects` all is said in advertisements, which are taken in on `ble/adv/{address}` as AD
    structures, and once a minute as `{"rssi_dbm": -60}` how strongly they are heard. With `stays` a
    link is never lent to another device. `announced` says
    that its advertisements list one of `service_uuids`, so that a scan may be filtered by it.
    """

    @property
    def id(self) -> str:
        """Its name in the configuration."""
        ...

    @property
    def service_uuids(self) -> tuple[str, ...]:
        """UUIDs in full and in lower case, of services or of service data."""
        ...

    @property
    def announced(self) -> bool:
        """Whether a scan may be filtered by the UUIDs."""
        ...

    @property
    def connects(self) -> bool:
        """Whether it wants a connection."""
        ...

    @property
    def stays(self) -> bool:
        """Whether its link must be held."""
        ...

    def claims(self, advertisement: Advertisement) -> bool:
        """Tell whether the advertisement is of this product."""
        ...

    def inbox(self, topic: str) -> str:
        """Return the device that a topic of ours goes to, "" where it is no such topic."""
        ...

    def session(self, address: str, identity: str) -> Session | None:
        """Return what talks with one device, None without `connects`; `identity` is who it must be, or ""."""
        ...
