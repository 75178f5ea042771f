"""The port for one product or protocol family."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from gateway.model.frame import Frame
from gateway.model.reading import Ignored, Reading


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What an adapter says of itself.

    `topics` are MQTT filters it can read; `branch` is the filter that one device may publish to,
    with `{native_id}` in it, and `inbox` the filter it may subscribe to ("" for none). `urgent` are
    byte strings that mark a frame which must overtake others on its way to the disk. `sources` are
    the interface documents with their versions, `variants` the products and firmware they speak of,
    `tested_with` what it has really been tried on, and `traps` what a reader must know. Where the product
    takes the standard interface's own commands, `commands` names them and `command_topic` where they go
    (`{native_id}` in it); `config_topic` is where it takes its retained configuration.
    """

    id: str
    product: str
    version: str
    topics: tuple[str, ...]
    branch: str
    inbox: str = ""
    urgent: tuple[bytes, ...] = ()
    sources: tuple[str, ...] = ()
    vendor: str = ""
    variants: tuple[str, ...] = ()
    tested_with: tuple[str, ...] = ()
    traps: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    command_topic: str = ""
    config_topic: str = ""


class Adapter(Protocol):
    """One product or protocol family; pure: bytes in, readings out."""

    @property
    def manifest(self) -> Manifest:
        """What it reads and where that is documented."""
        ...

    def decode(self, frame: Frame) -> Sequence[Reading | Ignored]:
        """Read one frame; raises Undecodable. Never looks at anything but the frame."""
        ...
