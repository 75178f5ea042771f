"""The Bluetooth home of a municipality: its devices on a medium, and its life in fast time."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from bumble import hci
from bumble.device import Device

from simulators.bluetooth import DISPENSER, DOOR, HEARTBEAT_S, LOCK, PARTS, PENDANT, TAG
from simulators.clock import SharedClock
from simulators.municipality import DOSES
from simulators.radio.conditions import Conditions
from simulators.radio.devices.bthome import BTHomeSensor
from simulators.radio.devices.dispenser import Dispenser
from simulators.radio.devices.lock import Lock
from simulators.radio.devices.pendant import Pendant
from simulators.radio.devices.peripheral import Peripheral
from simulators.radio.devices.tag import AlertTag
from simulators.radio.host import make_host
from simulators.radio.medium import Medium

PASSKEY = 135_790
"""Printed on every device of the home that asks for one."""
LOCAL = ZoneInfo("Europe/Stockholm")
INTERVAL_MS = 1000.0
"""Of the advertisements: ten times a second would cost more than the gateway beside it."""
METRES = (4.0, 2.0, 3.0, 6.0, 9.0)
"""How far from the edge the devices are."""
READY_WITHIN_S = 60.0
"""Wall seconds that the script waits until every clock is set; what happens earlier has no right time."""
SLICE_S = 0.5
"""So long at most a wait trusts the present speed."""
WALK_EVERY = timedelta(minutes=45)
"""How often somebody takes the air on the balcony after the script."""

Act = Callable[[], Awaitable[None]]


class Household:
    """Five devices and whoever uses them; `begin` is when the evening begins."""

    def __init__(self, tenant: str, clock: SharedClock, begin: datetime) -> None:
        self.medium = Medium(Conditions(latency_s=0.002))
        self._clock, self._begin = clock, begin
        self.lock = Lock(self._host(LOCK.address), LOCK.native_id(tenant), "LCK-1", PASSKEY)
        self.pendant = Pendant(self._host(PENDANT.address), PENDANT.native_id(tenant), "PEN-1", PASSKEY)
        dispenser = DISPENSER.native_id(tenant)
        self.dispenser = Dispenser(self._host(DISPENSER.address), dispenser, "DSP-1", PASSKEY)
        self.door = BTHomeSensor(self._host(DOOR.address), "DOR-1")
        self.tag = AlertTag(self._host(TAG.address), "TAG-1")
        self._told = (self.lock, self.pendant, self.dispenser)
        self._all: Sequence[Peripheral] = (*self._told, self.door, self.tag)

    @property
    def passkeys(self) -> dict[str, int]:
        """Return what is printed on the devices, by their address."""
        return {part.address: PASSKEY for part in PARTS if part.name}

    async def power_on(self) -> None:
        """Put the devices in their places and let them advertise."""
        for told in self._told:
            told.clock_speed = self._clock.speed
        for part, metres in zip(PARTS, METRES, strict=True):
            self.medium.place(hci.Address(part.address), (metres, 0.0))
        for one in self._all:
            one.interval_ms = INTERVAL_MS
            await one.power_on()

    async def power_cut(self) -> None:
        """End it for all of them."""
        for one in self._all:
            await one.power_cut()

    async def live(self) -> None:
        """Play the evening, then ordinary life, until cancelled."""
        await self._until_ready()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._beat())
            group.create_task(self._take_doses())
            group.create_task(self._evening())

    def _host(self, address: str) -> Callable[[], Device]:
        return lambda: make_host(self.medium, address, "device")

    async def _until_ready(self) -> None:
        """Wait until each device has been told the time: what they told before would have none."""
        until = asyncio.get_running_loop().time() + READY_WITHIN_S
        # The devices know no event to wait on: their clock is set by whoever connects.
        while not self._ready() and asyncio.get_running_loop().time() < until:  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.05)

    def _ready(self) -> bool:
        return all(one.clock.synced for one in self._told)

    async def _evening(self) -> None:
        """Do what the script says, at its time or, after a late start, at once; then take the air."""
        script: tuple[tuple[float, Act], ...] = (
            (13, self._take_the_air),
            (17, self._call),
            (34, self._press_the_tag),
            (58, self._take_the_air),
            (83, self._fall),
        )
        for minutes, act in script:
            await self._until(self._begin + timedelta(minutes=minutes))
            await act()
        while True:
            await self._until(self._clock.now() + WALK_EVERY)
            await self._take_the_air()

    async def _take_the_air(self) -> None:
        """Unlock, open, close and lock."""
        self.lock.turn(locked=False)
        await self._rest(10)
        await self.door.tell(door=1)
        await self._rest(150)
        await self.door.tell(door=0)
        await self._rest(20)
        self.lock.turn(locked=True)

    async def _call(self) -> None:
        self.pendant.press()

    async def _press_the_tag(self) -> None:
        await self.tag.press()

    async def _fall(self) -> None:
        self.pendant.fall()

    async def _take_doses(self) -> None:
        """Take each dose two minutes after its time, day after day."""
        day = self._begin.astimezone(LOCAL).date()
        while True:
            for dose, hour, minute, length in DOSES:
                due = datetime(day.year, day.month, day.day, hour, minute, tzinfo=LOCAL)
                if due < self._begin:
                    continue
                await self._until(due + timedelta(minutes=2))
                self.dispenser.take(dose, due.astimezone(UTC), length)
            day += timedelta(days=1)

    async def _beat(self) -> None:
        """Let each device say how it is, as often as it is expected."""
        await self.door.tell(door=0)
        while True:
            await self._rest(HEARTBEAT_S)
            for one in self._all:
                await one.set_battery(one.battery_percent)

    async def _rest(self, seconds: float) -> None:
        await self._until(self._clock.now() + timedelta(seconds=seconds))

    async def _until(self, moment: datetime) -> None:
        while (wait_s := self._clock.wait_s(moment)) > 0:  # noqa: ASYNC110 - time, not an event
            await asyncio.sleep(min(wait_s, SLICE_S))
