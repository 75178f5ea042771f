"""The stage: many devices in one virtual time, stepped in order, for a trace or for real sockets."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from heapq import heapify, heappop, heappush
from typing import Any, Protocol

from simulators.devices import Device
from simulators.outputs import Link, Step


class Actor(Protocol):
    """Somebody among the devices, who makes them act."""

    @property
    def id(self) -> str:
        """Their id, which no device has."""
        ...

    @property
    def devices(self) -> Sequence[Device]:
        """Whose devices they make act."""
        ...

    @property
    def next_at(self) -> datetime | None:
        """When they next do something."""
        ...

    def wake(self, now: datetime) -> list[Step]:
        """Do what is due; the steps are those of the devices."""
        ...


class Stage:
    """Holds the devices and wakes each when its time has come. Reads no clock: `advance` is told the time.

    `actors` are who lives among them, each with an id that no device has.
    """

    def __init__(self, devices: Iterable[Device], actors: Iterable[Actor] = ()) -> None:
        self.devices = {device.id: device for device in devices}
        self._actors = {actor.id: actor for actor in actors}
        members: list[Device | Actor] = [*self.devices.values(), *self._actors.values()]
        self._due = {each.id: at for each in members if (at := each.next_at) is not None}
        self._agenda = [(at, name) for name, at in self._due.items()]
        heapify(self._agenda)

    def _ask(self, member: Device | Actor) -> None:
        at = member.next_at
        if at is not None and self._due.get(member.id) != at:
            self._due[member.id] = at
            heappush(self._agenda, (at, member.id))

    def next_at(self) -> datetime | None:
        """Return when something next happens."""
        return self._agenda[0][0] if self._agenda else None

    def advance(self, now: datetime) -> list[Step]:
        """Do everything that is due until that moment, in order of time, then of device id."""
        steps: list[Step] = []
        while self._agenda and self._agenda[0][0] <= now:
            at, name = heappop(self._agenda)
            if self._due.get(name) != at:
                continue  # the device has since found something earlier to do
            del self._due[name]
            device = self.devices.get(name)
            if device is not None:
                steps += device.wake(at)
                self._ask(device)
            else:
                steps += self._act(self._actors[name], at)
        return steps

    def _act(self, actor: Actor, at: datetime) -> list[Step]:
        steps = actor.wake(at)
        self._ask(actor)
        for device in actor.devices:
            self._ask(device)
        return steps

    def act(self, name: str, now: datetime, action: str, **values: Any) -> list[Step]:
        """Let something happen to a device now, and return what it does."""
        device = self.devices[name]
        done = [Step(now, name, output) for output in device.act(now, action, **values)]
        self._ask(device)
        return done

    def plan(self, name: str, at: datetime, action: str, **values: Any) -> None:
        """Let something happen to a device then."""
        device = self.devices[name]
        device.plan(at, lambda now: device.act(now, action, **values))
        self._ask(device)

    def tell(self, name: str, leaf: str, payload: bytes, now: datetime) -> list[Step]:
        """Hand a device what came on its `command` or `config` topic."""
        device = self.devices[name]
        outputs = device.command(now, payload) if leaf == "command" else device.configure(now, payload)
        self._ask(device)
        return [Step(now, name, output) for output in outputs]


def play(stage: Stage, until: datetime) -> Iterator[Step]:
    """Yield every step until that moment, without waiting."""
    while (at := stage.next_at()) is not None and at <= until:
        yield from stage.advance(at)


def digest(steps: Iterable[Step]) -> str:
    """Return the SHA-256 of a trace: equal digests are equal messages at equal times, byte by byte."""
    found = hashlib.sha256()
    for step in steps:
        output = step.output
        if output is None:
            continue
        line = (
            f"link {output.up}".encode()
            if isinstance(output, Link)
            else b"%b %d %d %b" % (output.topic.encode(), output.qos, output.retain, output.payload)
        )
        found.update(f"{step.at.isoformat()} {step.device} ".encode() + line + b"\n")
    return found.hexdigest()
