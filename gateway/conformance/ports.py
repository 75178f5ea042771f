"""What a bench joins: the probe's faults, our side, the device's test hook, the person beside it."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Protocol

import msgspec

from gateway.conformance.record import Direction
from gateway.contract import VakaError


class Said(msgspec.Struct, frozen=True):
    """A sentence in both languages."""

    en: str
    sv: str


class Answer(StrEnum):
    """What came of a prompt."""

    DONE = "done"
    CANNOT = "cannot"
    LATE = "late"


class CannotDriveError(VakaError):
    """Nobody and nothing could do that to the device: the case is not executed, and blames nothing."""


class Swallowing(Protocol):
    """A fault that makes packets vanish; it ends by itself after its count, or by `end`."""

    @property
    def taken(self) -> int:
        """How many it has made vanish."""
        ...

    def end(self) -> None:
        """Let packets pass again."""
        ...


class Faults(Protocol):
    """What the probe can do to the link; `calm` undoes all of it."""

    def swallow(
        self, kind: str, count: int | None = None, direction: Direction = Direction.DOWN
    ) -> Swallowing:
        """Make the next packets of that kind (`PUBACK`, `CONNACK`, `PINGRESP`) vanish; None: until ended."""
        ...

    def cut(self) -> None:
        """Break the connection without a goodbye, on both sides."""
        ...

    def vanish(self) -> None:
        """Let nothing pass on the present connection any more, and neither side be told."""
        ...

    def refuse(self, *, refusing: bool) -> None:
        """Take no new connection, or take them again."""
        ...

    def delay(self, direction: Direction, seconds: float) -> None:
        """Hold packets of that direction back for so long; 0 ends it."""
        ...

    def send(self, data: bytes) -> None:
        """Put bytes of our own on the present connection to the device, whatever they are."""
        ...

    def calm(self) -> None:
        """End every fault."""
        ...


class Counterpart(Protocol):
    """Our side: it answers as the gateway does."""

    async def start(self, *, forgetting: bool = False) -> None:
        """Begin to serve, or begin again; with `forgetting` without the sessions there were."""
        ...

    async def stop(self) -> None:
        """Stop serving; what was acknowledged and who has a session is kept."""
        ...

    async def publish(self, branch: str, payload: bytes, *, retain: bool) -> None:
        """Send the device a message on a branch of its own; a retained one is kept for its next link."""
        ...


class UpperTester(Protocol):
    """The device's own test hook."""

    @property
    def actions(self) -> frozenset[str]:
        """What it offers: event, reset, battery, clock."""
        ...

    async def do(self, action: str, values: Mapping[str, Any]) -> None:
        """Ask for it; CannotDriveError when the hook refuses or does not answer."""
        ...


class Prompter(Protocol):
    """Who asks the person beside the device."""

    async def ask(self, what: Said, within_s: float) -> Answer:
        """Ask for something to be done, and return what came of it in time."""
        ...
