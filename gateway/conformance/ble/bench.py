"""The bench over Bluetooth: the gateway's part of the profile by hand, step by step."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from typing import Any

import cbor2
import msgspec
from bleak import BleakClient
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakCharacteristicNotFoundError

from gateway.conformance.ble import profile
from gateway.conformance.declaration import Declaration
from gateway.conformance.driving import Driving
from gateway.conformance.ports import Prompter, UpperTester
from gateway.conformance.record import Direction, Record
from gateway.contract import Clock, VakaError
from gateway.transports.ble.radio import TROUBLE, Radio, secured, words

BREATH_S = 0.5
LOOK_S = 0.05
CONNECT_S = 20.0


class NoLinkError(VakaError):
    """The device could not be reached, or the link broke in the middle of something."""


class RefusedError(VakaError):
    """The device refused a read, a write or a subscription; `security` tells whether for want of a bond."""

    def __init__(self, reason: str, *, security: bool) -> None:
        super().__init__(reason)
        self.security = security


class Value(msgspec.Struct, frozen=True):
    """One whole value that the device told: its packet, its link, its branch, its bytes and its fields."""

    number: int
    link: int
    branch: str
    raw: bytes
    body: dict[str, Any]
    wrong: str = ""

    @property
    def word(self) -> str:
        """The event's type as the vocabulary writes it; empty for anything else."""
        found = self.body.get("type") if self.branch == "event" else None
        return found.removeprefix("vaka.").removesuffix(".v1") if isinstance(found, str) else ""

    @property
    def sequence(self) -> int:
        """The sequence of an event, 0 for none."""
        found = self.body.get("sequence")
        return found if isinstance(found, int) else 0


