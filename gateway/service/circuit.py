"""Circuit: when a channel is given a rest, and how many further attempts it may cost."""

from enum import StrEnum

OPEN_AFTER = 5
"""Faults of the channel in a row after which it is given a rest."""
REST_S = 30.0
"""How long until the next delivery tries whether the channel is back; doubled while it is not."""
MAX_REST_S = 300.0


class CircuitState(StrEnum):
    """Whether deliveries go through."""

    CLOSED = "closed"
    OPEN = "open"
    TRYING = "trying"


class Circuit:
    """A circuit breaker of one channel, told its moments (seconds of any steady clock)."""

    def __init__(self) -> None:
        self.faults = 0
        self.reason = ""
        self.opened_at: float | None = None
        self._until = 0.0
        self._rest_s = REST_S
        self._trying = False

    @property
    def state(self) -> CircuitState:
        """The state for people."""
        if self.opened_at is None:
            return CircuitState.CLOSED
        return CircuitState.TRYING if self._trying else CircuitState.OPEN

    def lets_through(self, now: float) -> bool:
        """Tell whether a delivery may try; with an open circuit one at a time, once the rest is over."""
        if self.opened_at is None:
            return True
        if self._trying or now < self._until:
            return False
        self._trying = True
        return True

    def worked(self) -> None:
        """The channel answered: whatever was, is over."""
        self.faults, self.reason, self.opened_at = 0, "", None
        self._rest_s, self._trying = REST_S, False

    def undecided(self) -> None:
        """The delivery told nothing about the channel, only about its recipient."""
        self._trying = False

    def fault(self, now: float, reason: str) -> None:
        """The channel did not do its work."""
        self.faults += 1
        self.reason = reason
        if self.opened_at is not None:
            self._rest_s = min(self._rest_s * 2, MAX_REST_S) if self._trying else self._rest_s
            self._until = now + self._rest_s
        elif self.faults >= OPEN_AFTER:
            self.opened_at, self._until = now, now + self._rest_s
        self._trying = False


class RetryBudget:
    """What further attempts a channel may cost: a few at once, then a fifth of what goes through.

    Without it, everything that waits for a disturbed provider would be tried again and keep it down.
    """

    MOST = 10.0
    SHARE = 0.2

    def __init__(self) -> None:
        self._left = self.MOST

    def earned(self) -> None:
        """A delivery went through."""
        self._left = min(self.MOST, self._left + self.SHARE)

    def take(self) -> bool:
        """Tell whether one more attempt is granted."""
        if self._left < 1:
            return False
        self._left -= 1
        return True
