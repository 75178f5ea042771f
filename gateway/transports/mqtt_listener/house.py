"""What all connections of one listener share."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from gateway.config import ListenerSettings
from gateway.contract import Clock, CredentialCheck, Intake, Manifest
from gateway.model.frame import MAX_PAYLOAD_BYTES
from gateway.transports.mqtt_listener.counters import Counters
from gateway.transports.mqtt_listener.faults import Faults
from gateway.transports.mqtt_listener.keeper import Keeper
from gateway.transports.mqtt_listener.sessions import SessionBook
from gateway.transports.mqtt_listener.wills import Wills

TOPIC_MARGIN_BYTES = 4096
RETRY_S = 0.005
"""How soon a frame that the intake had no room for is offered again."""

MAX_PACKET_BYTES = MAX_PAYLOAD_BYTES + TOPIC_MARGIN_BYTES
"""The largest packet that is read at all: a payload, and room for topic and properties."""


class Guest(Protocol):
    """A connection, as another that takes over its session sees it."""

    def taken_over(self, *, clean: bool) -> None:
        """The same client id has connected again: say so, and close."""
        ...


class WaitingRoom:
    """Connections whose frames found the intake full, tried again in their order.

    One timer for all: the first that still finds no room ends the round, so that waiting costs
    nothing, however many wait.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: deque[Callable[[], bool]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, retry: Callable[[], bool]) -> None:
        """Call `retry` until it returns True."""
        self._waiting.append(retry)
        if self._timer is None:
            self._timer = self._loop.call_later(RETRY_S, self._round)

    def _round(self) -> None:
        self._timer = None
        for _ in range(len(self._waiting)):
            retry = self._waiting.popleft()
            if not retry():
                self._waiting.appendleft(retry)
                break
        if self._waiting and self._timer is None:
            self._timer = self._loop.call_later(RETRY_S, self._round)


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
    counters: Counters
    waiting_room: WaitingRoom
    open: dict[tuple[str, str], Guest] = field(default_factory=dict)
