"""How long to wait between attempts: a half that doubles, and as much again by chance."""

from random import Random

FIRST_S = 1.0
"""Upper bound of the first wait."""


class Backoff:
    """Each wait is drawn between half a bound and the bound, which doubles with every attempt up to a cap."""

    def __init__(self, longest_s: float, random: Random) -> None:
        self._longest_s = longest_s
        self._random = random
        self._attempts = 0

    def next_s(self) -> float:
        """Draw the next wait."""
        bound = min(self._longest_s, FIRST_S * 2 ** min(self._attempts, 16))
        self._attempts += 1
        return self._random.uniform(bound / 2, bound)

    def reset(self) -> None:
        """Begin again with short waits."""
        self._attempts = 0
