"""Form: the lines of a recording, version 1; what is not named here is in no recording (docs/replay.md)."""

from datetime import datetime
from typing import Any

import msgspec

from gateway.model.alert import Severity
from gateway.model.frame import Transport
from gateway.model.vocabulary import ClockQuality, DeviceKind

KEPT, PSEUDONYMS = "kept", "pseudonyms"
"""What may stand in a header for its references."""
VERSION = 1
"""The only version that this program writes and reads."""


class _Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag_field="line"):
    """One line of the file: a JSON object whose `line` says what it tells."""


class Header(_Line, frozen=True, kw_only=True, tag="recording"):
    """The first line: what the file is.

    Figures are made of `since` to `until`; what is before `since` is there to warm up. `opening` says that
    the recording begins in the middle of a journal. `rules` are the rules in force and in shadow as
    `id` -> `state`, `active` those that were taken out of the shadow. `left_out` says what is in no line,
    `references` is "pseudonyms" or "kept".
    """

    form: int
    gateway: str
    since: datetime
    until: datetime
    opening: bool = False
    references: str
    left_out: tuple[str, ...]
    channels: tuple[str, ...]
    active: tuple[str, ...] = ()
    rules: dict[str, str] = {}


class Said(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One reading as the adapter made it; `values` are those of its type."""

    device: str
    kind: DeviceKind
    type: str
    values: msgspec.Raw = msgspec.Raw(b"{}")
    at: datetime | None = None
    clock: ClockQuality = ClockQuality.NONE
    key: str = ""
    happened: bool = True
    packet: str = ""


class DeviceLine(_Line, frozen=True, kw_only=True, tag="device"):
    """What a device's frame said. `digest` tells equal payloads of devices without message ids.

    `rejected` is the clause by which the frame went to quarantine, `device` who sent it then. `heard_by` is
    the home edge that passed it on, `heard_at` when that heard it; `heard_synced` says its clock was right.
    """

    n: int
    at: datetime
    transport: Transport
    adapter: str = ""
    source: str = ""
    retained: bool = False
    duplicate: bool = False
    digest: str = ""
    rejected: str = ""
    device: str = ""
    heard_by: str = ""
    heard_at: datetime | None = None
    heard_synced: bool = False
    said: tuple[Said, ...] = ()


class AnswerLine(_Line, frozen=True, kw_only=True, tag="answer"):
    """What a person did with an alert; notes are left out, `noted` says that there was one."""

    n: int
    at: datetime
    alert: str
    action: str
    actor: str
    outcome: str = ""
    noted: bool = False
    seen: int | None = None
    seen_severity: str = ""
    eta_s: float | None = None
    to: str = ""
    for_s: float | None = None
    by: str = ""


class ReceiptLine(_Line, frozen=True, kw_only=True, tag="receipt"):
    """The proof of a delivery: of which alert, to whom, by what channel and in which attempt.

    `state` "shown" is a page that shows the alert; `again` marks a fault of the channel that may pass.
    """

    n: int
    at: datetime
    alert: str
    recipient: str
    state: str
    delivery: str = ""
    channel: str = ""
    attempt: int = 1
    again: bool = False


class PeopleLine(_Line, frozen=True, kw_only=True, tag="people"):
    """Plans, contexts and who can be reached: an input of `channel` with the body that it may have."""

    n: int
    at: datetime
    transport: Transport
    channel: str
    body: msgspec.Raw = msgspec.Raw(b"{}")


class RegistryLine(_Line, frozen=True, kw_only=True, tag="registry"):
    """A whole registry, without names, secrets, certificates and native ids."""

    n: int
    at: datetime
    document: msgspec.Raw


class WatchLine(_Line, frozen=True, kw_only=True, tag="watch"):
    """What the gateway found wrong with itself: kinds, and findings without their sentences."""

    n: int
    at: datetime
    body: msgspec.Raw


class TickLine(_Line, frozen=True, kw_only=True, tag="tick"):
    """A due timer, or with `start` the gateway's start."""

    n: int
    at: datetime
    start: bool = False


class AlertLine(_Line, frozen=True, kw_only=True, tag="alert"):
    """An alert that the frame before raised. `ref` is how answers name it."""

    ref: str
    n: int
    rule: str
    severity: Severity
    raised_at: datetime
    home: str = ""
    person: str = ""
    device: str = ""
    subject: str = ""
    type: str


class EntryLine(_Line, frozen=True, kw_only=True, tag="history"):
    """One line of an alert's history, without its sentence."""

    ref: str
    version: int
    at: datetime
    action: str
    severity: str = ""
    outcome: str = ""


class Trailer(_Line, frozen=True, kw_only=True, tag="end"):
    """The last line: how many lines and frames came before, and the SHA-256 of those lines."""

    lines: int
    frames: int
    sha256: str


FrameLine = DeviceLine | AnswerLine | ReceiptLine | PeopleLine | RegistryLine | WatchLine | TickLine
Line = Header | FrameLine | AlertLine | EntryLine | Trailer

encode = msgspec.json.Encoder(order="deterministic").encode
_decoder: msgspec.json.Decoder[Line] = msgspec.json.Decoder(Line)
decode = _decoder.decode


def raw(value: Any) -> msgspec.Raw:
    """Return a value as JSON inside a line."""
    return msgspec.Raw(encode(value))
