"""Watching: the parts by which the gateway watches itself, joined, and their two calls to the outside."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from gateway.config import WatchSettings
from gateway.contract import Store
from gateway.service import outside
from gateway.service.auditor import Auditor, Watched
from gateway.service.board import Board
from gateway.service.deadman import DeadMan
from gateway.service.engine import Engine, Machinery
from gateway.service.health import Examined, Health
from gateway.service.metrics import Metrics, Sources


class Watching:
    """Auditor, dead man, metrics and health of one gateway."""

    def __init__(
        self,
        settings: WatchSettings,
        machinery: Machinery,
        engine: Engine,
        board: Board,
        *,
        ways_in: Callable[[], dict[str, Any]],
        metrics: Metrics,
        dead_man: DeadMan | None,
        channels: Callable[[], dict[str, Any]],
    ) -> None:
        self._settings = settings
        self.dead_man = dead_man
        store: Store = machinery.store
        intake, clock = machinery.intake, machinery.clock
        watched = Watched(engine, intake, board, store, clock, ways_in, dead_man)
        self.auditor = Auditor(watched, self._alarm if settings.alarm_url else None)
        self._told: dict[str, str] = {}
        metrics.serve(Sources(engine, intake, board, clock, self.auditor, dead_man))
        examined = Examined(
            engine, intake, board, clock, ways_in, self.auditor, dead_man, self._outside, channels
        )
        self.health = Health(examined)
        if dead_man is not None and settings.ping_url:
            dead_man.whole = self._ping

    async def run(self) -> None:
        """Watch until cancelled; the end of either part is the end of the gateway, never a silence."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.auditor.run(), name="auditor")
            if self.dead_man is not None:
                group.create_task(self.dead_man.run(), name="dead man")

    async def _ping(self) -> None:
        if self._settings.ping_url:
            self._told["ping"] = await outside.ping(self._settings.ping_url.get_secret_value())

    async def _alarm(self, words: Mapping[str, object]) -> str:
        if not self._settings.alarm_url:
            return ""
        self._told["alarm"] = await outside.alarm(self._settings.alarm_url.get_secret_value(), words)
        return self._told["alarm"]

    def _outside(self) -> str | None:
        """Return "" when the last calls outside came through, else why not; None where none is set."""
        if not (self._settings.ping_url or self._settings.alarm_url):
            return None
        return "; ".join(f"{name}: {said}" for name, said in self._told.items() if said)
