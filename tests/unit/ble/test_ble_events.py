"""Events over the virtual radio: every one, in order, acknowledged only when on disk."""

import asyncio
from random import Random

import pytest

from tests.unit.ble.ble_stage import Disk, House, listed, until
from tests.unit.radio.radio_stage import Stage, address, virtual


@virtual
async def test_a_lock_is_found_bonded_and_heard() -> None:
    async with Stage() as stage:
        lock = await stage.lock()
        lock.turn(locked=False)
        async with House(stage, listed(1)) as house:
            await until(lambda: not len(lock.memory))
            assert house.disk.sequences() == [1]
            assert {"ble/vaka/1/demo/lock-1/event", "ble/vaka/1/demo/lock-1/status"} <= house.disk.channels()
            assert lock.clock.synced
            assert house.standing.connected == 1
            assert house.standing.refused == ()
            assert house.standing.lost_since is None


@virtual
async def test_a_hundred_events_with_random_disconnects_come_once_each_in_order() -> None:
    async with Stage() as stage:
        lock, chance = await stage.lock(), Random(3)
        async with House(stage, listed(1), reconnect_max_s=5) as house:
            for turn in range(100):
                lock.turn(locked=bool(turn % 2))
                await asyncio.sleep(chance.uniform(0, 0.5))
                if chance.random() < 0.2:
                    await lock.disconnect()
                if chance.random() < 0.05:
                    stage.away()
                    await asyncio.sleep(chance.uniform(1, 20))
                    stage.back()
            await until(lambda: not len(lock.memory))
            heard = house.disk.sequences()
            first = list(dict.fromkeys(heard))
            assert first == list(range(1, 101))
            assert house.standing.connections > 10


@virtual
async def test_nothing_is_acknowledged_before_it_is_on_disk() -> None:
    async with Stage() as stage:
        lock, disk = await stage.lock(), Disk()
        disk.stuck = True
        for turn in range(20):
            lock.turn(locked=bool(turn % 2))
        async with House(stage, listed(1), disk):
            await until(lambda: len(disk.events()) >= 8)
            await asyncio.sleep(5)
            assert disk.sequences() == list(range(1, 9))
            assert len(lock.memory) == 20
            for sender, token in reversed(disk.tokens[:3]):
                disk.commit(sender, token)
                await asyncio.sleep(0.5)
                left = 17 if token == disk.tokens[0][1] else 20
                assert len(lock.memory) == left


@virtual
async def test_a_full_intake_holds_the_device_back_and_keeps_the_link() -> None:
    async with Stage() as stage:
        lock, disk = await stage.lock(), Disk()
        async with House(stage, listed(1), disk) as house:
            await until(lambda: house.standing.connected == 1 and lock.clock.synced)
            await asyncio.sleep(1)
            disk.full = True
            for turn in range(20):
                lock.turn(locked=bool(turn % 2))
            await asyncio.sleep(100)
            assert house.standing.connected == 1
            assert len(lock.memory) == 20
            disk.full = False
            await until(lambda: not len(lock.memory))
            assert list(dict.fromkeys(disk.sequences())) == list(range(1, 21))
            assert house.standing.connections == 1


@virtual
async def test_a_stop_and_a_new_start_lose_nothing() -> None:
    async with Stage() as stage:
        lock, disk = await stage.lock(), Disk()
        house = House(stage, listed(1), disk)
        async with house:
            await until(lambda: house.standing.connected == 1)
            for turn in range(30):
                lock.turn(locked=bool(turn % 2))
            await until(lambda: len(disk.events()) > 5)
        assert len(lock.memory)
        async with House(stage, listed(1), disk, house.store):
            await until(lambda: not len(lock.memory))
        assert list(dict.fromkeys(disk.sequences())) == list(range(1, 31))


