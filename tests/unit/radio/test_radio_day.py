"""A virtual day on the radio: quick, and the same for the same seed."""

from simulators.radio.conditions import Conditions
from simulators.radio.life import live_a_day


def test_the_same_seed_gives_the_same_day_to_the_last_byte() -> None:
    first, again = (live_a_day(3, 1) for _ in range(2))
    assert first == again
    assert first.virtual_s > 86_400
    assert first.events > 200
    assert first.connections > 3, "outages and reconnections are part of a day"


def test_the_same_seed_gives_the_same_faults() -> None:
    rough = Conditions(loss=0.1, jitter_s=0.05, latency_s=0.01, drops_per_hour=2, seed=9)
    first, again, other = (live_a_day(2, seed, 3, rough) for seed in (4, 4, 5))
    assert first == again
    assert first.digest != other.digest
    assert first.connections > 5
