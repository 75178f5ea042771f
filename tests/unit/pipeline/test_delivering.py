"""Delivering: the ladder of channels of one recipient, proof by proof, in virtual time."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.contract import Changes, Snapshot
from gateway.model.delivery import Delivery, DeliveryState
from gateway.model.frame import Transport
from gateway.model.registry import RegistryDocument
from gateway.pipeline.state import DELIVERY_OWNER, State
from tests.unit.pipeline.town import LOCK, PENDANT, Town

ALL = ("console", "email", "page", "sms", "voice", "webhook", "webpush")
FIRST = ["console", "page", "webhook", "webpush"]
LATER = ["email", "sms", "voice"]


@pytest.fixture
def town() -> Town:
    return Town(channels=ALL)


def queued(changes: Changes) -> list[Delivery]:
    return [one for one in changes.deliveries.values() if one.state is DeliveryState.QUEUED]


def channels(changes: Changes) -> list[str]:
    return sorted(one.channel for one in queued(changes))


def by_channel(changes: Changes) -> dict[str, Delivery]:
    return {one.channel: one for one in queued(changes)}


def tell(town: Town, one: Delivery, reached: str, reason: str = "", again: str = "") -> Changes:
    return town.take(Transport.RECEIPT, f"delivery/{reached}/{one.id}{again}", reason.encode())


def sos(town: Town) -> dict[str, Delivery]:
    return by_channel(town.send(PENDANT, "alarm.manual"))


def timers(town: Town) -> list[str]:
    return [timer.name for timer in town.state.timers() if timer.owner == DELIVERY_OWNER]


# --- how it begins and goes on ---


def test_the_page_and_web_push_ring_first_and_nothing_else(town: Town) -> None:
    assert channels(town.send(PENDANT, "alarm.manual")) == FIRST


def test_a_high_alert_that_nobody_saw_rings_by_sms_and_voice_together_after_15_s(town: Town) -> None:
    first = sos(town)
    tell(town, first["webpush"], "sent")
    assert channels(town.later(seconds=14.9)) == []
    later = town.later(seconds=0.1)
    assert channels(later) == LATER
    assert {one.after for one in queued(later)} <= {one.id for one in first.values()}
    assert {one.rung for one in queued(later)} == {1}


def test_a_displayed_receipt_in_time_keeps_the_phone_quiet(town: Town) -> None:
    first = sos(town)
    tell(town, first["page"], "failed", "no page is open")
    tell(town, first["webpush"], "sent")
    town.later(seconds=8)
    tell(town, first["webpush"], "displayed")
    assert not timers(town)
    assert channels(town.later(seconds=20)) == []


def test_a_high_alert_that_was_shown_and_not_answered_in_time_rings_by_telephone_too(town: Town) -> None:
    first = sos(town)
    tell(town, first["page"], "displayed")
    town.later(seconds=30)
    assert channels(town.send(PENDANT, "alarm.manual")) == FIRST, "pressed again: they still have their time"
    rung = [channels(town.later(seconds=60)) for _ in range(6)]
    assert sorted([*FIRST, *LATER]) in rung, "shown to them once, and not answered"


def test_a_displayed_receipt_that_comes_late_stops_what_is_not_sent_yet(town: Town) -> None:
    first = sos(town)
    tell(town, first["webpush"], "sent")
    later = by_channel(town.later(seconds=15))
    tell(town, later["sms"], "sent")
    changes = tell(town, first["webpush"], "displayed")
    assert changes.deliveries[later["voice"].id].state is DeliveryState.SKIPPED
    assert later["sms"].id not in changes.deliveries, "what went out went out"


def test_when_the_last_hope_fails_the_next_channels_ring_at_once(town: Town) -> None:
    first = sos(town)
    assert channels(tell(town, first["page"], "failed", "no page is open")) == []
    changes = tell(town, first["webpush"], "failed", "410 Gone")
    assert channels(changes) == LATER
    assert changes.deliveries[first["webpush"].id].reason == "410 Gone"
    assert {one.after for one in queued(changes)} == {first["webpush"].id}
    assert not timers(town)


def test_the_log_and_the_webhook_show_nobody_anything_and_hold_nothing_up(town: Town) -> None:
    first = sos(town)
    tell(town, first["console"], "sent")
    tell(town, first["webhook"], "sent")
    tell(town, first["page"], "failed")
    assert channels(tell(town, first["webpush"], "failed")) == LATER


def test_without_any_channel_that_shows_something_the_later_ones_ring_at_once() -> None:
    town = Town(channels=("console", "sms"))
    assert channels(town.send(PENDANT, "alarm.manual")) == ["console", "sms"]


def test_a_medium_alert_waits_a_minute_and_never_calls(town: Town) -> None:
    first = by_channel(town.send(LOCK, "lock.jammed"))
    tell(town, first["webpush"], "sent")
    assert channels(town.later(seconds=59)) == []
    assert channels(town.later(seconds=1)) == ["email", "sms"]


def test_a_gateway_without_later_channels_waits_for_nothing() -> None:
    town = Town(channels=("page",))
    sos(town)
    assert not timers(town)


# --- rings that follow each other ---


def test_a_second_press_before_the_first_ring_went_out_makes_no_second_message(town: Town) -> None:
    first = sos(town)
    again = sos(town)
    assert {one.id for one in again.values()} == {one.id for one in first.values()}
    assert all(again[channel].round > first[channel].round for channel in first)


def test_presses_every_ten_seconds_do_not_put_the_call_off(town: Town) -> None:
    tell(town, sos(town)["webpush"], "sent")
    town.later(seconds=10)
    tell(town, sos(town)["webpush"], "sent")
    assert channels(town.later(seconds=5)) == LATER


def test_a_burst_of_presses_calls_once(town: Town) -> None:
    for _ in range(8):
        for one in sos(town).values():
            tell(town, one, "sent")
        town.later(seconds=1)
    calls = [one for one in queued(town.later(seconds=10)) if one.channel == "voice"]
    calls += [one for one in town.state.deliveries.values() if one.channel == "voice" and one not in calls]
    assert len(calls) == 1


def test_after_a_ring_that_nobody_saw_the_next_one_calls_at_once(town: Town) -> None:
    tell(town, sos(town)["webpush"], "sent")
    for one in queued(town.later(seconds=15)):
        tell(town, one, "sent")
    town.now += timedelta(seconds=20)
    assert channels(town.send(PENDANT, "alarm.manual")) == sorted(FIRST + LATER)


def test_the_display_of_an_earlier_ring_counts_for_a_while(town: Town) -> None:
    first = sos(town)
    tell(town, first["webpush"], "sent")
    town.later(seconds=5)
    tell(town, sos(town)["webpush"], "sent")
    tell(town, first["webpush"], "displayed")
    assert channels(town.later(seconds=30)) == []


def test_what_rang_long_ago_is_settled_by_the_next_ring(town: Town) -> None:
    first = sos(town)
    tell(town, first["webpush"], "sent")
    town.now += timedelta(minutes=6)
    changes = town.send(PENDANT, "alarm.manual")
    assert changes.deliveries[first["webpush"].id].settled
    assert first["webpush"].id not in town.state.deliveries


# --- attempts ---


def test_a_disturbed_channel_is_tried_again_by_a_linked_delivery_of_its_own(town: Town) -> None:
    first = sos(town)
    changes = tell(town, first["webpush"], "failed", "503", again="/again")
    (retry,) = queued(changes)
    assert (retry.channel, retry.attempt, retry.after) == ("webpush", 2, first["webpush"].id)
    assert retry.due_at is not None
    assert (retry.due_at - town.now).total_seconds() == 2
    assert changes.deliveries[first["webpush"].id].reason == "503"


def test_the_pauses_between_attempts_grow_and_the_attempts_end(town: Town) -> None:
    one = sos(town)["webpush"]
    pauses = []
    while True:
        again = [d for d in queued(tell(town, one, "failed", again="/again")) if d.channel == "webpush"]
        if not again:
            break
        (one,) = again
        assert one.due_at is not None
        pauses.append((one.due_at - town.now).total_seconds())
    assert pauses == [2, 4, 8]


def test_no_attempt_is_made_past_the_deadline(town: Town) -> None:
    one = sos(town)["webpush"]
    town.now = one.deadline.replace(microsecond=0)
    town.now -= timedelta(seconds=1)
    assert [d.channel for d in queued(tell(town, one, "failed", again="/again"))] in ([], LATER)


def test_an_attempt_to_come_does_not_hold_the_next_channels_up(town: Town) -> None:
    first = sos(town)
    tell(town, first["page"], "failed")
    assert channels(tell(town, first["webpush"], "failed", again="/again")) == [*LATER, "webpush"]


# --- answers ---


def test_taking_the_alert_settles_what_is_outstanding(town: Town) -> None:
    first = sos(town)
    tell(town, first["webpush"], "sent")
    changes = town.answer(first["page"].alert, "accept")
    states = {one.channel: (one.state.value, one.settled) for one in changes.deliveries.values()}
    assert states["webpush"] == ("sent", True)
    assert states["page"][0] == "skipped"
    assert not town.state.deliveries
    assert not timers(town)
    assert channels(town.later(seconds=20)) == []


def test_the_delivery_to_whoever_took_it_is_accepted(town: Town) -> None:
    first = sos(town)
    tell(town, first["webpush"], "displayed")
    changes = town.answer(first["page"].alert, "accept", actor="day")
    assert changes.deliveries[first["webpush"].id].state is DeliveryState.ACCEPTED


def test_closing_the_alert_settles_what_is_outstanding(town: Town) -> None:
    first = sos(town)
    town.answer(first["page"].alert, "close", outcome="false")
    assert not town.state.deliveries
    assert not town.state.deliveries_of(first["page"].alert)


def test_a_new_press_on_a_taken_alert_rings_all_the_same(town: Town) -> None:
    alert = sos(town)["page"].alert
    town.answer(alert, "accept")
    town.later(seconds=5)
    tell(town, sos(town)["webpush"], "sent")
    assert channels(town.later(seconds=15)) == LATER


def test_a_receipt_after_the_answer_changes_nothing(town: Town) -> None:
    first = sos(town)
    tell(town, first["webpush"], "sent")
    town.answer(first["page"].alert, "accept")
    assert not tell(town, first["webpush"], "failed").deliveries
    assert not tell(town, first["webpush"], "displayed").deliveries


def test_who_was_asked_on_a_step_that_is_over_is_not_called_for_it(town: Town) -> None:
    first = sos(town)
    for one in first.values():
        tell(town, one, "sent")
    town.later(seconds=60)
    assert {one.recipient for one in town.state.deliveries.values()} == {"day", "night"}
    assert {one.recipient for one in queued(town.later(seconds=15))} == {"night"}


# --- whatever happens ---

WORDS = ["sent", "delivered", "displayed", "failed", "failed/again"]
HAPPENINGS = st.lists(
    st.tuples(st.integers(0, 30), st.sampled_from(["press", "wait", "accept", *WORDS])), max_size=25
)


@settings(max_examples=60, deadline=None)
@given(HAPPENINGS)
def test_whoever_saw_nothing_is_waited_for_or_has_been_rung_by_the_later_channels(
    happenings: list[tuple[int, str]],
) -> None:
    town = Town(channels=ALL)
    ever = dict(town.send(PENDANT, "alarm.manual").deliveries)
    (alert,) = town.state.alerts
    for seconds, word in happenings:
        ever.update(town.later(seconds=seconds).deliveries)
        ever.update(_happen(town, alert, seconds, word).deliveries)
        for one in town.state.deliveries.values():
            assert one.waits
            if one.rung == 0 and one.channel in {"page", "webpush"} and one.attempt == 1:
                assert _is_cared_for(town.state, one, ever), one
        again = State(Snapshot(0, RegistryDocument(), {}, {}, {}, {}, {}, dict(town.state.deliveries)))
        assert again.deliveries_of(alert) == town.state.deliveries_of(alert)


def _happen(town: Town, alert: str, seconds: int, word: str) -> Changes:
    if word == "press":
        return town.send(PENDANT, "alarm.manual")
    if word == "accept":
        return town.answer(alert, "accept")
    outstanding = list(town.state.deliveries.values())
    if word == "wait" or not outstanding:
        return Changes()
    reached, _, again = word.partition("/")
    one = outstanding[seconds % len(outstanding)]
    return tell(town, one, reached, again=f"/{again}" if again else "")


def _is_cared_for(state: State, one: Delivery, ever: dict[str, Delivery]) -> bool:
    theirs = [
        other for other in ever.values() if (other.recipient, other.alert) == (one.recipient, one.alert)
    ]
    seen = any(
        state.deliveries[d.id].state is DeliveryState.DISPLAYED for d in theirs if d.id in state.deliveries
    )
    waiting = one.recipient in [t.name for t in state.timers() if t.owner == DELIVERY_OWNER]
    asked_since = max(other.round for other in theirs) > one.round
    step_over = state.alerts[one.alert].step != one.step
    lately = one.queued_at - timedelta(seconds=15)
    called = any(d.rung > 0 and (d.round >= one.round or d.queued_at >= lately) for d in theirs)
    return seen or waiting or asked_since or step_over or called


# --- the page ---


def shown(town: Town, one: Delivery, recipient: str = "day") -> Changes:
    return town.take(Transport.RECEIPT, f"shown/{one.alert}", recipient.encode())


def test_a_page_that_shows_the_alert_proves_its_delivery(town: Town) -> None:
    first = sos(town)
    tell(town, first["webpush"], "sent")
    changes = shown(town, first["page"])
    assert changes.deliveries[first["page"].id].state is DeliveryState.DISPLAYED
    assert not timers(town)


def test_a_page_opened_after_the_ring_is_a_proof_of_its_own_and_stops_what_is_not_sent(town: Town) -> None:
    first = sos(town)
    tell(town, first["page"], "failed", "no page is open")
    later = by_channel(tell(town, first["webpush"], "failed", "410"))
    tell(town, later["sms"], "sent")
    changes = shown(town, first["page"])
    (page,) = [one for one in changes.deliveries.values() if one.channel == "page"]
    assert (page.state, page.reason) == (DeliveryState.DISPLAYED, "")
    assert page.after in {one.id for one in later.values()}
    assert page.id != first["page"].id
    assert changes.deliveries[later["voice"].id].state is DeliveryState.SKIPPED


@pytest.mark.parametrize("recipient", ["night", "", "nobody"])
def test_who_was_not_rung_proves_nothing(town: Town, recipient: str) -> None:
    changes = shown(town, sos(town)["page"], recipient)
    assert not changes.deliveries
    assert [one.step for one in changes.traces] == ["receipt"]
