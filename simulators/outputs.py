"""What a simulated device does to the world: it publishes, or its link goes up or down."""

from datetime import datetime

import msgspec


class Message(msgspec.Struct, frozen=True):
    """One MQTT message as the device hands it to its client."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False


class Link(msgspec.Struct, frozen=True):
    """The connection comes up, or breaks without a goodbye, so that the broker speaks the last will."""

    up: bool


Output = Message | Link


class Step(msgspec.Struct, frozen=True):
    """One output of one device at one moment; `note` says what a person watching should know of it.

    `output` None is a remark alone.
    """

    at: datetime
    device: str
    output: Output | None
    note: str = ""
