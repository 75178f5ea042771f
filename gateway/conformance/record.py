"""The record of a run: every packet between device and our side, with its time, direction, bytes and fate."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import datetime
from enum import StrEnum
from typing import Any

import mqtt5
import msgspec

from gateway.model.instant import from_iso
from gateway.transports.mqtt_codec import Packet


class Direction(StrEnum):
    """Which way a packet went."""

    UP = "from device"
    DOWN = "to device"


class Fate(StrEnum):
    """What the probe did with a packet."""

    PASSED = "passed"
    SWALLOWED = "swallowed"
    MADE = "made by the probe"


class Seen(msgspec.Struct, frozen=True, dict=True):
    """One packet, or a mark (kind OPEN, CLOSED, REFUSED, BROKEN: the link itself, with `remark`).

    `at_s` are seconds since the run began, `link` counts the device's connections from 1. `raw` are the
    bytes as they were on the wire, but for a password, which is overwritten; `packet` is None for a mark.
    """

    number: int
    at_s: float
    link: int
    direction: Direction
    kind: str
    raw: bytes = b""
    packet: Packet | None = None
    fate: Fate = Fate.PASSED
    remark: str = ""
    level: int = 0

    @property
    def topic(self) -> str:
        """The topic of a PUBLISH, else empty."""
        return self.packet.topic if isinstance(self.packet, mqtt5.PublishPacket) else ""

    @property
    def branch(self) -> str:
        """The last level of the topic: event, status, telemetry, result, command or config."""
        return self.topic.rpartition("/")[2]

    @property
    def payload(self) -> bytes:
        """The payload of a PUBLISH, else empty."""
        found = self.packet.payload if isinstance(self.packet, mqtt5.PublishPacket) else b""
        return found or b""

    @property
    def qos(self) -> int:
        """The QoS of a PUBLISH, else 0."""
        return int(self.packet.qos) if isinstance(self.packet, mqtt5.PublishPacket) else 0

    @property
    def retain(self) -> bool:
        """The retain flag of a PUBLISH."""
        return isinstance(self.packet, mqtt5.PublishPacket) and self.packet.retain

    @property
    def duplicate(self) -> bool:
        """The DUP flag of a PUBLISH."""
        return isinstance(self.packet, mqtt5.PublishPacket) and self.packet.duplicate

    @property
    def packet_id(self) -> int | None:
        """The packet identifier, None for a packet without one."""
        found: int | None = getattr(self.packet, "packet_id", None)
        return found

    @property
    def body(self) -> dict[str, Any]:
        """The payload as a JSON object; empty when it is none."""
        kept: dict[str, Any] | None = self.__dict__.get("_body")
        if kept is None:
            kept = self.__dict__["_body"] = _object(self.payload)
        return kept

    @property
    def happened(self) -> datetime | None:
        """When it happened by the device's word, UTC; None where it does not say so with an offset."""
        found = self.body.get("time")
        return from_iso(found) if isinstance(found, str) else None

    @property
    def word(self) -> str:
        """The event's type as the vocabulary writes it (`lock.unlocked`); empty for anything else."""
        found = self.body.get("type") if self.branch == "event" else None
        return found.removeprefix("vaka.").removesuffix(".v1") if isinstance(found, str) else ""


Test = Callable[[Seen], bool]


class Record:
    """All that was seen, in order; one can wait in it for what comes next. Bounded by `limit` packets."""

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None, limit: int = 200_000) -> None:
        self._loop = loop or asyncio.get_running_loop()
        self._begun_s = self._loop.time()
        self._limit = limit
        self._seen: list[Seen] = []
        self._waiting: list[tuple[Test, asyncio.Future[Seen]]] = []
        self._links = 0
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._seen)

    def __iter__(self) -> Iterator[Seen]:
        return iter(self._seen)

    def __getitem__(self, number: int) -> Seen:
        """Return the packet of that number, counted from 0."""
        return self._seen[number]

    def now_s(self) -> float:
        """Return the seconds since the run began, on the loop's clock."""
        return self._loop.time() - self._begun_s

    def next_link(self) -> int:
        """Return the number of a new connection of the device, from 1."""
        self._links += 1
        return self._links

    def add(self, link: int, direction: Direction, kind: str, **more: Any) -> Seen:
        """Note what was seen now, and wake who waits for it."""
        seen = Seen(len(self._seen), round(self.now_s(), 6), link, direction, kind, **more)
        if len(self._seen) >= self._limit:
            self.dropped += 1
            return seen
        self._seen.append(seen)
        for test, future in self._waiting[:]:
            if not future.done() and test(seen):
                future.set_result(seen)
        return seen

    def since(self, number: int) -> list[Seen]:
        """Return what was seen from that number on."""
        return self._seen[number:]

    def until(self, number: int) -> list[Seen]:
        """Return what was seen before that number."""
        return self._seen[:number]

    async def wait(self, test: Test, within_s: float, since: int | None = None) -> Seen | None:
        """Return the first that passes the test, from `since` (default: now) on; None if too late."""
        for seen in self._seen[len(self._seen) if since is None else since :]:
            if test(seen):
                return seen
        future: asyncio.Future[Seen] = self._loop.create_future()
        entry = (test, future)
        self._waiting.append(entry)
        try:
            async with asyncio.timeout(within_s):
                return await future
        except TimeoutError:
            return None
        finally:
            self._waiting.remove(entry)


def _object(payload: bytes) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
