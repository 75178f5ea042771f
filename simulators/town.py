"""A town: the devices of a registry file, each played by the simulator of its kind."""

from datetime import datetime
from zoneinfo import ZoneInfo

from gateway.contract.errors import ConfigurationError
from gateway.model.registry import Device as Registered
from gateway.model.registry import Enrolment, Registry, Window
from simulators.devices import MAKERS, Device, Profile
from simulators.devices.base import Daily

ADAPTER = "vaka"


def make_devices(registry: Registry, seed: int, start: datetime) -> list[Device]:
    """Make a simulator for every enrolled device of the standard interface, in the registry's order."""
    found = [
        _make(registry, registered, enrolment, seed, start)
        for enrolment in registry.document.enrolment
        if (registered := registry.devices[enrolment.device]).adapter == ADAPTER
        and registered.kind.value in MAKERS
    ]
    if not found:
        raise ConfigurationError("the registry has no enrolled device that a simulator can play")
    return found


def _make(
    registry: Registry, registered: Registered, enrolment: Enrolment, seed: int, start: datetime
) -> Device:
    home = registry.homes[enrolment.home]
    place = (home.zone.latitude, home.zone.longitude) if home.zone else None
    tenant, _, name = registered.native_id.partition("/")
    if not name:
        raise ConfigurationError(
            f"device {registered.id}: native_id = {registered.native_id!r}; allowed: tenant/device"
        )
    profile = Profile(
        seed=seed,
        tenant=tenant,
        name=name,
        home=home.id,
        zone=ZoneInfo(registry.tenants[registered.tenant].time_zone),
        started_at=start,
        heartbeat_s=enrolment.heartbeat_s or 300,
        home_at=place,
        radius_m=home.zone.radius_m if home.zone else 500,
        doses=_daily(enrolment.doses),
        looks=_daily(enrolment.looks),
    )
    return MAKERS[registered.kind.value](profile)


def _daily(windows: tuple[Window, ...]) -> tuple[Daily, ...]:
    return tuple(Daily(w.ref, w.at.hour, w.at.minute, w.minutes) for w in windows)
