"""The registry: who answers and who is watched over, held together and indexed."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Self
from weakref import ref

from gateway.model.household import Device, Enrolment, Home, Person, Window, Zone
from gateway.model.organisation import Ladder, Override, Step, Team, Tenant, Unit
from gateway.model.people import Rotation, Staff
from gateway.model.pilot import Pilot, check_pilot
from gateway.model.records import Record, index, is_zone, one_tenant, wrong
from gateway.model.sharing import read_sharing

__all__ = [
    "WHOLE_TENANT",
    "Device",
    "Enrolment",
    "Home",
    "Ladder",
    "Override",
    "Person",
    "Registry",
    "RegistryDocument",
    "Step",
    "Team",
    "Tenant",
    "Unit",
    "Window",
    "Zone",
]

WHOLE_TENANT = "tenant:"
"""Before a tenant's id: a recipient that stands for everybody there, when no ladder says who."""


class RegistryDocument(Record, frozen=True):
    """The registry as it stands in a file; names are singular because TOML repeats the heading."""

    tenant: tuple[Tenant, ...] = ()
    unit: tuple[Unit, ...] = ()
    team: tuple[Team, ...] = ()
    ladder: tuple[Ladder, ...] = ()
    home: tuple[Home, ...] = ()
    person: tuple[Person, ...] = ()
    device: tuple[Device, ...] = ()
    enrolment: tuple[Enrolment, ...] = ()
    override: tuple[Override, ...] = ()
    staff: tuple[Staff, ...] = ()
    rotation: tuple[Rotation, ...] = ()
    pilot: tuple[Pilot, ...] = ()

    @classmethod
    def from_json(cls, body: bytes | str) -> Self:
        """Read it from JSON, record by record; RecordError tells every fault."""
        return read_sharing(cls, body) or super().from_json(body)  # which says what is wrong


