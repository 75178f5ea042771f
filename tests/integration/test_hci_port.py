"""A stack in another process on the virtual radio, by HCI over TCP."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from bleak import BleakClient, BleakScanner

from simulators.radio.backend import VirtualRadio
from simulators.radio.conditions import Conditions
from simulators.radio.devices.lock import Lock
from simulators.radio.hci_port import HciPort, dial
from simulators.radio.host import attach_host, make_host
from simulators.radio.medium import Medium
from tests.integration.hci_peripheral import ADDRESS
from tests.unit.radio.radio_stage import Hearing, address

ROOT = Path(__file__).parents[2]


async def eventually(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def hci_port(medium: Medium) -> AsyncIterator[HciPort]:
    port = HciPort(medium, "F0:F0:F0:00:00:07")
    await port.open()
    try:
        yield port
    finally:
        await port.close()


@contextlib.asynccontextmanager
async def vendor(port: HciPort) -> AsyncIterator[asyncio.subprocess.Process]:
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.integration.hci_peripheral", str(port.port)),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, cwd=ROOT,
    )  # fmt: skip
    try:
        assert child.stdout is not None
        assert await asyncio.wait_for(child.stdout.readline(), 60) == b"advertising\n"
        yield child
    finally:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()


def test_a_peripheral_of_another_process_bonds_speaks_and_is_missed_when_it_is_killed() -> None:
    async def walk() -> None:
        medium = Medium(Conditions(supervision_timeout_s=1))
        radio = VirtualRadio.on(medium)
        await radio.open()
        async with hci_port(medium) as port:
            async with vendor(port) as child:
                assert child.stdin is not None
                device = await BleakScanner.find_device_by_address(ADDRESS, 30, backend=radio.scanner)
                assert device is not None
                gone = asyncio.Event()
                client = BleakClient(device, lambda _: gone.set(), pair=True, backend=radio.client)
                await client.connect()
                hearing = await Hearing(client).begin()
                child.stdin.write(b"\n\n")
                await eventually(lambda: hearing.kinds() == ["lock.unlocked", "lock.locked"])
                assert (await hearing.state())["device"] == "demo/dut"
            await asyncio.wait_for(gone.wait(), 30)
            assert port.attached is None
            async with vendor(port):  # the port takes the next one
                assert await BleakScanner.find_device_by_address(ADDRESS, 30, backend=radio.scanner)
        await radio.close()

    asyncio.run(asyncio.wait_for(walk(), 150))


def test_an_adapter_behind_a_port_keeps_its_bonds_in_a_file(tmp_path: Path) -> None:
    async def visit(port: HciPort, bonds: Path, *, pair: bool) -> bytes:
        async with dial(port.port) as (source, sink):
            radio = VirtualRadio(attach_host(source, sink, "C0:00:00:00:00:05", "adapter"), bonds=bonds)
            await radio.open()
            device = await BleakScanner.find_device_by_address(address(1), 30, backend=radio.scanner)
            assert device is not None
            async with BleakClient(device, pair=pair, backend=radio.client) as client:
                told = bytes(await client.read_gatt_char("2a19"))
            await radio.close()
            return told

    async def walk() -> None:
        medium = Medium(Conditions(supervision_timeout_s=1))
        lock = Lock(lambda: make_host(medium, address(1), "device"), "demo/lock-1", "SN-1")
        await lock.power_on()
        async with hci_port(medium) as port:
            bonds = tmp_path / "bonds.json"
            assert await visit(port, bonds, pair=True) == b"\x61"
            await eventually(lambda: port.attached is None)
            assert await visit(port, bonds, pair=False) == b"\x61"
        await lock.power_cut()

    asyncio.run(asyncio.wait_for(walk(), 120))


def test_a_second_host_at_the_same_port_is_sent_away_and_rubbish_harms_nobody() -> None:
    async def walk() -> None:
        medium = Medium()
        async with hci_port(medium) as port:
            async with dial(port.port) as (first, sink):
                sink.on_packet(b"\x01\x03\x0c\x00")  # HCI Reset
                await eventually(lambda: port.attached is not None)
                async with dial(port.port) as (second, _):
                    await asyncio.wait_for(second.terminated, 30)
                assert not first.terminated.done()
                sink.on_packet(b"\xff\xff\xff rubbish")
                sink.on_packet(b"\x01\x03\x0c\x00")
                await asyncio.sleep(0.1)
                assert not first.terminated.done()
            await eventually(lambda: port.attached is None)
            assert not medium.controllers

    asyncio.run(asyncio.wait_for(walk(), 60))


def test_a_port_that_is_taken_says_so() -> None:
    async def walk() -> None:
        medium = Medium()
        async with hci_port(medium) as port:
            with pytest.raises(OSError, match="address already in use"):
                await HciPort(medium, "F0:F0:F0:00:00:08").open(port.port)

    asyncio.run(walk())
