"""The ports between a simulation's parts: what reaches the gateway, and who answers it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import msgspec

from gateway.contract import Changes, ChannelFault
from gateway.model.alert import Alert
from gateway.model.delivery import Delivery
from gateway.model.frame import Frame, Transport
from gateway.model.registry import RegistryDocument
from gateway.pipeline.walk import Walk
from gateway.service.intake import Urgent
from simulators.outputs import Link, Message


class Arrival(msgspec.Struct, frozen=True, gc=False):
    """A message as it reaches the gateway; `token` is what its sender hears back when it is on disk.

    A `Link` instead of a message is what the gateway sees of the device's connection: there, or broken.
    """

    at: datetime
    device: str
    message: Message | Link
    duplicate: bool = False
    token: int = 0


Acknowledged = Callable[[Sequence[int]], None]
"""Hears the tokens of what is on disk."""
Look = Callable[[str], Alert | None]
"""Shows an open alert as it is now; None for one that is closed."""
Committed = Callable[[Changes, int], None]
"""Hears of each commit, with the position of its last frame; changes nothing of it."""


@dataclass(frozen=True)
class Setting:
    """What a simulated gateway is made of: its steps, its registry, and who hears its phones."""

    walk: Walk
    urgent: Urgent
    document: RegistryDocument
    start: datetime
    people: "People"

    def registry(self) -> Frame:
        """Return the registry as the frame that brings it in."""
        payload = self.document.to_json()
        return Frame(Transport.REGISTRY, "registry", payload, self.start, ingress="file")


class Gateway(Protocol):
    """The gateway as a simulation drives it; `acknowledged` and `committed` are set by whoever listens."""

    acknowledged: Acknowledged
    committed: Committed

    def take(self, arrival: Arrival) -> None:
        """Let a message arrive now."""
        ...

    def link(self, at: datetime, device: str, will: Message, *, up: bool) -> None:
        """See a device's connection come, or break without a goodbye: then its last will is spoken."""
        ...

    def tell(self, frame: Frame) -> None:
        """Let an answer, a receipt or the like arrive now."""
        ...

    def next_at(self) -> datetime | None:
        """Return when it next does something by itself."""
        ...

    def come_to(self, now: datetime) -> None:
        """Do all that is due by then; it is not later there than `now` afterwards."""
        ...

    def alert(self, alert_id: str) -> Alert | None:
        """Return an open alert as people at work are shown it now; None for one that is closed."""
        ...

    def crash(self) -> None:
        """Lose everything that is not on disk; nothing is heard until `restart`."""
        ...

    def restart(self, now: datetime) -> None:
        """Go on from what is on disk."""
        ...

    def close(self) -> None:
        """Release everything."""
        ...


class Medium(Protocol):
    """What lies between the devices and the gateway."""

    def carry(self, at: datetime, device: str, message: Message) -> None:
        """Take what a device sends at that moment."""
        ...

    def link(self, at: datetime, device: str, *, up: bool) -> None:
        """Hear that a device's own link comes up, or breaks; what the gateway sees of it is an arrival."""
        ...

    def next_at(self) -> datetime | None:
        """Return when something next arrives, or changes."""
        ...

    def arrivals(self, now: datetime) -> Sequence[Arrival]:
        """Return what has arrived by then, in order."""
        ...

    def acknowledged(self, tokens: Sequence[int]) -> None:
        """Hear what the gateway has on disk."""
        ...


class People(Protocol):
    """Who answers: people at work with their phones."""

    def watch(self, look: Look) -> None:
        """Get the page that shows alerts as they are."""
        ...

    def ring(self, delivery: Delivery, alert: Alert, now: datetime) -> str:
        """Let a phone ring; "" when the channel took it, or why not. ChannelFault for a dead channel."""
        ...

    def next_at(self) -> datetime | None:
        """Return when somebody next does something."""
        ...

    def advance(self, now: datetime) -> Sequence[Frame]:
        """Return what people and phones tell the gateway by then, in order."""
        ...


class Hangs(ChannelFault):
    """The channel takes so many seconds to fail."""

    def __init__(self, reason: str, after_s: float) -> None:
        super().__init__(reason)
        self.after_s = after_s


class Crashed(BaseException):
    """The gateway ended in the middle of its work; no guard inside it may catch that."""


def frame_of(arrival: Arrival) -> Frame:
    """Return a device's message as the listener hands it in: straight from the device nothing is old."""
    message = arrival.message
    if isinstance(message, Link):
        raise TypeError("a link is no message")
    return Frame(
        transport=Transport.MQTT,
        channel=message.topic,
        payload=message.payload,
        received_at=arrival.at,
        ingress="listener",
        source=arrival.device,
        duplicate=arrival.duplicate,
    )


def fresh(will: Message) -> Message:
    """Return a last will as whoever speaks it hands it on: news, not something kept."""
    return Message(will.topic, will.payload, will.qos)
