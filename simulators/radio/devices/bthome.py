"""A BTHome v2 sensor: it only advertises, in the clear (https://bthome.io/format, version 2)."""

from collections.abc import Mapping, Sequence

from bumble import gatt
from bumble.core import AdvertisingData

from simulators.radio.devices.peripheral import MakeHost, Peripheral
from simulators.radio.devices.security import Guard

SERVICE_DATA = bytes.fromhex("d2fc")
"""UUID 0xFCD2, little endian."""
VERSION_2, ON_TRIGGER = 0x40, 0x04
PACKET, BATTERY = 0x00, 0x01

OBJECTS: Mapping[str, tuple[int, int, float, bool]] = {
    "temperature_c": (0x02, 2, 0.01, True),
    "humidity_percent": (0x03, 2, 0.01, False),
    "illuminance_lux": (0x05, 3, 0.01, False),
    "door": (0x1A, 1, 1, False),
    "moisture": (0x20, 1, 1, False),
    "motion": (0x21, 1, 1, False),
    "presence": (0x25, 1, 1, False),
    "smoke": (0x29, 1, 1, False),
    "button": (0x3A, 1, 1, False),
}
"""Name -> object id, bytes, factor and sign."""


class BTHomeSensor(Peripheral):
    """Tells its values again and again; `on_trigger` when it speaks only when something happens."""

    model = "BTH-1"
    connectable = False

    def __init__(self, make_host: MakeHost, serial: str, *, on_trigger: bool = False) -> None:
        super().__init__(make_host, serial)
        self.on_trigger = on_trigger
        self.values: dict[str, float] = {}
        self.packet = 0

    async def tell(self, **values: float) -> None:
        """Let values change, and advertise them under a new packet number; ValueError for an unknown name."""
        if unknown := sorted(values.keys() - OBJECTS.keys()):
            raise ValueError(f"{', '.join(unknown)}; allowed: {', '.join(OBJECTS)}")
        self.values |= values
        self.packet = (self.packet + 1) % 256
        await self.advertise()

    async def repeat_packet(self) -> None:
        """A fault: the same packet number for what may be other values."""
        await self.advertise()

    async def set_battery(self, percent: int) -> None:
        """Let the battery have that charge."""
        self.battery_percent = percent
        await self.tell()

    def service_data(self) -> bytes:
        """Return UUID, device information and objects, the objects in the order of their ids."""
        made = [(PACKET, bytes([self.packet])), (BATTERY, bytes([self.battery_percent]))]
        for name, value in self.values.items():
            number, size, factor, signed = OBJECTS[name]
            made.append((number, round(value / factor).to_bytes(size, "little", signed=signed)))
        info = VERSION_2 | (ON_TRIGGER if self.on_trigger else 0)
        objects = b"".join(bytes([number]) + value for number, value in sorted(made))
        return SERVICE_DATA + bytes([info]) + objects

    def advertised(self) -> Sequence[tuple[int, bytes]]:
        """Also the service data."""
        return [*super().advertised(), (AdvertisingData.SERVICE_DATA_16_BIT_UUID, self.service_data())]

    def open_services(self) -> Sequence[gatt.Service]:
        """None: nobody can connect."""
        return []

    def services(self, guard: Guard) -> Sequence[gatt.Service]:
        """None: nobody can connect."""
        del guard
        return []
