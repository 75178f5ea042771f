"""A world from a plan and one seed: registry, devices with a life, and the people who answer."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal

import msgspec

from gateway.contract.errors import ConfigurationError
from gateway.model.registry import Registry, RegistryDocument
from simulators.chance import stream
from simulators.devices import Device
from simulators.evening import Evening
from simulators.house.port import People
from simulators.municipality import make_municipality
from simulators.stage import Stage
from simulators.town import make_devices
from simulators.world.crew import Crew, Nobody


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a world is made of.

    `life` is "ordinary" (residents with habits), "evening" (the scripted evening of the demo) or "still"
    (devices that only beat). `crew` "none" is a municipality in which no phone is ever answered.
    `municipality` names a reference municipality. `products` are the models that the devices of a kind
    have, given to homes in turn.
    """

    homes: int = 20
    tenant: str = "demo"
    life: Literal["ordinary", "evening", "still"] = "ordinary"
    crew: Literal["ordinary", "none"] = "ordinary"
    municipality: str | None = None
    products: Mapping[str, Sequence[str]] = {}


class World:
    """A made world; `devices` are also those of strangers, `find` names them as scenarios do."""

    def __init__(
        self, document: RegistryDocument, passwords: dict[str, str], stage: Stage, crew: People
    ) -> None:
        self.document, self.passwords = document, passwords
        self.stage, self.crew = stage, crew
        self.devices = stage.devices

    def find(self, where: str) -> list[Device]:
        """Return the devices of that id, "kind:n" (the n-th of a kind, from 1), home or kind, by id.

        Raises ConfigurationError when there is none.
        """
        kind, _, number = where.partition(":")
        found = [
            device
            for device in self.devices.values()
            if where in {device.id, device.profile.name, device.profile.home, device.kind}
            or kind == device.kind
        ]
        if number:
            found = found[int(number) - 1 : int(number)] if number.isdecimal() and int(number) else []
        if not found:
            raise ConfigurationError(f"{where!r}: no such device; allowed: an id, kind:n, a home, a kind")
        return found


def make_world(plan: Plan, seed: int, start: datetime) -> World:
    """Make the world that begins at that moment; the same three always give the same one."""
    made = make_municipality(plan.homes, seed, plan.tenant, start)
    begins = start.astimezone(UTC)
    devices = make_devices(Registry(made.document), seed, begins)
    if plan.life == "evening":
        devices = Evening(devices, seed, begins).devices
    else:
        for device in devices:
            device.plan(begins, device.switch_on)
    crew: People = Crew(stream(seed, "crew", "all")) if plan.crew == "ordinary" else Nobody()
    return World(made.document, made.passwords, Stage(devices), crew)
