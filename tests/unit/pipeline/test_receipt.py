import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.contract import Changes
from gateway.model.delivery import DeliveryState
from gateway.model.frame import Transport
from gateway.model.trace import Verdict
from tests.unit.pipeline.town import PENDANT, Town


@pytest.fixture
def town() -> Town:
    return Town()


@pytest.fixture
def waiting(town: Town) -> str:
    """Return the id of the one delivery that waits for its receipt."""
    (delivery,) = town.send(PENDANT, "alarm.manual").deliveries
    return delivery


def receipt(town: Town, channel: str, reason: bytes = b"") -> Changes:
    return town.take(Transport.RECEIPT, channel, reason)


@pytest.mark.parametrize("reached", [state for state in DeliveryState if state is not DeliveryState.QUEUED])
def test_a_receipt_says_how_far_its_delivery_got_with_the_reason(
    town: Town, waiting: str, reached: DeliveryState
) -> None:
    changes = receipt(town, f"delivery/{reached.value}/{waiting}", b"no page is open")
    told = changes.deliveries[waiting]
    assert (told.state, told.reason) == (reached, "no page is open")
    assert (waiting in town.state.deliveries) is not reached.final
    assert not changes.traces


def test_a_delivery_that_is_still_queued_goes_on_waiting(town: Town, waiting: str) -> None:
    receipt(town, f"delivery/queued/{waiting}", b"the channel is busy")
    assert town.state.deliveries[waiting].reason == "the channel is busy"


def test_a_reason_is_kept_short_and_readable_whatever_the_channel_said(town: Town, waiting: str) -> None:
    kept = receipt(town, f"delivery/failed/{waiting}", b"\xff" + b"x" * 500).deliveries[waiting]
    assert kept.reason == "\N{REPLACEMENT CHARACTER}" + "x" * 199


@pytest.mark.parametrize("channel", ["delivery/sent/other", "delivery/eaten/{id}", "delivery", "", "a/b"])
def test_a_receipt_that_fits_nothing_is_remarked_and_changes_nothing(
    town: Town, waiting: str, channel: str
) -> None:
    changes = receipt(town, channel.format(id=waiting))
    assert [(one.step, one.verdict) for one in changes.traces] == [("receipt", Verdict.IGNORED)]
    assert not changes.deliveries
    assert town.state.deliveries[waiting].state is DeliveryState.QUEUED


FURTHER = ["queued", "sent", "delivered", "displayed", "accepted"]


@given(st.lists(st.sampled_from([*FURTHER, "failed", "skipped"]), max_size=12))
def test_whatever_order_receipts_come_in_no_proof_is_ever_taken_back(said: list[str]) -> None:
    town = Town()
    (waiting,) = town.send(PENDANT, "alarm.manual").deliveries
    state = "queued"
    for word in said:
        changes = receipt(town, f"delivery/{word}/{waiting}")
        told = changes.deliveries.get(waiting)
        if told is None:
            assert changes.traces[0].verdict is Verdict.IGNORED
            continue
        if told.state.final and told.state is not DeliveryState.ACCEPTED:
            assert state in {"queued", "sent"}
        elif told.state is not DeliveryState.QUEUED:
            assert FURTHER.index(told.state) > FURTHER.index(state)
        state = told.state.value


def test_a_provider_may_say_after_it_took_a_message_that_it_did_not_arrive(town: Town, waiting: str) -> None:
    receipt(town, f"delivery/sent/{waiting}")
    told = receipt(town, f"delivery/failed/{waiting}", b"number unknown").deliveries[waiting]
    assert (told.state, told.reason) == (DeliveryState.FAILED, "number unknown")


def test_a_receipt_leaves_the_alert_as_it_is(town: Town, waiting: str) -> None:
    before = dict(town.state.alerts)
    assert not receipt(town, f"delivery/displayed/{waiting}").alerts
    assert town.state.alerts == before
