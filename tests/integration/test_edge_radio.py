"""A Bluetooth lock, an edge and a gateway, in processes of their own; the radio breaks, both are killed."""

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

from bleak import BleakClient, BleakScanner
from bleak.exc import BleakError
from edge_home import LOCK, EdgeProcess, logged_of, write_registry

from simulators.radio.backend import GATEWAY_ADDRESS, VirtualRadio
from simulators.radio.conditions import Conditions
from simulators.radio.devices.lock import Lock
from simulators.radio.hci_port import HciPort
from simulators.radio.host import make_host
from simulators.radio.medium import Medium
from tests.integration.gateway_process import GatewayProcess

EVENTS = int(os.environ.get("RADIO_EVENTS", "1000"))
ADDRESS = "F0:00:00:00:00:01"


async def until(condition: Callable[[], object], within_s: float = 120) -> None:
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.05)


def edge_beside(folder: Path, gateway: GatewayProcess, port: int) -> EdgeProcess:
    link = {"name": "main", "url": gateway.url}
    edge = EdgeProcess(folder, [link], ble={"enabled": True, "reconnect_max_s": 0.5})
    edge.environment["VAKA_BLE__DEVICE"] = f'[{{address="{ADDRESS}", profile="vaka", device="{LOCK}"}}]'
    bonds = str(folder / "bonds.json")
    edge.program = (sys.executable, "-m", "tests.integration.edge_on_radio", str(port), bonds)
    return edge


def test_indications_come_once_and_in_order_through_kills_and_a_radio_that_breaks(tmp_path: Path) -> None:
    async def life() -> None:
        medium, chance = Medium(Conditions(supervision_timeout_s=1)), Random(5)
        lock = Lock(lambda: make_host(medium, ADDRESS, "device"), LOCK, "SN-1")
        await lock.power_on()
        adapter = HciPort(medium, GATEWAY_ADDRESS)
        port = await adapter.open()
        edge = edge_beside(tmp_path, gateway, port)
        edge.start()
        try:
            victims = {EVENTS // 3: edge, 2 * EVENTS // 3: gateway}
            for number in range(1, EVENTS + 1):
                lock.turn(locked=number % 2 == 0)
                if chance.random() < 8 / EVENTS:
                    await lock.power_cut()
                    await lock.power_on()
                if number in victims:
                    await until(lambda number=number: len(logged_of(gateway, LOCK)) > number // 2)
                    victims[number].kill()
                    await asyncio.to_thread(victims[number].start)
                await asyncio.sleep(0.01)
            await until(lambda: len(logged_of(gateway, LOCK)) == EVENTS)
            await until(lambda: len(lock.memory) == 0)
        finally:
            await asyncio.to_thread(edge.stop)
            await adapter.close()
            await lock.power_cut()
        assert logged_of(gateway, LOCK) == list(range(1, EVENTS + 1))

    gateway = GatewayProcess(tmp_path, registry=str(write_registry(tmp_path)), watch={"round_trip": False})
    gateway.start()
    try:
        asyncio.run(life())
    finally:
        gateway.stop()


def test_with_bonding_refused_no_event_leaves_the_lock_and_only_device_information_is_readable(
    tmp_path: Path,
) -> None:
    async def life() -> None:
        medium = Medium(Conditions(supervision_timeout_s=1))
        lock = Lock(lambda: make_host(medium, ADDRESS, "device"), LOCK, "SN-1")
        lock.refuses_bonding = True
        await lock.power_on()
        adapter = HciPort(medium, GATEWAY_ADDRESS)
        edge = edge_beside(tmp_path, gateway, await adapter.open())
        edge.start()
        try:
            for number in range(10):
                lock.turn(locked=number % 2 == 1)
            await until(lambda: f"Bluetooth device {ADDRESS} is refused" in edge.log())
        finally:
            await asyncio.to_thread(edge.stop)
            await adapter.close()
        assert len(lock.memory) == 10, "it keeps what nobody acknowledged"
        assert logged_of(gateway, LOCK) == []
        await only_device_information(medium)
        await lock.power_cut()

    gateway = GatewayProcess(tmp_path, registry=str(write_registry(tmp_path)), watch={"round_trip": False})
    gateway.start()
    try:
        asyncio.run(life())
    finally:
        gateway.stop()


async def only_device_information(medium: Medium) -> None:
    """Connect without a bond, and try to read whatever there is."""
    radio = VirtualRadio.on(medium, address="F0:00:00:00:00:99")
    await radio.open()
    device = await BleakScanner.find_device_by_address(ADDRESS, 30, backend=radio.scanner)
    assert device is not None
    async with BleakClient(device, backend=radio.client) as client:
        readable = set()
        for one in client.services.characteristics.values():
            if "read" in one.properties:
                with contextlib.suppress(BleakError):
                    await client.read_gatt_char(one)
                    readable.add(one.service_uuid[4:8])
    await radio.close()
    assert readable - GENERIC == {"180a"}


GENERIC = {"1800", "1801"}
"""Generic Access and Generic Attribute, which the Bluetooth core keeps readable for everybody."""
