"""The limits and faults of the radio, each by its named setting."""

import asyncio
import time
from typing import Any

import pytest
from bleak import BleakClient, BleakScanner
from bleak.exc import BleakError
from bumble import hci

from simulators.radio.conditions import Conditions
from tests.unit.radio.radio_stage import (
    BATTERY,
    SERIAL,
    Hearing,
    Stage,
    address,
    virtual,
)


def now() -> float:
    return asyncio.get_running_loop().time()


def test_the_strength_falls_with_distance_by_the_path_loss_exponent() -> None:
    air = Conditions(rssi_at_1m_dbm=-50, path_loss_exponent=3)
    assert [air.rssi(metres) for metres in (1, 10, 100)] == [-50, -80, -110]


@virtual
async def test_who_is_too_far_is_not_heard_and_a_link_breaks_on_the_way_out() -> None:
    async with Stage(supervision_timeout_s=2) as stage:
        await stage.lock(1)
        whose = hci.Address(address(1))
        stage.medium.place(whose, (10.0, 0.0))
        client = await stage.client()
        await client.connect()
        stage.medium.place(whose, (200.0, 0.0))
        await asyncio.sleep(1.9)
        assert client.is_connected
        await asyncio.sleep(0.2)
        assert not client.is_connected
        assert await BleakScanner.discover(2, backend=stage.radio.scanner) == []


@virtual
async def test_lost_advertisements_are_gone_and_lost_data_comes_later() -> None:
    async with Stage(seed=3) as stage:
        lock = await stage.lock()
        client = await stage.client(pair=True)
        await client.connect()
        hearing = await Hearing(client).begin()
        began = now()
        lock.turn(locked=False)
        await asyncio.sleep(1)
        assert (hearing.sequences(), now() - began) == ([1], 1)
        before = stage.medium.packets
        stage.medium.change(loss=0.5)
        began = now()
        for turn in range(50):
            lock.turn(locked=bool(turn % 2))
        while hearing.sequences()[-1] < 51:
            await asyncio.sleep(0.01)
        assert hearing.sequences() == list(range(1, 52)), "nothing lost, nothing overtaken"
        assert now() - began > 2, "what is sent again takes connection intervals"
        assert stage.medium.packets > before + 150
        await client.disconnect()
        heard: list[object] = []
        async with BleakScanner(lambda device, _: heard.append(device), backend=stage.radio.scanner):
            await asyncio.sleep(20)
        assert 60 < len(heard) < 140


@virtual
async def test_a_link_where_everything_is_lost_is_given_up() -> None:
    async with Stage(supervision_timeout_s=3) as stage:
        await stage.lock()
        client = await stage.client()
        await client.connect()
        stage.medium.change(loss=1.0)
        began = now()
        with pytest.raises(BleakError):
            await client.read_gatt_char(SERIAL)
        assert now() - began == pytest.approx(3, abs=0.1)


@virtual
async def test_latency_and_jitter_keep_the_order() -> None:
    async with Stage(latency_s=0.02, jitter_s=0.2, seed=5) as stage:
        lock = await stage.lock(passkey=None)
        async with await stage.client(pair=True, timeout=60) as client:
            hearing = await Hearing(client).begin()
            began = now()
            for turn in range(30):
                lock.turn(locked=bool(turn % 2))
            while len(hearing.events) < 30:
                await asyncio.sleep(0.01)
            assert hearing.sequences() == list(range(1, 31))
            assert now() - began > 30 * 0.04


@virtual
async def test_an_adapter_holds_no_more_links_than_it_has_slots() -> None:
    async with Stage(connection_slots=3) as stage:
        for number in range(1, 6):
            await stage.lock(number, passkey=None)
        held = []
        for number in (1, 2, 3):
            client = await stage.client(number)
            await client.connect()
            held.append(client)
        fourth = await stage.client(4)
        with pytest.raises(BleakError):
            await fourth.connect()
        await held[0].disconnect()
        await fourth.connect()
        assert await fourth.read_gatt_char(SERIAL) == b"SN-4"


async def _drops(seed: int) -> list[float]:
    moments: list[float] = []
    async with Stage(drops_per_hour=60, seed=seed) as stage:
        await stage.lock(passkey=None)
        device = await stage.find()
        while now() < 900:
            gone = asyncio.Event()
            client = BleakClient(device, lambda _, gone=gone: gone.set(), backend=stage.radio.client)
            await client.connect()
            await gone.wait()
            moments.append(round(now(), 3))
    return moments


def test_links_break_at_random_and_the_same_seed_breaks_the_same() -> None:
    found: list[Any] = []

    @virtual
    async def run(seed: int) -> None:
        found.append(await _drops(seed))

    for seed in (1, 1, 2):
        run(seed)
    first, again, other = found
    assert first == again
    assert first != other
    assert 5 < len(first) < 40


@virtual
async def test_an_initiator_need_not_wait_for_the_interval_if_so_wished() -> None:
    for instant, at_least, at_most in ((False, 0.3, 5.2), (True, 0.0, 0.05)):
        async with Stage(instant_connect=instant, seed=1) as stage:
            lock = await stage.lock()
            lock.interval_ms = 5000
            await lock.advertise()
            device = await stage.find()
            await asyncio.sleep(0.2)
            began = now()
            async with BleakClient(device, backend=stage.radio.client):
                assert at_least <= now() - began <= at_most


@virtual
async def test_a_hundred_peripherals_bond_and_speak_on_one_radio() -> None:
    began = time.monotonic()
    async with Stage(instant_connect=True) as stage:
        stage.interval_ms = 1000.0
        locks = [await stage.lock(number, passkey=None) for number in range(1, 101)]
        found = await BleakScanner.discover(2, return_adv=True, backend=stage.radio.scanner)
        assert len(found) == 100
        hearings = []
        for device, _ in found.values():
            client = BleakClient(device, pair=True, backend=stage.radio.client)
            await client.connect()
            hearings.append(await Hearing(client).begin())
        for lock in locks:
            lock.turn(locked=False)
        await asyncio.sleep(2)
        assert [one.kinds() for one in hearings] == [["lock.unlocked"]] * 100
        assert not any(len(lock.memory) for lock in locks)
        for one in hearings:
            assert await one.client.read_gatt_char(BATTERY) == b"\x61"
    assert time.monotonic() - began < 120
