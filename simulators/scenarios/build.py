"""From a scenario to a play: its world, its faults, what happens in it, and how it is run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from gateway.contract import Changes
from gateway.contract.errors import ConfigurationError
from gateway.model.alert import Alert
from gateway.model.delivery import Delivery
from gateway.model.faults import RecordError
from gateway.model.pilot import Pilot
from gateway.model.registry import Registry, RegistryDocument
from gateway.pipeline.walk import Walk
from gateway.plugins import load_adapters, load_rules, urgency
from gateway.service.intake import Urgent
from simulators.chance import stream
from simulators.devices import Device
from simulators.faults.active import Active, settle
from simulators.faults.house import FailingHouse
from simulators.faults.medium import Faulty
from simulators.faults.phones import Phones
from simulators.faults.spec import Crash, Where
from simulators.faults.when import length, moment
from simulators.house.player import Player, Told
from simulators.house.port import Crashed, Gateway, People, Setting
from simulators.house.whole import Whole
from simulators.scenarios.scenario import Happening, Scenario
from simulators.world.make import Plan, World, make_world

ZONE = ZoneInfo("Europe/Stockholm")
CHANNELS = ("page", "webpush")
"""The channels that simulated phones answer on."""


@dataclass
class Rung:
    """What rang at whose phone, and when: the people's own note of it."""

    alert: str
    delivery: str
    at: datetime


@dataclass
class Outcome:
    """What came of a run besides what the gateway's own files say."""

    begins: datetime
    ends: datetime
    crashes: int = 0
    rung: list[Rung] = field(default_factory=list)
    acknowledged: dict[int, datetime] = field(default_factory=dict)
    on_disk: list[tuple[int, datetime]] = field(default_factory=list)


class Listening:
    """The people of a play, with a note of every ring that reached them."""

    def __init__(self, people: People, rung: list[Rung]) -> None:
        self._people, self._rung = people, rung
        self.next_at, self.advance, self.watch = people.next_at, people.advance, people.watch

    def ring(self, delivery: Delivery, alert: Alert, now: datetime) -> str:
        """Note it, and let it ring."""
        self._rung.append(Rung(alert.id, delivery.id, now))
        return self._people.ring(delivery, alert, now)


class Play:
    """A scenario ready to be run once; `setting` makes a gateway for it."""

    def __init__(self, scenario: Scenario, seed: int, *, secret: bool = True) -> None:
        self.scenario, self.seed = scenario, seed
        local = scenario.starts.replace(tzinfo=ZONE)
        self.start = local.astimezone(UTC)
        self.until = self.start + length(scenario.lasts)
        self.world = make_world(_plan(scenario), seed, self.start, secret=secret)
        self.world.document = _with_pilots(self.world.document, scenario)
        find = partial(find_devices, self.world)
        self.faults = _utc(settle(scenario.fault, find, seed, local, self.until.astimezone(ZONE)))
        self.medium = Faulty(self.world.devices, self.faults, seed, self.start)
        self.outcome = Outcome(self.start, self.until, acknowledged=self.medium.told)
        self.people: People = Phones(Listening(self.world.crew, self.outcome.rung), self.faults, seed)
        for number, happening in enumerate(scenario.happens):
            self._plan(number, happening, find, local)
        self.walk = make_walk()
        self.setting = Setting(self.walk, _urgent(), self.world.document, self.start, self.people)

    def whole(self, folder: Path) -> FailingHouse:
        """Make the whole gateway for it, with the gateway's own faults."""
        return FailingHouse(self.setting, folder, self.faults)

    def run(self, gateway: Gateway, told: Told | None = None) -> Outcome:
        """Play it to its end, through every end and new start of the gateway."""
        stage = self.world.stage
        player = Player(stage, self.medium, gateway, self.people)
        idle = sorted(
            (one.begins, length(one.fault.down))
            for one in self.faults
            if isinstance(one.fault, Crash) and one.fault.point == "idle"
        )
        self._listen(gateway)
        now = self.start
        while now < self.until:
            until, down = idle[0] if idle else (self.until, None)
            try:
                player.play(min(until, self.until), told)
                now = until
                if down is not None:
                    idle.pop(0)
            except Crashed:
                now, down = _fallen(gateway)
            if down is not None and now < self.until:
                now = self._down(player, gateway, now, down, told)
                idle = [one for one in idle if one[0] > now]
        return self.outcome

    def _listen(self, gateway: Gateway) -> None:
        """Note when each commit was on disk, besides whoever listens already."""
        before = gateway.committed

        def committed(changes: Changes, cursor: int) -> None:
            before(changes, cursor)
            at = gateway.clock.now() if isinstance(gateway, Whole) else changes.now
            self.outcome.on_disk.append((cursor, at or self.start))

        gateway.committed = committed

    def _down(
        self, player: Player, gateway: Gateway, now: datetime, down: timedelta, told: Told | None
    ) -> datetime:
        """Let the gateway be away for a while; everything else goes on."""
        self.outcome.crashes += 1
        gateway.crash()
        self.medium.gateway_down(now)
        back = min(now + down, self.until)
        player.play(back, told)
        try:
            gateway.restart(back)
        except Crashed:
            return self._down(player, gateway, back, down, told)
        self.medium.gateway_up(back)
        return back

    def _plan(
        self,
        number: int,
        happening: Happening,
        find: Callable[[Where], Sequence[Device]],
        local: datetime,
    ) -> None:
        """Put a happening on its devices' agendas: once, or by chance about every so often."""
        for device in find(happening.device):
            _check_action(device, happening)
            if happening.at is not None:
                _put(device, moment(happening.at, local).astimezone(UTC), happening)
            elif happening.every is not None:
                rng = stream(self.seed, f"happens {number}", device.id)
                mean_s = length(happening.every).total_seconds()
                at = self.start + timedelta(seconds=round(rng.expovariate(1 / mean_s)))
                while at < self.until:
                    _put(device, at, happening)
                    busy = length(happening.then_after) if happening.then else timedelta(0)
                    at += busy + timedelta(seconds=round(rng.expovariate(1 / mean_s)))


