"""Figures: counted from what was committed, bounded in number, and nothing personal among them."""

from datetime import timedelta

from prometheus_client.parser import text_string_to_metric_families

from gateway.contract import Changes
from gateway.model.delivery import Delivery, DeliveryState
from gateway.service.metrics import MAX_RESPONDERS, Metrics, ResponderLoad
from tests.unit.pipeline.town import PENDANT, START, Town


def figures(metrics: Metrics) -> dict[tuple[str, str], float]:
    """Return every sample by its name and labels in one text."""
    found = {}
    for family in text_string_to_metric_families(metrics.text().decode()):
        for sample in family.samples:
            labels = ",".join(f"{key}={value}" for key, value in sorted(sample.labels.items()))
            found[sample.name, labels] = sample.value
    return found


def told(metrics: Metrics, *changes: Changes) -> Metrics:
    for number, one in enumerate(changes):
        metrics.publish(one, number)
    return metrics


def test_an_alarm_is_counted_with_the_times_to_each_answer() -> None:
    town, metrics = Town(), Metrics()
    told(metrics, town.send(PENDANT, "alarm.manual", presses=1))
    (alert,) = town.state.alerts.values()
    town.now += timedelta(seconds=20)
    told(metrics, town.answer(alert.id, "accept"))
    town.now += timedelta(minutes=10)
    told(metrics, town.answer(alert.id, "on_site"))
    told(metrics, town.answer(alert.id, "close", outcome="real"))
    found = figures(metrics)
    assert found["vaka_events_total", "type=alarm.manual"] == 1
    assert found["vaka_alerts_raised_total", "severity=high,type=SP"] == 1
    assert found["vaka_alerts_closed_total", "outcome=real"] == 1
    assert found["vaka_alert_seconds_sum", "severity=high,step=accepted"] == 20
    assert found["vaka_alert_seconds_sum", "severity=high,step=on_site"] == 620


def test_the_first_display_is_timed_and_a_second_is_not() -> None:
    town, metrics = Town(), Metrics()
    changes = town.send(PENDANT, "alarm.manual", presses=1)
    told(metrics, changes)
    (delivery,) = changes.deliveries.values()
    for seconds in (4, 9):
        seen = Delivery(
            id=f"{delivery.id}{seconds}",
            alert=delivery.alert,
            recipient="day",
            channel="page",
            step=0,
            round=1,
            queued_at=START,
            deadline=START,
            state=DeliveryState.DISPLAYED,
        )
        told(metrics, Changes(now=START + timedelta(seconds=seconds), deliveries={seen.id: seen}))
    found = figures(metrics)
    assert found["vaka_alert_seconds_count", "severity=high,step=displayed"] == 1
    assert found["vaka_alert_seconds_sum", "severity=high,step=displayed"] == 4


def test_no_label_says_anything_of_a_person_a_home_or_a_device() -> None:
    town, metrics = Town(), Metrics()
    told(metrics, town.send(PENDANT, "alarm.manual", presses=1))
    (alert,) = town.state.alerts.values()
    told(metrics, town.answer(alert.id, "accept", actor="anna"))
    shown = metrics.text().decode()
    assert not [word for word in ("p1", "h1", PENDANT, alert.id, "anna") if f'"{word}"' in shown]


def test_a_responder_is_in_a_flood_above_ten_alerts_in_ten_minutes_until_fewer_than_five() -> None:
    load = ResponderLoad()
    for n in range(10):
        load.add("care", f"a{n}", START)
    assert list(load.now(START)) == [("care", 10, False)]
    load.add("care", "a9", START)  # the same alert again is the same work
    assert list(load.now(START)) == [("care", 10, False)]
    load.add("care", "a10", START)
    assert list(load.now(START)) == [("care", 11, True)]
    for n in range(5):
        load.add("care", f"b{n}", START + timedelta(minutes=9))
    assert list(load.now(START + timedelta(minutes=11))) == [("care", 5, True)]
    assert list(load.now(START + timedelta(minutes=20))) == [("care", 0, False)]


def test_more_responders_than_the_limit_share_one_label() -> None:
    load = ResponderLoad()
    for n in range(MAX_RESPONDERS + 50):
        load.add(f"team{n}", f"a{n}", START)
    found = {name: n for name, n, _ in load.now(START)}
    assert len(found) == MAX_RESPONDERS + 1
    assert found["other"] == 50
