"""Advertisements, commands, configurations and what is not listed."""

import asyncio
from typing import Any

import msgspec
from bleak.exc import (
    BleakBluetoothNotAvailableError,
    BleakBluetoothNotAvailableReason,
    BleakDBusError,
    BleakError,
    BleakGATTProtocolError,
)

from adapters.bthome import ADAPTER as BTHOME
from gateway.contract.gatt import Cause
from gateway.model.frame import Transport
from gateway.model.reading import Reading
from gateway.transports.ble.radio import fault_of, words
from gateway.transports.ble.scanning import filter_of
from simulators.radio.devices.bthome import BTHomeSensor
from tests.unit.ble.ble_stage import PROFILES, Disk, House, listed, until
from tests.unit.radio.radio_stage import Stage, address, virtual

CONFIG = "vaka/1/demo/lock-1/config"


def packets(disk: Disk) -> list[int]:
    """The packet number of each frame: length, type, UUID and information stand before it."""
    assert all(BTHOME.decode(frame) for frame in disk.frames)
    return [frame.payload[6] for frame in disk.frames if not frame.payload.startswith(b"{")]


@virtual
async def test_an_advertisement_is_taken_once_and_each_new_packet_of_it_too() -> None:
    async with Stage() as stage:
        sensor = await stage.add(BTHomeSensor(stage.host(1), "B-1"))
        async with House(stage, listed(1, profile="bthome"), repeat_window_s=60) as house:
            for turn in range(3):
                await sensor.tell(door=turn % 2)
                await asyncio.sleep(3)
            frames = house.disk.frames
            assert packets(house.disk) == [1, 2, 3]
            assert {frame.channel for frame in frames} == {f"ble/adv/{address(1)}"}
            assert {frame.transport for frame in frames} == {Transport.BLE}
            assert house.standing.repeats > 10


@virtual
async def test_the_strength_of_the_signal_is_told_once_a_minute_over_many_scans() -> None:
    async with Stage() as stage:
        sensor = await stage.add(BTHomeSensor(stage.host(1), "B-1"))
        await sensor.tell(door=1)
        async with House(stage, listed(1, profile="bthome")) as house:
            await asyncio.sleep(150)
            told = [BTHOME.decode(frame)[0] for frame in house.disk.frames if frame.payload[:1] == b"{"]
            assert [one.type for one in told if isinstance(one, Reading)] == ["link.changed"] * 3
            assert all(isinstance(one, Reading) and one.values.link_quality for one in told)


@virtual
async def test_what_is_not_listed_is_not_heard_unless_discovery_is_on() -> None:
    async with Stage() as stage:
        sensor = await stage.add(BTHomeSensor(stage.host(1), "B-1"))
        lock = await stage.lock(2)
        lock.turn(locked=False)
        await sensor.tell(door=1)
        async with House(stage, listed(3)) as house:
            await asyncio.sleep(10)
            assert house.disk.frames == []
        async with House(stage, listed(3), discover=True) as house:
            await asyncio.sleep(10)
            assert house.disk.channels() == {f"ble/adv/{address(1)}"}
            assert "not listed" in house.standing.devices[address(2)]
            assert house.standing.connections == 0
        async with House(stage, (), discover=True, max_devices=1) as house:
            await asyncio.sleep(10)
            assert len(house.standing.devices) == 1
            assert house.standing.dropped > 0


@virtual
async def test_a_command_reaches_a_lock_that_is_there_and_its_result_comes_back() -> None:
    async with Stage() as stage:
        lock = await stage.lock()
        told: list[tuple[str, bytes]] = []
        async with House(stage, listed(1)) as house:
            house.transport.on_acknowledged(lambda topic, payload: told.append((topic, payload)))
            order = {"id": "c-1", "do": "lock", "expires": "2026-11-23T13:00:00Z"}
            topic, payload = "vaka/1/demo/lock-1/command", msgspec.json.encode(order)
            assert await house.transport.publish(topic, payload, retain=False) == 0
            await until(lambda: lock.clock.synced)
            await asyncio.sleep(1)
            assert await house.transport.publish(topic, payload, retain=False) == 1
            assert told == [(topic, payload)]
            await until(lambda: "ble/vaka/1/demo/lock-1/result" in house.disk.channels())
            assert await house.transport.publish("vaka/1/demo/other/command", payload, retain=False) == 0


@virtual
async def test_a_configuration_waits_for_its_device_over_a_restart() -> None:
    async with Stage() as stage:
        first = House(stage, listed(1))
        async with first:
            wanted = msgspec.json.encode({"revision": 7, "heartbeat_s": 60})
            assert await first.transport.publish(CONFIG, wanted, retain=True) == 1
        lock = await stage.lock()
        async with House(stage, listed(1), store=first.store) as house:
            await until(lambda: lock.memory.config.get("revision") == 7)
            newer: dict[str, Any] = {"revision": 8}
            await house.transport.publish(CONFIG, msgspec.json.encode(newer), retain=True)
            await until(lambda: lock.memory.config.get("revision") == 8)


def test_a_scan_is_filtered_only_where_every_profile_announces_itself() -> None:
    by_id = {profile.id: profile for profile in PROFILES}

    assert filter_of([by_id["vaka"]]) == list(by_id["vaka"].service_uuids)
    assert filter_of([by_id["vaka"], by_id["bthome"]]) is None
    assert filter_of([]) is None


def test_errors_of_the_radio_are_one_line_and_told_apart() -> None:
    off = BleakBluetoothNotAvailableError("x", BleakBluetoothNotAvailableReason.NO_BLUETOOTH)
    lost_key = BleakDBusError("org.bluez.Error.AuthenticationFailed", ["Authentication Failed"])

    assert words(off) == "Bluetooth is not available: no bluetooth"
    assert words(FileNotFoundError(2, "No such file or directory")).startswith("the system's Bluetooth")
    assert "\n" not in words(BleakError("one\ntwo"))
    assert len(words(BleakError("x" * 1000))) < 200
    assert fault_of(lost_key).cause is Cause.SECURITY
    assert fault_of(BleakGATTProtocolError(0x0F)).cause is Cause.SECURITY
    assert fault_of(BleakGATTProtocolError(0x80)).cause is Cause.REFUSED
    assert fault_of(TimeoutError()).cause is Cause.TIMEOUT
    assert fault_of(BleakError("no")).cause is Cause.FAILED
