"""A stand-in for `org.bluez`, so that bleak's own BlueZ backend runs without Bluetooth in the kernel.

Written from BlueZ's D-Bus documents (doc/org.bluez.*.rst of BlueZ 5.79): adapter, devices, GATT objects,
discovery, pairing, notifications. Real time only; the passkeys of the adapter stand for the pairing agent,
and there is no AcquireNotify. The application under test sets only DBUS_SYSTEM_BUS_ADDRESS.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from bleak import BleakClient, BleakScanner
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.descriptor import BleakGATTDescriptor
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakError, BleakGATTProtocolError
from dbus_fast import Message, MessageFlag, MessageType, NameFlag, Variant
from dbus_fast.aio import MessageBus

from simulators.radio.backend import VirtualRadio
from simulators.radio.bluez_objects import (
    ADAPTER,
    CHARACTERISTIC,
    DESCRIPTOR,
    DEVICE,
    HCI0,
    NO,
    SERVICE,
    YES,
    Objects,
    adapter_values,
    advertised_values,
    device_values,
    path_of,
)

DBUS = "org.freedesktop.DBus"
HIDDEN = frozenset({"1800", "1801"})
"""Services that BlueZ keeps for itself: GAP and GATT."""
EMPTY = Variant("ay", b"")

Answer = tuple[str, list[Any]] | None
Call = Callable[[Message], Awaitable[Answer]]


class BlueZ:
    """One adapter, hci0, on a virtual radio."""

    def __init__(self, radio: VirtualRadio) -> None:
        self.radio = radio
        self.objects = Objects()
        self._clients: dict[str, BleakClient] = {}
        self._characteristics: dict[str, BleakGATTCharacteristic] = {}
        self._descriptors: dict[str, BleakGATTDescriptor] = {}
        self._scanners: dict[str, BleakScanner] = {}
        self._notified: dict[str, set[str]] = {}
        self._bonded: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._calls: Mapping[str, Call] = {
            "GetManagedObjects": self._managed, "Get": self._get, "GetAll": self._get_all, "Set": self._set,
            "SetDiscoveryFilter": self._filter, "StartDiscovery": self._start_discovery,
            "StopDiscovery": self._stop_discovery, "RemoveDevice": self._remove_device,
            "Connect": self._connect, "Pair": self._pair, "Disconnect": self._disconnect,
            "ReadValue": self._read, "WriteValue": self._write,
            "StartNotify": self._start_notify, "StopNotify": self._stop_notify,
        }  # fmt: skip

    async def start(self, address: str) -> None:
        """Take the name org.bluez on the bus at that address."""
        self._bonded = {name for name, _ in await self.radio.bonds.get_all()}
        bus = self.objects.bus = await MessageBus(bus_address=address).connect()
        bus.add_message_handler(self._handle)
        watch = Message(
            destination=DBUS, path="/org/freedesktop/DBus", interface=DBUS, member="AddMatch",
            signature="s", body=[f"type='signal',interface='{DBUS}',member='NameOwnerChanged'"],
        )  # fmt: skip
        await bus.call(watch)
        self.objects.add(HCI0, ADAPTER, adapter_values("C0:00:00:00:00:01"))
        await bus.request_name("org.bluez", NameFlag.DO_NOT_QUEUE)

    async def stop(self) -> None:
        """Leave the bus."""
        for scanner in self._scanners.values():
            await scanner.stop()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self.objects.bus is not None:
            self.objects.bus.disconnect()
            await self.objects.bus.wait_for_disconnect()  # type: ignore[no-untyped-call]  # dbus-fast's
            self.objects.bus = None

    # -- messages

    def _handle(self, message: Message) -> bool | None:
        if message.message_type is MessageType.SIGNAL and message.member == "NameOwnerChanged":
            name, _old, new = message.body
            if not new:
                self._do(self._gone_from_bus(name))
            return None
        if message.message_type is not MessageType.METHOD_CALL or not message.path:
            return None
        if message.interface in (f"{DBUS}.Introspectable", f"{DBUS}.Peer"):
            return None
        self._do(self._reply(message))
        return True

    def _do(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _reply(self, message: Message) -> None:
        bus = self.objects.bus
        try:
            signature, body = await self._calls[message.member or ""](message) or ("", [])
            reply = Message.new_method_return(message, signature, body)
        except BleakGATTProtocolError as error:
            text = f"Operation failed with ATT error: 0x{int(error.code):02x}"
            reply = Message.new_error(message, "org.bluez.Error.Failed", text)
        except KeyError as error:
            reply = Message.new_error(message, f"{DBUS}.Error.UnknownObject", str(error))
        except (BleakError, TimeoutError) as error:
            name = "AuthenticationFailed" if message.member == "Pair" else "Failed"
            reply = Message.new_error(message, f"org.bluez.Error.{name}", str(error))
        if bus is not None and not message.flags & MessageFlag.NO_REPLY_EXPECTED:
            await bus.send(reply)

    async def _gone_from_bus(self, name: str) -> None:
        """A program ended: its discovery and its notifications end; links stay, as BlueZ has it."""
        scanner = self._scanners.pop(name, None)
        if scanner is not None:
            await scanner.stop()
        for path in self._notified.pop(name, ()):
            client, one = self._client(path), self._characteristics.get(path)
            if one is not None and client.is_connected:
                with contextlib.suppress(BleakError):
                    await client.stop_notify(one)

    # -- properties

    async def _managed(self, _message: Message) -> Answer:
        return "a{oa{sa{sv}}}", [self.objects.tree]

    async def _get(self, message: Message) -> Answer:
        interface, name = message.body
        return "v", [self.objects.tree[message.path or ""][interface][name]]

    async def _get_all(self, message: Message) -> Answer:
        return "a{sv}", [self.objects.tree[message.path or ""][message.body[0]]]

    async def _set(self, message: Message) -> Answer:
        interface, name, value = message.body
        self.objects.change(message.path or "", interface, {name: value})
        return None

    # -- discovery

    async def _filter(self, _message: Message) -> Answer:
        return None

    async def _start_discovery(self, message: Message) -> Answer:
        sender = message.sender or ""
        if sender not in self._scanners:
            scanner = BleakScanner(self._heard, backend=self.radio.scanner)
            await scanner.start()
            self._scanners[sender] = scanner
            self.objects.change(HCI0, ADAPTER, {"Discovering": YES})
        return None

    async def _stop_discovery(self, message: Message) -> Answer:
        await self._scanners.pop(message.sender or "").stop()
        self.objects.change(HCI0, ADAPTER, {"Discovering": YES if self._scanners else NO})
        return None

    def _heard(self, device: BLEDevice, data: AdvertisementData) -> None:
        path, values = path_of(device.address), advertised_values(data)
        if path in self.objects.tree:
            self.objects.change(path, DEVICE, values)
            return
        self._clients[path] = BleakClient(device, lambda _: self._link_ended(path), backend=self.radio.client)
        bonded = device.address in self._bonded
        self.objects.add(path, DEVICE, device_values(device.address, bonded=bonded) | values)

    async def _remove_device(self, message: Message) -> Answer:
        path = message.body[0]
        client = self._clients.pop(path)
        await client.unpair()
        self._bonded.discard(client.address)
        self.objects.remove(path)
        return None

    # -- links

    def _client(self, path: str) -> BleakClient:
        return self._clients[path.rsplit("/service", 1)[0]]

    def _link_ended(self, path: str) -> None:
        for below in [one for one in self.objects.tree if one.startswith(f"{path}/")]:
            self._characteristics.pop(below, None)
            self._descriptors.pop(below, None)
            self.objects.remove(below)
        self.objects.change(path, DEVICE, {"Connected": NO, "ServicesResolved": NO})

    async def _connect(self, message: Message) -> Answer:
        path = message.path or ""
        client = self._clients[path]
        if not client.is_connected:
            await client.connect()
        if not self.objects.tree[path][DEVICE]["ServicesResolved"].value:
            self.objects.change(path, DEVICE, {"Connected": YES})
            self._show(path, client)
            self.objects.change(path, DEVICE, {"ServicesResolved": YES})
        return None

    async def _pair(self, message: Message) -> Answer:
        await self._connect(message)
        path = message.path or ""
        await self._clients[path].pair()
        self._bonded.add(self._clients[path].address)
        self.objects.change(path, DEVICE, {"Paired": YES, "Bonded": YES})
        return None

    async def _disconnect(self, message: Message) -> Answer:
        await self._clients[message.path or ""].disconnect()
        return None

    def _show(self, path: str, client: BleakClient) -> None:
        for service in client.services:
            if service.uuid[4:8] in HIDDEN:
                continue
            above = f"{path}/service{service.handle:04x}"
            values = {"UUID": Variant("s", service.uuid), "Primary": YES, "Device": Variant("o", path)}
            self.objects.add(above, SERVICE, values | {"Includes": Variant("ao", [])})
            for one in service.characteristics:
                self._show_characteristic(above, one, client.mtu_size)

    def _show_characteristic(self, above: str, one: BleakGATTCharacteristic, mtu: int) -> None:
        path = f"{above}/char{one.handle - 1:04x}"
        self._characteristics[path] = one
        values = {
            "UUID": Variant("s", one.uuid), "Service": Variant("o", above), "MTU": Variant("q", mtu),
            "Flags": Variant("as", list(one.properties)), "Notifying": NO, "Value": EMPTY,
        }  # fmt: skip
        self.objects.add(path, CHARACTERISTIC, values)
        for descriptor in one.descriptors:
            below = f"{path}/desc{descriptor.handle:04x}"
            self._descriptors[below] = descriptor
            known = {"UUID": Variant("s", descriptor.uuid), "Characteristic": Variant("o", path)}
            self.objects.add(below, DESCRIPTOR, known | {"Value": EMPTY})

    # -- values

    async def _read(self, message: Message) -> Answer:
        path = message.path or ""
        client = self._client(path)
        if path in self._descriptors:
            return "ay", [bytes(await client.read_gatt_descriptor(self._descriptors[path].handle))]
        return "ay", [bytes(await client.read_gatt_char(self._characteristics[path]))]

    async def _write(self, message: Message) -> Answer:
        path = message.path or ""
        value, options = message.body
        kind = options.get("type")
        response = kind is None or kind.value != "command"
        await self._client(path).write_gatt_char(self._characteristics[path], value, response=response)
        return None

    async def _start_notify(self, message: Message) -> Answer:
        path = message.path or ""

        def heard(_one: BleakGATTCharacteristic, value: bytearray) -> None:
            self.objects.change(path, CHARACTERISTIC, {"Value": Variant("ay", bytes(value))})

        await self._client(path).start_notify(self._characteristics[path], heard)
        self._notified.setdefault(message.sender or "", set()).add(path)
        return None

    async def _stop_notify(self, message: Message) -> Answer:
        path = message.path or ""
        await self._client(path).stop_notify(self._characteristics[path])
        self._notified.get(message.sender or "", set()).discard(path)
        return None


@contextlib.asynccontextmanager
async def standing_in(radio: VirtualRadio, address: str) -> AsyncIterator[BlueZ]:
    """Have org.bluez on that bus for a while."""
    bluez = BlueZ(radio)
    await bluez.start(address)
    try:
        yield bluez
    finally:
        await bluez.stop()
