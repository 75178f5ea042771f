"""Taps against a log in memory and cursors on disk: outages, kills, refusals, a tap that breaks."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from rig import START, SetClock

from gateway.contract import Handed, Page, TapFault
from gateway.model.alert import AlertEntry
from gateway.service import taps
from gateway.service.taps import Source, TapRunner, Taps
from gateway.stores.taps import SqliteCursors

NOW = START


class Lines:
    """A log whose every frame wrote one line of history, but those that are silent."""

    def __init__(self, frames: int, silent: Sequence[int] = ()) -> None:
        self.frames, self.silent = frames, silent

    def cursor(self) -> int:
        return self.frames

    def page(self, after: int, frames: int) -> Page:
        upto = min(self.frames, after + frames)
        told = [n for n in range(after + 1, upto + 1) if n not in self.silent]
        entries = [
            AlertEntry(alert=f"a{n}", version=1, at=NOW, action="raised", actor="rule", frame=n) for n in told
        ]
        return Page(after=after, upto=upto, entries=entries)


class Receiver:
    """A tap that remembers; `answer` may refuse, break, or be away."""

    name = "receiver"

    def __init__(self, answer: Callable[[Page], Sequence[Handed]] = lambda _page: ()) -> None:
        self.got: list[int] = []
        self.answer = answer
        self.closed = self.mended = False

    async def take(self, page: Page) -> Sequence[Handed]:
        handed = self.answer(page)
        self.got += [entry.frame for entry in page.entries]
        return handed

    async def again(self, item: str, body: bytes) -> Handed:
        assert body == b"as it was"
        return Handed(item=item, proof="201", refused="" if self.mended else "still wrong")

    async def close(self) -> None:
        self.closed = True


@pytest.fixture
def cursors(tmp_path: Path) -> SqliteCursors:
    return SqliteCursors(tmp_path / "taps.db")


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taps, "LOOK_EVERY_S", 0.001)
    monkeypatch.setattr(taps, "AGAIN_FIRST_S", 0.001)


def runner(receiver: Receiver, log: Lines, cursors: SqliteCursors, *, backfill: bool = True) -> TapRunner:
    return TapRunner(receiver, Source(log, cursors, SetClock()), 0 if backfill else None)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.002)


def carry_out(work: TapRunner, condition: Callable[[], object]) -> None:
    """Run a tap until something holds, then cancel it, which is all that a kill can do to it."""

    async def life() -> None:
        task = asyncio.create_task(work.run())
        try:
            await until(condition)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(life())


def test_every_line_is_carried_out_once_and_in_order_through_an_outage(cursors: SqliteCursors) -> None:
    away = 3

    def answer(_page: Page) -> Sequence[Handed]:
        nonlocal away
        away -= 1
        if away >= 0:
            raise TapFault("no connection")
        return ()

    receiver = Receiver(answer)
    work = runner(receiver, Lines(2500, silent=[7, 1500]), cursors)
    carry_out(work, lambda: cursors.cursor("receiver") == 2500)
    assert receiver.got == [n for n in range(1, 2501) if n not in {7, 1500}]
    assert receiver.closed
    cursors.close()


def test_what_stands_behind_the_cursor_is_not_sent_again_and_what_does_not_is(cursors: SqliteCursors) -> None:
    log = Lines(40)
    carry_out(runner(first := Receiver(), log, cursors), lambda: cursors.cursor("receiver") == 40)
    log.frames = 60
    carry_out(runner(second := Receiver(), log, cursors), lambda: cursors.cursor("receiver") == 60)
    assert (first.got, second.got) == (list(range(1, 41)), list(range(41, 61)))
    cursors.close()


def test_a_tap_without_backfill_begins_now_and_a_kill_before_its_first_page_loses_nothing(
    cursors: SqliteCursors,
) -> None:
    log = Lines(40)

    def away(_page: Page) -> Sequence[Handed]:
        raise TapFault("away")

    work = runner(Receiver(away), log, cursors, backfill=False)
    carry_out(work, lambda: cursors.cursor("receiver") == 40)
    log.frames = 50
    carry_out(runner(then := Receiver(), log, cursors, backfill=False), lambda: then.got)
    assert then.got == list(range(41, 51))
    cursors.close()


def test_what_is_refused_becomes_a_dead_letter_and_can_be_sent_again(cursors: SqliteCursors) -> None:
    def answer(page: Page) -> Sequence[Handed]:
        return [
            Handed(item=entry.alert, refused="no such person", body=b"as it was")
            if entry.frame == 2
            else Handed(item=entry.alert, proof=f"etag-{entry.frame}")
            for entry in page.entries
        ]

    receiver = Receiver(answer)
    work = runner(receiver, Lines(3), cursors)
    carry_out(work, lambda: cursors.cursor("receiver") == 3)
    assert cursors.proofs("receiver", ["a1", "a2", "a3"]) == {"a1": "etag-1", "a3": "etag-3"}
    (letter,) = cursors.letters("receiver", 10)
    assert (letter.item, letter.reason, letter.body) == ("a2", "no such person", b"as it was")
    assert asyncio.run(work.again(letter.id)) == "still wrong"
    assert cursors.waiting("receiver") == 1
    receiver.mended = True
    assert not asyncio.run(work.again(letter.id))
    assert cursors.waiting("receiver") == 0
    assert cursors.proofs("receiver", ["a2"]) == {"a2": "201"}
    cursors.close()


def test_a_frame_that_breaks_the_tap_is_found_and_put_aside_and_the_others_arrive(
    cursors: SqliteCursors,
) -> None:
    def answer(page: Page) -> Sequence[Handed]:
        if any(entry.frame == 123 for entry in page.entries):
            raise ZeroDivisionError("a fault of ours")
        return ()

    receiver = Receiver(answer)
    work = runner(receiver, Lines(500), cursors)
    carry_out(work, lambda: cursors.cursor("receiver") == 500)
    assert sorted(set(receiver.got)) == [n for n in range(1, 501) if n != 123]
    (letter,) = cursors.letters("receiver", 10)
    assert letter.item == "frame/123"
    assert "ZeroDivisionError" in letter.reason
    receiver.answer, receiver.got = lambda _page: (), []
    assert not asyncio.run(work.again(letter.id)), "what it tells is read from the log again"
    assert (receiver.got, cursors.waiting("receiver")) == ([123], 0)
    cursors.close()


def test_a_receiver_too_slow_for_a_page_gets_smaller_ones(cursors: SqliteCursors) -> None:
    def answer(page: Page) -> Sequence[Handed]:
        if len(page.entries) > 100:
            raise TimeoutError
        return ()

    receiver = Receiver(answer)
    carry_out(runner(receiver, Lines(1200), cursors), lambda: cursors.cursor("receiver") == 1200)
    assert receiver.got == list(range(1, 1201))
    cursors.close()


def test_one_tap_that_fails_in_an_unforeseen_way_ends_no_other(cursors: SqliteCursors) -> None:
    class Broken(Lines):
        def page(self, after: int, frames: int) -> Page:
            raise ZeroDivisionError(f"a fault of ours on {frames} frames after {after}")

    sick, well = Receiver(), Receiver()
    sick.name = "sick"
    both = [runner(sick, Broken(3), cursors), runner(well, Lines(3), cursors)]
    board = Taps(both, Source(Lines(3), cursors, SetClock()))

    async def life() -> None:
        task = asyncio.create_task(board.run())
        await until(lambda: both[0].fault and cursors.cursor("receiver") == 3)
        assert not task.done()
        assert "ZeroDivisionError" in board.report()["sick"].fault
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(life())
    cursors.close()


def test_the_report_says_how_far_behind_a_disturbed_tap_is_and_why(cursors: SqliteCursors) -> None:
    def away(_page: Page) -> Sequence[Handed]:
        raise TapFault("no connection")

    work = runner(Receiver(away), Lines(30), cursors)
    board = Taps([work], Source(Lines(30), cursors, SetClock()))
    carry_out(work, lambda: work.fault)
    told = board.report()["receiver"]
    assert (told.fault, told.cursor, told.dead_letters) == ("no connection", 0, 0)
    assert told.disturbed_since == NOW
    cursors.close()
