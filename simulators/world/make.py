"""A world from a plan and one seed: registry, devices with a life, and the people who answer."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

from gateway.contract.errors import ConfigurationError
from gateway.model.registry import Registry, RegistryDocument
from simulators.chance import Chance
from simulators.devices import Device
from simulators.evening import Evening
from simulators.house.port import People
from simulators.municipality import Only, make_municipality, number_of
from simulators.stage import Stage
from simulators.town import make_devices
from simulators.world.crew import Crew, Nobody
from simulators.world.household import Household
from simulators.world.office import Office
from simulators.world.roster import Busy, Roster
from simulators.world.scene import Scene
from simulators.world.shape import shape
from simulators.world.truth import Truth


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a world is made of.

    `life` is "ordinary" (residents with habits), "evening" (the scripted evening of the demo) or "still"
    (devices that only beat). `crew` "none" is a municipality in which no phone is ever answered.
    `municipality` names a reference municipality. `products` are the models that the devices of a kind
    have, given to homes in turn. With `visits` the gateway is told each day which visits are planned.
    `kit` are the kinds that every home has, `heartbeats` the seconds between those of a kind.
    """

    homes: int = 20
    tenant: str = "demo"
    life: Literal["ordinary", "evening", "still"] = "ordinary"
    crew: Literal["ordinary", "none"] = "ordinary"
    municipality: str | None = None
    products: Mapping[str, Sequence[str]] = {}
    visits: bool = True
    kit: Sequence[str] = ()
    heartbeats: Mapping[str, float] = {}


class World:
    """A made world; `devices` are also those of strangers, `find` names them as scenarios do.

    `homes` are the households by the id of their home, `truth` is what really happens in them.
    """

    def __init__(self, document: RegistryDocument, passwords: dict[str, str]) -> None:
        self.document, self.passwords = document, passwords
        self.truth = Truth()
        self.homes: dict[str, Household] = {}
        self.stage = Stage(())
        self.crew: People = Nobody()

    @property
    def devices(self) -> dict[str, Device]:
        """Every device by its id."""
        return self.stage.devices

    def find(self, where: str) -> list[Device]:
        """Return the devices of that id, "kind:n" (the n-th of a kind, from 1), home or kind, by id.

        Raises ConfigurationError when there is none.
        """
        kind, _, number = where.partition(":")
        found = [device for device in self.devices.values() if where in _names(device) or kind == device.kind]
        if number:
            found = found[int(number) - 1 : int(number)] if number.isdecimal() and int(number) else []
        if not found:
            raise ConfigurationError(f"{where!r}: no such device; allowed: an id, kind:n, a home, a kind")
        return found


def make_world(plan: Plan, seed: int, start: datetime, *, secret: bool = True) -> World:
    """Make the world that begins at that moment; the same plan, seed and start always give the same one.

    Without `secret` its devices have no passwords, for a run in process.
    """
    made = make_municipality(
        plan.homes,
        seed,
        plan.tenant,
        start,
        shape=None if plan.municipality is None else shape(plan.municipality),
        only=Only(tuple(plan.kit), plan.products, plan.heartbeats),
        secret=secret,
    )
    world, begins = World(made.document, made.passwords), start.astimezone(UTC)
    zone = ZoneInfo(made.document.tenant[0].time_zone)
    office = Office(seed, zone)
    _people_the_stage(world, plan, seed, begins, office)
    if plan.crew == "ordinary":
        busy = Busy()
        scene = Scene(world.stage, world.homes, world.truth)
        crew = Crew(seed, Roster(made.document, zone, busy), scene, begins, zone)
        office.open(crew, world.homes, busy if plan.visits else None, begins)
        world.crew = crew
    return world


def _people_the_stage(world: World, plan: Plan, seed: int, begins: datetime, office: Office) -> None:
    """Put the devices on the stage, and among them whoever lives there."""
    ordinary = plan.life == "ordinary"
    devices = make_devices(Registry(world.document), seed, begins, lived_in=ordinary)
    if plan.life == "evening":
        devices = Evening(devices, seed, begins).devices
    else:
        for device in devices:
            wait = Chance(seed, device.profile.home, device.profile.name, "on").uniform(0, 90)
            device.plan(begins + timedelta(seconds=round(wait, 3)), device.switch_on)
    if ordinary:
        world.homes.update(_households(world, devices, seed, office))
    world.stage = Stage(devices, world.homes.values())


def _households(world: World, devices: Sequence[Device], seed: int, office: Office) -> dict[str, Household]:
    wandering = {person.home for person in world.document.person if "night_wandering" in person.flags}
    by_home: dict[str, list[Device]] = {}
    for device in devices:
        by_home.setdefault(device.profile.home, []).append(device)
    return {
        home: Household(seed, number_of(home), own, world.truth, office.told, wanders=home in wandering)
        for home, own in by_home.items()
    }


def _names(device: Device) -> tuple[str, ...]:
    return device.id, device.profile.name, device.profile.home, device.kind
