"""Deliveries go out while they are needed, and no channel's fault ends or delays another."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.contract import Changes, ChannelFault, Notifier, Sender
from gateway.model.alert import Alert, AlertState, AlertType, Severity
from gateway.model.delivery import Delivery, DeliveryState
from gateway.model.frame import Frame, Transport
from gateway.service import dispatch
from gateway.service.circuit import OPEN_AFTER, RetryBudget
from gateway.service.dispatch import URGENT_WORKERS, WORKERS, Dispatcher
from gateway.service.lane import Lane

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)


class StillClock:
    """Stands still."""

    def now(self) -> datetime:
        return AT

    def wait_s(self, until: datetime) -> float:
        return (until - AT).total_seconds()


class Receipts:
    """An intake that keeps what it is offered."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []

    def offer(self, frame: Frame, sender: Sender | None = None, token: int = 0) -> bool:
        assert (sender, token) == (None, 0)
        self.frames.append(frame)
        return True

    async def accept(self, frame: Frame) -> int:
        self.frames.append(frame)
        return len(self.frames)

    @property
    def told(self) -> list[tuple[str, str]]:
        """What became of which delivery: ("sent/d-1", reason)."""
        for frame in self.frames:
            assert frame.transport is Transport.RECEIPT
        return [(frame.channel.removeprefix("delivery/"), frame.payload.decode()) for frame in self.frames]


class Channel:
    """A channel that does what a test says; it notes what it was asked for."""

    def __init__(self, way: Callable[[Delivery], Coroutine[Any, Any, str]], channel: str = "sms") -> None:
        self.channel = channel
        self.asked: list[str] = []
        self._way = way
        self.closed = False

    async def deliver(self, delivery: Delivery, alert: Alert) -> str:
        assert alert.id == delivery.alert
        self.asked.append(delivery.id)
        return await self._way(delivery)

    async def close(self) -> None:
        self.closed = True


async def at_once(_delivery: Delivery) -> str:
    return ""


async def never(_delivery: Delivery) -> str:
    await asyncio.Event().wait()
    return ""


async def deaf(_delivery: Delivery) -> str:
    """Does not listen when it is cancelled the first time."""
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        await asyncio.Event().wait()
    return ""


async def broken(_delivery: Delivery) -> str:
    raise ConnectionResetError("the number +46 70 123 456 is busy")


async def gave_up(_delivery: Delivery) -> str:
    raise asyncio.CancelledError


def alert(**more: Any) -> Alert:
    given: dict[str, Any] = {
        "id": "a-1",
        "rule": "sos",
        "subject": "d",
        "severity": Severity.HIGH,
        "type": AlertType.PERSON,
        "text": "sos",
        "reason": "pressed",
        "tenant": "t",
        "home": "h",
        "frame": 1,
        "occurred_at": AT,
        "raised_at": AT,
        "ladder": "l",
        "deadline": AT,
        "accept_within_s": 60,
        "version": 2,
    }
    return Alert(**given | more)


def delivery(name: str = "d-1", **more: Any) -> Delivery:
    given: dict[str, Any] = {
        "id": name,
        "alert": "a-1",
        "recipient": "team",
        "channel": "sms",
        "step": 0,
        "round": 2,
        "queued_at": AT,
        "deadline": AT,
    }
    return Delivery(**given | more)


def dispatched(
    channels: list[Channel], deliveries: list[Delivery], *alerts: Alert, done: int | None = None
) -> list[tuple[str, str]]:
    """Give the deliveries to a dispatcher and return its receipts, once there are `done` (default: all)."""

    async def scenario() -> list[tuple[str, str]]:
        receipts = Receipts()
        known = {one.id: one for one in alerts}
        notifiers: dict[str, Notifier] = {channel.channel: channel for channel in channels}
        dispatcher = Dispatcher(notifiers, receipts, StillClock(), known.get)
        dispatcher.publish(Changes(deliveries={one.id: one for one in deliveries}, alerts=known), 1)
        task = asyncio.create_task(dispatcher.run())
        async with asyncio.timeout(10):
            while len(receipts.frames) < (len(deliveries) if done is None else done):
                await asyncio.sleep(0)
        assert not task.done()
        task.cancel()
        await asyncio.wait([task])
        return receipts.told

    return asyncio.run(scenario())


def test_a_delivery_is_sent_and_proved() -> None:
    assert dispatched([Channel(at_once)], [delivery()], alert()) == [("sent/d-1", "")]


def test_a_channel_that_hangs_holds_neither_its_next_delivery_nor_another_channel() -> None:
    async def first_hangs(one: Delivery) -> str:
        return await never(one) if one.id == "d-1" else ""

    told = dispatched(
        [Channel(first_hangs), Channel(at_once, "page")],
        [delivery("d-1"), delivery("d-2"), delivery("d-3", channel="page")],
        alert(),
        done=2,
    )
    assert sorted(told) == [("sent/d-2", ""), ("sent/d-3", "")]


