"""Watching: the parts by which the gateway watches itself, joined, and their two calls to the outside."""

import asyncio
from collections.abc import Mapping

from gateway.config import WatchSettings
from gateway.service import outside
from gateway.service.auditor import Auditor, Watched
from gateway.service.health import Examined, Health
from gateway.service.metrics import Metrics, Sources


class Watching:
    """Auditor, dead man, metrics and health of one gateway."""

    def __init__(self, settings: WatchSettings, watched: Watched, metrics: Metrics) -> None:
        self._settings = settings
        self._told: dict[str, str] = {}
        self.dead_man = watched.dead_man
        self.auditor = Auditor(watched, self._alarm if settings.alarm_url else None)
        on = watched
        metrics.serve(
            Sources(on.engine, on.intake, on.board, on.clock, self.auditor, on.dead_man, on.channels, on.taps)
        )
        parts = (on.engine, on.intake, on.board, on.clock, on.ways_in)
        self.health = Health(Examined(*parts, self.auditor, on.dead_man, self._outside, on.channels, on.taps))
        if self.dead_man is not None and settings.ping_url:
            self.dead_man.whole = self._ping

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
