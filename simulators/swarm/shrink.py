"""From a scenario that fails to a small one that still does: less happens, less fails, in fewer homes."""

from collections.abc import Callable, Sequence
from datetime import timedelta

from gateway.contract.errors import ConfigurationError
from simulators.faults.when import length
from simulators.scenarios.scenario import Scenario

Fails = Callable[[Scenario], bool]
MOST_TRIALS = 80
SHORTEST = timedelta(minutes=5)
HOMES = (1, 2, 3, 4, 5, 6, 8, 10, 14)


class Shrinker:
    """Delta debugging: whole halves first, then ever smaller parts; each trial is a run."""

    def __init__(self, fails: Fails, most: int = MOST_TRIALS) -> None:
        self._fails, self._most = fails, most
        self.trials = 0

    def shrink(self, scenario: Scenario) -> Scenario:
        """Return the smallest that was found to fail."""
        before = None
        while before != scenario and self.trials < self._most:
            before = scenario
            for step in (self._shorter, self._fewer, self._fewer_homes):
                scenario = step(scenario)
        return scenario

    def _fewer(self, scenario: Scenario) -> Scenario:
        """Leave out happenings and faults, in parts that become smaller."""
        size = max(1, _size(scenario))
        while size >= 1:
            at = 0
            while at < _size(scenario):
                tried = _without(scenario, range(at, at + size))
                if self._try(tried):
                    scenario = tried
                else:
                    at += size
            size //= 2
        return scenario

    def _shorter(self, scenario: Scenario) -> Scenario:
        lasts = length(scenario.lasts)
        for part in (0.25, 0.5, 0.75):
            tried = scenario.model_copy(
                update={"lasts": f"{max(SHORTEST, lasts * part).total_seconds():.0f}s"}
            )
            if length(tried.lasts) < lasts and self._try(tried):
                return tried
        return scenario

    def _fewer_homes(self, scenario: Scenario) -> Scenario:
        for homes in HOMES:
            if homes < scenario.homes:
                tried = scenario.model_copy(update={"homes": homes})
                if self._try(tried):
                    return tried
        return scenario

    def _try(self, scenario: Scenario) -> bool:
        if self.trials >= self._most:
            return False
        self.trials += 1
        try:
            return self._fails(scenario)
        except ConfigurationError:  # it names a device that fewer homes do not have
            return False


def _size(scenario: Scenario) -> int:
    return len(scenario.happens) + len(scenario.fault)


def _without(scenario: Scenario, places: Sequence[int]) -> Scenario:
    gone, happens = set(places), len(scenario.happens)
    return scenario.model_copy(
        update={
            "happens": tuple(one for at, one in enumerate(scenario.happens) if at not in gone),
            "fault": tuple(one for at, one in enumerate(scenario.fault, happens) if at not in gone),
        }
    )