@pytest.mark.parametrize("way", [never, deaf])
def test_no_answer_in_time_is_a_failure_even_of_a_channel_that_cannot_be_cancelled(
    monkeypatch: pytest.MonkeyPatch, way: Callable[[Delivery], Coroutine[Any, Any, str]]
) -> None:
    monkeypatch.setattr(dispatch, "DELIVER_WITHIN_S", 0.01)
    many = [delivery(f"d-{number}") for number in range(URGENT_WORKERS + WORKERS + 1)]
    told = dispatched([Channel(way)], many, alert())
    assert [reason for _, reason in told] == ["no answer within 0 s"] * len(many)


def test_a_channel_whose_protocol_needs_longer_is_given_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async def late(_delivery: Delivery) -> str:
        await asyncio.sleep(0.05)
        return ""

    monkeypatch.setattr(dispatch, "DELIVER_WITHIN_S", 0.001)
    patient = Channel(late)
    monkeypatch.setattr(patient, "within_s", 60.0, raising=False)
    assert dispatched([patient], [delivery("d-1")], alert()) == [("sent/d-1", "")]


@pytest.mark.parametrize(
    ("way", "reason"),
    [
        (broken, "the channel failed with ConnectionResetError"),
        (gave_up, "the channel gave its own request up"),
    ],
)
def test_a_channels_fault_is_the_deliverys_reason_and_the_next_one_is_tried(
    way: Callable[[Delivery], Coroutine[Any, Any, str]], reason: str
) -> None:
    many = [delivery(f"d-{number}") for number in range(2 * WORKERS + 1)]
    told = dispatched([Channel(way)], many, alert())
    assert sorted(told) == [(f"failed/{one.id}/again", reason) for one in many]


def test_a_channel_that_is_not_installed_is_a_failure() -> None:
    told = dispatched([Channel(at_once)], [delivery(channel="fax")], alert())
    assert told == [("failed/d-1", "there is no channel fax")]


@pytest.mark.parametrize(
    ("now", "older", "reason"),
    [
        ({"version": 2}, {"round": 2}, ""),
        ({"version": 5}, {"round": 2}, ""),
        ({"version": 5, "step": 1}, {"round": 2}, "the next step was asked before it was sent"),
        ({"version": 5, "step": 1}, {"round": 5, "step": 1}, ""),
        ({"version": 3, "state": AlertState.ACCEPTED}, {"round": 2}, "taken by somebody"),
        ({"version": 3, "state": AlertState.ON_SITE}, {"round": 2}, "taken by somebody"),
        ({"version": 4, "state": AlertState.ACCEPTED}, {"round": 4}, ""),
        ({"version": 4, "state": AlertState.CLOSED}, {"round": 4}, "answered before it was sent"),
    ],
)
def test_a_delivery_goes_out_only_while_it_is_needed(
    now: dict[str, Any], older: dict[str, Any], reason: str
) -> None:
    channel = Channel(at_once)
    told = dispatched([channel], [delivery(**older)], alert(**now))
    assert told == [("skipped/d-1", reason) if reason else ("sent/d-1", "")]
    assert bool(channel.asked) is not bool(reason)


def test_a_delivery_of_an_alert_that_is_gone_is_not_sent() -> None:
    assert dispatched([Channel(at_once)], [delivery()]) == [("skipped/d-1", "answered before it was sent")]


def test_the_most_severe_go_first() -> None:
    mild = alert(id="a-2", severity=Severity.LOW)
    channel = Channel(at_once)
    dispatched([channel], [delivery("d-1", alert="a-2"), delivery("d-2")], alert(), mild)
    assert channel.asked == ["d-2", "d-1"]


def test_a_delivery_that_is_settled_is_not_queued_again() -> None:
    settled = delivery("d-2", state=DeliveryState.SENT)
    told = dispatched([Channel(at_once)], [settled, delivery("d-1")], alert(), done=1)
    assert told == [("sent/d-1", "")]


# --- a disturbed channel ---


async def disturbed(_delivery: Delivery) -> str:
    raise ChannelFault("HTTP 503")


def low(name: str, **more: Any) -> Delivery:
    return delivery(name, alert="a-2", **more)


MILD = alert(id="a-2", severity=Severity.LOW)


