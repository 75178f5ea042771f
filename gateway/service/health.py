"""Health: what the house says of itself, and the auditor that finds an alert nobody will be reminded of."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from gateway.contract import Clock
from gateway.model.alert import AlertState
from gateway.service.board import Board
from gateway.service.engine import Engine
from gateway.service.intake import LaneIntake

OVERDUE_AFTER = timedelta(seconds=10)
"""A deadline that is this much past has not fired (alert rules, section 5.6, S7)."""
WAITING_FRAMES = 10_000
LOST_AFTER = timedelta(seconds=60)
"""A broker that is away longer is no hiccup."""


class Health:
    """Asks the parts; a report is cheap enough for every second."""

    def __init__(
        self,
        engine: Engine,
        intake: LaneIntake,
        board: Board,
        clock: Clock,
        ways_in: Callable[[], dict[str, Any]],
    ) -> None:
        self._engine = engine
        self._intake = intake
        self._board = board
        self._clock = clock
        self._ways_in = ways_in

    def forgotten(self) -> list[str]:
        """Return open alerts without a deadline to come: promise 3 broken, an incident if not empty."""
        oldest = self._clock.now() - OVERDUE_AFTER
        return [
            alert.id
            for alert in self._board.open_alerts()
            if alert.state is not AlertState.CLOSED and (alert.deadline is None or alert.deadline < oldest)
        ]

    def _trouble(self, name: str, way: dict[str, Any]) -> str:
        """Say what is wrong with a way in: a broker that stays lost, or that grants not every filter."""
        if "lost_since" not in way:
            return ""
        lost_since = way["lost_since"]
        if lost_since is not None and self._clock.now() - lost_since > LOST_AFTER:
            since = lost_since.isoformat(timespec="seconds")
            return f"{name}: lost since {since}: {way.get('trouble') or 'no answer'}"
        return f"{name}: refuses {', '.join(way['refused'])}" if way.get("refused") else ""

    def report(self) -> dict[str, Any]:
        """Return the state of every part; `status` is ok or failing, with the reasons."""
        reasons = [self._engine.failing] if self._engine.failing else []
        ways_in = self._ways_in()
        reasons += [reason for name, way in ways_in.items() if (reason := self._trouble(name, way))]
        if forgotten := self.forgotten():
            reasons.append(f"{len(forgotten)} open alerts have no deadline to come")
        if self._intake.waiting > WAITING_FRAMES:
            reasons.append(f"{self._intake.waiting} frames wait for the engine")
        return {
            "status": "failing" if reasons else "ok",
            "reasons": reasons,
            "intake": {"waiting": self._intake.waiting, "taken": self._intake.taken},
            "engine": {"cursor": self._engine.cursor},
            "alerts": {"open": len(self._board.open_alerts()), "forgotten": len(forgotten)},
            "devices": {"enrolled": len(self._board.statuses), "discovered": len(self._board.discovered)},
            "ways_in": ways_in,
        }
