"""The gateway's Bluetooth: devices that advertise are heard, those that want a link are visited in turn."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from random import Random, SystemRandom

from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData

from gateway.ble_settings import BleDeviceSettings, BleSettings, unknown_profiles
from gateway.contract import Clock, ConfigurationError, Intake, SessionStore
from gateway.contract.gatt import Profile
from gateway.transports.ble.air import Air, advertisement
from gateway.transports.ble.attendant import Attendant, Surroundings
from gateway.transports.ble.memory import Memory
from gateway.transports.ble.outlet import Outlet
from gateway.transports.ble.radio import TROUBLE, Radio
from gateway.transports.ble.roster import Roster
from gateway.transports.ble.scanning import Scanning, filter_of
from gateway.transports.ble.standing import Standing

log = logging.getLogger(__name__)

Acknowledged = Callable[[str, bytes], None]


class BleTransport:
    """One adapter; what it hears goes to an Intake, and is acknowledged to the device when it is on disk.

    Raises ConfigurationError when made with a profile that is not installed. After that every trouble is
    shown in `standing`, logged once, and tried again.
    """

    def __init__(  # noqa: PLR0917 - the ports it joins, each once
        self,
        settings: BleSettings,
        profiles: Sequence[Profile],
        intake: Intake,
        clock: Clock,
        store: SessionStore,
        radio: Radio | None = None,
        random: Random | None = None,
    ) -> None:
        self._settings = settings
        self._profiles = {profile.id: profile for profile in profiles}
        self._listed = {device.address: device for device in settings.device}
        self._check()
        chance = random or SystemRandom()
        radio = radio or Radio(settings.adapter)
        self.standing = Standing(lost_since=clock.now())
        self._memory = Memory(store)
        self._acknowledged: Acknowledged | None = None
        self._attendants: dict[str, Attendant] = {}
        self._around = Surroundings(
            radio=radio,
            settings=settings,
            intake=intake,
            clock=clock,
            standing=self.standing,
            random=chance,
            connecting=asyncio.Lock(),
            ingress=self.name,
            sent=self._sent,
            bound=self._bound,
        )
        self._adverts = Outlet(intake, clock, self.name, self.standing)
        self._air = Air(self._adverts, self.standing, settings.repeat_window_s)
        self._roster = Roster(self._attendants, settings, self._show)
        self._scanning = Scanning(radio, settings, self._heard, clock, self.standing, chance, self._take_over)
        self._radio = radio

    @property
    def name(self) -> str:
        """How this way in is called in the trace."""
        return f"ble:{self._settings.adapter}" if self._settings.adapter else "ble"

    def on_acknowledged(self, tell: Acknowledged) -> None:
        """Call `tell` with topic and payload when a device has a message of ours."""
        self._acknowledged = tell

    async def run(self) -> None:
        """Scan and connect until cancelled; then end every link."""
        wanted = self._wanted()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._scanning.run(filter_of(wanted)), name="ble scan")
                group.create_task(self._roster.run(), name="ble roster")
        finally:
            self._adverts.close()
            for attendant in self._attendants.values():
                attendant.close()

    async def publish(self, topic: str, payload: bytes, *, retain: bool) -> int:
        """Send a message to a device; returns 1 when it has it, 0 for nobody yet.

        A retained one is kept over a restart and sent when the device is connected; raises
        StoreUnavailableError when it cannot be kept.
        """
        identities = {profile.inbox(topic) for profile in self._profiles.values()} - {""}
        if not identities:
            return 0
        found = next((one for one in self._attendants.values() if self._identity(one) in identities), None)
        if retain:
            self._memory.keep(topic, payload)
            if found is not None and payload:
                found.keep(topic, payload)
            return 1
        return int(found is not None and await found.send(topic, payload))

    def close(self) -> None:
        """Release what is kept over a restart."""
        self._memory.close()

    def _check(self) -> None:
        if faults := list(unknown_profiles(self._settings, self._profiles)):
            raise ConfigurationError("\n".join(faults))

    def _wanted(self) -> list[Profile]:
        """Return the profiles that somebody may speak."""
        if self._settings.discover:
            return list(self._profiles.values())
        return [self._profiles[name] for name in sorted({device.profile for device in self._settings.device})]

    def _identity(self, attendant: Attendant) -> str:
        return self._known_as(attendant.address) or attendant.address

    def _known_as(self, address: str) -> str:
        """Return whose word an address speaks: as it was configured, else as it was bonded."""
        listed = self._listed.get(address)
        return (listed.device if listed else "") or self._memory.identity(address)

    def _heard(self, device: BLEDevice, data: AdvertisementData) -> None:
        """Take an advertisement: of a listed device, or of one that a profile claims."""
        address = device.address.upper()
        listed = self._listed.get(address)
        if listed is None and not self._settings.discover:
            return
        said = advertisement(address, data)
        meant = [self._profiles[listed.profile]] if listed is not None else self._profiles.values()
        profile = next((one for one in meant if one.claims(said) or (listed and one.connects)), None)
        if profile is None or (listed is None and not self._room_for(address, profile)):
            return
        self.standing.advertisements += 1
        if not profile.connects:
            self._air.hear(said, profile)
        elif listed is not None:
            self._visit(listed, profile, device, data.rssi)

    async def _take_over(self) -> None:
        """Visit the listed devices whose link outlived the program that made it: no scan finds them."""
        wanted = [profile for profile in self._wanted() if profile.connects]
        uuids = sorted({uuid for profile in wanted for uuid in profile.service_uuids})
        found: list[BLEDevice] = []
        with suppress(*TROUBLE):  # a system that cannot tell still scans
            found = await self._radio.held(uuids)
        for device in found:
            listed = self._listed.get(device.address.upper())
            attendant = self._attendants.get(device.address.upper())
            if listed is not None and (attendant is None or not attendant.connected):
                self._visit(listed, self._profiles[listed.profile], device, None)

    def _room_for(self, address: str, profile: Profile) -> bool:
        """Show a device that is not listed; False when too many are shown already."""
        shown = self.standing.devices
        if address not in shown:
            if len(shown) >= self._settings.max_devices + len(self._listed):
                self.standing.dropped += 1
                return False
            shown[address] = f"{profile.id}: heard, not listed under ble.device"
        return True

    def _visit(
        self, listed: BleDeviceSettings, profile: Profile, device: BLEDevice, rssi_dbm: int | None
    ) -> None:
        attendant = self._attendants.get(listed.address) or self._new(listed, profile)
        if attendant is not None:
            attendant.seen(device, rssi_dbm)
            self._roster.wake()

    def _new(self, listed: BleDeviceSettings, profile: Profile) -> Attendant | None:
        identity = self._known_as(listed.address)
        session = profile.session(listed.address, identity)
        if session is None:
            return None
        made = self._attendants[listed.address] = Attendant(listed.address, profile, session, self._around)
        made.rebond = listed.rebond
        self._bring(made, identity or listed.address)
        return made

    def _bring(self, attendant: Attendant, identity: str) -> None:
        """Give an attendant the configurations that wait for its device."""
        for topic, payload in self._memory.kept().items():
            if attendant.profile.inbox(topic) == identity:
                attendant.keep(topic, payload)

    def _bound(self, address: str, identity: str) -> None:
        self._memory.bind(address, identity)
        self._bring(self._attendants[address], identity)

    def _sent(self, topic: str, payload: bytes) -> None:
        if self._acknowledged is not None:
            self._acknowledged(topic, payload)

    def _show(self) -> None:
        """Bring up to date what the health page shows of refused devices."""
        refused = (f"{address}: {one.refused}" for address, one in self._attendants.items() if one.refused)
        self.standing.refused = tuple(refused)
