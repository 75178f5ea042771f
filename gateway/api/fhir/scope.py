"""Whose data somebody may read over FHIR: all tenants, or the ones a token or a team is of."""

import msgspec

from gateway.api.auth import Actor, find_actor
from gateway.config import ApiSettings
from gateway.fhir.pilots import devices_of
from gateway.model.alert import Alert
from gateway.model.event import Event
from gateway.model.pilot import Pilot
from gateway.model.registry import Registry
from gateway.model.synthetic import SYNTHETIC


class Sight(msgspec.Struct, frozen=True):
    """What is seen: `tenants` None means all, `devices` None all of theirs; `places` are their homes.

    The made-up tenant is never seen.
    """

    registry: Registry
    tenants: frozenset[str] | None
    devices: frozenset[str] | None = None
    places: frozenset[str] = frozenset()

    def tenant(self, name: str) -> bool:
        """Tell whether a tenant is seen."""
        return name != SYNTHETIC and (self.tenants is None or name in self.tenants)

    def home(self, name: str) -> bool:
        """Tell whether a home is seen; of one that the registry has no more, only by who sees all."""
        if self.devices is not None and name not in self.places:
            return False
        found = self.registry.homes.get(name)
        return self.tenant(found.tenant) if found is not None else self.tenants is None

    def device(self, name: str) -> bool:
        """Tell whether a device is seen."""
        found = self.registry.devices.get(name)
        if found is None or not self.tenant(found.tenant):
            return False
        return self.devices is None or name in self.devices

    def event(self, event: Event) -> bool:
        """Tell whether an event is seen, by the home it happened in."""
        return self.home(event.home) and (self.devices is None or event.device in self.devices)

    def alert(self, alert: Alert) -> bool:
        """Tell whether an alert is seen."""
        if not self.tenant(alert.tenant):
            return False
        if self.devices is None or alert.device in self.devices:
            return True
        return alert.device is None and alert.home in self.places

    def of_pilot(self, pilot: Pilot) -> "Sight":
        """Return the same, narrowed to the devices of a pilot and to where they are."""
        devices = devices_of(pilot, self.registry)
        enrolled = (self.registry.enrolments.get(one) for one in devices)
        places = frozenset(one.home for one in enrolled if one is not None)
        return msgspec.structs.replace(self, devices=devices, places=places)


def sight_of(actor: Actor, registry: Registry) -> Sight:
    """Return what somebody sees: a token's tenants, else those of the teams they answer for, else all."""
    if actor.tenants:
        return Sight(registry, actor.tenants)
    if not actor.teams:
        return Sight(registry, None)
    theirs = (registry.teams[name] for name in actor.teams if name in registry.teams)
    return Sight(registry, frozenset(registry.units[team.unit].tenant for team in theirs))


def subscribers_tenants(name: str, settings: ApiSettings, registry: Registry) -> frozenset[str] | None:
    """Return the tenants that an actor of this name may be told of today: empty for none, None for all."""
    actor = find_actor(name, settings)
    if actor is None or not actor.may("fhir:subscribe"):
        return frozenset()
    return sight_of(actor, registry).tenants