@virtual
async def test_a_device_that_refuses_to_bond_is_shown_and_nothing_of_it_is_heard() -> None:
    async with Stage() as stage:
        lock = await stage.lock()
        lock.refuses_bonding = True
        lock.turn(locked=False)
        async with House(stage, listed(1), refused_again_s=60) as house:
            await until(lambda: house.standing.refused)
            await asyncio.sleep(30)
            assert house.disk.frames == []
            assert len(lock.memory) == 1
            assert house.standing.refused[0].startswith(f"{address(1)}: bonding refused")
            assert house.standing.connections == 1
            lock.refuses_bonding = False
            await until(lambda: not len(lock.memory))
            await until(lambda: house.standing.refused == ())


@virtual
async def test_a_wrong_passkey_is_a_refused_bond() -> None:
    async with Stage() as stage:
        lock = await stage.lock(known=111_111)
        lock.turn(locked=False)
        async with House(stage, listed(1)) as house:
            await until(lambda: house.standing.refused)
            assert house.disk.frames == []


@pytest.mark.parametrize("rebond", [False, True])
@virtual
async def test_a_device_that_forgot_its_bond_is_bonded_anew_only_where_that_is_allowed(rebond: bool) -> None:  # noqa: FBT001 - pytest's
    async with Stage() as stage:
        lock = await stage.lock()
        async with House(stage, listed(1, rebond=rebond)) as house:
            await until(lambda: lock.clock.synced)
            await lock.forget_bonds()
            await lock.disconnect()
            lock.turn(locked=False)
            if rebond:
                await until(lambda: not len(lock.memory))
                assert house.standing.refused == ()
            else:
                await until(lambda: house.standing.refused)
                await asyncio.sleep(60)
                assert len(lock.memory) == 1


@virtual
async def test_a_device_that_names_another_than_its_address_was_bonded_for_is_refused() -> None:
    async with Stage() as stage:
        lock = await stage.lock()
        lock.turn(locked=False)
        async with House(stage, listed(1, device="demo/other")) as house:
            await until(lambda: house.standing.refused)
            await asyncio.sleep(10)
            assert house.disk.channels() == {"ble/vaka/1/demo/other/status"}
            assert len(lock.memory) == 1


@virtual
async def test_ten_devices_share_four_links_and_all_get_their_turn() -> None:
    async with Stage() as stage:
        numbers = range(1, 11)
        locks = [await stage.lock(number) for number in numbers]
        async with House(stage, listed(*numbers), connection_slots=4, turn_s=5) as house:
            most = 0
            for turn in range(3):
                for lock in locks:
                    lock.turn(locked=bool(turn % 2))
                for _ in range(1200):
                    most = max(most, house.standing.connected)
                    if not any(len(lock.memory) for lock in locks):
                        break
                    await asyncio.sleep(0.1)
            for number in numbers:
                assert list(dict.fromkeys(house.disk.sequences(f"lock-{number}/"))) == [1, 2, 3]
            assert most == 4
            assert house.standing.failed == 0


@virtual
async def test_a_device_out_of_range_is_heard_again_when_it_is_back() -> None:
    async with Stage() as stage:
        lock = await stage.lock()
        async with House(stage, listed(1)) as house:
            await until(lambda: lock.clock.synced)
            stage.away()
            await until(lambda: house.standing.connected == 0)
            lock.turn(locked=False)
            await asyncio.sleep(300)
            assert house.disk.sequences() == []
            stage.back()
            await until(lambda: not len(lock.memory), 120)
            assert house.disk.sequences() == [1]


@virtual
async def test_a_radio_that_is_off_is_one_line_and_tried_again() -> None:
    async with Stage() as stage:
        lock = await stage.lock()
        stage.radio.powered = False
        lock.turn(locked=False)
        async with House(stage, listed(1)) as house:
            await asyncio.sleep(200)
            assert house.standing.lost_since is not None
            assert house.standing.trouble == "Bluetooth is not available: powered off"
            stage.radio.powered = True
            await until(lambda: not len(lock.memory), 120)
            assert house.standing.lost_since is None
            assert house.standing.trouble == ""