def test_a_channel_that_fails_again_and_again_is_given_a_rest_which_high_does_not_mind() -> None:
    channel = Channel(disturbed)
    told: list[tuple[str, str]] = []

    async def scenario() -> tuple[list[tuple[str, str]], dict[str, Any]]:
        receipts = Receipts()
        known = {"a-1": alert(), "a-2": MILD}
        dispatcher = Dispatcher(
            {"sms": channel}, receipts, StillClock(), known.get, told=lambda *word: told.append(word)
        )
        task = asyncio.create_task(dispatcher.run())
        async with asyncio.timeout(10):
            for number in range(OPEN_AFTER):
                dispatcher.publish(Changes(deliveries={"x": low(f"l-{number}")}, alerts=known), 1)
                while len(receipts.frames) <= number:
                    await asyncio.sleep(0)
            dispatcher.publish(
                Changes(deliveries={"x": low("rests"), "y": delivery("high")}, alerts=known), 1
            )
            while len(receipts.frames) < OPEN_AFTER + 2:
                await asyncio.sleep(0)
        report = dispatcher.report()["sms"]
        assert dispatcher.resting() == {"sms": "HTTP 503"}
        task.cancel()
        await asyncio.wait([task])
        return receipts.told, report

    receipts, report = asyncio.run(scenario())
    assert "rests" not in channel.asked
    assert channel.asked[-1] == "high"
    assert dict(receipts)["failed/rests/again"].startswith("the channel rests after")
    assert (report["circuit"], report["faults_in_a_row"]) == ("open", OPEN_AFTER + 1)
    assert told == [("sms", "HTTP 503")]
    assert channel.closed


def test_the_attempts_that_a_disturbed_channel_costs_are_bounded_but_for_high() -> None:
    def again(told: list[tuple[str, str]]) -> int:
        return sum(what.endswith("/again") for what, _ in told)

    mild = dispatched([Channel(disturbed)], [low(f"l-{n}") for n in range(60)], alert(), MILD)
    assert again(mild) == RetryBudget.MOST
    assert again(dispatched([Channel(disturbed)], [delivery(f"h-{n}") for n in range(60)], alert())) == 60


def test_a_recipient_without_an_address_is_no_fault_of_the_channel() -> None:
    async def unknown(_delivery: Delivery) -> str:
        return "no number is noted"

    told = dispatched([Channel(unknown)], [low(f"l-{n}") for n in range(20)], alert(), MILD)
    assert {what.split("/")[0] for what, _ in told} == {"failed"}
    assert not any(what.endswith("/again") for what, _ in told)


def test_high_goes_out_while_milder_deliveries_hold_every_other_worker() -> None:
    async def hangs(one: Delivery) -> str:
        return await never(one) if one.alert == "a-2" else ""

    stuck = [low(f"l-{n}") for n in range(20)]
    told = dispatched([Channel(hangs)], [*stuck, delivery("high")], alert(), MILD, done=1)
    assert told == [("sent/high", "")]


# --- when it is time ---


def in_turn(*steps: Callable[[Dispatcher], None], channel: Channel, **options: Any) -> list[tuple[str, str]]:
    """Take the steps one after the other while the dispatcher runs, and return its receipts."""

    async def scenario() -> list[tuple[str, str]]:
        receipts = Receipts()
        dispatcher = Dispatcher({"sms": channel}, receipts, StillClock(), {"a-1": alert()}.get, **options)
        task = asyncio.create_task(dispatcher.run())
        for step in steps:
            step(dispatcher)
            await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.wait([task])
        return receipts.told

    return asyncio.run(scenario())


def put(**more: Any) -> Callable[[Dispatcher], None]:
    one = delivery(**more)
    return lambda dispatcher: dispatcher.publish(Changes(deliveries={one.id: one}), 1)


def test_a_further_attempt_waits_for_its_time() -> None:
    channel = Channel(at_once)
    soon, later = AT + timedelta(seconds=0.02), AT + timedelta(hours=1)
    deadline = AT + timedelta(hours=2)
    told = in_turn(
        put(name="soon", due_at=soon, attempt=2, deadline=deadline),
        put(name="later", due_at=later, attempt=2, deadline=deadline),
        channel=channel,
    )
    assert told == [("sent/soon", "")]


def test_a_further_attempt_is_not_made_past_the_deadline() -> None:
    told = in_turn(put(attempt=2, deadline=AT), channel=Channel(at_once))
    assert told == [("skipped/d-1", "its time was over before the next attempt")]


def test_a_delivery_brought_up_to_date_while_it_waits_goes_out_once() -> None:
    channel = Channel(at_once)
    in_turn(lambda dispatcher: (put()(dispatcher), put(round=3)(dispatcher))[0], channel=channel)
    assert channel.asked == ["d-1"]


def test_a_delivery_that_became_milder_while_it_waits_still_goes_out() -> None:
    async def scenario() -> tuple[int, Delivery]:
        lane = Lane()
        lane.put(delivery(), Severity.HIGH.rank)
        lane.put(delivery(round=3), Severity.MEDIUM.rank)
        async with asyncio.timeout(10):
            taken = await lane.take(urgent=False)
        assert len(lane) == 0
        return taken

    assert asyncio.run(scenario()) == (Severity.MEDIUM.rank, delivery(round=3))


def test_a_journal_that_is_full_gets_the_receipt_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "RECEIPT_AGAIN_S", 0.001)
    refused = iter([False, False])
    offer = Receipts.offer
    monkeypatch.setattr(Receipts, "offer", lambda *given: next(refused, True) and offer(*given))
    assert in_turn(put(), channel=Channel(at_once)) == [("sent/d-1", "")]
