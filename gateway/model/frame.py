"""Frame: bytes exactly as they arrived, and the only way in for anything that changes the state."""

from datetime import datetime
from enum import StrEnum

import msgspec


class Transport(StrEnum):
    """How a frame came in; the last five are inputs made inside the house, journalled like any other."""

    MQTT = "mqtt"
    HTTP = "http"
    BLE = "ble"
    SIP = "sip"
    TCP = "tcp"
    PERSON = "person"
    CLOCK = "clock"
    REGISTRY = "registry"
    RECEIPT = "receipt"
    WATCH = "watch"


INTERNAL = frozenset(
    {Transport.PERSON, Transport.CLOCK, Transport.REGISTRY, Transport.RECEIPT, Transport.WATCH}
)
"""Transports that no device can speak: a person's answer, a due timer, a registry, a delivery's proof, and
what the gateway finds wrong with itself."""

MAX_PAYLOAD_BYTES = 64 * 1024
"""Largest payload of one frame (standard device interface, version 1, MQTT limits)."""


class Frame(msgspec.Struct, frozen=True, gc=False):
    """One message as it arrived.

    `channel` is the MQTT topic, the HTTP path, the characteristic, the SIP URI or the name of the TCP
    protocol (`sia/dc09`). `source` is the authenticated sender ("" where the way in cannot know, as
    behind a broker). `fault` is the transport's own verdict when the bytes could not become a message
    at all: then `payload` holds the evidence. `position` is the journal's number for the frame, 0
    before it is journalled; it is also the frame's trace id.

    `heard_by` is the home edge that heard it and passed it on (a device id), `heard_at` when, by the
    edge's own clock, which only `heard_synced` says to be right. The journal keeps the edge's whole message
    instead, so these are read from it anew.
    """

    transport: Transport
    channel: str
    payload: bytes
    received_at: datetime
    ingress: str = ""
    source: str = ""
    retained: bool = False
    duplicate: bool = False
    fault: str = ""
    position: int = 0
    heard_by: str = ""
    heard_at: datetime | None = None
    heard_synced: bool = False

    @property
    def heard(self) -> datetime:
        """When it was first heard on our side: by the edge, where its clock can be believed, else here."""
        return self.heard_at if self.heard_at is not None and self.heard_synced else self.received_at