class Registry:
    """The registry document, indexed for the questions the pipeline asks. Immutable once made.

    Raises ValueError, naming the record and the missing or doubled reference, if it does not hold
    together. `of` gives all who hold one document the same index of it: a large one is held once.
    """

    _latest: ClassVar["ref[Registry] | None"] = None

    @classmethod
    def of(cls, document: RegistryDocument) -> "Registry":
        """Return the registry of a document, made when nobody holds it yet."""
        found = cls._latest() if cls._latest else None
        if found is None or found.document is not document:
            found = cls(document)
            cls._latest = ref(found)
        return found

    def __init__(self, document: RegistryDocument) -> None:
        self.document = document
        self.tenants = index("tenant", document.tenant, "id")
        self.units = index("unit", document.unit, "id")
        self.teams = index("team", document.team, "id")
        self.ladders = index("ladder", document.ladder, "id")
        self.homes = index("home", document.home, "id")
        self.persons = index("person", document.person, "ref")
        self.devices = index("device", document.device, "id")
        self.enrolments = index("enrolment", document.enrolment, "device")
        self.staff = index("staff", document.staff, "ref")
        self.rotations = index("rotation", document.rotation, "id")
        self.pilots = index("pilot", document.pilot, "id")
        self.overrides = {
            (
                own.rule,
                "tenant" if own.tenant else "unit" if own.unit else "person",
                own.tenant or own.unit or own.person or "",
            ): own.numbers
            for own in document.override
        }
        self._by_native: dict[str, dict[str, Device]] = {}
        for device in document.device:
            self._name(device)
        devices_of: dict[str, list[Device]] = {}
        for enrolment in document.enrolment:
            self._refer("enrolment", enrolment.device, "device", enrolment.device, self.devices)
            devices_of.setdefault(enrolment.home, []).append(self.devices[enrolment.device])
        self._devices_of = {home: tuple(devices) for home, devices in devices_of.items()}
        self._check_references()
        persons_of: dict[str, list[Person]] = {}
        for person in document.person:
            persons_of.setdefault(person.home, []).append(person)
        self._persons_of = {home: tuple(persons) for home, persons in persons_of.items()}

    def adapters(self) -> frozenset[str]:
        """Return the adapters that the devices name."""
        return frozenset(device.adapter for device in self.devices.values())

    def device_named(self, adapter: str, native_id: str) -> Device | None:
        """Return the device that an adapter's messages call so."""
        found = self.devices.get(native_id)  # most are called by their own id, and need no second index
        if found is not None and found.native_id == native_id and found.adapter == adapter:
            return found
        return self._by_native.get(adapter, {}).get(native_id)

    def devices_of(self, home: str) -> Sequence[Device]:
        """Return the devices enrolled in a home."""
        return self._devices_of.get(home, ())

    def persons_of(self, home: str) -> Sequence[Person]:
        """Return who lives in a home."""
        return self._persons_of.get(home, ())

    def teams_meant(self, recipient: str) -> frozenset[str]:
        """Return the teams a recipient stands for: itself, and for `tenant:<id>` all of that tenant."""
        tenant = recipient.removeprefix(WHOLE_TENANT)
        if tenant == recipient:
            return frozenset({recipient})
        theirs = (team.id for team in self.teams.values() if self.units[team.unit].tenant == tenant)
        return frozenset({recipient, *theirs})

    def _name(self, device: Device) -> None:
        if self.device_named(device.adapter, device.native_id) not in (None, device):
            raise ValueError("device: native_id: found one twice within an adapter; allowed: each once")
        if device.native_id != device.id:
            self._by_native.setdefault(device.adapter, {})[device.native_id] = device

    def _check_references(self) -> None:
        for tenant in self.tenants.values():
            if not is_zone(tenant.time_zone):
                raise wrong("tenant", tenant.id, "time_zone", tenant.time_zone, "an IANA zone")
        for unit in self.units.values():
            self._refer("unit", unit.id, "tenant", unit.tenant, self.tenants)
        for team in self.teams.values():
            self._refer("team", team.id, "unit", team.unit, self.units)
        for ladder in self.ladders.values():
            self._refer("ladder", ladder.id, "tenant", ladder.tenant, self.tenants)
            for name in (name for step in ladder.steps for name in (*step.to, *step.at_night)):
                self._refer_team("ladder", ladder.id, "steps.to", name, ladder.tenant)
        self._check_homes()
        self._check_policies()
        self._check_staff()
        self._check_devices()
        self._check_enrolments()
        self._check_pilots()

    def _check_homes(self) -> None:
        for home in self.homes.values():
            self._refer("home", home.id, "tenant", home.tenant, self.tenants)
            self._refer("home", home.id, "unit", home.unit, self.units)
            self._refer("home", home.id, "care_ladder", home.care_ladder, self.ladders)
            self._refer("home", home.id, "technical_ladder", home.technical_ladder, self.ladders)
            one_tenant("home", home.id, home.tenant, "unit", home.unit, self.units[home.unit].tenant)
            for key, name in (("care_ladder", home.care_ladder), ("technical_ladder", home.technical_ladder)):
                one_tenant("home", home.id, home.tenant, key, name, self.ladders[name].tenant)
        for person in self.persons.values():
            self._refer("person", person.ref, "home", person.home, self.homes)

    def _check_policies(self) -> None:
        """Refuse policies of strangers, and a last step that asks for a role: nobody may have it then."""
        owners = (("tenant", self.tenants), ("unit", self.units), ("home", self.homes))
        for kind, records in owners:
            for owner in records.values():
                tenant = owner.id if isinstance(owner, Tenant) else owner.tenant
                for route, name in owner.ladders.items():
                    self._refer(kind, owner.id, f"ladders.{route}", name, self.ladders)
                    one_tenant(kind, owner.id, tenant, f"ladders.{route}", name, self.ladders[name].tenant)
        for one in self.tenants.values():
            for name in one.failsafe:
                self._refer_team("tenant", one.id, "failsafe", name, one.id)
        for ladder in self.ladders.values():
            last = ladder.steps[-1]
            if last.role and not self.tenants[ladder.tenant].failsafe:
                allowed = "none in the last step, or a failsafe of the tenant"
                raise wrong("ladder", ladder.id, "steps.role", last.role, allowed)

    def _check_staff(self) -> None:
        for staff in self.staff.values():
            self._refer("staff", staff.ref, "tenant", staff.tenant, self.tenants)
            for name in staff.teams:
                self._refer_team("staff", staff.ref, "teams", name, staff.tenant)
        for rotation in self.rotations.values():
            self._refer("rotation", rotation.id, "team", rotation.team, self.teams)
            for name in (name for turn in rotation.turns for name in turn):
                self._refer("rotation", rotation.id, "turns", name, self.staff)
                if rotation.team not in self.staff[name].teams:
                    raise wrong("rotation", rotation.id, "turns", name, f"staff of team {rotation.team!r}")

    def _refer_team(self, kind: str, owner: str, key: str, name: str, tenant: str) -> None:
        self._refer(kind, owner, key, name, self.teams)
        one_tenant(kind, owner, tenant, key, name, self.units[self.teams[name].unit].tenant)

    def _check_devices(self) -> None:
        for device in self.devices.values():
            self._refer("device", device.id, "tenant", device.tenant, self.tenants)
            if device.via is None:
                continue
            self._refer("device", device.id, "via", device.via, self.devices)
            theirs = self.devices[device.via].tenant
            one_tenant("device", device.id, device.tenant, "via", device.via, theirs)
        for device in self.devices.values():
            self._check_way(device)

    def _check_way(self, device: Device) -> None:
        """Refuse bridges that speak through each other: each one's silence would excuse the other's."""
        seen, via = {device.id}, device.via
        while via is not None:
            if via in seen:
                raise wrong("device", device.id, "via", via, "a bridge that does not speak through itself")
            seen.add(via)
            via = self.devices[via].via

    def _check_enrolments(self) -> None:
        for enrolment in self.enrolments.values():
            name = enrolment.device
            self._refer("enrolment", name, "home", enrolment.home, self.homes)
            theirs = self.homes[enrolment.home].tenant
            one_tenant("enrolment", name, self.devices[name].tenant, "home", enrolment.home, theirs)
            if enrolment.person is not None:
                self._refer("enrolment", name, "person", enrolment.person, self.persons)
                if self.persons[enrolment.person].home != enrolment.home:
                    raise wrong(
                        "enrolment", name, "person", enrolment.person, f"one who lives in {enrolment.home!r}"
                    )
            for key, windows in (("doses", enrolment.doses), ("looks", enrolment.looks)):
                refs = [window.ref for window in windows]
                doubled = next((ref for ref in refs if refs.count(ref) > 1), None)
                if doubled is not None:
                    raise wrong("enrolment", name, f"{key}.ref", doubled, "each once")

    def _check_pilots(self) -> None:
        for pilot in self.pilots.values():
            self._refer("pilot", pilot.id, "tenant", pilot.tenant, self.tenants)
            check_pilot(pilot, self.homes.values(), self.devices.values())

    @staticmethod
    def _refer(kind: str, owner: str, key: str, name: str, known: Mapping[str, object]) -> None:
        if name not in known:
            raise wrong(kind, owner, key, name, "one that this registry has")
