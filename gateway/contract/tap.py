"""The ports of taps: what of the log one page holds, and whoever carries it out of the house."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from gateway.model.alert import Alert, AlertEntry
from gateway.model.event import Event


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """What the frames after `after` up to and with `upto` wrote, in the order of the log.

    `events` have their place in the log, which names an event among all others and grows. `alerts` are those
    of the entries, as they stood when the page was read: a later page may show them as they were no more.
    """

    after: int
    upto: int
    events: Sequence[tuple[int, Event]] = ()
    entries: Sequence[AlertEntry] = ()
    alerts: Mapping[str, Alert] = {}

    @property
    def empty(self) -> bool:
        """True when there is nothing to carry out."""
        return not (self.events or self.entries)


class Handed(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one item: the receiver's proof that it has it, or why it refused it for good.

    `item` names it for ever, so that it is proved once however often it was sent. A refused item keeps
    `body`, which `Tap.again` sends when a person has mended the cause.
    """

    item: str
    proof: str = ""
    refused: str = ""
    body: bytes = b""


class Log(Protocol):
    """The committed log; methods may be called from any thread, every error is StoreUnavailableError."""

    def cursor(self) -> int:
        """Return the position up to which frames were walked."""
        ...

    def page(self, after: int, frames: int) -> Page:
        """Return what at most so many frames after that position wrote."""
        ...


class Tap(Protocol):
    """Carries the log to one receiver outside. It is told each page until it says that it is through.

    A page comes again after an outage or a kill, so what is sent must be known by the receiver as the same
    (an id, a key, a conditional update).
    """

    @property
    def name(self) -> str:
        """The name of its cursor; one that changes begins anew."""
        ...

    async def take(self, page: Page) -> Sequence[Handed]:
        """Hand over a page; TapFault when the receiver is disturbed, and the page shall come again."""
        ...

    async def again(self, item: str, body: bytes) -> Handed:
        """Send once more what was refused; TapFault as above."""
        ...

    async def close(self) -> None:
        """Release connections."""
        ...


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """A dead letter: an item that a receiver refused for good, and that waits for a person."""

    id: int
    tap: str
    item: str
    reason: str
    at_us: int
    body: bytes


class Cursors(Protocol):
    """Where taps keep how far they are; every error is StoreUnavailableError."""

    def cursor(self, tap: str) -> int | None:
        """Return how far a tap is, None for one that never was."""
        ...

    def begun(self, tap: str) -> int | None:
        """Return the position after which a tap began, None for one that never was."""
        ...

    def commit(self, tap: str, upto: int, handed: Sequence[Handed], at_us: int) -> None:
        """Write a tap's place, proofs and dead letters in one transaction, which a kill cannot undo."""
        ...

    def settle(self, letter: Letter, handed: Handed | None, at_us: int) -> None:
        """Remove a dead letter: it arrived (`handed` with its proof), or a person gave it up (None)."""
        ...

    def letters(self, tap: str, limit: int) -> Sequence[Letter]:
        """Return the oldest dead letters of a tap."""
        ...

    def letter(self, tap: str, number: int) -> Letter | None:
        """Return one dead letter of a tap."""
        ...

    def waiting(self, tap: str) -> int:
        """Return how many dead letters a tap has."""
        ...

    def proofs(self, tap: str, items: Sequence[str]) -> Mapping[str, str]:
        """Return the receiver's proofs of these items, those that have one."""
        ...

    def given_up(self, tap: str) -> Mapping[str, str]:
        """Return the items that a person gave up and nobody sent since, with why they were refused."""
        ...

    def close(self) -> None:
        """Release the storage."""
        ...
