"""The radio: bleak, or whatever speaks like it, and its errors in our words."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bleak import BleakAdapter, BleakClient, BleakScanner
from bleak.backends.client import BaseBleakClient
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, BaseBleakScanner
from bleak.exc import BleakBluetoothNotAvailableError, BleakDBusError, BleakError, BleakGATTProtocolError

from gateway.contract.gatt import Cause, Fault

SECURITY = frozenset({0x05, 0x08, 0x0C, 0x0F})
"""ATT errors that ask for a better link: authentication, authorization, key size, encryption
(Core 5.4, Vol 3, Part F, 3.4.1.1)."""
_SECURITY_WORDS = ("KEY_MISSING", "KEY MISSING", "AUTHENTICATION", "NOTPERMITTED", "NOTAUTHORIZED")
TROUBLE = (BleakError, OSError, TimeoutError, EOFError)
"""What using a radio may raise: bleak's own, the daemon's socket, and silence."""
MAX_WORDS = 160

Heard = Callable[[BLEDevice, AdvertisementData], None]


@dataclass(frozen=True)
class Radio:
    """One adapter. Without `scanner` and `client` bleak chooses the backend of this system.

    `links` is the class of the adapter itself, where the other two are given.
    """

    adapter: str | None = None
    scanner: type[BaseBleakScanner] | None = None
    client: type[BaseBleakClient] | None = None
    links: type[Any] | None = None

    def make_scanner(self, heard: Heard, service_uuids: list[str] | None) -> BleakScanner:
        """Return a scanner; `heard` is called on the loop for every advertisement."""
        more: dict[str, Any] = {"bluez": {"adapter": self.adapter}} if self.adapter else {}
        return BleakScanner(heard, service_uuids, backend=self.scanner, **more)

    async def held(self, service_uuids: list[str]) -> list[BLEDevice]:
        """Return the devices that the system holds a link to, whoever made it; none where it cannot tell.

        BlueZ keeps the links of a program that was killed: such a device advertises no more.
        """
        if not service_uuids or (self.scanner is not None and self.links is None):
            return []
        more: dict[str, Any] = {"bluez": {"adapter": self.adapter}} if self.adapter else {}
        try:
            adapter = await BleakAdapter.get(backend=self.links, **more)
            return await adapter.get_connected_devices(service_uuids)
        except NotImplementedError:
            return []

    def make_client(self, device: BLEDevice, gone: Callable[[], None], timeout_s: float) -> BleakClient:
        """Return a client; `gone` is called on the loop when its link has ended, whoever ended it."""
        more: dict[str, Any] = {"bluez": {"adapter": self.adapter}} if self.adapter else {}
        return BleakClient(device, lambda _: gone(), timeout=timeout_s, backend=self.client, **more)


def words(error: BaseException) -> str:
    """Return one line on an error of the radio, without a stack and without end."""
    if isinstance(error, BleakBluetoothNotAvailableError):
        return f"Bluetooth is not available: {error.reason.name.lower().replace('_', ' ')}"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError):
        return f"the system's Bluetooth service does not answer: {error.strerror or error}"
    told = " ".join(str(error).split()) or type(error).__name__
    return told if len(told) <= MAX_WORDS else f"{told[:MAX_WORDS]}..."


def secured(error: BaseException) -> bool:
    """Tell whether the link was not secure enough, or the two sides do not hold the same bond."""
    if isinstance(error, BleakGATTProtocolError):
        return int(error.code) in SECURITY
    said = f"{error.dbus_error} {error}" if isinstance(error, BleakDBusError) else str(error)
    return any(word in said.upper() for word in _SECURITY_WORDS)


def fault_of(error: BaseException) -> Fault:
    """Return an error as a session hears of it."""
    if secured(error):
        return Fault(Cause.SECURITY, words(error))
    if isinstance(error, TimeoutError):
        return Fault(Cause.TIMEOUT, words(error))
    if isinstance(error, BleakGATTProtocolError):
        return Fault(Cause.REFUSED, words(error))
    return Fault(Cause.FAILED, words(error))
