"""The dead man: a synthetic alarm comes all the way, or is missed; three missed are an alarm."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from gateway.contract import Snapshot
from gateway.model.frame import Frame, Transport
from gateway.model.synthetic import BUTTON, SYNTHETIC, with_synthetic
from gateway.notifiers.page import PageNotifier
from gateway.pipeline.walk import Walk
from gateway.plugins import load_adapters, load_rules
from gateway.service.board import Board
from gateway.service.clock import SystemClock
from gateway.service.deadman import DeadMan, Stage
from gateway.service.dispatch import Dispatcher
from gateway.service.engine import Engine, Machinery
from gateway.service.intake import LaneIntake
from gateway.stores.sqlite_store import SqliteStore
from tests.unit.pipeline.town import document


class Chain:
    """The whole inside of a gateway; `deliver` False is a way in that takes everything and brings nothing."""

    def __init__(self, folder: Path) -> None:
        self.delivers = True
        self.store = SqliteStore(folder / "state.db")
        self.clock = SystemClock()
        self.board = Board()
        self.intake = LaneIntake(queue_frames=1000, urgent=lambda _: False)
        self.dead_man = DeadMan(self.send, self.intake, self.board, self.clock, every_s=1.0)
        notifiers = {"page": PageNotifier(self.board)}
        self.dispatcher = Dispatcher(notifiers, self.intake, self.clock, self.board.alert)
        walk = Walk(load_adapters(), load_rules(), ("page",))
        machinery = Machinery(walk, self.store, self.intake, self.clock)
        self.engine = Engine(machinery, (self.board, self.dispatcher, self.dead_man), batch=8)

    async def send(self, topic: str, payload: bytes) -> None:
        if self.delivers:
            await self.intake.accept(Frame(Transport.MQTT, topic, payload, self.clock.now(), source=BUTTON))


@asynccontextmanager
async def chain(folder: Path) -> AsyncIterator[Chain]:
    made = Chain(folder)
    made.engine.load()
    async with asyncio.TaskGroup() as group:
        running = group.create_task(made.engine.run())
        ringing = group.create_task(made.dispatcher.run())
        words = with_synthetic(document(), "").to_json()
        position = await made.intake.accept(Frame(Transport.REGISTRY, "registry", words, made.clock.now()))
        assert await made.board.settled(position, 5) == ""
        yield made
        ringing.cancel()
        made.engine.stop()
        await running
    made.store.close()


def test_a_synthetic_alarm_comes_all_the_way_and_is_closed(tmp_path: Path) -> None:
    async def case() -> None:
        async with chain(tmp_path) as made, made.board.subscribe(teams=frozenset({SYNTHETIC}), page=True):
            told: list[str] = []

            async def whole() -> None:
                told.append("ping")

            made.dead_man.whole = whole
            await made.dead_man.round()
            (trip,) = made.dead_man.trips
            assert trip.missed == ""
            assert list(trip.stages) == list(Stage)
            assert told == ["ping"]
            assert made.board.open_alerts() == []
            assert [alert.outcome for alert in made.store.closed_alerts(9)] == ["test"]
            assert made.store.closed_alerts(9, without=SYNTHETIC) == []

    asyncio.run(case())


def test_without_anybody_who_looks_it_is_missed_and_says_how_far_it_came(tmp_path: Path) -> None:
    async def case() -> None:
        async with chain(tmp_path) as made:
            await made.dead_man.round()
            (trip,) = made.dead_man.trips
            assert trip.missed == "it came as far as acknowledged"
            assert made.dead_man.missed_in_a_row == 1

    asyncio.run(case())


def test_three_missed_in_a_row_are_dead_and_one_that_comes_home_ends_it(tmp_path: Path) -> None:
    async def case() -> None:
        async with chain(tmp_path) as made, made.board.subscribe(teams=frozenset({SYNTHETIC}), page=True):
            made.delivers = False
            made.dead_man.every_s = 0.05
            for n in range(3):
                assert not made.dead_man.dead, n
                await made.dead_man.round()
            assert made.dead_man.dead
            made.delivers, made.dead_man.every_s = True, 10
            await made.dead_man.round()
            assert (made.dead_man.dead, made.dead_man.missed_in_a_row) == (False, 0)

    asyncio.run(case())


def test_what_a_stop_left_open_is_closed_by_the_next_trip(tmp_path: Path) -> None:
    async def case() -> None:
        async with chain(tmp_path) as made:
            await made.dead_man.round()  # nobody looks: its alert stays open
            assert len(made.board.open_alerts()) == 1
            made.dead_man.load(Snapshot(0, made.board.registry.document, {}, {}, {}, {}, _open(made), {}))
            async with made.board.subscribe(teams=frozenset({SYNTHETIC}), page=True):
                await made.dead_man.round()
            assert made.dead_man.trips[-1].missed == ""
            assert made.board.open_alerts() == []

    asyncio.run(case())


def _open(made: Chain) -> dict[str, object]:
    return {alert.id: alert for alert in made.board.open_alerts()}


def test_a_way_in_that_refuses_is_a_miss_with_its_reason() -> None:
    async def case() -> None:
        async def refused(_topic: str, _payload: bytes) -> None:
            raise ConnectionRefusedError(111, "Connection refused")

        clock = SystemClock()
        dead_man = DeadMan(refused, None, Board(), clock, every_s=1)  # type: ignore[arg-type] # never reached
        await dead_man.round()
        assert "ConnectionRefusedError" in dead_man.trips[-1].missed

    asyncio.run(case())


def test_the_synthetic_tenant_holds_nobody() -> None:
    made = with_synthetic(document(), "secret")
    assert [person.home for person in made.person] == ["h1"]
    (enrolment,) = [one for one in made.enrolment if one.device == BUTTON]
    assert (enrolment.supervised, enrolment.person) == (False, None)
    assert enrolment.since < datetime(2026, 11, 22, tzinfo=UTC)
