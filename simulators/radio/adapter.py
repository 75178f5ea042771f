"""One Bluetooth adapter of a gateway or an edge: the host that scanners and clients share, and its bonds."""

import asyncio
import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

from bleak.backends.scanner import AdvertisementData
from bleak.exc import (
    BleakBluetoothNotAvailableError,
    BleakBluetoothNotAvailableReason,
    BleakError,
    BleakGATTProtocolError,
)
from bumble import core, hci, keys
from bumble.att import ATT_Error
from bumble.device import Advertisement, Connection, Device
from bumble.pairing import PairingConfig, PairingDelegate

from simulators.radio.advertisement import Seen

MTU = 517


class Listener(Protocol):
    """A scanner, as the adapter sees it."""

    active: bool

    def deliver(self, address: hci.Address, data: AdvertisementData) -> None:
        """An advertisement was heard."""
        ...


class Leaver(Protocol):
    """A client, as the adapter sees it."""

    async def disconnect(self) -> None:
        """End the link."""
        ...


class Typist(PairingDelegate):
    """Types the code that is printed on the device, as an installer does."""

    def __init__(self, passkey: int) -> None:
        super().__init__(PairingDelegate.KEYBOARD_INPUT_ONLY)
        self.passkey = passkey

    async def get_number(self) -> int:
        """Return the six digits."""
        return self.passkey


class Adapter:
    """Bonds by LE Secure Connections: with a passkey those whose code is known, the others by Just Works.

    `passkeys` by address, upper case; it may be changed while the adapter runs. With `bonds` they are kept in
    that file, as the system's daemon keeps them when the gateway is killed.
    """

    def __init__(
        self, device: Device, passkeys: Mapping[str, int] | None = None, bonds: Path | None = None
    ) -> None:
        self.device = device
        self.passkeys = dict(passkeys or {})
        self.powered = True
        self.clients: dict[Leaver, None] = {}
        self.connecting = asyncio.Lock()  # a controller initiates one connection at a time
        self.bonds: keys.KeyStore = (
            keys.JsonKeyStore(None, str(bonds)) if bonds is not None else keys.MemoryKeyStore()
        )
        self._scanners: dict[Listener, None] = {}
        self._seen: dict[hci.Address, Seen] = {}

    async def open(self) -> None:
        """Power the adapter on."""
        device = self.device
        device.pairing_config_factory = self._pairing
        device.on(Device.EVENT_ADVERTISEMENT, self._on_advertisement)
        await device.power_on()
        device.keystore = self.bonds
        # No device of ours uses private addresses; else Bumble would scan again before each connection.
        device.refresh_resolving_list = _nothing  # type: ignore[method-assign]
        device.address_resolver = None

    async def close(self) -> None:
        """End every link and power off."""
        for client in list(self.clients):
            await client.disconnect()
        await self.device.power_off()

    def _pairing(self, connection: Connection) -> PairingConfig:
        passkey = self.passkeys.get(connection.peer_address.to_string(with_type_qualifier=False))
        return PairingConfig(
            sc=True,
            mitm=passkey is not None,
            bonding=True,
            delegate=PairingDelegate() if passkey is None else Typist(passkey),
            identity_address_type=PairingConfig.AddressType.RANDOM,
        )

    def check(self) -> None:
        """Raise what bleak raises while Bluetooth is switched off."""
        if not self.powered:
            reason = BleakBluetoothNotAvailableReason.POWERED_OFF
            raise BleakBluetoothNotAvailableError("the virtual radio is switched off", reason)

    async def scan(self, scanner: Listener, *, on: bool) -> None:
        """Let a scanner hear, or no longer; the radio scans while somebody does."""
        before = bool(self._scanners)
        if on:
            self._scanners[scanner] = None
        else:
            self._scanners.pop(scanner, None)
        if on and not before:
            self._seen.clear()
            with bleak_errors():
                await self.device.start_scanning(active=scanner.active)
        elif before and not self._scanners:
            with bleak_errors():
                await self.device.stop_scanning()

    def _on_advertisement(self, heard: Advertisement) -> None:
        seen = self._seen.setdefault(heard.address, Seen())
        seen.take(bytes(heard.data), heard.data.ad_structures)
        data = seen.told(heard.rssi)
        for scanner in list(self._scanners):
            scanner.deliver(heard.address, data)


async def _nothing() -> None:
    pass


@contextlib.contextmanager
def bleak_errors() -> Iterator[None]:
    """Raise Bumble's errors as bleak's; a request cut by a disconnection is no cancellation of the caller."""
    try:
        yield
    except ATT_Error as error:
        raise BleakGATTProtocolError(error.error_code) from error
    except (core.TimeoutError, core.CommandTimeoutError) as error:
        raise TimeoutError(str(error)) from error
    except (core.BaseBumbleError, hci.HCI_Error) as error:
        raise BleakError(str(error)) from error
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise BleakError("disconnected") from error
