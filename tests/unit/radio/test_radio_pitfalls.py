"""Where a virtual radio goes wrong by itself: each was found once, and must not come back."""

import asyncio
import contextlib
import time
from typing import Any

import pytest
from bleak import BleakClient, BleakScanner
from bleak.exc import BleakError
from bumble import hci

from simulators.radio.controller import RadioController
from simulators.radio.devices.memory import Memory
from simulators.radio.devices.sending import Sending
from simulators.radio.host import controller_of
from tests.unit.radio.radio_stage import (
    BATTERY,
    PASSKEY,
    SERIAL,
    Hearing,
    Stage,
    address,
    virtual,
)


@virtual
async def test_a_connection_that_is_given_up_frees_the_radio_for_the_next() -> None:
    async with Stage() as stage:
        await stage.lock(1)
        await stage.lock(2)
        gone = await stage.find(1)
        stage.away(1)
        with pytest.raises(TimeoutError):
            await BleakClient(gone, timeout=1, backend=stage.radio.client).connect()
        async with await stage.client(2) as client:
            assert await client.read_gatt_char(SERIAL) == b"SN-2"


@pytest.mark.parametrize("after_s", [0.001, 0.05, 0.1, 0.2])
def test_a_connection_given_up_in_the_instant_it_is_made_does_no_harm(after_s: float) -> None:
    @virtual
    async def race() -> None:
        async with Stage() as stage:
            await stage.lock()
            device = await stage.find()
            first = BleakClient(device, backend=stage.radio.client)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(after_s):
                    await first.connect()
            await first.disconnect()
            await asyncio.sleep(1)
            assert not list(stage.medium.connections())
            async with BleakClient(device, backend=stage.radio.client) as client:
                assert await client.read_gatt_char(SERIAL) == b"SN-1"

    race()


@virtual
async def test_a_failed_pairing_hangs_no_second_one() -> None:
    async with Stage() as stage:
        await stage.lock(known=1)
        async with await stage.client() as client:
            for _ in range(2):
                with pytest.raises(BleakError):
                    await client.pair()
            stage.radio.passkeys[address(1)] = PASSKEY
            async with asyncio.timeout(5):
                await client.pair()


@virtual
async def test_a_pairing_that_nobody_answers_ends_after_thirty_seconds() -> None:
    async with Stage(supervision_timeout_s=100) as stage:
        await stage.lock()
        async with await stage.client() as client:
            stage.away()
            began = asyncio.get_running_loop().time()
            with pytest.raises(TimeoutError):
                await client.pair()
            assert asyncio.get_running_loop().time() - began == pytest.approx(30, abs=1)
            stage.back()


@virtual
async def test_a_scan_response_is_its_own_and_only_for_active_scanners() -> None:
    async with Stage() as stage:
        lock = await stage.lock()
        lock.scan_response = lambda: [(0x09, b"Lock")]  # type: ignore[method-assign]
        await lock.advertise()
        active = await BleakScanner.discover(1, return_adv=True, backend=stage.radio.scanner)
        assert active[address(1)][1].local_name == "Lock"
        passive = await BleakScanner.discover(
            1, return_adv=True, scanning_mode="passive", backend=stage.radio.scanner
        )
        assert passive[address(1)][1].local_name is None


@virtual
async def test_a_request_cut_by_the_end_of_the_link_is_an_error_and_no_cancellation() -> None:
    async with Stage(supervision_timeout_s=1) as stage:
        await stage.lock()
        ended = asyncio.Event()
        client = await stage.client(disconnected_callback=lambda _: ended.set(), pair=True)
        await client.connect()
        stage.away()
        with pytest.raises(BleakError):
            await client.read_gatt_char(BATTERY)
        assert ended.is_set()
        assert not client.is_connected
        task = asyncio.current_task()
        assert task is not None
        assert not task.cancelling()


@virtual
async def test_the_callers_own_cancellation_stays_one() -> None:
    async with Stage(supervision_timeout_s=50) as stage:
        await stage.lock()
        async with await stage.client(pair=True) as client:
            stage.away()
            reading = asyncio.ensure_future(client.read_gatt_char(BATTERY))
            await asyncio.sleep(1)
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
            stage.back()


