"""Chance from one seed: every device and home has a stream of its own, so one more changes no other."""

from collections.abc import Sequence
from hashlib import blake2b
from math import exp, pi, sin
from random import Random
from typing import TypeVar

T = TypeVar("T")
MASK = 0xFFFF_FFFF_FFFF_FFFF
GOLDEN = 0x9E37_79B9_7F4A_7C15
"""The step of SplitMix64 (Steele, Lea, Flood 2014): 2^64 divided by the golden ratio."""


def stream(seed: int, home: str, device: str) -> Random:
    """Return the random stream of that device in that home; the same three always give the same numbers."""
    return Random(f"{seed}\0{home}\0{device}")  # noqa: S311 - a simulation must be repeatable, not secret


class Chance:
    """A stream of random numbers in eight bytes, where `random.Random` needs 2,500 of each of a million.

    SplitMix64; the same words always give the same numbers, in every process and Python version.
    """

    __slots__ = ("_state",)

    def __init__(self, seed: int, *names: object) -> None:
        words = "\0".join(map(str, (seed, *names)))
        self._state = int.from_bytes(blake2b(words.encode(), digest_size=8).digest(), "big")

    def random(self) -> float:
        """Return a number from 0 to below 1."""
        self._state = mixed = (self._state + GOLDEN) & MASK
        mixed = (mixed ^ (mixed >> 30)) * 0xBF58_476D_1CE4_E5B9 & MASK
        mixed = (mixed ^ (mixed >> 27)) * 0x94D0_49BB_1331_11EB & MASK
        return ((mixed ^ (mixed >> 31)) >> 11) * 2.0**-53

    def uniform(self, low: float, high: float) -> float:
        """Return a number between two."""
        return low + (high - low) * self.random()

    def randint(self, low: int, high: int) -> int:
        """Return a whole number from `low` to `high`, both among them."""
        return low + int(self.random() * (high - low + 1))

    def choice(self, among: Sequence[T]) -> T:
        """Return one of them."""
        return among[int(self.random() * len(among))]

    def happens(self, probability: float) -> bool:
        """Tell whether what has that probability happens."""
        return self.random() < probability

    def about(self, middle: float, spread: float) -> float:
        """Return a number near the middle, never further away than twice the spread."""
        return middle + spread * (self.random() + self.random() + self.random() - 1.5) * 4 / 3

    def times(self, mean: float) -> int:
        """Return how often something happens that happens `mean` times on average (Poisson)."""
        limit, product, found = exp(-mean), self.random(), 0
        while product > limit:
            product *= self.random()
            found += 1
        return found

    def turn(self) -> float:
        """Return an angle between -pi and pi, more often a small one."""
        return pi * sin(self.uniform(-pi / 2, pi / 2)) ** 3
