import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from gateway.contract import Changes
from gateway.model.alert import Alert, AlertState, AlertType, Severity
from gateway.model.delivery import Delivery
from gateway.model.status import Discovered
from gateway.model.vocabulary import DeviceKind
from gateway.notifiers.console import ConsoleNotifier
from gateway.notifiers.page import PageNotifier
from gateway.pipeline.state import EMPTY
from gateway.service.board import Board, Update
from tests.unit.pipeline.town import LOCK, Town, document

NOW = datetime(2026, 1, 31, 22, 0, tzinfo=UTC)


def run(work: Coroutine[Any, Any, None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(10):
            await work

    asyncio.run(bounded())


def alert(name: str, severity: Severity = Severity.HIGH, **changed: Any) -> Alert:
    made = Alert(
        id=name,
        rule="sos",
        subject="device-1",
        severity=severity,
        type=AlertType.PERSON,
        text="sos",
        reason="pressed",
        tenant="t",
        home="home-1",
        frame=1,
        occurred_at=NOW,
        raised_at=NOW,
        ladder="care",
        deadline=NOW + timedelta(seconds=60),
        accept_within_s=60,
    )
    return msgspec.structs.replace(made, **changed)


def shown(*alerts: Alert) -> Changes:
    return Changes(alerts={one.id: one for one in alerts})


def delivery(recipient: str = "night") -> Delivery:
    return Delivery(
        id="d",
        alert="a",
        recipient=recipient,
        channel="page",
        step=0,
        round=0,
        queued_at=NOW,
        deadline=NOW,
    )


def test_high_stands_first_then_the_nearest_deadline_then_the_oldest() -> None:
    board = Board()
    later = NOW + timedelta(hours=1)
    board.publish(
        shown(
            alert("low", Severity.LOW, deadline=NOW),
            alert("high-late", deadline=later),
            alert("high-soon"),
            alert("high-soon-older", raised_at=NOW - timedelta(seconds=5)),
            alert("medium", Severity.MEDIUM, deadline=NOW),
        ),
        5,
    )
    names = [one.id for one in board.open_alerts()]
    assert names == ["high-soon-older", "high-soon", "high-late", "medium", "low"]


def test_a_closed_alert_leaves_the_board_and_its_listeners_are_told() -> None:
    async def scene() -> None:
        board = Board()
        board.publish(shown(alert("a")), 1)
        async with board.subscribe() as listener:
            board.publish(shown(alert("a", state=AlertState.CLOSED, deadline=None)), 2)
            update = await anext(listener)
        assert update.cursor == 2
        assert [one.state for one in update.alerts] == [AlertState.CLOSED]
        assert board.open_alerts() == []
        assert board.alert("a") is None

    run(scene())


def test_only_the_newest_state_of_an_alert_waits_for_a_slow_listener() -> None:
    async def scene() -> None:
        board = Board()
        async with board.subscribe() as listener:
            for version in range(1, 1000):
                board.publish(shown(alert("a", version=version)), version)
            update = await listener.next(1)
            assert update is not None
            assert [one.version for one in update.alerts] == [999]
            assert await listener.next(0.01) is None

    run(scene())


def test_a_listener_that_overflows_gets_one_reload_and_then_goes_on() -> None:
    async def scene() -> None:
        board = Board(queue_limit=3)
        async with board.subscribe() as listener:
            for number in range(10):
                board.publish(shown(alert(f"a{number}")), number)
            assert await listener.next(1) == Update(9, (), reload=True)
            board.publish(shown(alert("b")), 10)
            update = await listener.next(1)
            assert update is not None
            assert [one.id for one in update.alerts] == ["b"]
            assert not update.reload

    run(scene())


def test_an_answer_is_settled_when_the_engine_has_passed_its_position() -> None:
    async def scene() -> None:
        board = Board()
        first = asyncio.create_task(board.settled(7, 5))
        second = asyncio.create_task(board.settled(9, 5))
        await asyncio.sleep(0)
        board.publish(Changes(refusals={7: "already closed"}), 8)
        assert await first == "already closed"
        assert not second.done()
        board.publish(Changes(), 9)
        assert await second == ""
        assert await board.settled(7, 5) == "already closed"

    run(scene())


def test_an_answer_that_is_not_judged_in_time_is_a_timeout_and_leaves_nothing_behind() -> None:
    async def scene() -> None:
        board = Board()
        with pytest.raises(TimeoutError):
            await board.settled(1, 0.01)
        board.publish(Changes(), 1)
        assert board._waiters == []

    run(scene())


def test_a_refusal_reaches_its_waiter_even_when_it_is_forgotten_at_once() -> None:
    async def scene() -> None:
        board = Board(refusals_kept=2)
        waiting = [asyncio.create_task(board.settled(number, 5)) for number in (1, 2, 3, 4)]
        await asyncio.sleep(0)
        board.publish(Changes(refusals={n: f"no {n}" for n in (1, 2, 3, 4)}), 4)
        assert len(board._refusals) == 2
        assert [await one for one in waiting] == ["no 1", "no 2", "no 3", "no 4"]
        assert await board.settled(4, 1) == "no 4"

    run(scene())


def test_unknown_devices_are_bounded_and_go_when_they_are_enrolled() -> None:
    board = Board(discovered_kept=5)
    for number in range(20):
        found = Discovered(
            adapter="vaka",
            native_id=str(number),
            kind=DeviceKind.LOCK,
            first_seen_at=NOW,
            last_seen_at=NOW,
        )
        board.publish(Changes(discovered={str(number): found}), number)
    assert list(board.discovered) == ["15", "16", "17", "18", "19"]

    board.publish(Changes(discovered={"17": None}), 20)
    assert list(board.discovered) == ["15", "16", "18", "19"]


def test_loading_shows_open_alerts_only_and_asks_listeners_to_reload() -> None:
    async def scene() -> None:
        board = Board()
        async with board.subscribe() as listener:
            board.load(
                msgspec.structs.replace(
                    EMPTY,
                    cursor=4,
                    alerts={"a": alert("a"), "b": alert("b", state=AlertState.CLOSED)},
                )
            )
            update = await listener.next(1)
            assert update == Update(4, (), reload=True)
        assert [one.id for one in board.open_alerts()] == ["a"]

    run(scene())


def test_what_the_engine_changes_in_place_after_a_load_does_not_show_before_its_commit() -> None:
    town = Town()
    town.send(LOCK, "lock.locked", means="manual")
    town.send("t/stranger", "heartbeat")
    state = town.state
    board = Board()
    board.load(msgspec.structs.replace(EMPTY, statuses=state.statuses, discovered=state.discovered))
    before = msgspec.json.encode((board.statuses, board.discovered))
    town.now += timedelta(minutes=1)
    town.send(LOCK, "lock.unlocked", means="manual", battery_percent=7)
    town.send("t/stranger", "heartbeat")
    assert msgspec.json.encode((state.statuses, state.discovered)) != before
    assert msgspec.json.encode((board.statuses, board.discovered)) == before


def test_closing_the_board_ends_every_listener_also_later_ones() -> None:
    async def scene() -> None:
        board = Board()
        async with board.subscribe() as listener:
            board.close()
            assert [one async for one in listener] == []
        async with board.subscribe() as late:
            assert await late.next(1) is None
            assert late.closed
        assert board.listeners == 0

    run(scene())


def test_the_page_channel_says_when_nobody_looks() -> None:
    async def scene() -> None:
        board = Board()
        channel = PageNotifier(board)
        assert await channel.deliver(delivery(), alert("a")) == "no page is open"
        async with board.subscribe(page=False):
            assert await channel.deliver(delivery(), alert("a")) == "no page is open"
        async with board.subscribe(page=True, teams=frozenset({"technicians"})):
            assert await channel.deliver(delivery(), alert("a")) == "no page is open"
        async with board.subscribe(page=True, teams=frozenset({"night"})):
            assert await channel.deliver(delivery(), alert("a")) == ""
        async with board.subscribe(page=True):
            assert await channel.deliver(delivery(), alert("a")) == ""

    run(scene())


def test_a_whole_tenant_is_reached_by_a_page_of_any_of_its_teams_and_by_no_other() -> None:
    async def scene() -> None:
        board = Board()
        channel = PageNotifier(board)
        board.publish(Changes(registry=document()), 1)
        async with board.subscribe(page=True, teams=frozenset({"team-of-another"})):
            assert await channel.deliver(delivery("tenant:t"), alert("a")) == "no page is open"
        async with board.subscribe(page=True, teams=frozenset({"night"})):
            assert await channel.deliver(delivery("tenant:other"), alert("a")) == "no page is open"
            assert await channel.deliver(delivery("tenant:t"), alert("a")) == ""

    run(scene())


def test_the_console_channel_writes_one_line_without_the_person(caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        with caplog.at_level("INFO", logger="gateway.notifiers.console"):
            assert await ConsoleNotifier().deliver(delivery(), alert("a", person="person-7")) == ""

    run(scene())
    assert caplog.messages == ["alert a severity=high rule=sos to=night step=0"]
