"""bleak's own BlueZ backend, the code that runs on a Raspberry Pi, against a stand-in for org.bluez."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from bleak import BleakAdapter, BleakClient, BleakScanner
from bleak.backends import BleakBackend
from bleak.exc import BleakError, BleakGATTProtocolError
from bumble import hci

from gateway.ble_settings import BleDeviceSettings, BleSettings
from gateway.service.clock import SystemClock
from gateway.service.parts import cancel
from gateway.stores.sessions import MemorySessionStore
from gateway.transports.ble import BleTransport, Radio
from simulators.radio.backend import VirtualRadio
from simulators.radio.bluez import standing_in
from simulators.radio.bus import private_bus
from simulators.radio.conditions import Conditions
from simulators.radio.devices.lock import Lock
from simulators.radio.host import make_host
from simulators.radio.medium import Medium
from tests.unit.ble.ble_stage import PROFILES, Disk
from tests.unit.radio.radio_stage import BATTERY, EVENT, PASSKEY, SERIAL, SERVICE, STATE, Hearing

pytestmark = pytest.mark.bluez
ADDRESS = "F0:00:00:00:00:01"


@contextlib.asynccontextmanager
async def house(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Medium, Lock]]:
    """A lock in range of an adapter that the system bus knows; the program is given the bus and no more."""
    medium = Medium(Conditions(supervision_timeout_s=1))
    lock = Lock(lambda: make_host(medium, ADDRESS, "device"), "demo/lock-1", "SN-1", PASSKEY)
    await lock.power_on()
    radio = VirtualRadio.on(medium, passkeys={ADDRESS: PASSKEY})
    await radio.open()
    async with private_bus() as address, standing_in(radio, address):
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        yield medium, lock
    await lock.power_cut()
    await radio.close()


async def eventually(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.02)


async def fails(work: Awaitable[object]) -> bool:
    try:
        await work
    except BleakError:
        return True
    return False


def test_the_backend_for_blueZ_scans_bonds_subscribes_and_comes_back(  # noqa: N802 - BlueZ is spelled so
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def walk() -> None:
        async with house(monkeypatch) as (medium, lock):
            device = await BleakScanner.find_device_by_filter(
                lambda _device, heard: SERVICE in heard.service_uuids, timeout=30
            )
            assert device is not None
            ended = asyncio.Event()
            client = BleakClient(device, lambda _: ended.set())
            assert client.backend_id is BleakBackend.BLUEZ_DBUS
            await client.connect()
            assert await client.read_gatt_char(SERIAL) == b"SN-1"
            with pytest.raises(BleakGATTProtocolError) as refused:
                await client.read_gatt_char(STATE)
            assert int(refused.value.code) == 0x0F
            await client.pair()
            hearing = await Hearing(client).begin()
            lock.turn(locked=False)
            await eventually(lambda: hearing.kinds() == ["lock.unlocked"] and not len(lock.memory))
            adapter = await BleakAdapter.get()
            assert [one.address for one in await adapter.get_connected_devices([SERVICE])] == [ADDRESS]
            await client.disconnect()
            assert ended.is_set()
            await client.connect()  # on the bond
            assert (await hearing.state())["device"] == "demo/lock-1"
            ended.clear()
            medium.set_range(hci.Address(ADDRESS), present=False)
            assert await fails(client.read_gatt_char(BATTERY))
            await asyncio.wait_for(ended.wait(), 30)
            medium.set_range(hci.Address(ADDRESS), present=True)
            async with BleakClient(ADDRESS) as again:
                assert await again.read_gatt_char(BATTERY) == b"\x61"
                await again.unpair()

    asyncio.run(asyncio.wait_for(walk(), 120))


PROGRAM = """
import asyncio, sys
from bleak import BleakClient, BleakScanner
async def main():
    device = await BleakScanner.find_device_by_address(sys.argv[1], 30)
    client = BleakClient(device, pair=True)
    await client.connect()
    await client.start_notify(sys.argv[2], lambda *_: None)
    print("listening", flush=True)
    await asyncio.sleep(300)
asyncio.run(main())
"""


def test_a_program_that_is_killed_leaves_its_link_and_the_next_one_takes_it_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def walk() -> None:
        async with house(monkeypatch) as (_, lock):
            child = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", PROGRAM, ADDRESS, EVENT), stdout=asyncio.subprocess.PIPE
            )
            assert child.stdout is not None
            assert await asyncio.wait_for(child.stdout.readline(), 60) == b"listening\n"
            lock.turn(locked=False)
            child.kill()
            await child.wait()
            assert len(lock.memory) == 1, "nobody has acknowledged"
            # BlueZ keeps the link (bleak's issues 315 and 367): it advertises no more, so no scan finds it
            [device] = await (await BleakAdapter.get()).get_connected_devices([SERVICE])
            async with BleakClient(device, timeout=30) as client:
                hearing = await Hearing(client).begin()
                await eventually(lambda: hearing.kinds() == ["lock.unlocked"] and not len(lock.memory))

    asyncio.run(asyncio.wait_for(walk(), 150))


def test_the_transport_takes_over_the_link_of_a_program_that_was_killed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def walk() -> None:
        async with house(monkeypatch) as (_, lock):
            child = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", PROGRAM, ADDRESS, EVENT), stdout=asyncio.subprocess.PIPE
            )
            assert child.stdout is not None
            assert await asyncio.wait_for(child.stdout.readline(), 60) == b"listening\n"
            lock.turn(locked=False)
            child.kill()
            await child.wait()
            disk = Disk()
            listed = BleDeviceSettings(address=ADDRESS, profile="vaka", device="demo/lock-1")
            transport = BleTransport(
                BleSettings(enabled=True, device=(listed,)),
                PROFILES,
                disk,
                SystemClock(),
                MemorySessionStore(),
                Radio(),
            )
            running = asyncio.create_task(transport.run())
            try:
                await eventually(lambda: disk.events() and not len(lock.memory))
                assert [one["type"] for one in disk.events()] == ["vaka.lock.unlocked.v1"]
            finally:
                await cancel([running])
                transport.close()

    asyncio.run(asyncio.wait_for(walk(), 150))
