"""The client of bleak on a virtual adapter."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, ClassVar

from bleak.args import SizedBuffer
from bleak.assigned_numbers import gatt_char_props_to_strs
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient, NotifyCallback
from bleak.backends.descriptor import BleakGATTDescriptor
from bleak.backends.device import BLEDevice
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bleak.exc import BleakDeviceNotFoundError, BleakError
from bleak.uuids import normalize_uuid_16
from bumble import core, gatt_client, hci
from bumble.device import Connection, Peer

from simulators.radio.adapter import MTU, Adapter, bleak_errors
from simulators.radio.advertisement import full_uuid
from simulators.radio.scanner import VirtualScanner

CCCD = normalize_uuid_16(0x2902)
SMP_TIMEOUT_S = 30.0
"""Core, Vol 3, Part H, 3.4; Bumble has none."""

Forward = Callable[[bytes], None]


class VirtualClient(BaseBleakClient):
    """Subclassed for each adapter, because bleak's `backend=` takes a class."""

    adapter: ClassVar[Adapter]
    scanner: ClassVar[type[VirtualScanner]]

    def __init__(
        self, address_or_ble_device: BLEDevice | str, *, services: set[str] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(address_or_ble_device, **kwargs)
        self.peer_address: hci.Address | None = None
        self._name: str | None = None
        if isinstance(address_or_ble_device, BLEDevice):
            self.peer_address = address_or_ble_device.details
            self._name = address_or_ble_device.name
        self._wanted = services
        self._peer: Peer | None = None
        self._gone = asyncio.Event()
        self._forwards: dict[int, Forward] = {}

    @property
    def name(self) -> str:
        """What it calls itself; its address otherwise, as BlueZ writes it."""
        return self._name or self.address.replace(":", "-")

    @property
    def mtu_size(self) -> int:
        """The negotiated ATT MTU, bytes."""
        return int(self._linked.connection.att_mtu)

    @property
    def is_connected(self) -> bool:
        """Whether the link stands."""
        return self._peer is not None

    @property
    def _linked(self) -> Peer:
        if self._peer is None:
            raise BleakError("Not connected")
        return self._peer

    # -- connection

    async def connect(self, pair: bool = False, **_others: Any) -> None:  # noqa: FBT001, FBT002 - bleak's own
        """Connect, encrypt with the bond there is, or bond if asked to, and discover."""
        self.adapter.check()
        if self.is_connected:
            raise BleakError("already connected")
        address = self.peer_address or await self._find()
        async with asyncio.timeout(self._timeout), self.adapter.connecting:
            connection = await self._initiate(address)
        self._gone = asyncio.Event()
        self._forwards.clear()
        connection.on(connection.EVENT_DISCONNECTION, self._on_disconnection)
        self._peer = Peer(connection)
        self.adapter.clients[self] = None
        try:
            await self._prepare(self._peer, pair=pair)
        except BaseException:
            await self.disconnect()
            raise

    async def _find(self) -> hci.Address:
        scanner = self.scanner()
        found: asyncio.Future[BLEDevice] = asyncio.get_running_loop().create_future()

        def heard(device: BLEDevice, _data: object) -> None:
            if device.address.upper() == self.address.upper() and not found.done():
                found.set_result(device)

        scanner.register_detection_callback(heard)
        await scanner.start()
        try:
            async with asyncio.timeout(self._timeout):
                device = await found
        except TimeoutError as error:
            raise BleakDeviceNotFoundError(self.address, f"{self.address} was not found") from error
        finally:
            await scanner.stop()
        self._name = device.name
        address: hci.Address = device.details
        self.peer_address = address
        return address

    async def _initiate(self, address: hci.Address) -> Connection:
        device = self.adapter.device
        task = asyncio.ensure_future(device.connect_le(address, timeout=None))
        try:
            with bleak_errors():
                return await asyncio.shield(task)
        except asyncio.CancelledError:  # the caller's: take the request back, whichever way it ended
            with contextlib.suppress(hci.HCI_Error):  # disallowed if it was made in this very instant
                await device.send_sync_command(hci.HCI_LE_Create_Connection_Cancel_Command())
            with contextlib.suppress(core.BaseBumbleError):
                await (await task).disconnect()
            raise

    async def _prepare(self, peer: Peer, *, pair: bool) -> None:
        with bleak_errors():
            await peer.request_mtu(MTU)
            if await self.adapter.bonds.get(str(self.peer_address)):
                await peer.connection.encrypt()
            elif pair:
                await self.pair()
            await self._discover(peer)

    def _on_disconnection(self, _reason: int) -> None:
        self._peer, self.services = None, None
        self.adapter.clients.pop(self, None)
        self._gone.set()
        if self._disconnected_callback:
            self._disconnected_callback()

    async def disconnect(self) -> None:
        """End the link; returns when it has ended."""
        if self._peer is None:
            return
        gone = self._gone
        with contextlib.suppress(core.BaseBumbleError, hci.HCI_Error):
            await self._peer.connection.disconnect()
        await gone.wait()

    async def pair(self, *_args: Any, **_kwargs: Any) -> None:
        """Bond, unless the link is encrypted already."""
        connection = self._linked.connection
        if connection.is_encrypted:
            return
        async with asyncio.timeout(SMP_TIMEOUT_S):
            with bleak_errors():
                await connection.pair()

    async def unpair(self) -> None:
        """Forget the bond, and end the link."""
        if await self.adapter.bonds.get(str(self.peer_address)):
            await self.adapter.bonds.delete(str(self.peer_address))
        await self.disconnect()

    # -- GATT

    async def _discover(self, peer: Peer) -> None:
        collection = BleakGATTServiceCollection()
        for found in await peer.discover_services():
            text = full_uuid(found.uuid.to_bytes(force_128=True))
            if self._wanted and text not in self._wanted:
                continue
            service = BleakGATTService(found, found.handle, text)
            collection.add_service(service)
            for characteristic in await peer.discover_characteristics((), found):
                await self._add(collection, peer, service, characteristic)
        self.services = collection

    async def _add(
        self,
        collection: BleakGATTServiceCollection,
        peer: Peer,
        service: BleakGATTService,
        found: gatt_client.CharacteristicProxy[bytes],
    ) -> None:
        characteristic = BleakGATTCharacteristic(
            found,
            found.handle,
            full_uuid(found.uuid.to_bytes(force_128=True)),
            list(gatt_char_props_to_strs(found.properties)),
            lambda: self.mtu_size - 3,
            service,
        )
        collection.add_characteristic(characteristic)
        for descriptor in await peer.discover_descriptors(found):
            text = full_uuid(descriptor.type.to_bytes(force_128=True))
            collection.add_descriptor(
                BleakGATTDescriptor(descriptor, descriptor.handle, text, characteristic)
            )

    async def _read(self, handle: int) -> bytearray:
        client = self._linked.gatt_client
        with bleak_errors():
            return bytearray(await client.read_value(handle))

    async def _write(self, handle: int, data: SizedBuffer, *, response: bool) -> None:
        client = self._linked.gatt_client
        with bleak_errors():
            await client.write_value(handle, bytes(data), response)

    async def read_gatt_char(
        self, characteristic: BleakGATTCharacteristic, *, use_cached: bool = False, **_others: Any
    ) -> bytearray:
        """Read a value, a long one too; nothing is cached."""
        del use_cached
        return await self._read(characteristic.handle)

    async def read_gatt_descriptor(
        self, descriptor: BleakGATTDescriptor, *, use_cached: bool = False, **_others: Any
    ) -> bytearray:
        """Read a descriptor; nothing is cached."""
        del use_cached
        return await self._read(descriptor.handle)

    async def write_gatt_char(
        self,
        characteristic: BleakGATTCharacteristic,
        data: SizedBuffer,
        response: bool,  # noqa: FBT001 - bleak's own
    ) -> None:
        """Write a value."""
        await self._write(characteristic.handle, data, response=response)

    async def write_gatt_descriptor(self, descriptor: BleakGATTDescriptor, data: SizedBuffer) -> None:
        """Write a descriptor."""
        await self._write(descriptor.handle, data, response=True)

    async def start_notify(
        self, characteristic: BleakGATTCharacteristic, callback: NotifyCallback, **_others: Any
    ) -> None:
        """Subscribe, to notifications if there are such, else to indications."""
        client = self._linked.gatt_client
        if characteristic.handle in self._forwards:
            raise BleakError("Characteristic notifications already started")
        if not any(one.uuid == CCCD for one in characteristic.descriptors):
            raise BleakError("characteristic has no client configuration descriptor")

        def forward(value: bytes) -> None:
            callback(bytearray(value))

        try:
            with bleak_errors():
                await client.subscribe(characteristic.obj, forward)
        except BaseException:  # Bumble keeps who asked, also when the device refused
            for kept in (client.notification_subscribers, client.indication_subscribers):
                kept.pop(characteristic.handle, None)
            raise
        self._forwards[characteristic.handle] = forward

    async def stop_notify(self, characteristic: BleakGATTCharacteristic) -> None:
        """Subscribe no more."""
        client = self._linked.gatt_client
        forward = self._forwards.pop(characteristic.handle, None)
        if forward is not None:
            with bleak_errors():
                await client.unsubscribe(characteristic.obj, forward)
