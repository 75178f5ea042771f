"""The mocks over Bluetooth as processes of their own, attached to the virtual radio by HCI over TCP."""

import asyncio
import contextlib
import json
import sys
import urllib.request
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

from bleak import BleakClient, BleakScanner
from bleak.exc import BleakError

from simulators.radio.backend import VirtualRadio
from simulators.radio.conditions import Conditions
from simulators.radio.hci_port import HciPort
from simulators.radio.medium import Medium
from tests.unit.radio.radio_stage import BATTERY, COMMAND, CURRENT_TIME, EVENT, MODEL, STATE, Hearing, refusal

FOLDER = Path(__file__).parents[2] / "firmware-mocks"
LOCK, DISPENSER = FOLDER / "ble-lock" / "lock.py", FOLDER / "ble-dispenser" / "dispenser.py"
ADDRESS = "F0:00:00:00:09:01"
NOON = bytes.fromhex("ea070b170c0000010000")
"""Current Time: 2026-11-23 12:00:00, a Monday."""


async def eventually(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.02)


async def all_acknowledged(hearing: Hearing) -> None:
    async with asyncio.timeout(60):
        while (await hearing.state())["backlog"]:
            await asyncio.sleep(0.02)


class Bench:
    """A radio, the port of the mock, and the mock's folder."""

    def __init__(self, radio: VirtualRadio, port: HciPort, folder: Path) -> None:
        self.radio, self.port, self.folder = radio, port, folder
        self.hook = 0

    @contextlib.asynccontextmanager
    async def mock(
        self, program: Path, *faults: str, hook_port: int = 0
    ) -> AsyncIterator[asyncio.subprocess.Process]:
        """The program from power on to a power cut."""
        config = {"tenant": "demo", "device": "mock-1", "address": ADDRESS, "hook_port": hook_port}
        config |= {"hci": f"127.0.0.1:{self.port.port}", "state_dir": str(self.folder / "flash")}
        path = self.folder / "mock.json"
        path.write_text(json.dumps(config))
        more = [word for fault in faults for word in ("--fault", fault)]
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, str(program), str(path), *more), stderr=asyncio.subprocess.PIPE
        )
        try:
            assert child.stderr is not None
            said = (await asyncio.wait_for(child.stderr.readuntil(b"on\n"), 60)).decode()
            self.hook = int(said.split("hook: ")[1].split()[0])
            yield child
        finally:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()
            await eventually(lambda: self.port.attached is None)

    async def do(self, what: str, **fields: Any) -> None:
        """Use the test hook."""
        url = f"http://127.0.0.1:{self.hook}/{what}"
        request = urllib.request.Request(url, json.dumps(fields).encode(), method="POST")

        def send() -> None:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - loopback
                assert answer.status == 204

        await asyncio.to_thread(send)

    async def happen(self, *words: str, **data: Any) -> None:
        """Let these things happen to the device, one after the other."""
        for word in words:
            await self.do("event", type=f"vaka.{word}.v1", data=data)
            await asyncio.sleep(0.1)

    async def client(self, **more: Any) -> BleakClient:
        """A client that has not connected yet."""
        device = await BleakScanner.find_device_by_address(ADDRESS, 30, backend=self.radio.scanner)
        assert device is not None
        return BleakClient(device, backend=self.radio.client, **more)


def on_the_radio(folder: Path, walk: Callable[[Bench], Coroutine[Any, Any, None]]) -> None:
    """Take the walk with a radio of its own."""

    async def run() -> None:
        medium = Medium(Conditions(supervision_timeout_s=1))
        radio = VirtualRadio.on(medium)
        await radio.open()
        port = HciPort(medium, "F0:F0:F0:00:00:09")
        await port.open()
        try:
            await asyncio.wait_for(walk(Bench(radio, port, folder)), 120)
        finally:
            await port.close()
            await radio.close()

    asyncio.run(run())


def test_a_lock_that_loses_its_power_tells_its_backlog_in_order_and_no_number_twice(tmp_path: Path) -> None:
    async def walk(bench: Bench) -> None:
        async with bench.mock(LOCK), await bench.client(pair=True) as client:
            await client.write_gatt_char(CURRENT_TIME, NOON, response=True)
            hearing = await Hearing(client, acknowledges=False).begin()
            await bench.happen("lock.unlocked", "lock.locked", "lock.unlocked")
            await eventually(lambda: hearing.sequences() == [1, 2, 3])
            assert hearing.events[0]["time"].startswith("2026-11-23T12:00")
            assert hearing.events[0]["clockquality"] == "synced"
            await hearing.acknowledge(1)
        async with bench.mock(LOCK), await bench.client(pair=False) as client:  # the bond is in its flash
            again = await Hearing(client).begin()
            await eventually(lambda: again.sequences() == [2, 3])
            await bench.do("jam")
            await eventually(lambda: again.kinds()[-1] == "lock.jammed")
            assert again.sequences() == [2, 3, 4]
            assert again.events[-1]["clockquality"] == "unsynced"
            await all_acknowledged(again)

    on_the_radio(tmp_path, walk)


