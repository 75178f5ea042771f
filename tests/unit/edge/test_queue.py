"""The edge's queue on a real disk, with a centre that acknowledges when the test says so."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.contract import StoreUnavailableError
from gateway.edge.file import QueueFile, Work
from gateway.edge.order import Limits
from gateway.edge.queue import Queue, Reading
from gateway.model.forwarded import Forwarded, read_forwarded
from gateway.model.frame import Frame, Transport

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
LIMITS = Limits(max_bytes=1 << 20, max_frames=1000, max_age_us=3600 * 1_000_000, window=8)
WITHIN_S = 20.0


class Still:
    """A clock that stands, and is believed."""

    def __init__(self) -> None:
        self.at, self.synced = AT, True

    def now(self) -> datetime:
        return self.at

    def wait_s(self, _until: datetime) -> float:
        return 0.0


@dataclass
class Centre:
    """A connection that takes so many frames and notes them."""

    most: int = 4
    sent: list[Forwarded] = field(default_factory=list)
    safe: set[int] = field(default_factory=set)

    def room(self) -> int:
        return self.most - len({one.number for one in self.sent} - self.safe)

    def send(self, number: int, envelope: bytes) -> None:
        told = read_forwarded(envelope)
        assert told.number == number
        self.sent.append(told)


@dataclass
class Told:
    tokens: list[int] = field(default_factory=list)

    def durable(self, tokens: Sequence[int]) -> None:
        self.tokens += tokens

    def __hash__(self) -> int:
        return id(self)


def make(path: Path, limits: Limits = LIMITS, clock: Still | None = None) -> Queue:
    clock = clock or Still()
    reading = Reading(lambda frame: frame.channel.split("/")[0], lambda frame: b"SOS" in frame.payload)
    return Queue(QueueFile(path / "queue.db"), limits, reading, clock, clock)


def heard(text: str, device: str = "a", at: datetime = AT) -> Frame:
    return Frame(Transport.MQTT, f"{device}/event", text.encode(), at)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not holds():
            await asyncio.sleep(0.002)


def lived(queue: Queue, life: Callable[[], Coroutine[None, None, None]]) -> None:
    async def whole() -> None:
        running = asyncio.create_task(queue.run())
        try:
            await life()
        finally:
            queue.stop()
            await running

    asyncio.run(whole())


def texts(centre: Centre) -> list[str]:
    return [one.payload.decode() for one in centre.sent]


def test_a_sender_hears_when_its_frames_are_on_the_disk_and_a_restart_finds_them(tmp_path: Path) -> None:
    queue, told = make(tmp_path), Told()

    async def life() -> None:
        for number in range(5):
            assert queue.offer(heard(str(number)), told, number)
        await until(lambda: len(told.tokens) == 5)
        assert await queue.accept(heard("5")) == 0

    lived(queue, life)
    assert told.tokens == [0, 1, 2, 3, 4]
    centre, again = Centre(most=10), make(tmp_path)

    async def later() -> None:
        again.attach(centre)
        await until(lambda: len(centre.sent) == 6)

    lived(again, later)
    assert texts(centre) == ["0", "1", "2", "3", "4", "5"]
    assert {one.epoch for one in centre.sent} == {queue.fact("epoch")}


def test_a_new_connection_gets_first_what_the_old_one_left_unanswered_with_the_same_numbers(
    tmp_path: Path,
) -> None:
    queue, first, second = make(tmp_path), Centre(), Centre(most=3)

    async def life() -> None:
        for number in range(10):
            queue.offer(heard(str(number)))
        queue.attach(first)
        await until(lambda: len(first.sent) == 4)
        for number in (1, 3):
            first.safe.add(number)
            queue.acknowledged(number)
        await until(lambda: len(first.sent) == 6)
        queue.detach(first)
        queue.attach(second)
        for _ in range(8):
            await until(
                lambda: second.room() == 0 or len(queue.backlog) == len(second.sent) - len(second.safe)
            )
            number = min(one.number for one in second.sent if one.number not in second.safe)
            second.safe.add(number)
            queue.acknowledged(number)
        await until(lambda: not len(queue.backlog))

    lived(queue, life)
    assert [one.number for one in first.sent] == [1, 2, 3, 4, 5, 6]
    assert [one.number for one in second.sent] == [2, 4, 5, 6, 7, 8, 9, 10]
    assert list(QueueFile(tmp_path / "queue.db").entries()) == []


def test_a_call_for_help_goes_first_and_is_marked(tmp_path: Path) -> None:
    queue, centre = make(tmp_path), Centre(most=10)

    async def life() -> None:
        for frame in (heard("1", "a"), heard("2", "b"), heard("3 SOS", "b"), heard("4", "b")):
            queue.offer(frame)
        await until(lambda: queue.counts.heard == 4)
        queue.attach(centre)
        await until(lambda: len(centre.sent) == 4)

    lived(queue, life)
    assert texts(centre) == ["2", "3 SOS", "1", "4"]
    assert centre.sent[1].high
    assert not centre.sent[3].high


def test_what_is_given_up_at_a_limit_is_counted_over_a_restart(tmp_path: Path) -> None:
    queue, told = make(tmp_path, Limits(1 << 20, 10, 1 << 60, 8)), Told()

    async def life() -> None:
        for number in range(30):
            queue.offer(heard(f"{number} SOS" if number < 2 else str(number)), told, number)
        await until(lambda: len(told.tokens) == 30)

    lived(queue, life)
    assert queue.counts.dropped == 20
    again = make(tmp_path)
    assert (again.counts.dropped, again.counts.calls) == (20, 0)
    assert [one.high for one in again.backlog._high] == [True, True]

    async def nothing() -> None:
        """Only end in order."""

    lived(again, nothing)


def test_age_counts_only_while_the_clock_is_believed(tmp_path: Path) -> None:
    clock = Still()
    queue = make(tmp_path, clock=clock)

    async def life() -> None:
        queue.offer(heard("old", at=AT - timedelta(seconds=3599)))
        await until(lambda: queue.counts.heard == 1)
        clock.synced = False
        queue.offer(heard("of no known age", at=AT - timedelta(days=9)))
        await until(lambda: queue.counts.heard == 2)
        clock.at, clock.synced = AT + timedelta(minutes=5), True
        queue._look_at = 0.0
        queue.offer(heard("new"))
        await until(lambda: queue.counts.dropped == 1)

    lived(queue, life)
    assert queue.counts.heard == 3


def test_a_disk_that_refuses_holds_the_senders_back_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue, told, broken = make(tmp_path), Told(), [True]
    commit = QueueFile.commit

    def refusing(self: QueueFile, work: Work) -> None:
        if broken[0]:
            raise StoreUnavailableError("no space left")
        commit(self, work)

    monkeypatch.setattr(QueueFile, "commit", refusing)

    async def life() -> None:
        queue.offer(heard("1"), told, 1)
        await until(lambda: bool(queue.failing))
        with pytest.raises(StoreUnavailableError):
            await queue.prove()
        while queue.offer(heard("x" * 60_000)):
            pass
        assert told.tokens == []
        broken[0] = False
        await until(lambda: told.tokens == [1])
        assert not queue.failing
        await queue.prove()

    lived(queue, life)
