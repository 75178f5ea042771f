"""A fault with its moments and its devices settled: what a file said, in a world and from a seed."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from random import Random

from simulators.chance import stream
from simulators.devices import Device
from simulators.faults.spec import Fault, Where
from simulators.faults.when import moment

Find = Callable[[Where], Sequence[Device]]


@dataclass(frozen=True)
class Active:
    """A fault in force from `begins` (in it) to `ends` (out of it); `seed` is that of the run."""

    fault: Fault
    begins: datetime
    ends: datetime
    devices: frozenset[str]
    seed: int

    def holds(self, at: datetime, device: str) -> bool:
        """Tell whether it meets what that device sends at that moment."""
        return self.begins <= at < self.ends and device in self.devices

    def chance(self, of: str) -> Random:
        """Return its stream of chance for one device, phone or channel."""
        return stream(self.seed, f"fault {self.fault.id}", of)


def share_of(names: Iterable[str], share: float, seed: int, salt: str) -> frozenset[str]:
    """Return about that share of the names; whether one is among them does not depend on the others."""
    return frozenset(name for name in names if share >= 1 or stream(seed, salt, name).random() < share)


def settle(faults: Sequence[Fault], find: Find, seed: int, start: datetime, until: datetime) -> list[Active]:
    """Settle the faults of a file; `start` knows its own zone. ConfigurationError for an unknown place."""
    settled: list[Active] = []
    for number, fault in enumerate(faults):
        named = fault if fault.id else fault.model_copy(update={"id": f"{number}"})
        begins = moment(fault.begins, start)
        ends = moment(fault.ends, start) if fault.ends is not None else until
        hit = share_of((device.id for device in find(fault.where)), fault.share, seed, f"share {named.id}")
        settled.append(Active(named, begins, ends, hit, seed))
    return settled
