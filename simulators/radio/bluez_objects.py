"""The tree of D-Bus objects that stands for BlueZ's, with the signals of its changes."""

import asyncio
from collections.abc import Mapping
from typing import Any

from bleak.backends.scanner import AdvertisementData
from dbus_fast import Message, Variant
from dbus_fast.aio import MessageBus

ADAPTER, DEVICE, SERVICE = "org.bluez.Adapter1", "org.bluez.Device1", "org.bluez.GattService1"
CHARACTERISTIC, DESCRIPTOR = "org.bluez.GattCharacteristic1", "org.bluez.GattDescriptor1"
PROPERTIES, OBJECTS = "org.freedesktop.DBus.Properties", "org.freedesktop.DBus.ObjectManager"
HCI0 = "/org/bluez/hci0"

Values = dict[str, Variant]
YES, NO = Variant("b", True), Variant("b", False)  # noqa: FBT003 - D-Bus's own booleans


class Objects:
    """Path -> interface -> properties, told to the whole bus."""

    def __init__(self) -> None:
        self.tree: dict[str, dict[str, Values]] = {}
        self.bus: MessageBus | None = None
        self._sending: set[asyncio.Task[Any]] = set()

    def signal(self, path: str, interface: str, member: str, signature: str, body: list[Any]) -> None:
        """Tell the bus; nobody is told while it is away."""
        if self.bus is not None:
            message = Message.new_signal(path, interface, member, signature, body)
            task = asyncio.ensure_future(self.bus.send(message))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    def add(self, path: str, interface: str, values: Values) -> None:
        """A new object."""
        self.tree.setdefault(path, {})[interface] = values
        self.signal("/", OBJECTS, "InterfacesAdded", "oa{sa{sv}}", [path, {interface: values}])

    def remove(self, path: str) -> None:
        """An object is gone."""
        interfaces = list(self.tree.pop(path, {}))
        self.signal("/", OBJECTS, "InterfacesRemoved", "oas", [path, interfaces])

    def change(self, path: str, interface: str, values: Mapping[str, Variant]) -> None:
        """Properties have new values."""
        if path in self.tree:
            self.tree[path][interface].update(values)
            self.signal(path, PROPERTIES, "PropertiesChanged", "sa{sv}as", [interface, dict(values), []])


def path_of(address: str) -> str:
    """Return the path of a device."""
    return f"{HCI0}/dev_{address.replace(':', '_')}"


def adapter_values(address: str) -> Values:
    """Return the properties of the one adapter."""
    return {
        "Address": Variant("s", address), "AddressType": Variant("s", "random"),
        "Name": Variant("s", "virtual"), "Alias": Variant("s", "virtual"),
        "Powered": YES, "Discovering": NO,
        "Roles": Variant("as", ["central"]), "UUIDs": Variant("as", []),
    }  # fmt: skip


def device_values(address: str, *, bonded: bool) -> Values:
    """Return the properties of a device that was just heard."""
    known = YES if bonded else NO
    return {
        "Address": Variant("s", address), "AddressType": Variant("s", "random"),
        "Alias": Variant("s", address.replace(":", "-")), "Adapter": Variant("o", HCI0),
        "Paired": known, "Bonded": known, "Trusted": NO,
        "Blocked": NO, "Connected": NO, "ServicesResolved": NO,
    }  # fmt: skip


def advertised_values(heard: AdvertisementData) -> Values:
    """Return what an advertisement says, as properties of its device."""
    made = {number: Variant("ay", data) for number, data in heard.manufacturer_data.items()}
    data = {uuid: Variant("ay", value) for uuid, value in heard.service_data.items()}
    values = {
        "RSSI": Variant("n", heard.rssi), "UUIDs": Variant("as", heard.service_uuids),
        "ManufacturerData": Variant("a{qv}", made), "ServiceData": Variant("a{sv}", data),
    }  # fmt: skip
    if heard.local_name:
        values["Name"] = values["Alias"] = Variant("s", heard.local_name)
    return values
