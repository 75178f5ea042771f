"""Single devices: what they answer, what they keep, and that chance belongs to each alone."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from simulators.devices import Camera, Device, Dispenser, GpsAlarm, Lock, Profile, SocialAlarm
from simulators.devices.base import Daily
from simulators.outputs import Link, Message, Output
from simulators.stage import Stage, play
from tests.simulation.town import START


def profile(name: str = "lock-001", **more: Any) -> Profile:
    zone: Any = START.tzinfo
    return Profile(seed=1, tenant="demo", name=name, home="home-001", zone=zone, started_at=START, **more)


def bodies(outputs: list[Output], leaf: str) -> list[dict[str, Any]]:
    messages = [o for o in outputs if isinstance(o, Message) and o.topic.endswith(f"/{leaf}")]
    return [msgspec.json.decode(message.payload) for message in messages]


def played(device: Device, minutes: float) -> list[Output]:
    steps = play(Stage([device]), START + timedelta(minutes=minutes))
    return [step.output for step in steps if step.output is not None]


def command(do: str, key: str = "c-1", seconds: float = 30) -> bytes:
    return msgspec.json.encode({"id": key, "do": do, "expires": START + timedelta(seconds=seconds)})


def test_a_lock_obeys_a_command_and_answers_with_its_id() -> None:
    lock = Lock(profile())
    outputs = lock.command(START, command("unlock"))
    assert [body["type"] for body in bodies(outputs, "event")] == ["vaka.lock.unlocked.v1"]
    (result,) = bodies(outputs, "result")
    assert (result["id"], result["outcome"]) == ("c-1", "done")
    assert not lock.locked


def test_a_command_sent_twice_is_carried_out_once_and_answered_twice() -> None:
    lock = Lock(profile())
    lock.command(START, command("unlock"))
    again = lock.command(START, command("unlock"))
    assert not bodies(again, "event")
    assert bodies(again, "result")[0]["outcome"] == "done"


@pytest.mark.parametrize(
    ("payload", "outcome"),
    [
        (command("unlock", seconds=-1), "expired"),
        (b'{"id":"c-1","do":"unlock"}', "rejected"),
        (b'{"id":"c-1","do":"unlock","expires":"2026-11-22T19:00:00"}', "rejected"),
        (b'{"id":"c-1","do":"explode","expires":"2026-11-22T19:00:00Z"}', "rejected"),
        (b'{"do":"unlock","expires":"2026-11-22T19:00:00Z"}', "rejected"),
        (b"not JSON", "rejected"),
        (b"[1]", "rejected"),
    ],
)
def test_a_command_that_is_late_or_wrong_moves_no_bolt(payload: bytes, outcome: str) -> None:
    lock = Lock(profile())
    outputs = lock.command(START, payload)
    assert not bodies(outputs, "event")
    assert bodies(outputs, "result")[0]["outcome"] == outcome
    assert lock.locked


def test_a_jammed_lock_says_so_and_fails_the_command() -> None:
    lock = Lock(profile())
    lock.jam(START)
    outputs = lock.command(START, command("lock"))
    assert bodies(outputs, "event")[0]["type"] == "vaka.lock.jammed.v1"
    assert bodies(outputs, "result")[0]["outcome"] == "failed"


def test_a_device_without_commands_rejects_them() -> None:
    (result,) = bodies(SocialAlarm(profile("social-001")).command(START, command("unlock")), "result")
    assert result["outcome"] == "rejected"


def test_a_configuration_is_confirmed_once_with_its_revision() -> None:
    lock = Lock(profile())
    (status,) = bodies(lock.configure(START, b'{"revision":7}'), "status")
    assert status["config_revision"] == 7
    assert not lock.configure(START, b'{"revision":7}')
    assert not lock.configure(START, b'{"revision":"x"}')


def test_a_last_will_says_that_the_connection_was_lost() -> None:
    will = Lock(profile()).will()
    assert (will.topic, will.retain, will.qos) == ("vaka/1/demo/lock-001/status", True, 1)
    assert msgspec.json.decode(will.payload) == {"state": "offline", "reason": "connection lost"}


def test_a_device_without_a_link_keeps_events_but_no_heartbeats() -> None:
    gps = GpsAlarm(profile("gps-001", heartbeat_s=60))
    gps.plan(START, gps.switch_on)
    gps.plan(START + timedelta(minutes=1), gps.go_down)
    gps.plan(START + timedelta(minutes=20), gps.press)
    gps.plan(START + timedelta(minutes=30), gps.come_up)
    outputs = played(gps, 30)
    down = outputs.index(Link(up=False))
    assert [body["type"] for body in bodies(outputs[down:], "event")] == ["vaka.alarm.manual.v1"]


def test_every_press_tells_of_itself_alone_because_presses_add_up() -> None:
    alarm = SocialAlarm(profile("social-001"))
    told = [bodies(alarm.press(START + timedelta(minutes=m)), "event")[0] for m in (0, 1, 2, 30)]
    assert [body["data"]["presses"] for body in told] == [1, 1, 1, 1]


def test_a_dispenser_reminds_dispenses_and_sees_the_dose_taken_every_day() -> None:
    dispenser = Dispenser(profile("disp-001", doses=(Daily("dose-3", 18, 35, 30),)))
    dispenser.plan(START, dispenser.switch_on)
    kinds = [body["type"] for body in bodies(played(dispenser, 26 * 60), "event")]
    doses = [kind.split(".")[2] for kind in kinds if "medication" in kind]
    assert doses == ["reminded", "dispensed", "taken"] * 2


def test_a_dispenser_that_jams_between_reminder_and_dose_misses_it() -> None:
    dispenser = Dispenser(profile("disp-001", doses=(Daily("dose-3", 18, 35, 30),)))
    dispenser.plan(START, dispenser.switch_on)
    dispenser.plan(START + timedelta(minutes=5, seconds=1), dispenser.jam)
    kinds = [body["type"] for body in bodies(played(dispenser, 60), "event") if "medic" in body["type"]]
    assert [kind.split(".")[2] for kind in kinds] == ["reminded", "jam", "missed", "retracted"]


def test_a_camera_without_a_link_makes_no_look() -> None:
    camera = Camera(profile("cam-001", looks=(Daily("look-1", 18, 40, 15),)))
    camera.plan(START, camera.switch_on)
    camera.plan(START + timedelta(minutes=1), camera.go_down)
    assert not [b for b in bodies(played(camera, 60), "event") if "supervision" in b["type"]]


def test_a_camera_opens_and_closes_its_stream_around_every_look() -> None:
    camera = Camera(profile("cam-001", looks=(Daily("look-1", 18, 40, 15),)))
    camera.plan(START, camera.switch_on)
    kinds = [b["type"] for b in bodies(played(camera, 60), "event") if "heartbeat" not in b["type"]]
    assert [kind.removeprefix("vaka.").removesuffix(".v1") for kind in kinds] == [
        "stream.opened",
        "supervision.performed",
        "stream.closed",
    ]


def test_a_hung_device_never_speaks_again() -> None:
    alarm = SocialAlarm(profile("social-001"))
    alarm.plan(START, alarm.switch_on)
    alarm.plan(START + timedelta(minutes=2), alarm.hang)
    assert len(played(alarm, 600)) == len([Link(up=True), "status"])


def test_a_command_wakes_the_stage_earlier_than_the_agenda_said() -> None:
    lock = Lock(profile())
    stage = Stage([lock])
    lock.plan(START + timedelta(hours=1), lock.switch_on)
    stage = Stage([lock])
    lock.plan(START + timedelta(minutes=1), lock.jam)
    stage.tell(lock.id, "config", b'{"revision":1}', START)
    assert stage.next_at() == START + timedelta(minutes=1)
    assert len(stage.advance(START + timedelta(minutes=1))) == 1
    assert stage.next_at() == START + timedelta(hours=1)
