"""Random scenarios full of faults hold every invariant: a hundred of them here, a thousand at night."""

import os

import pytest

from simulators.swarm.chance import random_scenario
from simulators.swarm.run import run_once
from simulators.swarm.shrink import Shrinker
from simulators.swarm.swarm import run_swarm

NIGHTLY = bool(os.environ.get("VAKA_NIGHTLY"))
EACH = 25
BATCHES = 40 if NIGHTLY else 4
"""VAKA_NIGHTLY=1 runs a thousand seeds instead of a hundred."""


@pytest.mark.parametrize("first", range(1, EACH * BATCHES, EACH))
def test_every_invariant_holds_whatever_fails(first: int) -> None:
    tally = run_swarm(range(first, first + EACH), trials=20)

    told = [f"{failure.again}: {failure.broken[0]}" for failure in tally.failures]
    assert told == []
    assert tally.seeds == EACH
    assert tally.crashes > 0
    assert tally.alerts > EACH


def test_the_same_seed_gives_the_same_run_to_the_byte() -> None:
    scenario = random_scenario(2)
    one, two = run_once(scenario, replay=False), run_once(scenario, replay=False)
    assert one.evidence is not None
    assert two.evidence is not None

    assert one.evidence.frames == two.evidence.frames
    assert one.evidence.entries == two.evidence.entries
    assert one.evidence.deliveries == two.evidence.deliveries


def test_shrinking_keeps_what_fails_and_leaves_out_the_rest() -> None:
    scenario = random_scenario(1)
    wanted = scenario.happens[-1]

    shrinker = Shrinker(lambda tried: wanted in tried.happens and tried.homes >= 2)
    small = shrinker.shrink(scenario)

    assert small.happens == (wanted,)
    assert small.fault == ()
    assert small.homes == 2
    assert shrinker.trials <= 80