class GattBench(Driving):
    """One device on the air. `bonds_by_itself`: the system bonds unasked (BlueZ does)."""

    def __init__(  # noqa: PLR0917 - the ports it joins, each once
        self,
        declaration: Declaration,
        record: Record,
        radio: Radio,
        clock: Clock,
        tester: UpperTester | None = None,
        prompter: Prompter | None = None,
    ) -> None:
        super().__init__(declaration, tester, prompter)
        self.record, self.clock, self.radio = record, clock, radio
        self.bonds_by_itself = radio.client is None
        self.advertised: AdvertisementData | None = None
        self.values: list[Value] = []
        self.acknowledged = 0
        self.acknowledging = True
        self.telling_time = True
        self._began_at = clock.now() - timedelta(seconds=record.now_s())
        self._client: BleakClient | None = None
        self._link = 0
        self._joiners: dict[str, profile.Joiner] = {}
        self._subscriptions: set[str] = set()
        self._work: set[asyncio.Task[None]] = set()
        self._numbers = count(1)

    # -- what a run needs

    def calm(self) -> None:
        """Acknowledge again, and tell the time again."""
        self.acknowledging = self.telling_time = True

    async def settle(self) -> None:
        """Have a link that listens, and take all that waits."""
        self.calm()
        with contextlib.suppress(NoLinkError, RefusedError):
            await self.listen()
            await self.drain()

    @property
    def margin_s(self) -> float:
        """What is added to the device's own longest times."""
        return self.declaration.pixit.margin_s

    def moment(self, value: Value) -> datetime:
        """Return the wall time at which a value was complete, UTC."""
        return self._began_at + timedelta(seconds=self.record[value.number].at_s)

    # -- the link

    @property
    def linked(self) -> bool:
        """Whether there is a link."""
        return self._client is not None and self._client.is_connected

    async def connect(self) -> None:
        """Find the device and connect, no more; NoLinkError when it is not there."""
        if self.linked:
            return
        device = await self._find()
        self._link = self.record.next_link()
        self._joiners = {uuid: profile.Joiner() for uuid in profile.TOLD}
        self._subscriptions.clear()
        link = self._link
        client = self.radio.make_client(device, partial(self._closed, link), CONNECT_S)
        try:
            await client.connect()
        except TROUBLE as error:
            raise NoLinkError(f"no link: {words(error)}") from error
        self._client = client
        self._note("OPEN", Direction.DOWN, link)

    def _closed(self, link: int) -> None:
        self._note("CLOSED", Direction.UP, link)

    async def _find(self) -> BLEDevice:
        wanted = self.declaration.connection.address.upper()
        found: asyncio.Future[BLEDevice] = asyncio.get_running_loop().create_future()

        def heard(device: BLEDevice, data: AdvertisementData) -> None:
            if wanted in {device.address.upper(), (data.local_name or "").upper()} and not found.done():
                self.advertised = data
                found.set_result(device)

        pixit = self.declaration.pixit
        try:
            async with asyncio.timeout(pixit.boot_s + pixit.reconnect_s + self.margin_s):
                async with self.radio.make_scanner(heard, None):
                    return await found
        except TROUBLE as error:
            raise NoLinkError(f"{wanted} was not heard: {words(error)}") from error

    async def leave(self) -> None:
        """End the link; nothing happens without one."""
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(*TROUBLE):
                await client.disconnect()

    async def forget(self) -> None:
        """Forget the bond on our side, and the link with it."""
        await self.connect()
        await self._ask("UNPAIR", "", self._there.unpair())
        await self.leave()

    async def bond(self) -> None:
        """Bond, or use the bond there is."""
        await self.connect()
        await self._ask("PAIR", "", self._there.pair())

    async def listen(self) -> None:
        """Bond, tell the time, and subscribe to everything, to events last."""
        await self.bond()
        if self.telling_time:
            await self.write(profile.CURRENT_TIME, profile.current_time(self.clock.now()))
        for uuid in (profile.STATE, profile.RESULT, profile.EVENT):
            if not self._subscribed(uuid):
                await self.subscribe(uuid)

    @property
    def _there(self) -> BleakClient:
        if self._client is None:
            raise NoLinkError("there is no link")
        return self._client

    # -- single steps

    async def read(self, uuid: str) -> bytes:
        """Read a value; RefusedError or NoLinkError."""
        return bytes(await self._ask("READ", uuid, self._there.read_gatt_char(uuid)))

    async def write(self, uuid: str, value: bytes) -> None:
        """Write a value with response; RefusedError or NoLinkError."""
        await self._ask("WRITE", uuid, self._there.write_gatt_char(uuid, value, response=True), value)

    async def subscribe(self, uuid: str) -> None:
        """Subscribe; RefusedError or NoLinkError."""
        client, link = self._there, self._link
        await self._ask(
            "SUBSCRIBE", uuid, client.start_notify(uuid, lambda _, part: self._take(link, uuid, part))
        )
        self._subscriptions.add(uuid)

    def _subscribed(self, uuid: str) -> bool:
        return uuid in self._subscriptions

    async def _ask(self, kind: str, uuid: str, asked: Any, value: bytes = b"") -> Any:
        self._note(kind, Direction.DOWN, self._link, raw=value, remark=uuid)
        try:
            answer = await asked
        except BleakCharacteristicNotFoundError as error:
            raise RefusedError(f"it has no {uuid}", security=False) from error
        except TROUBLE as error:
            why, gone = words(error), not self.linked
            self._note("ERROR", Direction.UP, self._link, remark=why)
            if gone:
                raise NoLinkError(why) from error
            raise RefusedError(why, security=secured(error)) from error
        raw = bytes(answer) if isinstance(answer, bytes | bytearray) else b""
        self._note("DONE", Direction.UP, self._link, raw=raw, remark=uuid)
        return answer

    def _note(self, kind: str, way: Direction, link: int, raw: bytes = b"", remark: str = "") -> int:
        return self.record.add(link, way, kind, raw=raw, remark=remark).number

    async def state(self) -> dict[str, Any]:
        """Read State; empty when it is no map."""
        raw = await self.read(profile.STATE)
        value = Value(len(self.record) - 1, self._link, "status", raw, fields(raw))
        self.values.append(value)
        return value.body

    async def send(self, uuid: str, value: Mapping[str, Any]) -> None:
        """Write a map in the smallest fragments."""
        for part in profile.fragments(cbor2.dumps(dict(value))):
            await self.write(uuid, part)

    async def acknowledge(self, sequence: int) -> None:
        """Write Acknowledge."""
        await self.write(profile.ACKNOWLEDGE, sequence.to_bytes(8, "little"))
        self.acknowledged = max(self.acknowledged, sequence)

    def command_id(self) -> str:
        """Return a command id that was not used before in this run."""
        return f"kit-{int(self.clock.now().timestamp()):x}-{next(self._numbers)}"

    # -- what comes

    def _take(self, link: int, uuid: str, part: bytearray) -> None:
        number = self._note("VALUE", Direction.UP, link, raw=bytes(part), remark=profile.TOLD[uuid])
        joiner = self._joiners[uuid]
        whole = joiner.take(bytes(part))
        if whole is None or link != self._link:
            return
        value = Value(number, link, profile.TOLD[uuid], whole, fields(whole), joiner.wrong)
        self.values.append(value)
        if value.branch == "event" and self.acknowledging and value.sequence > self.acknowledged:
            task = asyncio.ensure_future(self._acknowledge_quietly(value.sequence))
            self._work.add(task)
            task.add_done_callback(self._work.discard)

    async def _acknowledge_quietly(self, sequence: int) -> None:
        with contextlib.suppress(NoLinkError, RefusedError):
            await self.acknowledge(sequence)

    def mark(self) -> int:
        """Return where in `values` a case begins to look."""
        return len(self.values)

    def events(self, since: int) -> list[Value]:
        """Return the events from there on."""
        return [value for value in self.values[since:] if value.branch == "event"]

    async def until(self, test: Callable[[], bool], within_s: float) -> bool:
        """Wait until something is so; tell whether it became so in time."""
        ends_s = self.record.now_s() + within_s
        while not test():
            if self.record.now_s() >= ends_s:
                return False
            await asyncio.sleep(LOOK_S)
        return True

    async def quiet(self, breath_s: float = BREATH_S) -> None:
        """Wait until the device has said what it had to say, and not for ever."""
        ends_s = self.record.now_s() + 2 * self.margin_s
        while self.record.now_s() < ends_s:
            before = len(self.record)
            await asyncio.sleep(breath_s)
            if len(self.record) == before:
                return

    async def drain(self) -> None:
        """Acknowledge all that was told and all that waits."""
        last = max((value.sequence for value in self.events(0)), default=0)
        if self.acknowledging and last > self.acknowledged:
            await self.acknowledge(last)
        await self.quiet()

    async def bring(self, count_: int = 1) -> list[Value]:
        """Have the device keep so many new events; return those that came in time."""
        since, wanted = self.mark(), self.declaration.operated
        known = {one.sequence for one in self.events(0)}

        def new() -> list[Value]:
            return [one for one in self.events(since) if one.sequence not in known]

        for number in range(count_):
            await self.trigger(wanted[number % len(wanted)])
        pixit = self.declaration.pixit
        expected = count_ if self.acknowledging else min(count_, profile.UNACKNOWLEDGED)
        within_s = pixit.operate_s + self.margin_s
        await self.until(lambda: len({one.sequence for one in new()}) >= expected, within_s)
        return new()

    async def close(self) -> None:
        """End everything."""
        await self.leave()
        for task in list(self._work):
            task.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)


def fields(raw: bytes) -> dict[str, Any]:
    """Return a value as a map for the cases, read leniently; empty when it is none."""
    try:
        found = cbor2.loads(raw)
    except (cbor2.CBORDecodeError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
