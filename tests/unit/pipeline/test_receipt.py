import pytest

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


@pytest.mark.parametrize("reached", [DeliveryState.SENT, DeliveryState.DISPLAYED, DeliveryState.FAILED])
def test_a_receipt_settles_its_delivery_with_the_reason(
    town: Town, waiting: str, reached: DeliveryState
) -> None:
    changes = receipt(town, f"delivery/{reached.value}/{waiting}", b"no page is open")
    settled = changes.deliveries[waiting]
    assert (settled.state, settled.reason) == (reached, "no page is open")
    assert waiting not in town.state.deliveries
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


def test_a_second_receipt_does_not_change_what_the_first_one_proved(town: Town, waiting: str) -> None:
    receipt(town, f"delivery/sent/{waiting}")
    assert not receipt(town, f"delivery/failed/{waiting}").deliveries


def test_a_receipt_leaves_the_alert_as_it_is(town: Town, waiting: str) -> None:
    before = dict(town.state.alerts)
    assert not receipt(town, f"delivery/displayed/{waiting}").alerts
    assert town.state.alerts == before
