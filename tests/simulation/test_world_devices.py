"""What devices do wrong: batteries, weak radio, clocks, and the faults of firmware, each by itself."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from simulators.devices import MAKERS, Device, Lock, Profile, SocialAlarm
from simulators.devices.product import (
    CLOCK_UNSET,
    DOUBLE_PRESS,
    PRODUCTS,
    QUIRKS,
    REPEATS,
    RETAINED,
    SEQUENCE_RESTARTS,
    Traits,
)
from simulators.outputs import Link, Message, Output
from tests.simulation.town import START


def made(kind: str = "social_alarm", quirk: str = "", **traits: Any) -> Device:
    zone: Any = START.tzinfo
    found = Traits(quirks=frozenset({quirk} if quirk else ()), **traits)
    name = f"{kind}-001"
    return MAKERS[kind](
        Profile(
            seed=1,
            tenant="demo",
            name=name,
            home="home-001",
            zone=zone,
            started_at=START,
            traits=found,
            alone=False,
        )
    )


def bodies(outputs: Sequence[Output]) -> list[dict[str, Any]]:
    return [msgspec.json.decode(o.payload) for o in outputs if isinstance(o, Message) and "/event" in o.topic]


def later(device: Device, minutes: float) -> list[Output]:
    steps = device.wake(START + timedelta(minutes=minutes))
    return [step.output for step in steps if step.output is not None]


def test_a_battery_runs_low_then_critical_then_dead_and_a_new_one_brings_it_back() -> None:
    lock = made("lock", battery_days=2)
    lock.switch_on(START)
    lock.run_down(START, 21)
    words = [body["type"] for body in bodies(later(lock, 24 * 60)) if "battery" in body["type"]]
    assert words == ["vaka.battery.low.v1", "vaka.battery.critical.v1"]
    assert lock.silent
    assert not bodies(later(lock, 25 * 60))
    back = lock.act(START + timedelta(hours=26), "change_battery")
    assert Link(up=True) in back
    assert bodies(back)[-1]["type"] == "vaka.battery.ok.v1"


def test_what_happens_while_the_radio_fades_is_heard_late_in_order_with_its_own_time() -> None:
    alarm = made()
    alarm.switch_on(START)
    alarm.act(START, "fade", for_s=120)
    assert not alarm.act(START + timedelta(seconds=30), "press")
    assert not alarm.act(START + timedelta(seconds=60), "cancel")
    heard = bodies(later(alarm, 2))
    assert [body["type"] for body in heard] == ["vaka.alarm.manual.v1", "vaka.alarm.cancelled.v1"]
    assert datetime.fromisoformat(heard[0]["time"]) == START + timedelta(seconds=30)


def test_firmware_that_repeats_sends_its_last_event_again_with_the_same_id() -> None:
    alarm = made(quirk=REPEATS)
    alarm.switch_on(START)
    (first,) = bodies(alarm.press(START))
    alarm.go_down(START)
    assert bodies(alarm.come_up(START)) == [first]


def test_firmware_that_retains_sends_its_state_with_the_flag_at_boot() -> None:
    lock = made("lock", RETAINED)
    said = [o for o in lock.switch_on(START) if isinstance(o, Message) and "/event" in o.topic]
    assert [message.retain for message in said] == [True]


def test_firmware_without_a_set_clock_tells_2020_until_the_network_told_it() -> None:
    alarm = made(quirk=CLOCK_UNSET)
    alarm.switch_on(START)
    (early,) = bodies(alarm.press(START + timedelta(seconds=5)))
    assert (early["time"][:4], early["clockquality"]) == ("2020", "unsynced")
    later(alarm, 4)
    (right,) = bodies(alarm.press(START + timedelta(minutes=5)))
    assert (datetime.fromisoformat(right["time"]), right["clockquality"]) == (
        START + timedelta(minutes=5),
        "synced",
    )


def test_a_button_that_bounces_tells_of_one_press_twice_with_two_ids() -> None:
    alarm = made(quirk=DOUBLE_PRESS)
    said = [*bodies(alarm.press(START)), *bodies(later(alarm, 1))]
    assert [body["type"] for body in said] == ["vaka.alarm.manual.v1"] * 2
    assert said[0]["id"] != said[1]["id"]


def test_a_sequence_that_restarts_counts_from_one_and_reuses_no_id() -> None:
    alarm = made(quirk=SEQUENCE_RESTARTS)
    alarm.switch_on(START)
    (first,) = bodies(alarm.press(START))
    alarm.reboot(START + timedelta(minutes=5))
    later(alarm, 10)
    (second,) = bodies(alarm.press(START + timedelta(minutes=10)))
    assert first["sequence"] == 1
    assert second["sequence"] <= 10
    assert first["id"] != second["id"]


def test_a_clock_that_drifts_is_told_as_unsynced() -> None:
    alarm = made(drift_ppm=100)
    (body,) = bodies(alarm.press(START + timedelta(days=1)))
    assert datetime.fromisoformat(body["time"]) - START == timedelta(days=1, seconds=8.64)
    assert body["clockquality"] == "unsynced"


def test_who_mends_a_device_brings_back_what_hung_and_frees_what_stuck() -> None:
    lock = made("lock")
    assert isinstance(lock, Lock)
    lock.switch_on(START)
    lock.act(START, "jam")
    lock.act(START, "hang")
    assert not lock.act(START, "lock", means="tag")
    back = lock.act(START + timedelta(hours=2), "mend")
    assert Link(up=True) in back
    assert (lock.silent, lock.jammed, lock.locked) == (False, False, True)


@pytest.mark.parametrize("name", sorted(PRODUCTS))
def test_every_product_names_quirks_of_the_table_and_shares_of_a_whole(name: str) -> None:
    product = PRODUCTS[name]
    assert {quirk for quirk, _ in product.quirks} <= set(QUIRKS)
    assert all(0 <= share <= 1 for _, share in product.quirks)


def test_a_silent_device_goes_on_inside_and_its_sequence_with_it() -> None:
    alarm = made()
    assert isinstance(alarm, SocialAlarm)
    alarm.switch_on(START)
    alarm.hang(START)
    assert not alarm.act(START, "press")
    assert not bodies(later(alarm, 60))
