"""What the registry holds as resources: found by name, in the order of the names."""

from collections.abc import Callable, Iterable, Mapping

from gateway.api.fhir.scope import Sight
from gateway.fhir import pilots, places
from gateway.fhir.names import DIGEST, logical_id, name_of
from gateway.fhir.terms import Resource
from gateway.model.registry import Registry
from gateway.model.status import DeviceStatus

Statuses = Mapping[str, DeviceStatus]


class Registered:
    """The registry and the latest word of its devices, as far as somebody sees them."""

    def __init__(self, sight: Sight, statuses: Statuses) -> None:
        registry = sight.registry
        self._sight = sight
        self._statuses = statuses
        self._made: Mapping[str, tuple[Iterable[str], Callable[[str], Resource | None]]] = {
            "Organization": (registry.tenants, self._organization),
            "Location": (registry.homes, self._location),
            "Patient": (registry.persons, self._patient),
            "Device": (registry.devices, self._device),
            "DeviceUseStatement": (registry.enrolments, self._device_use),
            "Consent": (registry.enrolments, self._consent),
            "Group": (registry.pilots, self._group),
        }

    def holds(self, kind: str) -> bool:
        """Tell whether resources of that type are made of the registry."""
        return kind in self._made

    def read(self, kind: str, written: str) -> Resource | None:
        """Return a resource by its logical id, None when there is none or it is not seen."""
        names, make = self._made[kind]
        if written.startswith(DIGEST):
            name = next((one for one in names if logical_id(one) == written), "")
        else:
            name = name_of(written)
        return make(name) if name and name in names else None

    def page(
        self, kind: str, wanted: Callable[[Resource], bool], after: str, limit: int
    ) -> tuple[list[Resource], str | None]:
        """Return the resources after that name, and the last name when there are more."""
        names, make = self._made[kind]
        found: list[Resource] = []
        last = after
        for name in sorted(one for one in names if one > after):
            resource = make(name)
            if resource is None or not wanted(resource):
                continue
            if len(found) == limit:
                return found, last
            found.append(resource)
            last = name
        return found, None

    @property
    def _registry(self) -> Registry:
        return self._sight.registry

    def _organization(self, name: str) -> Resource | None:
        return places.organization(self._registry.tenants[name]) if self._sight.tenant(name) else None

    def _location(self, name: str) -> Resource | None:
        return places.location(self._registry.homes[name]) if self._sight.home(name) else None

    def _patient(self, name: str) -> Resource | None:
        person = self._registry.persons[name]
        return places.patient(person, self._registry) if self._sight.home(person.home) else None

    def _device(self, name: str) -> Resource | None:
        if not self._sight.device(name):
            return None
        return places.device(self._registry.devices[name], self._registry, self._statuses.get(name))

    def _device_use(self, name: str) -> Resource | None:
        return places.device_use(self._registry.enrolments[name]) if self._sight.device(name) else None

    def _consent(self, name: str) -> Resource | None:
        if not self._sight.device(name):
            return None
        kind = self._registry.devices[name].kind
        return places.consent(self._registry.enrolments[name], kind, self._registry)

    def _group(self, name: str) -> Resource | None:
        pilot = self._registry.pilots[name]
        return pilots.group(pilot, self._registry) if self._sight.tenant(pilot.tenant) else None
