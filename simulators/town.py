"""A town: the devices of a registry file, each played by the simulator of its kind."""

from datetime import datetime
from zoneinfo import ZoneInfo

from gateway.contract.errors import ConfigurationError
from gateway.model.registry import Device as Registered
from gateway.model.registry import Enrolment, Registry, Window
from simulators.chance import Chance
from simulators.devices import MAKERS, Device, Profile
from simulators.devices.base import Daily
from simulators.devices.product import Traits, traits_of

ADAPTER = "vaka"


def make_devices(registry: Registry, seed: int, start: datetime, *, lived_in: bool = False) -> list[Device]:
    """Make a simulator for every enrolled device of the standard interface, in the registry's order.

    What speaks through another device is played where that device is, and is left out.
    `lived_in` devices have the weaknesses of their products, and leave the life of the home to residents.
    """
    made = _Made(registry, seed, start, lived_in)
    found = [
        made.device(registered, enrolment)
        for enrolment in registry.document.enrolment
        if (registered := registry.devices[enrolment.device]).adapter == ADAPTER
        and registered.via is None
        and registered.kind.value in MAKERS
    ]
    if not found:
        raise ConfigurationError("the registry has no enrolled device that a simulator can play")
    return found


class _Made:
    """What the devices of a town have in common; equal times of day are kept once."""

    def __init__(self, registry: Registry, seed: int, start: datetime, lived_in: bool) -> None:  # noqa: FBT001 - private
        self.registry, self.seed, self.start, self.lived_in = registry, seed, start, lived_in
        self._zones: dict[str, ZoneInfo] = {}
        self._times: dict[tuple[Daily, ...], tuple[Daily, ...]] = {}

    def device(self, registered: Registered, enrolment: Enrolment) -> Device:
        """Make the simulator of one device."""
        home, kind = self.registry.homes[enrolment.home], registered.kind.value
        tenant, _, name = registered.native_id.partition("/")
        if not name:
            raise ConfigurationError(
                f"device {registered.id}: native_id = {registered.native_id!r}; allowed: tenant/device"
            )
        chance = Chance(self.seed, home.id, name, "traits")
        profile = Profile(
            seed=self.seed,
            tenant=tenant,
            name=name,
            home=home.id,
            zone=self._zone(registered.tenant),
            started_at=self.start,
            heartbeat_s=enrolment.heartbeat_s or 300,
            home_at=(home.zone.latitude, home.zone.longitude) if home.zone else None,
            radius_m=home.zone.radius_m if home.zone else 500,
            doses=self._daily(enrolment.doses),
            looks=self._daily(enrolment.looks),
            traits=traits_of(kind, registered.model, chance) if self.lived_in else Traits.NEAT,
            alone=not self.lived_in,
        )
        return MAKERS[kind](profile)

    def _zone(self, tenant: str) -> ZoneInfo:
        if tenant not in self._zones:
            self._zones[tenant] = ZoneInfo(self.registry.tenants[tenant].time_zone)
        return self._zones[tenant]

    def _daily(self, windows: tuple[Window, ...]) -> tuple[Daily, ...]:
        found = tuple(Daily(w.ref, w.at.hour, w.at.minute, w.minutes) for w in windows)
        return self._times.setdefault(found, found)
