"""What all connections of one listener share."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from gateway.config import ListenerSettings
from gateway.contract import Clock, CredentialCheck, Intake, Manifest
from gateway.model.frame import MAX_PAYLOAD_BYTES
from gateway.transports.mqtt_listener.faults import Faults
from gateway.transports.mqtt_listener.keeper import Keeper
from gateway.transports.mqtt_listener.sessions import SessionBook
from gateway.transports.mqtt_listener.wills import Wills

TOPIC_MARGIN_BYTES = 4096
MAX_PACKET_BYTES = MAX_PAYLOAD_BYTES + TOPIC_MARGIN_BYTES
"""The largest packet that is read at all: a payload, and room for topic and properties."""


@dataclass(slots=True)
class Counters:
    """What health pages tell; `connections` is the present number, the others only grow."""

    connections: int = 0
    accepted: int = 0
    refused: int = 0
    frames: int = 0
    qos0_dropped: int = 0
    taken_over: int = 0
    timeouts: int = 0


class Guest(Protocol):
    """A connection, as another that takes over its session sees it."""

    def taken_over(self, *, clean: bool) -> None:
        """The same client id has connected again: say so, and close."""
        ...


@dataclass(slots=True)
class House:
    """What a connection needs; `open` has those that are connected by (device, client id)."""

    settings: ListenerSettings
    intake: Intake
    check: CredentialCheck
    manifests: Mapping[str, Manifest]
    clock: Clock
    keeper: Keeper
    book: SessionBook
    wills: Wills
    faults: Faults
    loop: asyncio.AbstractEventLoop
    counters: Counters = field(default_factory=Counters)
    open: dict[tuple[str, str], Guest] = field(default_factory=dict)
