"""The base of every simulated peripheral: host, advertisement, bonds, power and battery."""

import asyncio
from collections.abc import Callable, Sequence

from bumble import gatt, hci, keys
from bumble.core import AdvertisingData
from bumble.device import AdvertisingType, Connection, Device
from bumble.profiles.device_information_service import DeviceInformationService

from simulators.radio.devices.security import Can, Guard, Printed
from simulators.radio.host import controller_of
from simulators.radio.standard import BATTERY_LEVEL, BATTERY_SERVICE

MakeHost = Callable[[], Device]
GENERAL_DISCOVERABLE = b"\x06"
INTERVAL_MS = 100.0
POWER_LOST = int(hci.HCI_ErrorCode.REMOTE_DEVICE_TERMINATED_CONNECTION_DUE_TO_POWER_OFF_ERROR)


class Peripheral:
    """Powers on with a host of its own each time; what it remembers stands in this object and outlives that.

    `make_host` gives a fresh host: `lambda: make_host(medium, address, name)`, or one behind HCI.
    """

    model = "P-1"
    manufacturer = "Vaka simulators"
    firmware = "1.0.0"
    connectable = True
    protected = True

    def __init__(self, make_host: MakeHost, serial: str, passkey: int | None = None) -> None:
        self.serial = serial
        self.battery_percent = 97
        self.interval_ms = INTERVAL_MS
        self.delegate = Printed(passkey)
        self.bonds = keys.MemoryKeyStore()
        self.connections: dict[Connection, None] = {}
        self._make_host = make_host
        self._host: Device | None = None
        self._battery_level: gatt.Characteristic[bytes] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def host(self) -> Device:
        """The host while it has power."""
        if self._host is None:
            raise RuntimeError(f"{self.serial} has no power")
        return self._host

    @property
    def address(self) -> str:
        """Its address, upper case."""
        return str(self.host.random_address.to_string(with_type_qualifier=False))

    # -- power

    async def power_on(self) -> None:
        """Boot and advertise."""
        if self._host is not None:
            return
        device = self._host = self._make_host()
        guard = Guard(device, self.delegate, protecting=self.protected)
        device.add_services([*self.open_services(), *self.services(guard)])
        device.on(Device.EVENT_CONNECTION, self._on_connection)
        await device.power_on()
        device.keystore = self.bonds
        self.booted()
        await self.advertise()

    async def power_cut(self) -> None:
        """Lose power in the middle of whatever it is: no goodbye; the flash memory stays as it is."""
        device, self._host = self._host, None
        if device is None:
            return
        for connection in list(self.connections):
            self._forget(connection, POWER_LOST)
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        controller = controller_of(device)
        if controller is not None:
            controller.power_off()
        else:
            await device.power_off()

    def booted(self) -> None:
        """What its kind does at the start."""

    # -- what it shows

    def open_services(self) -> Sequence[gatt.Service]:
        """Return what anybody may read."""
        return [
            DeviceInformationService(
                self.manufacturer, self.model, self.serial, firmware_revision=self.firmware
            )
        ]

    def services(self, guard: Guard) -> Sequence[gatt.Service]:
        """Return what is protected: the battery, and what its kind adds."""
        self._battery_level = guard.characteristic(BATTERY_LEVEL, Can.READ | Can.NOTIFY, self._battery)
        return [gatt.Service(BATTERY_SERVICE, [self._battery_level])]

    def advertised(self) -> Sequence[tuple[int, bytes]]:
        """Return the AD structures; neither a serial number nor anybody's name."""
        return [(AdvertisingData.FLAGS, GENERAL_DISCOVERABLE)]

    def scan_response(self) -> Sequence[tuple[int, bytes]]:
        """Return the AD structures that an active scanner gets besides."""
        return []

    async def advertise(self) -> None:
        """Advertise from now on, and again after each link."""
        kind = AdvertisingType.UNDIRECTED_CONNECTABLE_SCANNABLE
        await self.host.start_advertising(
            advertising_type=kind if self.connectable else AdvertisingType.UNDIRECTED,
            auto_restart=True,
            advertising_interval_min=self.interval_ms,
            advertising_interval_max=self.interval_ms,
            advertising_data=bytes(AdvertisingData(list(self.advertised()))),
            scan_response_data=bytes(AdvertisingData(list(self.scan_response()))),
        )

    def _battery(self) -> bytes:
        return bytes([self.battery_percent])

    async def set_battery(self, percent: int) -> None:
        """Let the battery have that charge, and tell who subscribed."""
        self.battery_percent = percent
        if self._host is not None and self._battery_level is not None:
            await self._host.notify_subscribers(self._battery_level, self._battery())

    # -- bonds

    @property
    def refuses_bonding(self) -> bool:
        """A fault: every attempt to bond fails."""
        return self.delegate.refuses

    @refuses_bonding.setter
    def refuses_bonding(self, refuses: bool) -> None:
        self.delegate.refuses = refuses

    async def forget_bonds(self) -> None:
        """A fault, or a reset to the factory's settings: the other side still has its key."""
        await self.bonds.delete_all()

    # -- links

    async def disconnect(self) -> None:
        """End every link politely."""
        for connection in list(self.connections):
            await connection.disconnect()

    def _on_connection(self, connection: Connection) -> None:
        self.connections[connection] = None
        connection.on(connection.EVENT_DISCONNECTION, lambda reason: self._forget(connection, reason))
        self.connected(connection)

    def _forget(self, connection: Connection, reason: int) -> None:
        if connection in self.connections:
            del self.connections[connection]
            self.disconnected(connection, reason)

    def connected(self, connection: Connection) -> None:
        """A link began."""

    def disconnected(self, connection: Connection, reason: int) -> None:
        """A link ended; the reason is an HCI error code."""

    def start(self, work: asyncio.Task[None]) -> None:
        """Keep a task of its own until it is done or the power is cut."""
        self._tasks.add(work)
        work.add_done_callback(self._tasks.discard)