def test_a_lock_carries_out_a_command_once_and_answers_it_as_often_as_it_comes(tmp_path: Path) -> None:
    async def walk(bench: Bench) -> None:
        async with bench.mock(LOCK, "repeats"), await bench.client(pair=True) as client:
            hearing = await Hearing(client).begin()
            order = {"id": "c-1", "do": "unlock", "expires": "2026-11-23T12:05:00Z"}
            await hearing.write(COMMAND, order | {"id": "c-0"})
            await client.write_gatt_char(CURRENT_TIME, NOON, response=True)
            for _ in range(2):
                await hearing.write(COMMAND, order)
            await hearing.write(COMMAND, order | {"id": "c-2", "expires": "2026-11-23T11:00:00Z"})
            await eventually(lambda: len(hearing.results) == 4)
            outcomes = [one["outcome"] for one in hearing.results]
            assert outcomes == ["rejected", "done", "done", "expired"]
            await eventually(lambda: hearing.sequences() == [1, 1])
            await all_acknowledged(hearing)

    on_the_radio(tmp_path, walk)


def test_a_lock_that_refuses_bonds_shows_its_device_information_and_nothing_else(tmp_path: Path) -> None:
    async def walk(bench: Bench) -> None:
        async with bench.mock(LOCK, "refuses-bonding"), await bench.client() as client:
            assert bytes(await client.read_gatt_char(MODEL)) == b"Bolt B1"
            with contextlib.suppress(BleakError):
                await client.pair()
            assert await refusal(client.read_gatt_char(STATE)) in {0x05, 0x0F}
            assert await refusal(client.read_gatt_char(BATTERY)) in {0x05, 0x0F}
            assert await refusal(client.start_notify(EVENT, lambda *_: None)) in {0x05, 0x0F}

    on_the_radio(tmp_path, walk)


def test_a_dispenser_with_a_weak_battery_tells_it_and_what_becomes_of_a_dose(tmp_path: Path) -> None:
    async def walk(bench: Bench) -> None:
        async with bench.mock(DISPENSER, "weak-battery"), await bench.client(pair=True) as client:
            assert bytes(await client.read_gatt_char(BATTERY)) == b"\x08"
            hearing = await Hearing(client).begin()
            await bench.happen("medication.reminded", "medication.taken", dose="d-1", window_min=60)
            expected = ["battery.critical", "medication.reminded", "medication.taken"]
            await eventually(lambda: hearing.kinds() == expected)
            assert hearing.events[-1]["data"] == {"dose": "d-1", "window_min": 60}
            await all_acknowledged(hearing)

    on_the_radio(tmp_path, walk)


def test_a_dispenser_that_is_cut_off_amid_its_backlog_loses_nothing(tmp_path: Path) -> None:
    async def walk(bench: Bench) -> None:
        async with bench.mock(DISPENSER, "power-cut") as child:
            await bench.happen(*["medication.missed"] * 6)
            client = await bench.client(pair=True)
            await client.connect()
            first = await Hearing(client, acknowledges=False).begin()
            await asyncio.wait_for(child.wait(), 60)
            assert first.sequences()[:4] == [1, 2, 3, 4]
            await eventually(lambda: not client.is_connected)
        async with bench.mock(DISPENSER), await bench.client() as client:
            again = await Hearing(client).begin()
            await eventually(lambda: again.sequences() == [1, 2, 3, 4, 5, 6])
            await all_acknowledged(again)

    on_the_radio(tmp_path, walk)


def test_a_lock_whose_clock_is_wrong_and_that_loses_an_acknowledgement_tells_again_after_a_reset(
    tmp_path: Path,
) -> None:
    async def walk(bench: Bench) -> None:
        async with bench.mock(LOCK, "wrong-clock", "lost-acknowledgement"):
            client = await bench.client(pair=True)
            await client.connect()
            await client.write_gatt_char(CURRENT_TIME, NOON, response=True)
            first = await Hearing(client, acknowledges=False).begin()
            await bench.happen("lock.unlocked")
            await eventually(first.sequences)
            assert first.events[0]["time"].startswith("2026-11-24T12:00")
            await first.acknowledge(1)
            assert (await first.state())["backlog"] == 1
            await bench.do("reset")
            await eventually(lambda: not client.is_connected)
            async with await bench.client() as again:
                hearing = await Hearing(again, acknowledges=False).begin()
                await eventually(hearing.sequences)
                assert hearing.events == first.events
                for _ in range(2):
                    await hearing.acknowledge(1)
                await all_acknowledged(hearing)

    on_the_radio(tmp_path, walk)
