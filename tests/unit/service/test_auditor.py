"""The auditor: what it finds is reported through the journal and outside, and its own fault too."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gateway.contract import StoreUnavailableError
from gateway.model.alert import Alert
from gateway.model.frame import Transport
from gateway.service import auditor as auditor_module
from gateway.service.auditor import Auditor, Watched
from tests.unit.pipeline.town import PENDANT
from tests.unit.service.rig import Rig, SetClock, rig
from tests.unit.service.words import press


class Board:
    """The open alerts as the engine has them."""

    def __init__(self, found: Rig) -> None:
        self._engine = found.engine

    def open_alerts(self) -> list[Alert]:
        return list(self._engine.state.alerts.values())


class Told:
    def __init__(self) -> None:
        self.words: list[Mapping[str, Any]] = []

    async def __call__(self, words: Mapping[str, Any]) -> str:
        self.words.append(words)
        return ""


def made(found: Rig, told: Told | None = None, ways: dict[str, Any] | None = None) -> Auditor:
    watched = Watched(
        found.engine, found.intake, Board(found), found.store, found.clock, lambda: ways or {}, None
    )
    return Auditor(watched, told)


async def settled(found: Rig) -> None:
    await found.send("tick", b"", Transport.CLOCK)


def raised(found: Rig, rule: str) -> list[Alert]:
    return [alert for alert in found.engine.state.alerts.values() if alert.rule == rule]


def test_a_gateway_that_is_well_has_no_findings(tmp_path: Path) -> None:
    async def case() -> None:
        async with rig(tmp_path) as found:
            auditor = made(found)
            await press(found, PENDANT)
            await settled(found)
            for _ in range(3):
                await auditor.look()
            assert auditor.findings == ()
            await settled(found)
            assert {alert.rule for alert in found.engine.state.alerts.values()} == {"sos"}

    asyncio.run(case())


def test_an_alert_without_a_timer_is_found_at_the_second_look_and_becomes_an_alert(tmp_path: Path) -> None:
    async def case() -> None:
        async with rig(tmp_path) as found:
            told = Told()
            auditor = made(found, told)
            await press(found, PENDANT)
            (sos,) = raised(found, "sos")
            found.engine.state.disarm(f"alert\0{sos.id}\0deadline")  # as a fault in the engine would
            await auditor.look()
            assert auditor.findings == ()
            await auditor.look()
            assert [one.kind for one in auditor.findings] == ["unwatched_alert"]
            await settled(found)
            assert [alert.severity.value for alert in raised(found, "unwatched_alert")] == ["high"]
            assert [one["finding"] for one in told.words] == ["unwatched_alert"]

    asyncio.run(case())


def test_an_alert_whose_timer_the_store_lost_is_found(tmp_path: Path) -> None:
    async def case() -> None:
        async with rig(tmp_path) as found:
            auditor = made(found)
            await press(found, PENDANT)
            found.store._writer.execute("DELETE FROM timers WHERE key LIKE 'alert%'")
            await auditor.look()
            await auditor.look()
            assert [one.kind for one in auditor.findings] == ["unwatched_alert"]

    asyncio.run(case())


def test_a_deadline_that_has_passed_and_not_fired_is_found(tmp_path: Path) -> None:
    async def case() -> None:
        clock = SetClock()
        async with rig(tmp_path, clock) as found:
            auditor = made(found)
            await press(found, PENDANT)
            found.engine._offer_tick = lambda _name: None  # type: ignore[method-assign] # a clock that is dead
            clock.forward(minutes=3)
            await auditor.look()
            await auditor.look()
            assert {one.kind for one in auditor.findings} >= {"timer_overdue", "unwatched_alert"}

    asyncio.run(case())


def test_a_delivery_that_nobody_takes_is_found_after_fifteen_seconds(tmp_path: Path) -> None:
    async def case() -> None:
        clock = SetClock()
        async with rig(tmp_path, clock) as found:  # it has no dispatcher: nothing is ever sent
            auditor = made(found)
            await press(found, PENDANT)
            clock.forward(seconds=14)
            await settled(found)
            for _ in range(2):
                await auditor.look()
            assert "outbox_old" not in {one.kind for one in auditor.findings}
            clock.forward(seconds=2)
            for _ in range(2):
                await auditor.look()
            assert "outbox_old" in {one.kind for one in auditor.findings}

    asyncio.run(case())


def test_a_broker_that_is_away_for_five_minutes_is_found_and_ends(tmp_path: Path) -> None:
    async def case() -> None:
        clock = SetClock()
        async with rig(tmp_path, clock) as found:
            way: dict[str, Any] = {"lost_since": clock.now()}
            auditor = made(found, ways={"broker-a": way})
            clock.forward(minutes=4)
            await settled(found)
            for _ in range(2):
                await auditor.look()
            assert auditor.findings == ()
            clock.forward(minutes=2)
            await settled(found)
            for _ in range(2):
                await auditor.look()
            await settled(found)
            assert raised(found, "way_in_lost")[0].values == {"way": "broker-a", "minutes": 6}
            way["lost_since"] = None
            await auditor.look()
            await settled(found)
            assert not raised(found, "way_in_lost")[0].active

    asyncio.run(case())


def test_the_auditors_own_fault_is_a_high_alert_at_once(tmp_path: Path) -> None:
    async def case() -> None:
        async with rig(tmp_path) as found:
            told = Told()
            auditor = made(found, told)
            auditor._on.board.open_alerts = lambda: 1 / 0  # type: ignore[assignment,method-assign]
            await auditor.look()
            assert [one.kind for one in auditor.findings] == ["auditor_fault"]
            await settled(found)
            assert len(raised(found, "auditor_fault")) == 1
            assert [one["finding"] for one in told.words] == ["auditor_fault"]

    asyncio.run(case())


def test_a_disk_that_refuses_is_told_outside_at_once_and_inside_when_it_writes_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def case() -> None:
        async with rig(tmp_path) as found:
            told = Told()
            auditor = made(found, told)
            await auditor.look()
            await settled(found)
            commit = found.store.commit

            def refuse(_changes: object, _cursor: int) -> None:
                raise StoreUnavailableError("attempt to write a readonly database")

            monkeypatch.setattr(found.store, "commit", refuse)
            waiting = asyncio.create_task(settled(found))
            while not found.engine.failing:
                await asyncio.sleep(0.01)
            for _ in range(2):
                await auditor.look()
            await asyncio.sleep(0)
            assert [(one["finding"], one["what"]) for one in told.words] == [("store_failing", "began")]
            monkeypatch.setattr(found.store, "commit", commit)
            await waiting
            await auditor.look()
            await settled(found)
            assert [alert.active for alert in raised(found, "store_failing")] == [True]
            await auditor.look()
            await settled(found)
            assert [alert.active for alert in raised(found, "store_failing")] == [False]
            assert told.words[-1]["what"] == "ended"

    asyncio.run(case())


def test_what_is_told_outside_says_nothing_of_any_person(tmp_path: Path) -> None:
    async def case() -> None:
        async with rig(tmp_path) as found:
            told = Told()
            auditor = made(found, told)
            await press(found, PENDANT)
            (sos,) = raised(found, "sos")
            found.engine.state.disarm(f"alert\0{sos.id}\0deadline")
            for _ in range(2):
                await auditor.look()
            await asyncio.sleep(0)
            (words,) = told.words
            assert words.keys() == {"source", "finding", "what", "at"}
            assert "p1" not in str(words)
            assert sos.id not in str(words)

    asyncio.run(case())


def test_the_limits_are_those_of_the_alert_rules() -> None:
    assert auditor_module.TIMER_OVERDUE.total_seconds() == 10
    assert auditor_module.OUTBOX_OLD.total_seconds() == 15
