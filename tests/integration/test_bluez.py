"""bleak's own BlueZ backend, the code that runs on a Raspberry Pi, against a stand-in for org.bluez."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from bleak import BleakAdapter, BleakClient, BleakScanner
from bleak.backends import BleakBackend
from bleak.exc import BleakError, BleakGATTProtocolError
from bumble import hci

from simulators.radio.backend import VirtualRadio
from simulators.radio.bluez import standing_in
from simulators.radio.bus import private_bus
from simulators.radio.conditions import Conditions
from simulators.radio.devices.lock import Lock
from simulators.radio.host import make_host
from simulators.radio.medium import Medium
from tests.unit.radio.radio_stage import BATTERY, PASSKEY, SERIAL, SERVICE, STATE, Hearing

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
