"""Forwarded: what a home edge tells of one frame that it heard, as it is on the way to the centre."""

import re
from datetime import datetime
from typing import Annotated, Literal, cast

import msgspec
from msgspec.structs import replace

from gateway.model.frame import MAX_PAYLOAD_BYTES, Frame, Transport
from gateway.model.instant import to_utc
from gateway.model.vocabulary import Instant

BRANCH = "frame"
"""The last level of the topic `vaka/1/{tenant}/{edge}/frame` by which an edge forwards."""
ENVELOPE_BYTES = 2048
"""What the envelope of one frame may need beside its payload."""
MAX_NAME, MAX_FAULT, MAX_CHANNEL = 128, 512, 768
"""Bytes of UTF-8 that an envelope has room for; a channel that is longer is a fault, and shown cut."""
MAX_FORWARDED_BYTES = MAX_PAYLOAD_BYTES + ENVELOPE_BYTES
ADAPTER = "vaka"
"""An edge is a device of the standard interface."""

_TOPIC = re.compile(r"vaka/1/([^/]+/[^/]+)/frame\Z")

Heard = Literal["mqtt", "http", "ble", "sip", "tcp"]
"""The transports that an edge may speak for: never those of inputs made inside the house."""
Epoch = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{8,32}\Z")]
Number = Annotated[int, msgspec.Meta(ge=1, le=2**62)]
Name = Annotated[str, msgspec.Meta(max_length=MAX_NAME)]
Channel = Annotated[str, msgspec.Meta(max_length=MAX_CHANNEL)]
Fault = Annotated[str, msgspec.Meta(max_length=MAX_FAULT)]
Payload = Annotated[bytes, msgspec.Meta(max_length=MAX_PAYLOAD_BYTES)]


class Forwarded(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One frame as an edge heard it; a MessagePack array of these fields in this order.

    `epoch` is drawn when the edge's queue is made, `number` counts the edge's frames in the order in which
    they were first sent, never one twice: both together are the frame's identity. `heard_at` is by the edge's
    clock, in which `synced` says whether it can be believed. `high` marks a call for help and what its device
    said before it. `way` is by which of the edge's ways in it was heard (`listener`, `ble:hci0`), `source`
    whom that way had authenticated. Further elements are allowed and ignored.
    """

    epoch: Epoch
    number: Number
    transport: Heard
    channel: Channel
    payload: Payload
    heard_at: Instant
    synced: bool
    high: bool = False
    way: Name = ""
    source: Name = ""
    retained: bool = False
    duplicate: bool = False
    fault: Fault = ""

    def frame(self, outer: Frame, edge: str) -> Frame:
        """Return the frame that was heard, at the journal position of the message that brought it."""
        return Frame(
            transport=Transport(self.transport),
            channel=self.channel,
            payload=self.payload,
            received_at=outer.received_at,
            ingress=f"edge:{edge}",
            source=self.source,
            retained=self.retained,
            duplicate=self.duplicate,
            fault=self.fault,
            position=outer.position,
            heard_by=edge,
            heard_at=to_utc(self.heard_at),
            heard_synced=self.synced,
        )


_decode = msgspec.msgpack.Decoder(Forwarded).decode


def edge_of(channel: str) -> str:
    """Return the native id of the edge whose topic for frames this is, "" for any other channel."""
    if not channel.endswith("/frame"):
        return ""
    found = _TOPIC.match(channel)
    return found[1] if found else ""


def read_forwarded(payload: bytes) -> Forwarded:
    """Read an envelope; raises msgspec.DecodeError, or UnicodeDecodeError for a text that is none."""
    return _decode(payload)


def longest(channel: str) -> int:
    """Return how many bytes a message on a channel may have; an envelope has room for a whole frame."""
    return MAX_FORWARDED_BYTES if edge_of(channel) else MAX_PAYLOAD_BYTES


def forwarded(frame: Frame, at: datetime, *, epoch: str, number: int, synced: bool, high: bool) -> bytes:
    """Return the envelope of a frame that an edge heard at a moment of its own clock.

    A name that is longer than an envelope has room for becomes a fault of the frame, so that it is shown.
    """
    fault = frame.fault
    channel = _cut(frame.channel, MAX_CHANNEL)
    if channel != frame.channel or len(frame.payload) > MAX_PAYLOAD_BYTES:
        found = f"{len(frame.channel)} characters of channel, {len(frame.payload)} bytes of payload"
        fault = fault or f"edge: found {found}; allowed: {MAX_CHANNEL}, {MAX_PAYLOAD_BYTES}"
    told = Forwarded(
        epoch=epoch,
        number=number,
        transport=cast("Heard", frame.transport.value),  # the edge's ways in make no others
        channel=channel,
        payload=frame.payload[:MAX_PAYLOAD_BYTES],
        heard_at=at,
        synced=synced,
        high=high,
        way=_cut(frame.ingress, MAX_NAME),
        source=_cut(frame.source, MAX_NAME),
        retained=frame.retained,
        duplicate=frame.duplicate,
        fault=_cut(fault, MAX_FAULT),
    )
    return msgspec.msgpack.encode(told)


def _cut(text: str, most: int) -> str:
    """Return as much of a text as has room; nearly always all of it."""
    return text if len(text) * 4 <= most else text.encode(errors="replace")[:most].decode(errors="ignore")


def numbered(envelope: bytes, number: int, *, high: bool) -> bytes:
    """Return an envelope of ours with its number and mark, which it gets when it is first sent."""
    return msgspec.msgpack.encode(replace(read_forwarded(envelope), number=number, high=high))


def hop_of(outer: Frame) -> str:
    """Say in words what the edge heard, by which radio or port, and when; "" for any other frame."""
    edge = edge_of(outer.channel)
    if not edge:
        return ""
    try:
        told = read_forwarded(outer.payload)
    except (msgspec.DecodeError, UnicodeDecodeError, OverflowError):
        return f"the edge {edge} sent an envelope that cannot be read"
    by = f" by {told.way}" if told.way else ""
    sender = f" from {told.source}" if told.source else ""
    what = f"{told.transport} {told.channel}{sender}, {len(told.payload)} bytes"
    clock = "synced" if told.synced else "not synced"
    heard_at = told.heard_at.isoformat(timespec="milliseconds")
    number = f"{told.epoch}/{told.number}"
    return f"heard{by} of the edge {edge}: {what}, at {heard_at}, clock {clock}, as {number}"
