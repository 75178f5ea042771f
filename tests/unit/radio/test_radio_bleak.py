"""The unmodified API of bleak on the virtual radio, step by step."""

import asyncio

import pytest
from bleak import BleakAdapter, BleakClient, BleakScanner
from bleak.exc import (
    BleakBluetoothNotAvailableError,
    BleakDeviceNotFoundError,
    BleakError,
)
from bumble import hci

from simulators.radio.devices.bthome import BTHomeSensor
from simulators.radio.devices.tag import AlertTag
from tests.unit.radio.radio_stage import (
    BATTERY,
    CONFIG,
    EVENT,
    MODEL,
    PASSKEY,
    SERIAL,
    SERVICE,
    STATE,
    Hearing,
    Stage,
    address,
    play,
    refusal,
    virtual,
)


@virtual
async def test_a_scan_finds_the_service_and_says_how_strongly() -> None:
    async with Stage() as stage:
        await stage.lock(1)
        await stage.lock(2)
        stage.medium.place(hci.Address(address(2)), (10.0, 0.0))
        found = await BleakScanner.discover(1, return_adv=True, backend=stage.radio.scanner)
        near, far = found[address(1)][1], found[address(2)][1]
        assert near.service_uuids == [SERVICE]
        assert near.local_name is None, "the advertisement names neither a serial nor a person"
        assert (near.rssi, far.rssi) != (0, 0)
        assert far.rssi < near.rssi - 20


@virtual
async def test_a_scanner_hears_only_the_services_it_asks_for() -> None:
    async with Stage() as stage:
        await stage.lock(1)
        await stage.add(AlertTag(stage.host(2), "TAG"))
        async with BleakScanner(service_uuids=[SERVICE], backend=stage.radio.scanner) as scanner:
            await asyncio.sleep(2)
        assert [one.address for one in scanner.discovered_devices] == [address(1)]


@virtual
async def test_a_sensor_that_only_advertises_is_heard_and_takes_no_link() -> None:
    async with Stage() as stage:
        sensor = await stage.add(BTHomeSensor(stage.host(3), "BTH"))
        await sensor.tell(temperature_c=21.5, door=1)
        found = await BleakScanner.discover(1, return_adv=True, backend=stage.radio.scanner)
        device, heard = found[address(3)]
        assert heard.service_data == {"0000fcd2-0000-1000-8000-00805f9b34fb": sensor.service_data()[2:]}
        assert sensor.service_data() == bytes.fromhex("d2fc40000101610266081a01")
        with pytest.raises(TimeoutError):
            await BleakClient(device, timeout=5, backend=stage.radio.client).connect()


@virtual
async def test_only_device_information_is_readable_without_a_bond() -> None:
    async with Stage() as stage:
        await stage.lock()
        async with await stage.client() as client:
            assert client.mtu_size == 517
            assert await client.read_gatt_char(SERIAL) == b"SN-1"
            assert await client.read_gatt_char(MODEL) == b"ML-1"
            for service in client.services:
                if service.uuid[4:8] in {"1800", "1801", "180a"}:
                    continue
                for one in service.characteristics:
                    if "read" in one.properties:
                        assert await refusal(client.read_gatt_char(one)) == 0x0F, one
                    if "write" in one.properties:
                        assert await refusal(client.write_gatt_char(one, b"\0" * 8)) == 0x0F, one
                    if {"notify", "indicate"} & set(one.properties):
                        assert await refusal(client.start_notify(one, print)) == 0x0F, one


@virtual
async def test_the_wrong_code_is_refused_and_the_right_one_works_on_the_same_link() -> None:
    async with Stage() as stage:
        await stage.lock(known=111_111)
        async with await stage.client() as client:
            with pytest.raises(BleakError):
                await client.pair()
            stage.radio.passkeys[address(1)] = PASSKEY
            await client.pair()
            [(name, bond)] = await stage.radio.bonds.get_all()
            assert name == address(1)
            assert bond.ltk is not None
            assert bond.ltk.authenticated
            assert (await Hearing(client).state())["device"] == "demo/lock-1"


@virtual
async def test_just_works_opens_nothing_that_wants_the_printed_code() -> None:
    async with Stage() as stage:
        await stage.lock(known=None)
        async with await stage.client(pair=True) as client:
            assert await refusal(client.read_gatt_char(STATE)) == 0x05, "encrypted is not authenticated"
            assert await refusal(client.start_notify(EVENT, print)) == 0x05
            assert await refusal(client.write_gatt_char(CONFIG, b"\x80\xa0", response=True)) == 0x05


@virtual
async def test_notifications_come_until_they_are_stopped() -> None:
    async with Stage() as stage:
        lock = await stage.lock(passkey=None)
        async with await stage.client(pair=True) as client:
            heard: list[bytes] = []
            await client.start_notify(BATTERY, lambda _, value: heard.append(bytes(value)))
            await lock.set_battery(55)
            await asyncio.sleep(1)
            await client.stop_notify(BATTERY)
            await lock.set_battery(54)
            await asyncio.sleep(1)
            assert heard == [b"\x37"]


@virtual
async def test_a_refused_subscription_leaves_no_listener_behind() -> None:
    async with Stage() as stage:
        lock = await stage.lock()
        async with await stage.client() as client:
            stray: list[object] = []
            assert await refusal(client.start_notify(BATTERY, lambda _, value: stray.append(value))) == 0x0F
            await client.pair()
            heard: list[object] = []
            await client.start_notify(BATTERY, lambda _, value: heard.append(value))
            await lock.set_battery(50)
            await asyncio.sleep(1)
            assert (len(heard), stray) == (1, [])