def build(scenario: Scenario, seed: int | None = None, *, secret: bool = True) -> Play:
    """Make everything of a scenario; ConfigurationError names what of it is not there.

    Without `secret` the devices have no passwords, which no seed may give away: then two runs of a seed
    are equal to the byte.
    """
    return Play(scenario, scenario.seed if seed is None else seed, secret=secret)


@cache
def make_walk() -> Walk:
    """Return the steps with every installed adapter and rule, as the gateway has them; it keeps no state."""
    return Walk(load_adapters(), load_rules(), CHANNELS)


@cache
def _urgent() -> Urgent:
    return urgency(load_adapters())


def find_devices(world: World, where: Where) -> list[Device]:
    """Return the devices that a scenario names; ConfigurationError where it names none."""
    if not isinstance(where, str):
        found = {device.id: device for part in where for device in find_devices(world, part)}
        return list(found.values())
    if where == "all":
        return list(world.devices.values())
    if where.startswith("product:"):
        return _of_product(world, where.removeprefix("product:"))
    return world.find(where)


def _of_product(world: World, model: str) -> list[Device]:
    ids = {device.id for device in world.document.device if device.model == model}
    found = [device for name, device in world.devices.items() if name in ids]
    if not found:
        allowed = ", ".join(sorted({device.model for device in world.document.device}))
        raise ConfigurationError(f"product: found {model!r}; allowed: {allowed}")
    return found


def _plan(scenario: Scenario) -> Plan:
    return Plan(
        homes=scenario.homes,
        life=scenario.life,
        crew=scenario.crew,
        municipality=scenario.municipality,
        products={kind.value: models for kind, models in scenario.products.items()},
        kit=tuple(kind.value for kind in scenario.kit),
        heartbeats={kind.value: length(every).total_seconds() for kind, every in scenario.heartbeats.items()},
    )


def _pilots(scenario: Scenario) -> tuple[Pilot, ...]:
    try:
        return tuple(Pilot.of(one) for one in scenario.pilot)
    except RecordError as error:
        told = "\n".join(f"{scenario.name}: pilot: {one}" for one in error.faults)
        raise ConfigurationError(told) from error


def _with_pilots(document: RegistryDocument, scenario: Scenario) -> RegistryDocument:
    """Return the registry with the scenario's pilots; ConfigurationError names what they are wrong about."""
    if not scenario.pilot:
        return document
    found = replace(document, pilot=_pilots(scenario))
    try:
        Registry(found)
    except ValueError as error:
        raise ConfigurationError(f"{scenario.name}: {error}") from error
    return found


def _check_action(device: Device, happening: Happening) -> None:
    if unknown := {happening.do, happening.then} - device.ACTIONS - {""}:
        allowed = ", ".join(sorted(device.ACTIONS))
        raise ConfigurationError(f"happens: do = {min(unknown)!r} for {device.id}; allowed: {allowed}")


def _put(device: Device, at: datetime, happening: Happening) -> None:
    device.plan(at, lambda now: device.act(now, happening.do, **happening.values), happening.note)
    if happening.then:
        device.plan(at + length(happening.then_after), lambda now: device.act(now, happening.then))


def _fallen(gateway: Gateway) -> tuple[datetime, timedelta]:
    """Return when a gateway fell in the middle of its work, and for how long."""
    if not isinstance(gateway, FailingHouse) or gateway.script.fell is None:
        raise RuntimeError("the gateway ended, and no script said so")
    return gateway.clock.now(), length(gateway.script.fell.down)


def _utc(settled: Sequence[Active]) -> list[Active]:
    return [
        Active(one.fault, one.begins.astimezone(UTC), one.ends.astimezone(UTC), one.devices, one.seed)
        for one in settled
    ]
