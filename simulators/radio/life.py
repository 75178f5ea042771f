"""A virtual day of locks, outages and reconnections, and its digest: the same seed gives the same one."""

import asyncio
import contextlib
from hashlib import sha256
from random import Random

import msgspec
from bleak import BleakClient, BleakScanner
from bleak.backends.device import BLEDevice
from bleak.exc import BleakError
from bumble import hci
from cbor2 import loads

from simulators.protocol.loop import VirtualLoop
from simulators.radio.backend import VirtualRadio
from simulators.radio.conditions import Conditions
from simulators.radio.devices.lock import Lock
from simulators.radio.host import make_host
from simulators.radio.medium import Medium
from simulators.radio.standard import ACKNOWLEDGE, EVENT, LAST, text

TURNS_EVERY_S, LEAVES = 600.0, 0.02
"""Mean time between the turns of one lock, and the share of them when it leaves the radio's range instead."""
AWAY_S = (60.0, 1800.0)
BACK_OFF_S = 30.0


class Day(msgspec.Struct, frozen=True):
    """What came of it; the digest is over every connection, value and end, with its virtual time."""

    virtual_s: float
    events: int
    connections: int
    digest: str


class _Trace:
    def __init__(self) -> None:
        self.events = 0
        self.connections = 0
        self._digest = sha256()

    def note(self, kind: str, number: int, value: bytes = b"") -> None:
        at = asyncio.get_running_loop().time()
        self._digest.update(f"{at:.6f} {kind} {number} {value.hex()}\n".encode())

    def digest(self) -> str:
        return self._digest.hexdigest()


def live_a_day(locks: int, seed: int, hours: float = 24, conditions: Conditions | None = None) -> Day:
    """Let so many locks live so long in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(_day(locks, Random(seed), hours, conditions or Conditions(seed=seed)))  # noqa: S311 - repeatable


async def _day(count: int, chance: Random, hours: float, conditions: Conditions) -> Day:
    medium, trace = Medium(conditions), _Trace()
    radio = VirtualRadio.on(medium)
    await radio.open()
    locks = [_make(medium, number) for number in range(count)]
    for lock in locks:
        lock.interval_ms = 1000
        await lock.power_on()
    found = {one.address: one for one in await BleakScanner.discover(5, backend=radio.scanner)}
    jobs = [asyncio.ensure_future(_keep(radio, n, found[one.address], trace)) for n, one in enumerate(locks)]
    jobs += [asyncio.ensure_future(_live(medium, one, chance)) for one in locks]
    await asyncio.sleep(hours * 3600)
    for job in jobs:
        job.cancel()
    await asyncio.gather(*jobs, return_exceptions=True)
    return Day(asyncio.get_running_loop().time(), trace.events, trace.connections, trace.digest())


def _make(medium: Medium, number: int) -> Lock:
    address = f"F0:00:00:00:{number >> 8:02X}:{number & 255:02X}"
    return Lock(lambda: make_host(medium, address, "device"), f"demo/lock-{number}", f"SN-{number}")


async def _live(medium: Medium, lock: Lock, chance: Random) -> None:
    address = hci.Address(lock.address)
    while True:
        await asyncio.sleep(chance.expovariate(1 / TURNS_EVERY_S))
        if chance.random() < LEAVES:
            medium.set_range(address, present=False)
            await asyncio.sleep(chance.uniform(*AWAY_S))
            medium.set_range(address, present=True)
        else:
            lock.turn(locked=not lock.locked)


async def _keep(radio: VirtualRadio, number: int, device: BLEDevice, trace: _Trace) -> None:
    """Hold one link as a gateway does: again after every end, and an acknowledgement for every event."""
    while True:
        with contextlib.suppress(BleakError, TimeoutError):
            await _hold(radio, number, device, trace)
        trace.note("ended", number)
        await asyncio.sleep(BACK_OFF_S)


async def _hold(radio: VirtualRadio, number: int, device: BLEDevice, trace: _Trace) -> None:
    gone = asyncio.Event()
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    def ended(_client: BleakClient) -> None:
        gone.set()

    def came(_one: object, value: bytearray) -> None:
        heard.put_nowait(bytes(value))

    client = BleakClient(device, ended, pair=True, timeout=60, backend=radio.client)
    async with client:
        trace.connections += 1
        trace.note("connected", number)
        await client.start_notify(text(EVENT), came)
        await _acknowledge(client, number, heard, gone, trace)


async def _acknowledge(
    client: BleakClient, number: int, heard: asyncio.Queue[bytes], gone: asyncio.Event, trace: _Trace
) -> None:
    ending = asyncio.ensure_future(gone.wait())
    try:
        while not gone.is_set():
            next_one = asyncio.ensure_future(heard.get())
            await asyncio.wait([next_one, ending], return_when=asyncio.FIRST_COMPLETED)
            if not next_one.done():
                next_one.cancel()
                return
            value = next_one.result()
            trace.note("event", number, value)
            if value[0] & LAST:
                trace.events += 1
                sequence = int(loads(value[1:])["sequence"]).to_bytes(8, "little")
                await client.write_gatt_char(text(ACKNOWLEDGE), sequence, response=True)
    finally:
        ending.cancel()