@virtual
async def test_a_long_value_is_read_whole() -> None:
    async with Stage() as stage:
        lock = await stage.lock(passkey=None)
        lock.memory.config = {"revision": 7, "geofences": [{"ref": "x" * 40, "radius_m": 100.0}] * 7}
        async with await stage.client(pair=True) as client:
            value = bytes(await client.read_gatt_char(CONFIG))
            assert len(value) > 400
            assert value.count(b"x" * 40) == 7


@virtual
async def test_the_adapter_knows_who_is_connected() -> None:
    async with Stage() as stage:
        await stage.lock()
        async with await stage.client():
            adapter = await BleakAdapter.get(backend=stage.radio.adapter)
            connected = await adapter.get_connected_devices([SERVICE])
            assert [one.address for one in connected] == [address(1)]
        assert await adapter.get_connected_devices([SERVICE]) == []


@virtual
async def test_a_reconnection_is_encrypted_with_the_stored_bond() -> None:
    async with Stage() as stage:
        await stage.lock()
        client = await stage.client(pair=True)
        await client.connect()
        await client.disconnect()
        stage.radio.passkeys.clear()  # nobody types anything again
        await client.connect()
        assert (await Hearing(client).state())["state"] == "online"
        await client.disconnect()


@virtual
async def test_the_peripheral_ends_the_link_and_the_program_is_told() -> None:
    async with Stage() as stage:
        lock = await stage.lock()
        ended = asyncio.Event()
        client = await stage.client(disconnected_callback=lambda _: ended.set())
        await client.connect()
        await lock.disconnect()
        await asyncio.wait_for(ended.wait(), 5)
        assert not client.is_connected


@virtual
async def test_a_peripheral_that_forgot_the_bond_is_refused_until_both_bond_anew() -> None:
    async with Stage() as stage:
        lock = await stage.lock()
        client = await stage.client(pair=True)
        await client.connect()
        await client.disconnect()
        await lock.forget_bonds()
        with pytest.raises(BleakError):
            await client.connect()
        await stage.radio.bonds.delete_all()
        await client.connect()
        assert (await Hearing(client).state())["state"] == "online"
        await client.unpair()
        assert not client.is_connected
        assert await stage.radio.bonds.get_all() == []


@virtual
async def test_a_device_that_refuses_to_bond_shows_nothing_but_device_information() -> None:
    async with Stage() as stage:
        lock = await stage.lock()
        lock.refuses_bonding = True
        async with await stage.client() as client:
            with pytest.raises(BleakError):
                await client.pair()
            assert await client.read_gatt_char(SERIAL) == b"SN-1"
            assert await refusal(client.read_gatt_char(STATE)) == 0x0F


@virtual
async def test_an_unknown_address_is_not_found() -> None:
    async with Stage() as stage:
        with pytest.raises(BleakDeviceNotFoundError):
            await BleakClient(address(99), timeout=3, backend=stage.radio.client).connect()


@virtual
async def test_a_radio_that_is_off_says_so() -> None:
    async with Stage() as stage:
        stage.radio.powered = False
        with pytest.raises(BleakBluetoothNotAvailableError):
            await BleakScanner.discover(1, backend=stage.radio.scanner)


@virtual
async def test_code_that_knows_of_no_backend_uses_the_virtual_radio() -> None:
    async with Stage() as stage:
        await stage.lock()
        with stage.radio.as_default():
            device = await BleakScanner.find_device_by_address(address(1))
            assert device is not None
            async with BleakClient(device) as client:
                assert await client.read_gatt_char(SERIAL) == b"SN-1"


def test_bleaks_own_backend_is_back_afterwards() -> None:
    import bleak

    async def borrow() -> None:
        async with Stage() as stage:
            with stage.radio.as_default():
                assert bleak.get_platform_client_backend_type()[0] is stage.radio.client

    before = bleak.get_platform_client_backend_type
    play(borrow())
    assert bleak.get_platform_client_backend_type is before


@virtual
async def test_the_tag_beeps_when_told_and_when_it_loses_its_link_but_not_at_a_goodbye() -> None:
    async with Stage(supervision_timeout_s=2) as stage:
        tag = await stage.add(AlertTag(stage.host(4), "TAG"))
        keys: list[bytes] = []
        async with await stage.client(4) as client:
            now, lost = (
                one
                for service in ("1802", "1803")
                for one in client.services.get_service(service).characteristics
            )
            await client.write_gatt_char(now, b"\x02", response=False)
            await client.write_gatt_char(lost, b"\x01", response=True)
            assert await refusal(client.write_gatt_char(lost, b"\x09", response=True)) == 0xFF
            await client.start_notify("ffe1", lambda _, value: keys.append(bytes(value)))
            await tag.press()
            await asyncio.sleep(1)
            assert (tag.alerting, keys) == (2, [b"\x01"])
        await asyncio.sleep(1)
        await client.connect()
        assert tag.alerting == 0
        await client.disconnect()
        await asyncio.sleep(1)
        assert tag.alerting == 0
        await client.connect()
        stage.away(4)
        await asyncio.sleep(5)
        assert tag.alerting == 1
