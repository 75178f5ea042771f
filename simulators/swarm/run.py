"""One scenario run on the whole gateway, with everything that must hold checked afterwards."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from simulators.faults.house import FailingHouse
from simulators.scenarios.build import Play, build, make_walk
from simulators.scenarios.evidence import Evidence, read_evidence
from simulators.scenarios.scenario import Scenario
from simulators.swarm.invariants import Violation, violations

MEMORY = Path("/dev/shm")  # noqa: S108 - a folder in memory, where an fsync costs nothing; ours inside is private
Make = Callable[[Play, Path], FailingHouse]


@dataclass
class Run:
    """What came of one run."""

    play: Play
    broken: list[Violation]
    evidence: Evidence | None = None

    @property
    def frames(self) -> int:
        """How many frames the gateway took."""
        return len(self.evidence.frames) if self.evidence is not None else 0

    @property
    def names(self) -> set[str]:
        """The invariants that did not hold."""
        return {one.invariant for one in self.broken}


@contextmanager
def hushed() -> Iterator[None]:
    """Keep the gateway's log silent: the faults that it would tell of are made on purpose."""
    log = logging.getLogger("gateway")
    before = log.level
    log.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        log.setLevel(before)


def make_house(play: Play, folder: Path) -> FailingHouse:
    """Make the gateway of a play, as it is."""
    return play.whole(folder)


def run_once(scenario: Scenario, make: Make = make_house, *, replay: bool = True) -> Run:
    """Run it in a temporary folder, in memory where there is one; a gateway that fails is a violation too."""
    play = build(scenario, secret=False)
    parent = MEMORY if MEMORY.is_dir() else None
    with TemporaryDirectory(prefix="vaka-swarm-", dir=parent) as name:
        folder = Path(name)
        house = make(play, folder)
        try:
            play.run(house)
        except Exception as error:  # noqa: BLE001 - whatever ends a gateway is what the swarm looks for
            failed = Violation("the gateway goes on", f"{type(error).__name__}: {error}")
            with suppress(Exception):
                house.close()
            return Run(play, [failed])
        house.close()
        evidence = read_evidence(play, folder)
        return Run(play, violations(make_walk(), evidence, replay=replay), evidence)
