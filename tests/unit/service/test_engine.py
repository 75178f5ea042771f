import asyncio
import json
import threading
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.contract import Changes, ConfigurationError, Decision, Raise, Situation, StoreUnavailableError
from gateway.model.alert import AlertType, Severity
from gateway.model.event import Event
from gateway.model.frame import Frame, Transport
from gateway.pipeline.state import State
from gateway.pipeline.walk import Walk
from gateway.stores.sqlite_journal import SqliteJournal
from gateway.stores.sqlite_store import SqliteStore
from gateway.stores.state_reader import StateReader
from rules.base import BaseRule
from tests.unit.pipeline.town import LOCK, PENDANT, START
from tests.unit.service.rig import Rig, Seen, SetClock, rig


def event(device: str, word: str, id_: str, *, ago: timedelta = timedelta(0)) -> tuple[str, bytes]:
    found = {
        "specversion": "1.0",
        "id": id_,
        "source": f"vaka:{device}",
        "type": f"vaka.{word}.v1",
        "time": (START - ago).isoformat(),
        "clockquality": "synced",
        "data": {},
    }
    return f"vaka/1/{device}/event", json.dumps(found).encode()


def run(work: object) -> None:
    asyncio.run(work)  # type: ignore[arg-type]


def test_an_alarm_goes_through_and_is_there_after_a_restart(tmp_path: Path) -> None:
    async def work() -> None:
        clock = SetClock()
        async with rig(tmp_path, clock) as first:
            await first.send(*event(PENDANT, "alarm.manual", "a"))
            assert [alert.rule for alert in first.engine.state.alerts.values()] == ["sos"]
        async with rig(tmp_path, clock) as second:
            (alert,) = second.engine.state.alerts.values()
            assert second.engine.state.timer(f"alert\0{alert.id}\0deadline") is not None
            await second.send(*event(PENDANT, "alarm.manual", "a"))
            assert second.engine.state.alerts[alert.id].count == 1, "sent again, it is the same event"

    run(work())


def test_what_is_acknowledged_is_on_disk_and_judged(tmp_path: Path) -> None:
    class Sender:
        def __init__(self, found: Rig) -> None:
            self.rig = found
            self.on_disk: list[tuple[bytes, str]] = []

        def durable(self, _tokens: Sequence[int]) -> None:
            disk = StateReader(tmp_path / "state.db")
            (frame,) = SqliteJournal(tmp_path / "state.db").read(disk.cursor() - 1, 1)
            self.on_disk += [(frame.payload, alert.rule) for alert in disk.load().alerts.values()]
            disk.close()

    async def work() -> None:
        async with rig(tmp_path) as found:
            topic, payload = event(PENDANT, "alarm.manual", "a")
            sender = Sender(found)
            assert found.intake.offer(Frame(Transport.MQTT, topic, payload, START), sender)
            async with asyncio.timeout(10):
                while not sender.on_disk:
                    await asyncio.sleep(0)
            assert sender.on_disk == [(payload, "sos")]

    run(work())


def test_nothing_is_acknowledged_or_lost_while_the_disk_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit, refusals = SqliteStore.commit, [StoreUnavailableError("the disk is full")] * 3

    def refuses(self: SqliteStore, changes: Changes, cursor: int) -> None:
        if refusals:
            raise refusals.pop()
        commit(self, changes, cursor)

    async def work() -> None:
        async with rig(tmp_path) as found:
            monkeypatch.setattr(SqliteStore, "commit", refuses)
            await found.send(*event(PENDANT, "alarm.manual", "a"))
            assert refusals == [], "the answer came only when the disk took it"
            assert found.engine.failing == ""
            assert [alert.rule for alert in found.store.load().alerts.values()] == ["sos"]

    run(work())


def test_a_next_batch_is_walked_while_the_one_before_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit, walked_first = SqliteStore.commit, threading.Event()

    async def work() -> None:
        async with rig(tmp_path) as found:
            step, after = Walk.step, found.engine.cursor + 8

            def waits(self: SqliteStore, changes: Changes, cursor: int) -> None:
                assert cursor > after or walked_first.wait(10), "the next batch was not walked meanwhile"
                commit(self, changes, cursor)

            def notes(self: Walk, state: State, frame: Frame, *more: object) -> None:
                step(self, state, frame, *more)  # type: ignore[arg-type]
                if frame.position > after:
                    walked_first.set()

            monkeypatch.setattr(SqliteStore, "commit", waits)
            monkeypatch.setattr(Walk, "step", notes)
            for number in range(15):
                topic, payload = event(LOCK, "heartbeat", f"h{number}")
                assert found.intake.offer(Frame(Transport.MQTT, topic, payload, START))
            await found.send(*event(LOCK, "heartbeat", "last"))
            assert len(found.store.events(device=LOCK)) == 16

    run(work())


def test_a_deadline_fires_through_the_journal_and_climbs_the_ladder(tmp_path: Path) -> None:
    async def work() -> None:
        clock = SetClock()
        async with rig(tmp_path, clock) as found:
            await found.send(*event(PENDANT, "alarm.manual", "a"))
            clock.forward(seconds=61)
            async with asyncio.timeout(10):
                while [alert.step for alert in found.store.load().alerts.values()] != [1]:
                    await asyncio.sleep(0.001)
            ticks = [frame for frame in found.journal.read(0, 100) if frame.channel == "tick"]
            assert ticks[-1].transport is Transport.CLOCK

    run(work())


