"""Bulk exports that nobody asks for again, or that fail."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from gateway.api.fhir.errors import ThrottledError
from gateway.api.fhir.exports import HELD_EACH, KEPT, Exports, Job, Wanted
from gateway.api.fhir.reading import Page, Reading

WITHIN_S = 30


class OneClock:
    def __init__(self) -> None:
        self.at = datetime(2026, 3, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at


class OnePatient:
    def __init__(self, fault: Exception | None = None, newest: datetime | None = None) -> None:
        self._fault, self._newest = fault, newest

    def newest(self) -> datetime | None:
        return self._newest

    def page(self, _: Any) -> Page:
        if self._fault is not None:
            raise self._fault
        return Page([{"resourceType": "Patient"}], [], None)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not holds():
            await asyncio.sleep(0.01)


def begun(exports: Exports, reading: OnePatient, actor: str = "a") -> Job:
    wanted = Wanted(actor=actor, address="/fhir/$export", kinds=("Patient",))
    return exports.start(wanted, cast("Reading", reading))


def test_what_was_exported_is_gone_after_its_hour_though_nobody_asks(tmp_path: Path) -> None:
    async def life() -> None:
        clock = OneClock()
        exports = Exports(tmp_path / "exports", clock, look_s=0.01)
        job = begun(exports, OnePatient())
        await until(lambda: job.done)
        assert (job.folder / "Patient.1.ndjson").exists()
        clock.at += KEPT + timedelta(seconds=1)
        await until(lambda: not job.folder.exists())
        await exports.close()

    asyncio.run(life())


def test_what_the_log_has_not_yet_comes_with_the_next_export(tmp_path: Path) -> None:
    async def life() -> None:
        clock = OneClock()
        exports = Exports(tmp_path / "exports", clock)
        behind = clock.at - timedelta(minutes=9)
        job = begun(exports, OnePatient(newest=behind))
        await until(lambda: job.done)
        assert job.at < behind
        await exports.close()

    asyncio.run(life())


def test_nobody_takes_the_place_of_all_others(tmp_path: Path) -> None:
    async def life() -> None:
        exports = Exports(tmp_path / "exports", OneClock())
        for _ in range(HELD_EACH):
            begun(exports, OnePatient())
        with pytest.raises(ThrottledError, match="of yours"):
            begun(exports, OnePatient())
        other = begun(exports, OnePatient(), "b")
        await until(lambda: other.done)
        await exports.close()

    asyncio.run(life())


def test_an_export_that_fails_in_a_way_nobody_thought_of_ends_and_says_so(tmp_path: Path) -> None:
    async def life() -> None:
        exports = Exports(tmp_path / "exports", OneClock())
        job = begun(exports, OnePatient(KeyError("home")))
        await until(lambda: bool(job.error))
        assert not job.done
        assert "home" not in job.error
        await exports.close()

    asyncio.run(life())