@virtual
async def test_what_is_sent_while_away_arrives_on_return_or_goes_down_with_the_link() -> None:
    async with Stage(supervision_timeout_s=4) as stage:
        lock = await stage.lock()
        client = await stage.client(pair=True)
        await client.connect()
        hearing = await Hearing(client, acknowledges=False).begin()
        stage.away()
        lock.turn(locked=False)
        await asyncio.sleep(2)
        assert hearing.events == []
        stage.back()
        await asyncio.sleep(1)
        assert hearing.kinds() == ["lock.unlocked"]
        stage.away()
        lock.turn(locked=True)
        await asyncio.sleep(3)
        stage.back()
        await asyncio.sleep(0.5)
        stage.away()  # the supervision begins anew
        await asyncio.sleep(3)
        assert client.is_connected
        await asyncio.sleep(2)
        assert not client.is_connected


@virtual
async def test_who_connects_to_a_silent_device_learns_that_no_link_began() -> None:
    async with Stage() as stage:
        lock = await stage.lock()
        device = await stage.find()
        other = await stage.add_adapter()
        async with BleakClient(device, backend=stage.radio.client):
            with pytest.raises(TimeoutError):
                await BleakClient(device, timeout=2, backend=other.client).connect()
        async with BleakClient(device, timeout=5, backend=other.client) as client:
            assert await client.read_gatt_char(SERIAL) == lock.serial.encode()
        await other.close()


@virtual
async def test_two_that_want_the_same_device_at_once_do_not_both_get_it() -> None:
    async with Stage() as stage:
        await stage.lock()
        device = await stage.find()
        other = await stage.add_adapter()
        clients = [BleakClient(device, timeout=20, backend=one.client) for one in (stage.radio, other)]
        await asyncio.gather(*(one.connect() for one in clients), return_exceptions=True)
        await asyncio.sleep(1)
        assert sum(one.is_connected for one in clients) == 1
        await other.close()


@virtual
async def test_every_link_ends_once_and_on_both_sides() -> None:
    async with Stage(supervision_timeout_s=1) as stage:
        lock = await stage.lock()
        times: list[object] = []
        client = await stage.client(disconnected_callback=times.append)
        await client.connect()
        assert len(lock.connections) == 1
        stage.away()
        await asyncio.sleep(5)
        assert (len(times), len(lock.connections)) == (1, 0)
        assert not list(stage.medium.connections())


@virtual
async def test_the_controllers_index_is_not_searched_one_by_one() -> None:
    async with Stage() as stage:
        lock = await stage.lock()
        assert isinstance(controller_of(lock.host), RadioController)
        assert stage.medium.find_le_controller(hci.Address(address(1))) is controller_of(lock.host)
        assert stage.medium.find_le_controller(hci.Address(address(77))) is None


@virtual
async def test_an_hour_of_virtual_time_takes_no_hour() -> None:
    began = time.monotonic()
    async with Stage() as stage:
        lock = await stage.lock()
        lock.interval_ms = 1000
        async with await stage.client(pair=True):
            await asyncio.sleep(3600)
    assert time.monotonic() - began < 60


class Confirming:
    """A GATT server whose confirmation comes in the very moment in which the power is cut."""

    att_mtu = 100

    def __init__(self) -> None:
        self.gatt_server = self
        self.confirmed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.indicated = 0

    async def indicate_subscriber(self, *_: object) -> None:
        self.indicated += 1
        await asyncio.wait_for(self.confirmed, 30)


@virtual
async def test_a_power_cut_in_the_moment_of_a_confirmation_ends_the_sending() -> None:
    server, memory = Confirming(), Memory()
    memory.keep({"data": {}})
    memory.keep({"data": {}})
    there: Any = server
    sending = asyncio.ensure_future(Sending(there, there, there, memory).run())
    while not server.indicated:
        await asyncio.sleep(0)
    server.confirmed.set_result(None)
    sending.cancel()
    await asyncio.wait({sending}, timeout=100)
    assert sending.cancelled()
    assert server.indicated == 1
