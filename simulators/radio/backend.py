"""The backend classes that unmodified code gives to bleak, or gets without asking."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import bleak
from bleak.backends.adapter import BaseBleakAdapter
from bleak.backends.device import BLEDevice
from bumble.device import Device

from simulators.radio.adapter import Adapter
from simulators.radio.client import VirtualClient
from simulators.radio.host import make_host
from simulators.radio.medium import Medium
from simulators.radio.scanner import VirtualScanner

GATEWAY_ADDRESS = "C0:00:00:00:00:01"


class VirtualAdapter(BaseBleakAdapter):
    """Subclassed for each adapter, because bleak's `backend=` takes a class."""

    adapter: ClassVar[Adapter]

    @classmethod
    async def get(cls, **_others: Any) -> Self:
        """Return the adapter."""
        return cls()

    async def get_connected_devices(self, service_uuids: frozenset[str]) -> list[BLEDevice]:
        """Return those connected that have one of the services."""
        return [
            BLEDevice(one.address, one.name, one.peer_address)
            for one in self.adapter.clients
            if isinstance(one, VirtualClient) and any(s.uuid in service_uuids for s in one.services or ())
        ]


class VirtualRadio(Adapter):
    """An adapter with its own classes for bleak: `backend=radio.client`, `radio.scanner`, `radio.adapter`."""

    def __init__(
        self, device: Device, passkeys: Mapping[str, int] | None = None, bonds: Path | None = None
    ) -> None:
        super().__init__(device, passkeys, bonds)
        made: dict[str, Any] = {"adapter": self}
        self.scanner: type[VirtualScanner] = type("VirtualBleakScanner", (VirtualScanner,), made)
        self.client: type[VirtualClient] = type(
            "VirtualBleakClient", (VirtualClient,), made | {"scanner": self.scanner}
        )
        self.adapter: type[VirtualAdapter] = type("VirtualBleakAdapter", (VirtualAdapter,), made)

    @classmethod
    def on(
        cls,
        medium: Medium,
        address: str = GATEWAY_ADDRESS,
        *,
        passkeys: Mapping[str, int] | None = None,
        bonds: Path | None = None,
    ) -> Self:
        """Return an adapter on that medium; `open` it before use."""
        return cls(make_host(medium, address, "adapter"), passkeys, bonds)

    @contextlib.contextmanager
    def as_default(self) -> Iterator[None]:
        """Make this the platform's backend, for code that passes no `backend=`."""
        classes: dict[str, type] = {
            "get_platform_client_backend_type": self.client,
            "get_platform_scanner_backend_type": self.scanner,
            "get_platform_adapter_backend_type": self.adapter,
        }
        saved = {name: getattr(bleak, name) for name in classes}
        try:
            for name, one in classes.items():
                setattr(bleak, name, _always(one))
            yield
        finally:
            for name, function in saved.items():
                setattr(bleak, name, function)


def _always(backend: type) -> Callable[[], tuple[type, str]]:
    return lambda: (backend, backend.__name__)