class Bad(BaseRule):
    """Raises something that is stored wrongly, past the guard of decide."""

    id = "bad"
    catalogue = "X1"
    listens = frozenset({"button.pressed"})

    def on_event(self, event: Event, at: Situation) -> Sequence[Decision]:
        del event, at
        return [
            Raise(severity=Severity.LOW, type=AlertType.ADVISORY, text="bad", reason="", accept_within_s=60)
        ]


def test_a_frame_whose_changes_cannot_be_stored_is_quarantined_alone_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = SqliteStore.commit

    def refuses(self: SqliteStore, changes: Changes, cursor: int) -> None:
        if any(alert.rule == "bad" for alert in changes.alerts.values()):
            raise TypeError("a value that cannot be stored")
        commit(self, changes, cursor)

    monkeypatch.setattr(SqliteStore, "commit", refuses)

    async def work() -> None:
        async with rig(tmp_path, rules=[Bad()]) as found:
            sends = [event(LOCK, "heartbeat", f"h{n}") for n in range(5)]
            sends[2] = event(LOCK, "button.pressed", "poison")
            frames = [Frame(Transport.MQTT, topic, payload, START) for topic, payload in sends]
            for frame in frames:
                assert found.intake.offer(frame)
            await found.send(*event(LOCK, "heartbeat", "last"))
            log = found.store.events(device=LOCK)
            assert len(log) == 5, "four heartbeats and the last one"
            ((poison, _, reason, clause),) = found.store.quarantined()
            assert poison.payload == sends[2][1]
            assert (clause, "engine" in reason) == ("engine", True)

    run(work())


def test_a_walk_that_breaks_quarantines_the_frame_that_breaks_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gateway.pipeline import walk

    step = walk.Walk.step

    def breaks(self: walk.Walk, state: object, frame: Frame, *more: object) -> None:
        if b"poison" in frame.payload:
            raise RuntimeError("a fault of ours")
        step(self, state, frame, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(walk.Walk, "step", breaks)

    async def work() -> None:
        async with rig(tmp_path) as found:
            for n, id_ in enumerate(("a", "poison", "b")):
                topic, payload = event(LOCK, "heartbeat", f"{id_}{n}")
                assert found.intake.offer(Frame(Transport.MQTT, topic, payload, START))
            await found.send(*event(LOCK, "heartbeat", "last"))
            assert len(found.store.events(device=LOCK)) == 3
            assert len(found.store.quarantined()) == 1

    run(work())


def test_an_observer_that_fails_makes_no_frame_a_second_one(tmp_path: Path) -> None:
    class Breaks(Seen):
        broken = 0

        def publish(self, changes: Changes, cursor: int) -> None:
            self.broken += cursor and len(changes.frames)
            raise KeyError("a fault of the page")

    async def work() -> None:
        async with rig(tmp_path) as found:
            breaks, before = Breaks(), found.journal.last()
            found.engine._observers = (breaks, *found.engine._observers)
            await asyncio.gather(*(found.send(f"x/{number}", b"1") for number in range(3)))
            taken = [frame.channel for frame in found.journal.read(before, 9) if frame.channel != "tick"]
            assert taken == ["x/0", "x/1", "x/2"]
            assert breaks.broken
            assert found.seen.cursor == found.journal.last()

    run(work())


def test_a_person_is_told_when_their_answer_could_not_be_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_state: State, _frame: Frame) -> None:
        raise KeyError("a fault of ours")

    monkeypatch.setattr("gateway.pipeline.walk.answer", fails)

    async def work() -> None:
        async with rig(tmp_path) as found:
            position = await found.send("alert/x/accept", b'{"actor":"a"}', Transport.PERSON)
            (told,) = [one.refusals[position] for one in found.seen.commits if position in one.refusals]
            assert "not carried out" in told

    run(work())


def test_a_tick_that_fails_comes_again_after_a_while_and_not_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish = "gateway.pipeline.walk._finish"

    def fails(_state: State, _frame: Frame) -> None:
        raise KeyError("a fault of ours")

    async def work() -> None:
        clock = SetClock()
        async with rig(tmp_path, clock) as found:
            await found.send(*event(PENDANT, "alarm.manual", "a"))
            with monkeypatch.context() as broken:
                broken.setattr(finish, fails)
                clock.forward(seconds=61)
                async with asyncio.timeout(10):
                    while not found.store.quarantined():
                        await asyncio.sleep(0.001)
            for number in range(20):
                await found.send(*event(LOCK, "heartbeat", f"between {number}"))
            ticks = [one for one in found.journal.read(0, 99) if one.channel == "tick"]
            assert len(ticks) <= 3, "a tick that comes at once again and again would be as many as the frames"
            clock.forward(seconds=61)
            async with asyncio.timeout(10):
                while [alert.step for alert in found.store.load().alerts.values()] != [1]:
                    await asyncio.sleep(0.001)

    run(work())


def test_a_file_of_another_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    import sqlite3

    other = sqlite3.connect(tmp_path / "state.db")
    other.executescript("CREATE TABLE events (a); PRAGMA user_version=99;")
    other.close()
    with pytest.raises(ConfigurationError, match="version 99; allowed: 3"):
        SqliteStore(tmp_path / "state.db")
