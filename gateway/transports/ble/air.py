"""Advertisements: what bleak says of one, as our port has it, and as the AD structures that adapters read."""

import asyncio
from collections import OrderedDict
from collections.abc import Iterator

from bleak.backends.scanner import AdvertisementData

from gateway.contract.gatt import Advertisement, Hear, Profile
from gateway.transports.ble.outlet import Outlet
from gateway.transports.ble.standing import Standing

SERVICE_DATA_16 = 0x16
SERVICE_DATA_128 = 0x21
MAX_STRUCTURE = 254
MAX_TOLD = 1024
"""So many senders' last words are remembered, to know a repeat by."""
SIGNAL_EVERY_S = 60.0
_BASE = "-0000-1000-8000-00805f9b34fb"


def advertisement(address: str, data: AdvertisementData) -> Advertisement:
    """Return an advertisement without its local name, which may be a person's."""
    return Advertisement(
        address=address,
        rssi_dbm=data.rssi,
        service_uuids=tuple(uuid.lower() for uuid in data.service_uuids),
        service_data={uuid.lower(): bytes(value) for uuid, value in data.service_data.items()},
        manufacturer_data={number: bytes(value) for number, value in data.manufacturer_data.items()},
    )


def structures(said: Advertisement, uuids: tuple[str, ...]) -> bytes:
    """Return the service data of a profile as AD structures (Core Supplement, part A, 1.11)."""
    return b"".join(_structures(said, uuids))


def _structures(said: Advertisement, uuids: tuple[str, ...]) -> Iterator[bytes]:
    for uuid in uuids:
        data = said.service_data.get(uuid)
        if data is None:
            continue
        short = uuid.startswith("0000") and uuid.endswith(_BASE)
        number = bytes.fromhex(uuid[4:8] if short else uuid.replace("-", ""))[::-1]
        body = bytes([SERVICE_DATA_16 if short else SERVICE_DATA_128]) + number + data
        yield bytes([min(len(body), MAX_STRUCTURE)]) + body[:MAX_STRUCTURE]


class Air:
    """Takes in advertisements of devices that are never connected; the same bytes once in a short window.

    Only the last bytes of a sender are compared: what changed, and changed back, is news both times.
    """

    def __init__(self, outlet: Outlet, standing: Standing, window_s: float) -> None:
        self._outlet = outlet
        self._standing = standing
        self._window_s = window_s
        self._told: OrderedDict[str, tuple[bytes, float]] = OrderedDict()
        self._signalled: OrderedDict[str, float] = OrderedDict()

    def hear(self, said: Advertisement, profile: Profile) -> None:
        """Take one in, unless it was just heard."""
        payload = structures(said, profile.service_uuids)
        now = asyncio.get_running_loop().time()
        self._tell_signal(said, now)
        before = self._told.get(said.address)
        if before is not None and before[0] == payload and now - before[1] < self._window_s:
            self._standing.repeats += 1
            return
        self._told[said.address] = payload, now
        self._told.move_to_end(said.address)
        if len(self._told) > MAX_TOLD:
            self._told.popitem(last=False)
        self._outlet.hear(Hear(f"ble/adv/{said.address}", payload), said.address)

    def _tell_signal(self, said: Advertisement, now: float) -> None:
        """Tell how strongly a device is heard, as JSON on the same channel, once a minute."""
        if now - self._signalled.get(said.address, -SIGNAL_EVERY_S) < SIGNAL_EVERY_S:
            return
        self._signalled[said.address] = now
        self._signalled.move_to_end(said.address)
        if len(self._signalled) > MAX_TOLD:
            self._signalled.popitem(last=False)
        payload = b'{"rssi_dbm":%d}' % said.rssi_dbm
        self._outlet.hear(Hear(f"ble/adv/{said.address}", payload), said.address)
