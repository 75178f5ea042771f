"""An alert tag: Immediate Alert, Link Loss (Bluetooth SIG, 1.0), Battery, and a key as tags have it."""

from collections.abc import Sequence

from bumble import gatt, hci
from bumble.att import ATT_Error
from bumble.core import UUID, AdvertisingData
from bumble.device import Connection

from simulators.radio.devices.peripheral import MakeHost, Peripheral
from simulators.radio.devices.security import Can, Guard
from simulators.radio.standard import (
    ALERT_LEVEL,
    IMMEDIATE_ALERT_SERVICE,
    INVALID_LENGTH,
    LINK_LOSS_SERVICE,
    OUT_OF_RANGE,
)

NO_ALERT, MILD_ALERT, HIGH_ALERT = 0, 1, 2
KEYS_SERVICE, KEY_PRESSED = UUID.from_16_bits(0xFFE0), UUID.from_16_bits(0xFFE1)
"""Not of the SIG: the key service that makers of tags have taken from a well-known sample."""
LEFT_POLITELY = frozenset(
    {
        int(hci.HCI_ErrorCode.REMOTE_USER_TERMINATED_CONNECTION_ERROR),
        int(hci.HCI_ErrorCode.CONNECTION_TERMINATED_BY_LOCAL_HOST_ERROR),
    }
)


class AlertTag(Peripheral):
    """Beeps when it is told to, and when it loses its link; like most of its kind it asks for no bond."""

    model = "TAG-1"
    protected = False

    def __init__(self, make_host: MakeHost, serial: str) -> None:
        super().__init__(make_host, serial)
        self.alerting = NO_ALERT
        self.link_loss_level = NO_ALERT
        self._key: gatt.Characteristic[bytes] | None = None

    async def press(self) -> None:
        """The key is pressed: who subscribed is told."""
        if self._key is not None:
            await self.host.notify_subscribers(self._key, b"\x01")

    def advertised(self) -> Sequence[tuple[int, bytes]]:
        """Also its services."""
        uuids = bytes(IMMEDIATE_ALERT_SERVICE) + bytes(LINK_LOSS_SERVICE)
        return [
            *super().advertised(),
            (AdvertisingData.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS, uuids),
        ]

    def services(self, guard: Guard) -> Sequence[gatt.Service]:
        """The two alerts and the key, beside the battery."""
        make = guard.characteristic
        now = make(ALERT_LEVEL, Can.WRITE_WITHOUT_RESPONSE, write=self._on_alert)
        lost = make(ALERT_LEVEL, Can.READ | Can.WRITE, self._link_loss, self._on_link_loss)
        self._key = make(KEY_PRESSED, Can.NOTIFY)
        return [
            *super().services(guard),
            gatt.Service(IMMEDIATE_ALERT_SERVICE, [now]),
            gatt.Service(LINK_LOSS_SERVICE, [lost]),
            gatt.Service(KEYS_SERVICE, [self._key]),
        ]

    def _link_loss(self) -> bytes:
        return bytes([self.link_loss_level])

    def _on_alert(self, _connection: Connection, value: bytes) -> None:
        self.alerting = _level(value)

    def _on_link_loss(self, _connection: Connection, value: bytes) -> None:
        self.link_loss_level = _level(value)

    def connected(self, connection: Connection) -> None:
        """Found again: it beeps no more."""
        del connection
        self.alerting = NO_ALERT

    def disconnected(self, connection: Connection, reason: int) -> None:
        """A link that was lost, not ended, makes it beep."""
        del connection
        if reason not in LEFT_POLITELY:
            self.alerting = self.link_loss_level


def _level(value: bytes) -> int:
    if len(value) != 1:
        raise ATT_Error(INVALID_LENGTH)
    if value[0] > HIGH_ALERT:
        raise ATT_Error(OUT_OF_RANGE)
    return value[0]
