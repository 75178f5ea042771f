"""Many seeds, one after the other: each a scenario made by chance; one that fails is made smaller."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from simulators.scenarios.scenario import Scenario
from simulators.scenarios.write import text_of
from simulators.swarm.chance import random_scenario
from simulators.swarm.invariants import Violation
from simulators.swarm.run import Make, make_house, run_once
from simulators.swarm.shrink import MOST_TRIALS, Shrinker


@dataclass
class Failure:
    """A seed that broke something, and the small scenario that still does."""

    seed: int
    broken: list[Violation]
    small: Scenario
    trials: int

    @property
    def again(self) -> str:
        """The command that runs the seed again."""
        return f"vaka sim swarm --seeds 1 --from {self.seed}"


@dataclass
class Tally:
    """What came of all seeds."""

    seeds: int = 0
    frames: int = 0
    alerts: int = 0
    crashes: int = 0
    failures: list[Failure] = field(default_factory=list)


def run_swarm(
    seeds: Iterable[int],
    *,
    make: Make = make_house,
    told: Callable[[int, Tally], None] = lambda _seed, _tally: None,
    out: Path | None = None,
    most_failures: int = 3,
    trials: int = MOST_TRIALS,
) -> Tally:
    """Run the scenarios of these seeds; the small ones that still fail are written to `out`."""
    tally = Tally()
    for seed in seeds:
        scenario = random_scenario(seed)
        run = run_once(scenario, make)
        tally.seeds += 1
        tally.frames += run.frames
        tally.alerts += len(run.evidence.alerts) if run.evidence is not None else 0
        tally.crashes += run.play.outcome.crashes
        if run.broken:
            tally.failures.append(_smaller(seed, scenario, run.broken, make, trials))
            _write(tally.failures[-1], out)
        told(seed, tally)
        if len(tally.failures) >= most_failures:
            break
    return tally


def _smaller(seed: int, scenario: Scenario, broken: list[Violation], make: Make, trials: int) -> Failure:
    names = {one.invariant for one in broken}
    replay = names == {"replay equals live"}
    shrinker = Shrinker(lambda tried: bool(names & run_once(tried, make, replay=replay).names), trials)
    small = shrinker.shrink(scenario)
    return Failure(seed, broken, small, shrinker.trials)


def _write(failure: Failure, out: Path | None) -> None:
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / f"seed-{failure.seed}.toml").write_text(text_of(failure.small))
