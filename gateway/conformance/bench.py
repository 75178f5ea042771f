"""The bench: all that a case may use: packets, faults, our side, the device's test hook, a person."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import mqtt5
import msgspec

from gateway.conformance.declaration import Declaration
from gateway.conformance.driving import Driving
from gateway.conformance.granting import Granting
from gateway.conformance.ports import (
    Counterpart,
    Faults,
    Prompter,
    Swallowing,
    UpperTester,
)
from gateway.conformance.record import Direction, Fate, Record, Seen
from gateway.contract import Clock

BREATH_S = 0.4
"""A device that says nothing for so long has said what it had to say."""


class Bench(Driving):
    """One device, and everything around it. Times are seconds on the loop's clock, which may be virtual."""

    def __init__(  # noqa: PLR0917 - the ports it joins, each once
        self,
        declaration: Declaration,
        record: Record,
        faults: Faults,
        side: Counterpart,
        clock: Clock,
        tester: UpperTester | None = None,
        prompter: Prompter | None = None,
    ) -> None:
        super().__init__(declaration, tester, prompter)
        self.record = record
        self.faults = faults
        self.clock = clock
        self._side = side
        self._began_at = clock.now() - timedelta(seconds=record.now_s())
        self._revisions = count(1)
        self._commands = count(1)
        self.granting = Granting(declaration.connection.native_id, clock)

    # -- what was seen

    def mark(self) -> int:
        """Return the number of the next packet: where a case begins to look."""
        return len(self.record)

    def seen(self, since: int = 0, **wanted: Any) -> list[Seen]:
        """Return the packets from `since` on that `matching` finds."""
        test = matching(**wanted)
        return [seen for seen in self.record.since(since) if test(seen)]

    async def wait(self, within_s: float, since: int | None = None, **wanted: Any) -> Seen | None:
        """Return the first packet that `matching` finds, from `since` (default: now) on; None if too late."""
        return await self.record.wait(matching(**wanted), within_s, since)

    async def news(self, word: str, since: int, within_s: float) -> Seen | None:
        """Return the first event of that word from `since` on that is new; None if too late."""
        known = {seen.body.get("id") for seen in self.record.until(since) if seen.branch == "event"}
        return await self.wait(within_s, since, word=word, test=lambda seen: seen.body.get("id") not in known)

    def calm(self) -> None:
        """End every fault."""
        self.faults.calm()

    async def settle(self) -> None:
        """Let the device come back before the next case; whether it must is for the case to judge."""
        self.calm()
        await self.link()
        await self.quiet()

    async def quiet(self) -> None:
        """Wait until the device has said what it had to say: a breath long nothing new, and not for ever."""
        ends = self.record.now_s() + self.margin_s
        while self.record.now_s() < ends:
            if await self.wait(BREATH_S, kind="PUBLISH", direction=Direction.UP) is None:
                return

    def moment(self, seen: Seen) -> datetime:
        """Return the wall time at which a packet was seen, UTC."""
        return self._began_at + timedelta(seconds=seen.at_s)

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""
        await asyncio.sleep(seconds)

    # -- the link

    @property
    def linked(self) -> bool:
        """Whether the device has a connection that we accepted and that still stands."""
        for number in range(len(self.record) - 1, -1, -1):
            seen = self.record[number]
            if seen.kind in ("CLOSED", "REFUSED", "DISCONNECT"):
                return False
            if seen.kind == "CONNACK" and seen.fate is not Fate.SWALLOWED:
                return isinstance(seen.packet, mqtt5.ConnAckPacket) and int(seen.packet.reason_code) == 0
        return False

    @property
    def margin_s(self) -> float:
        """What is added to the device's own longest times: for the network, and for the kit's machine."""
        return self.declaration.pixit.margin_s

    @property
    def patience_s(self) -> float:
        """How long the device may take from a lost link to a new one, by its own word."""
        return self.declaration.pixit.reconnect_s + self.margin_s

    async def link(self, within_s: float | None = None) -> bool:
        """Wait until the device is connected and was accepted; True at once if it is."""
        limit = self.patience_s if within_s is None else within_s
        ends = self.record.now_s() + limit
        while not self.linked:
            left = ends - self.record.now_s()
            if left <= 0 or await self.wait(left, kind="CONNACK", direction=Direction.DOWN) is None:
                return self.linked
        return True

    async def listening(self, within_s: float | None = None) -> bool:
        """Wait until the device has subscribed in its present session; tell whether it has."""
        since = 0
        for seen in self.record:
            fresh = isinstance(seen.packet, mqtt5.ConnAckPacket) and not seen.packet.session_present
            since = seen.number if fresh else since
        limit = self.margin_s if within_s is None else within_s
        return await self.wait(limit, since, kind="SUBACK") is not None

    async def relink(self, since: int) -> Seen | None:
        """Return the device's next CONNECT from `since` on, once it was accepted; None if none in time."""
        connect = await self.wait(self.patience_s, since, kind="CONNECT")
        if connect is None or not await self.link():
            return None
        return connect

    def swallow(
        self, kind: str, count: int | None = None, direction: Direction = Direction.DOWN
    ) -> Swallowing:
        """Make the next packets of that kind vanish on their way (None: until ended)."""
        return self.faults.swallow(kind, count, direction)

    def cut(self) -> None:
        """Break the present connection without a goodbye."""
        self.faults.cut()

    async def outage(self, down_s: float) -> None:
        """Break the connection and take none for so long, as when the network is away."""
        self.faults.refuse(refusing=True)
        self.faults.cut()
        await asyncio.sleep(down_s)
        self.faults.refuse(refusing=False)

    async def restart(self, down_s: float = 2.0, *, forgetting: bool = False) -> None:
        """Stop our side and start it again after so long; with `forgetting` it has no session any more."""
        self.faults.refuse(refusing=True)
        self.faults.cut()
        await self._side.stop()
        await asyncio.sleep(down_s)
        await self._side.start(forgetting=forgetting)
        self.faults.refuse(refusing=False)

    # -- our side speaks

    def revision(self) -> int:
        """Return a configuration revision that was not used before in this run."""
        return int(self.clock.now().timestamp()) % 1_000_000_000 + next(self._revisions)

    def command_id(self) -> str:
        """Return a command id that was not used before in this run."""
        return f"kit-{int(self.clock.now().timestamp()):x}-{next(self._commands)}"

    async def configure(self, **values: Any) -> None:
        """Send a retained configuration; `revision` is the caller's."""
        await self.publish("config", values, retain=True)

    async def command(self, **values: Any) -> None:
        """Send a command; `id`, `do` and `expires` are the caller's."""
        await self.publish("command", values, retain=False)

    async def publish(self, branch: str, values: Mapping[str, Any] | bytes, *, retain: bool) -> None:
        """Send the device anything on one of its branches; bytes go as they are.

        Waits a little for a device that has only just connected and has not subscribed yet.
        """
        await self.listening()
        payload = values if isinstance(values, bytes) else msgspec.json.encode(values)
        await self._side.publish(branch, payload, retain=retain)


def matching(
    *,
    kind: str | None = None,
    branch: str | None = None,
    word: str | None = None,
    direction: Direction | None = None,
    fate: Fate | None = None,
    test: Callable[[Seen], bool] | None = None,
) -> Callable[[Seen], bool]:
    """Return the test that a packet passes when everything given is so.

    `branch` and `word` mean a PUBLISH from the device unless `direction` says otherwise.
    """
    publish = branch is not None or word is not None
    way = direction or (Direction.UP if publish else None)

    def matches(seen: Seen) -> bool:
        return (
            (kind is None or seen.kind == kind)
            and (not publish or seen.kind == "PUBLISH")
            and (branch is None or seen.branch == branch)
            and (word is None or seen.word == word)
            and (way is None or seen.direction is way)
            and (fate is None or seen.fate is fate)
            and (test is None or test(seen))
        )

    return matches
