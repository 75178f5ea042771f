"""What a peripheral protects: everything but Device Information needs an encrypted, bonded link."""

from collections.abc import Awaitable, Callable

from bumble import att, gatt
from bumble.att import ATT_Error
from bumble.core import UUID
from bumble.device import Connection, Device
from bumble.pairing import PairingConfig, PairingDelegate

from simulators.radio.standard import (
    CLIENT_CONFIGURATION,
    INSUFFICIENT_AUTHENTICATION,
    INSUFFICIENT_ENCRYPTION,
)

Can = gatt.Characteristic.Properties
May = gatt.Characteristic.Permissions
Read = Callable[[], bytes]
Write = Callable[[Connection, bytes], Awaitable[None] | None]


class Printed(PairingDelegate):
    """A device with six digits printed on it, or with neither; it may refuse every bond."""

    def __init__(self, passkey: int | None) -> None:
        none, display = PairingDelegate.NO_OUTPUT_NO_INPUT, PairingDelegate.DISPLAY_OUTPUT_ONLY
        super().__init__(none if passkey is None else display)
        self.passkey = passkey
        self.refuses = False

    async def accept(self) -> bool:
        """Whether it bonds at all."""
        return not self.refuses

    async def generate_passkey(self) -> int:
        """Return what is printed."""
        return self.passkey or 0


class Guard:
    """Stands before every protected value of one host; with a passkey it demands a bond made with it.

    One that is not `protecting` lets everybody through, as many simple products do.
    """

    def __init__(self, device: Device, delegate: Printed, *, protecting: bool = True) -> None:
        self._protecting = protecting
        self._may_read = May.READABLE | (May.READ_REQUIRES_ENCRYPTION if protecting else May(0))
        self._may_write = May.WRITEABLE | (May.WRITE_REQUIRES_ENCRYPTION if protecting else May(0))
        self._device = device
        self._delegate = delegate
        device.pairing_config_factory = lambda _: PairingConfig(
            sc=True,
            mitm=delegate.passkey is not None,
            bonding=True,
            delegate=delegate,
            identity_address_type=PairingConfig.AddressType.RANDOM,
        )

    async def check(self, connection: Connection) -> None:
        """Raise the ATT error that this link deserves.

        Bumble calls every encrypted link authenticated, Just Works too: so the stored key is looked at.
        """
        if not self._protecting:
            return
        if not connection.is_encrypted:
            raise ATT_Error(INSUFFICIENT_ENCRYPTION)
        store = self._device.keystore
        bond = await store.get(str(connection.peer_address)) if store else None
        if bond is None or bond.ltk is None:
            raise ATT_Error(INSUFFICIENT_AUTHENTICATION)
        if self._delegate.passkey is not None and not bond.ltk.authenticated:
            raise ATT_Error(INSUFFICIENT_AUTHENTICATION)

    def characteristic(
        self, uuid: UUID, can: Can, read: Read | None = None, write: Write | None = None
    ) -> gatt.Characteristic[bytes]:
        """Return a characteristic behind the guard, with its client configuration behind it too."""

        async def guarded_read(connection: Connection) -> bytes:
            await self.check(connection)
            return read() if read is not None else b""

        async def guarded_write(connection: Connection, value: bytes) -> None:
            await self.check(connection)
            done = write(connection, value) if write is not None else None
            if done is not None:
                await done

        may = May(0)
        may |= self._may_read if Can.READ & can else May(0)
        may |= self._may_write if (Can.WRITE | Can.WRITE_WITHOUT_RESPONSE) & can else May(0)
        value = gatt.CharacteristicValue[bytes](read=guarded_read, write=guarded_write)
        made: gatt.Characteristic[bytes] = gatt.Characteristic(uuid, can, may, value)
        if can & (Can.NOTIFY | Can.INDICATE):
            made.descriptors = [self._configuration(made)]
        return made

    def _configuration(self, of: gatt.Characteristic[bytes]) -> gatt.Descriptor:
        server = self._device.gatt_server

        async def write(bearer: att.Bearer, value: bytes) -> None:
            if isinstance(bearer, Connection):
                await self.check(bearer)
            server.write_cccd(bearer, of, value)

        return gatt.Descriptor(
            CLIENT_CONFIGURATION,
            May.READABLE | self._may_write,
            att.AttributeValueV2(lambda bearer: server.read_cccd(bearer, of), write),
        )
