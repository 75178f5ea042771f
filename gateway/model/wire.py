"""The messages of the standard device interface, version 1, as they are on the wire, in both directions."""

from typing import Annotated, Literal

import msgspec

from gateway.model.vocabulary import (
    Instant,
    Latitude,
    Longitude,
    Masking,
    Percent,
    Reference,
    Revision,
    Text,
)

MAX_BATCH = 1000
MAX_LIST = 64
"""The longest list of a configuration."""

Identity = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
CommandId = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Sequence64 = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
WireClock = Literal["synced", "unsynced"]
Interval = Annotated[int, msgspec.Meta(ge=1, le=86_400)]
"""Seconds between two of something, at most a day."""
LocalTime = Annotated[str, msgspec.Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
"""Hour and minute of the day in the configuration's time zone."""
Radius = Annotated[float, msgspec.Meta(gt=0, le=100_000)]
"""Metres."""
Minutes = Annotated[float, msgspec.Meta(gt=0, le=24 * 60)]
Jws = Annotated[
    str, msgspec.Meta(max_length=4096, pattern=r"^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$")
]
"""JSON Web Signature, compact serialization (RFC 7515, section 7.1)."""
PublicKey = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{43}$")]
"""32 bytes of an Ed25519 public key in base64url (`x` of RFC 8037, section 2)."""
Seconds = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
"""Seconds since 1970-01-01T00:00:00Z (NumericDate of RFC 7519)."""


BluetoothAddress = Annotated[str, msgspec.Meta(pattern=r"^[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}$")]
ProfileName = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9_-]{1,32}$")]
QueueBytes = Annotated[int, msgspec.Meta(ge=1 << 20, le=64 << 30)]
QueueAge = Annotated[int, msgspec.Meta(ge=60, le=366 * 86_400)]
"""Seconds."""


class Envelope(msgspec.Struct, frozen=True, gc=False):
    """A CloudEvents 1.0 event in structured mode; `data` is left for the decoder of its type."""

    specversion: Literal["1.0"]
    id: Identity
    type: str
    time: Instant
    source: Text = ""
    sequence: Sequence64 | None = None
    clockquality: WireClock = "unsynced"
    data: msgspec.Raw = msgspec.Raw(b"{}")


class Status(msgspec.Struct, frozen=True, gc=False):
    """The retained status; as the last will it has `state` and `reason` only."""

    state: Literal["online", "offline"]
    time: Instant | None = None
    clockquality: WireClock = "unsynced"
    firmware: Reference | None = None
    battery: Percent | None = None
    config_revision: Revision | None = None
    reason: Reference | None = None


class Measurement(msgspec.Struct, frozen=True, gc=False):
    """One reading of a batch; without `id` its type and time identify it."""

    type: str
    time: Instant
    data: msgspec.Raw = msgspec.Raw(b"{}")
    id: Identity | None = None
    sequence: Sequence64 | None = None
    clockquality: WireClock = "unsynced"


MEASUREMENTS = frozenset(
    {"heartbeat", "position.update", "battery.low", "battery.critical", "battery.ok", "link.changed"}
)
"""What a telemetry batch may carry: a happening is an event of its own (VDI-TEL-02)."""


class Batch(msgspec.Struct, frozen=True):
    """Measurements in order."""

    readings: Annotated[list[Measurement], msgspec.Meta(min_length=1, max_length=MAX_BATCH)]


Do = Literal["lock", "unlock", "locate", "supervise"]
"""What a command can ask for."""


class Command(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One command to one device; `expires` is judged by the device's own synced clock.

    `grant` is the signed permission that `unlock` and `supervise` need. `until`, `masking` and `slot` are
    those of the look that `supervise` opens.
    """

    id: CommandId
    do: Do
    expires: Instant
    grant: Jws | None = None
    visit: Reference | None = None
    until: Instant | None = None
    masking: Masking | None = None
    slot: Reference | None = None


class Grant(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The claims of a grant (RFC 7519): who may have what done, by which device, in which time.

    Signed with EdDSA (Ed25519, RFC 8037) as a JWS whose header names the key by `kid`. `aud` is
    `vaka:{tenant}/{device}` and `cmd` the id of the one command it is for.
    """

    jti: CommandId
    aud: Identity
    do: Do
    cmd: CommandId
    nbf: Seconds
    exp: Seconds
    sub: Reference | None = None
    masking: Masking | None = None


class Result(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The outcome of a command, with the command's id."""

    id: Identity
    outcome: Literal["done", "rejected", "expired", "failed"]
    reason: Text | None = None
    time: Instant | None = None


class Geofence(msgspec.Struct, frozen=True, omit_defaults=True):
    """A circle that the device watches by itself: WGS 84 degrees, metres."""

    ref: Reference
    latitude: Latitude
    longitude: Longitude
    radius_m: Radius


class Dose(msgspec.Struct, frozen=True, omit_defaults=True):
    """A daily dose: when it is due, local time, and how many minutes it may be taken."""

    ref: Reference
    at: LocalTime
    window_min: Minutes


class Look(msgspec.Struct, frozen=True, omit_defaults=True):
    """A daily window in which the camera may look, local time, minutes, and the least masking."""

    ref: Reference
    at: LocalTime
    minutes: Minutes
    masking: Masking = 0


class GrantKey(msgspec.Struct, frozen=True, omit_defaults=True):
    """A public key that grants are signed with."""

    kid: Reference
    x: PublicKey


class Radio(msgspec.Struct, frozen=True, omit_defaults=True):
    """A radio device that a home edge shall hear: its address, what it speaks, and who it must be."""

    address: BluetoothAddress
    profile: ProfileName
    device: Identity | None = None


def _listed(longest: int = MAX_LIST) -> msgspec.Meta:
    return msgspec.Meta(max_length=longest)


class Config(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The whole desired configuration; what is left out is the device's own choice.

    `time_zone` is an IANA name and holds for every local time; seconds where the name ends in `_s`.
    """

    revision: Revision
    heartbeat_s: Interval | None = None
    position_s: Interval | None = None
    time_zone: Reference | None = None
    geofences: Annotated[tuple[Geofence, ...], _listed()] = ()
    doses: Annotated[tuple[Dose, ...], _listed()] = ()
    looks: Annotated[tuple[Look, ...], _listed()] = ()
    grant_keys: Annotated[tuple[GrantKey, ...], _listed(8)] = ()
    queue_bytes: QueueBytes | None = None
    queue_age_s: QueueAge | None = None
    radios: Annotated[tuple[Radio, ...], _listed()] = ()
