from datetime import timedelta

import pytest

from gateway.contract import Changes
from gateway.model.frame import Transport
from gateway.model.trace import Verdict
from tests.unit.pipeline.town import LOCK, PENDANT, START, Town


@pytest.fixture
def town() -> Town:
    return Town()


def types(changes: Changes) -> list[str]:
    return [event.type for event in changes.events]


def z2m(town: Town, payload: str, **flags: bool) -> Changes:
    return town.take(Transport.MQTT, "zigbee2mqtt/backgate", payload.encode(), **flags)


OPEN, CLOSED = '{"contact":false,"battery":60}', '{"contact":true,"battery":60}'


def test_the_first_level_heard_is_status_and_a_change_is_news_once(town: Town) -> None:
    assert types(z2m(town, CLOSED)) == []
    assert types(z2m(town, CLOSED)) == []
    assert types(z2m(town, OPEN)) == ["door.opened"]
    assert types(z2m(town, OPEN)) == []


def test_a_retained_level_is_status_even_when_it_differs_from_what_we_knew(town: Town) -> None:
    z2m(town, CLOSED)
    assert types(z2m(town, OPEN, retained=True)) == []
    assert town.state.statuses["gate"].slots["door"] == "door.opened"


def test_a_retained_condition_is_still_true_and_therefore_news(town: Town) -> None:
    changes = town.take(Transport.MQTT, "nuki/AABBCC99/connected", b"false", retained=True)
    assert types(changes) == ["device.offline"]


def test_the_same_event_sent_again_is_a_duplicate_in_one_batch_and_after_the_commit(town: Town) -> None:
    assert types(town.send(LOCK, "door.opened", id_="a")) == ["door.opened"]
    again = town.send(LOCK, "door.opened", id_="a")
    assert types(again) == []
    assert again.traces[0].verdict is Verdict.DUPLICATE


def test_an_event_sent_again_after_later_ones_is_still_a_duplicate(town: Town) -> None:
    first = town.now
    town.send(PENDANT, "alarm.manual", id_="a")
    town.now += timedelta(minutes=5)
    town.send(PENDANT, "heartbeat", id_="b")
    assert types(town.send(PENDANT, "alarm.manual", id_="a", at=first)) == []


def test_a_late_event_with_a_new_id_is_an_event_and_says_how_late_it_is(town: Town) -> None:
    town.send(PENDANT, "heartbeat")
    late = town.send(PENDANT, "alarm.manual", at=town.now - timedelta(minutes=43))
    assert [event.late_s for event in late.events] == [43 * 60]


def test_two_events_in_the_same_millisecond_are_two_events(town: Town) -> None:
    assert types(town.send(LOCK, "button.pressed", id_="a")) == ["button.pressed"]
    assert types(town.send(LOCK, "button.pressed", id_="b")) == ["button.pressed"]


def test_a_level_older_than_the_present_one_does_not_overwrite_it(town: Town) -> None:
    town.send(LOCK, "lock.locked", at=START - timedelta(seconds=60))
    town.send(LOCK, "lock.unlocked", at=START)
    town.send(LOCK, "lock.locked", at=START - timedelta(seconds=30))
    assert town.state.statuses[LOCK].slots["lock"] == "lock.unlocked"


def test_a_clock_in_the_future_does_not_make_everything_after_it_look_old(town: Town) -> None:
    town.send(LOCK, "lock.locked", at=START + timedelta(days=900))
    town.now += timedelta(minutes=1)
    town.send(LOCK, "lock.unlocked")
    assert town.state.statuses[LOCK].slots["lock"] == "lock.unlocked"


def test_a_protocol_without_ids_is_protected_by_the_duplicate_flag(town: Town) -> None:
    unlatch = b"3,0,54321,12345,1"
    channel = "nuki/AABBCC99/lockActionEvent"
    assert types(town.take(Transport.MQTT, channel, unlatch)) == ["lock.unlatched"]
    assert types(town.take(Transport.MQTT, channel, unlatch, duplicate=True)) == []
    assert types(town.take(Transport.MQTT, channel, unlatch)) == ["lock.unlatched"]


def test_an_unknown_device_is_discovered_and_silent(town: Town) -> None:
    changes = town.send("t/stranger", "alarm.manual")
    assert types(changes) == []
    assert not changes.alerts
    assert changes.traces[0].verdict is Verdict.UNKNOWN_DEVICE
    assert town.state.discovered["vaka\0t/stranger"].frames == 1


def test_a_rejected_message_of_a_known_device_is_quarantined_and_told(town: Town) -> None:
    changes = town.take(Transport.MQTT, f"vaka/1/{PENDANT}/event", b"{nonsense")
    assert [entry[1] for entry in changes.quarantine] == [PENDANT]
    assert [alert.text for alert in changes.alerts.values()] == ["rejected_call"]
    again = town.take(Transport.MQTT, f"vaka/1/{PENDANT}/event", b"{nonsense")
    assert [alert.count for alert in again.alerts.values()] == [2]


def test_an_event_in_the_future_sent_again_is_still_a_duplicate(town: Town) -> None:
    ahead = town.now + timedelta(minutes=10)
    assert types(town.send(PENDANT, "alarm.manual", id_="f", at=ahead)) == ["alarm.manual"]
    assert types(town.send(PENDANT, "alarm.manual", id_="f", at=ahead)) == []
    town.now += timedelta(minutes=1)
    assert types(town.send(PENDANT, "alarm.manual", id_="f", at=ahead)) == []


def test_a_call_for_help_is_never_taken_for_a_message_sent_again(town: Town) -> None:
    press = b'{"action":"emergency"}'
    first = town.take(Transport.MQTT, "zigbee2mqtt/backgate", press)
    town.now += timedelta(minutes=5)
    again = town.take(Transport.MQTT, "zigbee2mqtt/backgate", press, duplicate=True)
    assert types(first) == types(again) == ["alarm.manual"]


def test_a_will_and_the_online_after_it_from_a_slow_clock_end_online(town: Town) -> None:
    status = f"vaka/1/{LOCK}/status"
    town.take(Transport.MQTT, status, b'{"state":"offline","reason":"connection lost"}')
    slow = (town.now - timedelta(seconds=5)).isoformat()
    town.now += timedelta(seconds=1)
    town.take(Transport.MQTT, status, f'{{"state":"online","time":"{slow}"}}'.encode())
    assert not town.state.statuses[LOCK].offline


def test_a_lock_whose_clock_fell_back_to_2000_still_changes_state(town: Town) -> None:
    town.send(LOCK, "lock.locked")
    town.now += timedelta(minutes=1)
    town.send(LOCK, "lock.unlocked", at=START.replace(year=2000))
    assert town.state.statuses[LOCK].slots["lock"] == "lock.unlocked"


def test_a_retained_message_and_a_last_will_are_no_sign_of_life(town: Town) -> None:
    heard = town.state.status(PENDANT).last_seen_at
    town.take(Transport.MQTT, f"vaka/1/{PENDANT}/status", b'{"state":"online"}', retained=True)
    town.take(Transport.MQTT, f"vaka/1/{PENDANT}/status", b'{"state":"offline"}')
    assert town.state.status(PENDANT).last_seen_at == heard
