"""Faults on the way: what is lost is sent again, what is held comes late, what is damaged is kept aside."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import TypeAdapter

from simulators.devices import Device
from simulators.faults.active import settle
from simulators.faults.copies import flipped, shifted
from simulators.faults.medium import Faulty
from simulators.faults.spec import AnyFault
from simulators.faults.when import length, moment
from simulators.house.port import Arrival
from simulators.outputs import Link, Message
from simulators.scenarios.scenario import read_scenario
from simulators.swarm.run import Run, run_once
from simulators.world.make import Plan, make_world

START = datetime(2026, 11, 22, 17, 30, tzinfo=UTC)
UNTIL = START + timedelta(hours=2)
WORLD = Plan(homes=5, life="still", crew="none")
ALARM = "demo/social-001"


def medium(*faults: dict[str, Any]) -> tuple[Faulty, Device]:
    """A medium with faults, and its social alarm, which is connected."""
    world = make_world(WORLD, 1, START, secret=False)
    read = TypeAdapter(list[AnyFault]).validate_python(list(faults))
    settled = settle(read, lambda where: world.find(str(where)), 1, START, UNTIL)
    made = Faulty(world.devices, settled, 1, START)
    made.link(START, ALARM, up=True)
    made.arrivals(START)
    return made, world.devices[ALARM]


def arrivals(made: Faulty, until: datetime = UNTIL) -> list[Arrival]:
    """Everything that arrives, each acknowledged at once."""
    found: list[Arrival] = []
    while (at := made.next_at()) is not None and at <= until:
        came = made.arrivals(at)
        made.acknowledged([one.token for one in came if one.token])
        found += came
    return found


def messages(came: Sequence[Arrival]) -> list[tuple[int, datetime, bool]]:
    return [(one.token, one.at, one.duplicate) for one in came if isinstance(one.message, Message)]


def send(made: Faulty, times: int = 1, qos: int = 1) -> None:
    for number in range(times):
        said = Message("vaka/1/demo/social-001/event", b'{"id":"%d"}' % number, qos)
        made.carry(START + timedelta(seconds=number), ALARM, said)


def test_without_faults_a_message_arrives_in_the_moment_of_its_sending() -> None:
    made, _ = medium()
    send(made, 3)

    assert [at for _, at, _ in messages(arrivals(made))] == [START + timedelta(seconds=n) for n in range(3)]


def test_what_is_lost_is_sent_again_with_dup_until_it_is_acknowledged() -> None:
    made, _ = medium({"kind": "loss", "chance": 0.5, "where": ALARM})
    send(made, 20)
    came = messages(arrivals(made))

    assert {token for token, _, _ in came} >= set(range(1, 21))
    assert any(duplicate for _, _, duplicate in came)


def test_qos_0_is_lost_for_good() -> None:
    made, _ = medium({"kind": "loss", "chance": 1.0, "where": ALARM})
    send(made, 5, qos=0)

    assert messages(arrivals(made)) == []


def test_a_gateway_that_never_acknowledges_hears_it_again_and_again() -> None:
    made, _ = medium()
    send(made)
    again: list[Arrival] = []
    while (at := made.next_at()) is not None and at <= START + timedelta(minutes=5):
        again += made.arrivals(at)

    assert len([one for one in messages(again) if one[0] == 1]) > 2
    assert [duplicate for token, _, duplicate in messages(again) if token == 1][1:3] == [True, True]


def test_a_delay_holds_messages_and_keeps_their_order() -> None:
    made, _ = medium({"kind": "delay", "seconds": [10, 500], "where": ALARM})
    send(made, 10)
    came = messages(arrivals(made))
    first = [token for token, _, duplicate in came if not duplicate and token <= 10]

    assert first == sorted(first)
    assert min(at for _, at, _ in came) >= START + timedelta(seconds=10)


def test_reordering_lets_later_messages_overtake() -> None:
    made, _ = medium({"kind": "reordering", "chance": 0.5, "seconds": 60, "where": ALARM})
    send(made, 20)
    order = [token for token, _, _ in messages(arrivals(made))]

    assert sorted(order) != order


def test_duplication_brings_a_message_twice() -> None:
    made, _ = medium({"kind": "duplication", "chance": 1.0, "where": ALARM})
    send(made, 3)

    assert sorted(token for token, _, _ in messages(arrivals(made))) == [1, 1, 2, 2, 3, 3]


def test_a_cloud_outage_brings_everything_at_its_end_or_nothing() -> None:
    held = {"kind": "cloud", "where": ALARM, "until": "+30m"}
    made, _ = medium(held)
    send(made, 3)
    assert {at for _, at, _ in messages(arrivals(made))} == {START + timedelta(minutes=30)}

    made, _ = medium({**held, "loses": True})
    send(made, 3)
    early = [one for one in messages(arrivals(made)) if one[1] < START + timedelta(minutes=30)]
    assert early == []


def test_an_outage_keeps_messages_and_its_end_brings_them() -> None:
    made, device = medium({"kind": "mobile", "where": ALARM, "from": "+0s", "until": "+20m", "spread": "10s"})
    made.arrivals(START)
    assert not device.linked
    made.carry(START + timedelta(minutes=1), ALARM, Message("t", b"x"))
    came = arrivals(made)

    assert [one.message for one in came if isinstance(one.message, Link)] == [Link(up=False), Link(up=True)]
    back = messages(came)[0][1]
    assert timedelta(0) <= back - (START + timedelta(minutes=20)) <= timedelta(seconds=10)
    assert device.linked


def test_in_a_storm_everybody_is_back_in_the_same_second() -> None:
    made, _ = medium({"kind": "storm", "where": "social_alarm", "from": "+1m", "until": "+20m"})
    made.link(START, "demo/social-002", up=True)
    came = [one for one in arrivals(made) if one.message == Link(up=True) and one.at > START]

    assert {one.at for one in came} == {START + timedelta(minutes=20)}
    assert len(came) == 2


def test_an_empty_battery_says_and_keeps_nothing() -> None:
    made, _ = medium({"kind": "battery", "where": ALARM, "until": "+1h"})
    send(made, 3)
    came = arrivals(made)

    assert all(one.at >= START + timedelta(hours=1) for one in came if isinstance(one.message, Message))
    assert not [
        one for one in came if isinstance(one.message, Message) and b'"id":"0"' in one.message.payload
    ]


def test_a_wrong_clock_is_in_the_message_for_good() -> None:
    made, _ = medium({"kind": "clock", "jump_s": 3600, "where": ALARM}, {"kind": "loss", "where": ALARM})
    said = Message("t", b'{"time":"2026-11-22T18:30:00.000+01:00"}')
    made.carry(START, ALARM, said)

    assert made.log[1].message.payload == b'{"time":"2026-11-22T19:30:00.000+01:00"}'


def test_damage_turns_exactly_so_many_bits() -> None:
    after = flipped(bytes(64), 1, Random(1))

    assert sum(byte.bit_count() for byte in after) == 1
    assert flipped(b"", 3, Random(1)) == b""


def test_a_message_without_a_moment_is_left_as_it_is() -> None:
    assert shifted(b"no time here", timedelta(hours=1)) == b"no time here"
    assert shifted(b"9999-12-31T23:59:59Z", timedelta(hours=1)) == b"9999-12-31T23:59:59Z"


def test_a_share_of_devices_does_not_depend_on_the_others() -> None:
    world = make_world(WORLD, 1, START, secret=False)
    (fault,) = TypeAdapter(list[AnyFault]).validate_python([{"kind": "power", "share": 0.5}])
    everyone = list(world.devices.values())

    (all_of_them,) = settle([fault], lambda _where: everyone, 1, START, UNTIL)
    (half,) = settle([fault], lambda _where: everyone[::2], 1, START, UNTIL)

    assert half.devices == all_of_them.devices & {device.id for device in everyone[::2]}
    assert 0 < len(all_of_them.devices) < len(everyone)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("1h20m", 4800), ("14d3h", 1_220_400), ("2 h", 7200), ("0.5s", 0.5)]
)
def test_a_length_of_time_is_read_as_it_is_written(text: str, seconds: float) -> None:
    assert length(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "soon", "1x", "h"])
def test_what_is_no_length_of_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a length of time"):
        length(text)


def test_a_local_time_is_the_first_one_after_the_start() -> None:
    start = datetime(2026, 10, 8, 19, 30, tzinfo=ZoneInfo("Europe/Stockholm"))

    assert moment("19:56", start) == start.replace(minute=56)
    assert moment("01:30", start) == start.replace(day=9, hour=1)


# --- the gateway's own faults, and people's ---


def played(*faults: dict[str, Any], lasts: str = "30m") -> Run:
    """A press at +10m in a small still world, with these faults."""
    told = {
        "title": {"sv": "x", "en": "y"},
        "about": {"sv": "x", "en": "y"},
        "homes": 4,
        "life": "still",
        "starts": datetime(2026, 11, 24, 20, 0),  # noqa: DTZ001 - a scenario's start is local
        "lasts": lasts,
        "happens": [{"at": "+10m", "device": "social_alarm:1", "do": "press"}],
        "fault": list(faults),
    }
    run = run_once(read_scenario(told, "mine", "mine"))
    assert run.broken == []
    assert run.evidence is not None
    return run


def sos(run: Run) -> Any:
    assert run.evidence is not None
    (alert,) = [one for one in run.evidence.alerts.values() if one.rule == "sos"]
    return alert


@pytest.mark.parametrize("point", ["idle", "mid_batch", "before_commit", "before_telling"])
def test_a_press_survives_a_gateway_that_ends_around_it(point: str) -> None:
    run = played({"kind": "crash", "point": point, "from": "+10m", "down": "20s"})

    assert run.play.outcome.crashes == 1
    assert sos(run).count == 1


def test_a_disk_that_refuses_holds_the_press_and_loses_nothing() -> None:
    run = played({"kind": "disk", "from": "+9m", "until": "+14m"})

    assert sos(run).count == 1


@pytest.mark.parametrize("mode", ["dead", "hangs"])
def test_a_channel_that_fails_has_failed_for_the_delivery(mode: str) -> None:
    run = played({"kind": "channel", "mode": mode, "from": "+9m", "until": "+11m"})
    assert run.evidence is not None
    reasons = {one.reason for one in run.evidence.deliveries[sos(run).id]}

    assert reasons & {"the channel cannot be reached", "no answer within 15 s"}


def test_a_slow_channel_rings_when_it_lets_the_message_through() -> None:
    run = played({"kind": "channel", "mode": "slow", "seconds": 300, "from": "+9m", "until": "+11m"})
    shown = [rung.at for rung in run.play.outcome.rung if rung.alert == sos(run).id]

    assert min(shown) >= START.replace(day=24, hour=19, minute=10) + timedelta(seconds=60)


def test_a_phone_that_is_off_shows_nothing() -> None:
    run = played({"kind": "phones", "from": "+9m", "until": "+25m"})
    first = START.replace(day=24, hour=19, minute=25)

    assert [rung for rung in run.play.outcome.rung if rung.at < first and rung.alert == sos(run).id] == []
