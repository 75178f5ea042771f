"""The scanner of bleak on a virtual adapter."""

from typing import Any, ClassVar, Literal

from bleak.backends.scanner import AdvertisementData, AdvertisementDataCallback, BaseBleakScanner
from bumble import hci

from simulators.radio.adapter import Adapter


class VirtualScanner(BaseBleakScanner):
    """Subclassed for each adapter, because bleak's `backend=` takes a class."""

    adapter: ClassVar[Adapter]

    def __init__(
        self,
        detection_callback: AdvertisementDataCallback | None = None,
        service_uuids: list[str] | None = None,
        scanning_mode: Literal["active", "passive"] = "active",
        **_others: Any,
    ) -> None:
        super().__init__(detection_callback, service_uuids)
        self.active = scanning_mode == "active"

    async def start(self) -> None:
        """Begin to hear."""
        self.adapter.check()
        self.seen_devices = {}
        await self.adapter.scan(self, on=True)

    async def stop(self) -> None:
        """Hear no more."""
        await self.adapter.scan(self, on=False)

    def deliver(self, address: hci.Address, data: AdvertisementData) -> None:
        """Hand an advertisement to the program, if it asked for such."""
        if self.is_allowed_uuid(data.service_uuids):
            text = address.to_string(with_type_qualifier=False)
            device = self.create_or_update_device(text, text, data.local_name, address, data)
            self.call_detection_callbacks(device, data)
