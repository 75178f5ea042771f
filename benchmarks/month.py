"""A gateway's state after some time in a simulated municipality: what is exported and replayed.

Apart from the benchmark that uses it, so that another world can take its place.
"""

from datetime import datetime
from pathlib import Path

from simulators.driving.inprocess import Run
from simulators.scenarios.build import build
from simulators.scenarios.scenario import Scenario, Words

BEGINS = datetime(2026, 6, 1)  # noqa: DTZ001 - a scenario begins at a local time


def live(folder: Path, homes: int, days: float, seed: int) -> None:
    """Let a municipality live so long, with people who answer; `state.db` in the folder has what was done."""
    words = Words(sv="En månad", en="A month")
    scenario = Scenario(
        name="month", title=words, about=words, homes=homes, starts=BEGINS, lasts=f"{days * 24:g}h", seed=seed
    )
    Run(build(scenario), "fleet", folder).run()
