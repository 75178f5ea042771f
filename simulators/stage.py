"""The stage: many devices in one virtual time, stepped in order, for a trace or for real sockets."""

import hashlib
from collections.abc import Iterable, Iterator
from datetime import datetime
from heapq import heappop, heappush

from simulators.devices import Device
from simulators.outputs import Link, Step


class Stage:
    """Holds the devices and wakes each when its time has come. Reads no clock: `advance` is told the time."""

    def __init__(self, devices: Iterable[Device]) -> None:
        self.devices = {device.id: device for device in devices}
        self._agenda: list[tuple[datetime, str]] = []
        self._due: dict[str, datetime] = {}
        for device in self.devices.values():
            self._ask(device)

    def _ask(self, device: Device) -> None:
        at = device.next_at
        if at is not None and self._due.get(device.id) != at:
            self._due[device.id] = at
            heappush(self._agenda, (at, device.id))

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
            steps += self.devices[name].wake(at)
            self._ask(self.devices[name])
        return steps

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
