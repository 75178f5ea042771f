"""The Vaka profile of the simulated devices, and their faults."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bleak import BleakClient

from simulators.radio.devices.clock import LAYOUT
from simulators.radio.devices.dispenser import Dispenser
from simulators.radio.devices.memory import QUEUE_LIMIT, Memory
from simulators.radio.devices.pendant import Pendant
from simulators.radio.standard import LONGEST, Joiner, fragments
from tests.unit.radio.radio_stage import (
    ACKNOWLEDGE,
    COMMAND,
    CONFIG,
    CURRENT_TIME,
    Hearing,
    Stage,
    refusal,
    virtual,
)

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


async def set_time(client: BleakClient, moment: datetime) -> None:
    value = LAYOUT.pack(*moment.timetuple()[:6], moment.isoweekday(), 0, 0)
    await client.write_gatt_char(CURRENT_TIME, value, response=True)


async def wait_until(condition: Any, for_s: float = 60) -> None:
    async with asyncio.timeout(for_s):
        while not condition():
            await asyncio.sleep(0.05)


@virtual
async def test_the_backlog_comes_in_order_and_is_forgotten_only_when_acknowledged() -> None:
    async with Stage() as stage:
        lock = await stage.lock()
        for turn in range(20):
            lock.turn(locked=bool(turn % 2))
        async with await stage.client(pair=True) as client:
            hearing = await Hearing(client, acknowledges=False).begin()
            await asyncio.sleep(5)
            assert hearing.sequences() == list(range(1, 9)), "eight at most are unacknowledged"
            assert (await hearing.state())["backlog"] == 20
            await hearing.acknowledge(3)
            await asyncio.sleep(1)
            assert hearing.sequences() == list(range(1, 12))
            told = await hearing.state()
            assert (told["backlog"], told["next"]) == (17, 4)
            hearing.acknowledges = True
            await hearing.acknowledge(11)
            await wait_until(lambda: not len(lock.memory))
            assert hearing.sequences() == list(range(1, 21))
            assert await refusal(hearing.acknowledge(500)) == 0xFF


@virtual
async def test_a_new_link_begins_at_the_oldest_unacknowledged_event() -> None:
    async with Stage() as stage:
        lock = await stage.lock()
        client = await stage.client(pair=True)
        await client.connect()
        first = await Hearing(client, acknowledges=False).begin()
        for _ in range(4):
            lock.turn(locked=True)
        await asyncio.sleep(1)
        await first.acknowledge(2)
        await client.disconnect()
        await client.connect()
        again = await Hearing(client).begin()
        await asyncio.sleep(1)
        assert (first.sequences(), again.sequences()) == ([1, 2, 3, 4], [3, 4])
        await client.disconnect()


@virtual
async def test_a_lost_acknowledgement_brings_the_same_event_again() -> None:
    async with Stage() as stage:
        lock = await stage.lock()
        async with await stage.client(pair=True) as client:
            hearing = await Hearing(client).begin()
            lock.ignores_acknowledge = True
            lock.turn(locked=False)
            await asyncio.sleep(31)
            assert len(hearing.events) == 2
            assert hearing.events[0] == hearing.events[1]
            lock.ignores_acknowledge = False
            await asyncio.sleep(61)
            assert hearing.sequences() == [1, 1, 1]


@virtual
async def test_a_power_cut_keeps_queue_sequence_and_bond() -> None:
    async with Stage(supervision_timeout_s=2) as stage:
        lock = await stage.lock()
        client = await stage.client(pair=True)
        await client.connect()
        hearing = await Hearing(client, acknowledges=False).begin()
        lock.turn(locked=False)
        await asyncio.sleep(1)
        await lock.power_cut()
        await asyncio.sleep(3)
        assert not client.is_connected
        await lock.power_on()
        lock.turn(locked=True)
        stage.radio.passkeys.clear()
        await client.connect()
        again = await Hearing(client).begin()
        await wait_until(lambda: not len(lock.memory))
        assert (hearing.sequences(), again.sequences()) == ([1], [1, 2])
        assert not lock.clock.synced
        await client.disconnect()


@virtual
async def test_a_device_that_repeats_itself_sends_each_event_twice() -> None:
    async with Stage() as stage:
        lock = await stage.lock()
        lock.repeats = True
        async with await stage.client(pair=True) as client:
            hearing = await Hearing(client).begin()
            lock.turn(locked=False)
            lock.turn(locked=True)
            await asyncio.sleep(1)
            assert hearing.sequences() == [1, 1, 2, 2]


@virtual
async def test_the_time_is_the_factorys_until_it_is_told() -> None:
    async with Stage() as stage:
        lock = await stage.lock()
        async with await stage.client(pair=True) as client:
            hearing = await Hearing(client).begin()
            lock.turn(locked=False)
            await set_time(client, NOON)
            await asyncio.sleep(10)
            lock.turn(locked=True)
            await asyncio.sleep(1)
            before, after = hearing.events
            assert before["clockquality"] == "unsynced"
            assert before["time"].startswith("2020-01-01")
            assert after["clockquality"] == "synced"
            assert abs(datetime.fromisoformat(after["time"]) - NOON) < timedelta(seconds=12)
            assert await refusal(client.write_gatt_char(CURRENT_TIME, b"\0" * 10, response=True)) == 0xFF


@virtual
async def test_a_wrong_clock_is_told_as_right() -> None:
    async with Stage() as stage:
        lock = await stage.lock()
        async with await stage.client(pair=True) as client:
            hearing = await Hearing(client).begin()
            await set_time(client, NOON)
            lock.clock.wrong_by = timedelta(hours=-3)
            lock.turn(locked=False)
            await asyncio.sleep(1)
            assert hearing.events[0]["clockquality"] == "synced"
            assert hearing.events[0]["time"].startswith("2026-11-23T09:0")
            lock.keeps_no_time = True
            assert await refusal(set_time(client, NOON)) == 0xFC


@virtual
async def test_a_weak_battery_says_so_once() -> None:
    async with Stage() as stage:
        lock = await stage.lock()
        async with await stage.client(pair=True) as client:
            hearing = await Hearing(client).begin()
            for percent in (25, 20, 15, 80):
                await lock.set_battery(percent)
            await asyncio.sleep(1)
            assert hearing.kinds() == ["battery.low", "battery.ok"]
            assert hearing.states[-1]["battery"] == 80


@virtual
async def test_a_command_is_carried_out_once_however_often_it_is_sent() -> None:
    async with Stage() as stage:
        lock = await stage.lock()
        async with await stage.client(pair=True) as client:
            hearing = await Hearing(client).begin()
            await set_time(client, NOON)
            wanted = {"id": "c1", "do": "lock", "expires": "2026-11-23T12:05:00Z"}
            await hearing.write(COMMAND, wanted)
            await hearing.write(COMMAND, wanted)
            await hearing.write(COMMAND, wanted | {"id": "c2", "expires": "2026-11-23T11:59:00Z"})
            await hearing.write(COMMAND, wanted | {"id": "c3", "do": "sing"})
            lock.jammed = True
            await hearing.write(COMMAND, wanted | {"id": "c4"})
            await asyncio.sleep(1)
            outcomes = [(one["id"], one["outcome"]) for one in hearing.results]
            assert outcomes == [
                ("c1", "done"), ("c1", "done"), ("c2", "expired"), ("c3", "rejected"), ("c4", "failed"),
            ]  # fmt: skip
            assert hearing.kinds() == ["lock.locked", "lock.jammed"]
            assert await refusal(client.write_gatt_char(COMMAND, b"\x80\xff", response=True)) == 0xFF


GRANT = (
    "eyJhbGciOiJFZERTQSIsImtpZCI6IjIwMjYtMSJ9.eyJqdGkiOiJncmFudC04MSIsImF1ZCI6InZha2E6a29tbXVuL2QxNyIsImRvIjoi"
    "dW5sb2NrIiwiY21kIjoiY21kLTU1MDEiLCJuYmYiOjE3NzAxNDk2NDAsImV4cCI6MTc3MDE0OTcwMCwic3ViIjoiY3JlZC0wMTcifQ.lKg"
    "TJcmWxALX0m_U2H65TKntW_YFGQCPFBK-l5MNePtnUN3GMG-L7_S14Mkwju1-ZyogyIRRLmvtjxoHBJn6Bg"
)
"""The example of the interface document, with its key."""
KEYS = [{"kid": "2026-1", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]


@virtual
async def test_a_door_is_unlocked_only_with_the_grant_for_it() -> None:
    async with Stage() as stage:
        lock = await stage.lock()
        lock.device = "kommun/d17"
        async with await stage.client(pair=True) as client:
            hearing = await Hearing(client).begin()
            wanted = {
                "do": "unlock",
                "expires": "2026-02-03T20:15:00Z",
                "grant": GRANT,
                "visit": "visit-2201",
            }
            await hearing.write(COMMAND, wanted | {"id": "too-early"})  # the clock is not set
            await set_time(client, datetime(2026, 2, 3, 20, 14, 6, tzinfo=UTC))
            await hearing.write(COMMAND, wanted | {"id": "cmd-5500"})
            await hearing.write(CONFIG, {"revision": 8, "grant_keys": KEYS})
            await hearing.write(COMMAND, wanted | {"id": "other"})
            await hearing.write(COMMAND, wanted | {"id": "forged", "grant": GRANT[:-4] + "AAAA"})
            await hearing.write(COMMAND, {"do": "unlock"})
            await hearing.write(COMMAND, wanted | {"id": "cmd-5501"})
            await asyncio.sleep(1)
            assert {one["id"]: one["outcome"] for one in hearing.results} == {
                "too-early": "rejected", "cmd-5500": "rejected", "other": "rejected", "forged": "rejected",
                "cmd-5501": "done",
            }  # fmt: skip
            assert hearing.kinds() == ["lock.unlocked"]
            assert hearing.events[0]["data"] == {"means": "remote", "visit": "visit-2201"}


@virtual
async def test_a_configuration_is_taken_and_its_revision_told() -> None:
    async with Stage() as stage:
        await stage.lock()
        async with await stage.client(pair=True) as client:
            hearing = await Hearing(client).begin()
            await hearing.write(CONFIG, {"revision": 4, "heartbeat_s": 60, "time_zone": "Europe/Stockholm"})
            await asyncio.sleep(1)
            assert hearing.states[-1]["config_revision"] == 4
            assert await refusal(hearing.write(CONFIG, {"heartbeat_s": 60})) == 0xFF


@virtual
async def test_pendant_and_dispenser_speak_the_same_profile() -> None:
    async with Stage() as stage:
        pendant = await stage.add(Pendant(stage.host(2), "demo/p1", "P-1"))
        dispenser = await stage.add(Dispenser(stage.host(3), "demo/d1", "D-1"))
        pendant.press()
        pendant.fall()
        dispenser.remind("morning", NOON)
        dispenser.take("morning", NOON)
        dispenser.jam()
        dispenser.take("noon", NOON)
        heard: dict[int, list[str]] = {}
        for number in (2, 3):
            async with await stage.client(number, pair=True) as client:
                hearing = await Hearing(client).begin()
                await asyncio.sleep(2)
                heard[number] = hearing.kinds()
        assert heard[2] == ["alarm.manual", "fall.detected"]
        assert heard[3] == [
            "medication.reminded", "medication.dispensed", "medication.taken",
            "medication.jam", "medication.missed", "medication.retracted",
        ]  # fmt: skip


@virtual
async def test_an_acknowledgement_of_the_wrong_length_is_refused() -> None:
    async with Stage() as stage:
        await stage.lock()
        async with await stage.client(pair=True) as client:
            assert await refusal(client.write_gatt_char(ACKNOWLEDGE, b"\x01", response=True)) == 0x0D


@virtual
async def test_an_event_longer_than_the_mtu_comes_in_fragments() -> None:
    async with Stage() as stage:
        lock = await stage.lock()
        async with await stage.client(pair=True) as client:
            hearing = await Hearing(client).begin()
            lock.event("device.fault", code="x" * 1500)
            await asyncio.sleep(2)
            assert hearing.events[0]["data"]["code"] == "x" * 1500


@pytest.mark.parametrize("size", [0, 1, 19, 20, 2433, LONGEST])
@pytest.mark.parametrize("mtu", [23, 185, 517])
def test_what_is_cut_is_joined_again(size: int, mtu: int) -> None:
    value = bytes(i % 251 for i in range(size))
    joiner = Joiner()
    joined = [joiner.take(part) for part in fragments(value, mtu)]
    assert joined[-1] == value
    assert set(joined[:-1]) <= {None}


def test_a_fragment_out_of_turn_drops_the_value_and_the_next_one_is_whole() -> None:
    first, second, third = fragments(b"a" * 50, 23)
    joiner = Joiner()
    joiner.take(first)
    with pytest.raises(ValueError, match="fragment 2 where 1 is expected"):
        joiner.take(third)
    assert [joiner.take(one) for one in (first, second, third)] == [None, None, b"a" * 50]
    joiner.take(first)
    assert [joiner.take(one) for one in (first, second, third)] == [None, None, b"a" * 50]


def test_too_long_a_value_is_dropped() -> None:
    joiner = Joiner()
    with pytest.raises(ValueError, match="4096"):
        list(map(joiner.take, fragments(b"a" * (LONGEST + 1), 517)))


def test_a_full_memory_loses_the_oldest_and_counts() -> None:
    memory = Memory()
    for _ in range(QUEUE_LIMIT + 3):
        memory.keep({})
    assert (len(memory), memory.lost, memory.oldest()) == (QUEUE_LIMIT, 3, 4)
