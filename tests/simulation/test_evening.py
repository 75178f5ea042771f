"""The scripted evening: repeatable, valid on the wire, every alert class provoked and nothing else."""

import itertools
import os
import subprocess
import sys
from collections import Counter
from datetime import datetime, timedelta
from math import cos, hypot, radians
from pathlib import Path

import msgspec
import pytest

from gateway.contract.errors import ConfigurationError
from gateway.model.registry import Registry
from gateway.model.vocabulary import BY_WIRE
from simulators.evening import Evening
from simulators.municipality import make_municipality
from simulators.outputs import Link, Message
from simulators.stage import Stage, digest, play
from simulators.town import make_devices
from tests.simulation.town import START, Said, make_evening, said, steps_of

EVENING = make_evening()
STEPS = steps_of(EVENING)
BROKEN = EVENING.provoked["malformed"]
SAID = said(STEPS, skip=frozenset({BROKEN}))
ODD = {EVENING.provoked["wrong_type"], EVENING.provoked["unknown_type"]}


def of(device: str, kind: str) -> list[Said]:
    return [one for one in SAID if one.device == device and one.type == f"vaka.{kind}.v1"]


def provoked(alert: str, kind: str) -> list[Said]:
    return of(EVENING.provoked[alert], kind)


def minute(one: Said) -> float:
    return (one.at - START) / timedelta(minutes=1)


def link_downs(device: str) -> list[datetime]:
    return [s.at for s in STEPS if s.device == device and s.output == Link(up=False)]


def test_the_same_seed_gives_the_same_bytes_at_the_same_times() -> None:
    assert digest(steps_of(make_evening())) == digest(STEPS)


def test_another_seed_gives_another_evening() -> None:
    assert digest(steps_of(make_evening(seed=2))) != digest(STEPS)


def test_more_homes_change_nothing_in_the_homes_that_were_there() -> None:
    present = {step.device for step in STEPS} - {"demo/spare-001", "demo/ghost-001"}
    larger = [step for step in steps_of(make_evening(homes=30)) if step.device in present]
    assert digest(larger) == digest(step for step in STEPS if step.device in present)


def test_the_trace_runs_forward_in_time() -> None:
    assert all(before.at <= after.at for before, after in itertools.pairwise(STEPS))


@pytest.mark.parametrize("device", sorted({one.device for one in SAID} - ODD))
def test_every_word_is_in_the_vocabulary_and_every_value_has_its_type(device: str) -> None:
    for one in (one for one in SAID if one.device == device):
        msgspec.convert(one.data, BY_WIRE[one.type].values, str_keys=True)
        assert set(one.data) <= set(BY_WIRE[one.type].values.__struct_fields__)
        assert one.time.utcoffset() == timedelta(hours=1)


def test_only_the_scripted_messages_are_invalid() -> None:
    unknown = [one.device for one in SAID if one.type not in BY_WIRE]
    assert unknown == [EVENING.provoked["unknown_type"]]
    raw = [s.output for s in STEPS if s.device == BROKEN and isinstance(s.output, Message)]
    with pytest.raises(msgspec.DecodeError):
        msgspec.json.decode(next(m.payload for m in raw if b"cut-short" in m.payload))
    wrong = [o for o in provoked("wrong_type", "position.update") if o.data["latitude"] == "north"]
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(wrong[0].data, BY_WIRE[wrong[0].type].values)


def test_sequences_rise_and_ids_are_never_used_twice() -> None:
    last: dict[str, int] = {}
    for one in SAID:
        if one.sequence is not None:
            assert one.sequence > last.get(one.device, 0)
            last[one.device] = one.sequence
    assert max(Counter((one.device, one.id) for one in SAID).values()) == 1


def test_a_later_evening_reuses_no_sequence_and_no_id() -> None:
    def tomorrow() -> list[Said]:
        start = START + timedelta(days=1)
        registry = Registry(make_municipality(20, 1).document)
        evening = Evening(make_devices(registry, 1, start), 1, start)
        return said(list(play(Stage(evening.devices), start + timedelta(hours=5))), skip=frozenset({BROKEN}))

    def identities(found: list[Said]) -> set[tuple[str, object]]:
        rows = {(one.device, one.id) for one in found}
        return rows | {(one.device, one.sequence) for one in found if one.sequence is not None}

    assert not identities(SAID) & identities(tomorrow())


def test_every_device_speaks_in_its_own_branch_and_qos_1() -> None:
    for step in STEPS:
        if isinstance(step.output, Message):
            assert step.output.topic.startswith(f"vaka/1/{step.device}/")
            assert step.output.qos == 1
            assert step.output.retain == step.output.topic.endswith("/status")


def test_help_is_called_for_eight_times_from_the_seventh_minute_on() -> None:
    presses = provoked("sos", "alarm.manual")
    assert [one.data["presses"] for one in presses] == [1] * 8
    assert minute(presses[0]) == 7


def test_one_call_for_help_is_43_minutes_old_when_the_link_comes() -> None:
    device = EVENING.provoked["late_event"]
    (call,) = of(device, "alarm.manual")
    (up,) = [s.at for s in STEPS if s.device == device and s.output == Link(up=True)]
    assert up - call.time == timedelta(minutes=43)


def test_one_fall_stands_and_one_is_cancelled_within_thirty_seconds() -> None:
    assert len(provoked("fall", "fall.detected")) == 1
    assert not provoked("fall", "alarm.cancelled")
    (fall,), (cancel,) = (
        provoked("fall_cancelled", "fall.detected"),
        provoked("fall_cancelled", "alarm.cancelled"),
    )
    assert timedelta(0) < cancel.time - fall.time < timedelta(seconds=30)


def metres_from_home(one: Said) -> tuple[float, float]:
    device = next(d for d in EVENING.devices if d.id == one.device)
    assert device.profile.home_at
    latitude, longitude = device.profile.home_at
    north = (float(str(one.data["latitude"])) - latitude) * 111_320
    east = (float(str(one.data["longitude"])) - longitude) * 111_320 * cos(radians(latitude))
    return hypot(north, east), device.profile.radius_m


def test_only_the_lost_person_leaves_a_zone_and_comes_back() -> None:
    outside: Counter[str] = Counter()
    for one in SAID:
        if one.type == "vaka.position.update.v1" and one.data["latitude"] != "north":
            away, radius = metres_from_home(one)
            outside[one.device] += away > radius + 50
    lost = EVENING.provoked["zone_exit"]
    assert {device for device, times in outside.items() if times} == {lost}
    assert outside[lost] > 2
    away, radius = metres_from_home(of(lost, "position.update")[-1])
    assert away < radius - 50


def test_doses_are_missed_where_the_script_says_so_and_taken_elsewhere() -> None:
    missed = {one.device for one in SAID if one.type == "vaka.medication.missed.v1"}
    assert EVENING.provoked["dose_missed"] in missed
    assert missed <= {EVENING.provoked["dose_missed"], EVENING.provoked["dispenser_jam"]}
    (first,) = provoked("dose_missed", "medication.missed")
    assert first.data["dose"] == "dose-3"
    assert provoked("dispenser_jam", "medication.jam")


def test_a_dispenser_and_a_camera_lose_their_links_before_they_are_needed() -> None:
    (away,) = link_downs(EVENING.provoked["dispenser_offline"])
    assert away < START.replace(hour=20, minute=30)
    (dark,) = link_downs(EVENING.provoked["camera_offline"])
    slot = START.replace(hour=19, minute=45)
    assert dark < slot
    looks = provoked("camera_offline", "supervision.performed")
    assert "look-2" not in {one.data["slot"] for one in looks}


def test_one_lock_stays_unlocked_after_a_visit_and_all_others_are_locked() -> None:
    forgot = EVENING.provoked["unlocked_after_visit"]
    for visit in (one for one in SAID if one.type == "vaka.visit.ended.v1"):
        states = [
            o for o in SAID if o.device == visit.device and ".lock.locked" in o.type and o.at <= visit.at
        ]
        unlocked = [
            o for o in SAID if o.device == visit.device and ".lock.unlocked" in o.type and o.at <= visit.at
        ]
        open_now = not states or states[-1].at < unlocked[-1].at
        assert open_now == (visit.device == forgot)
    (unlocked,) = provoked("unlocked_after_visit", "lock.unlocked")
    assert unlocked.data["means"] == "phone"
    assert unlocked.data["credential"]
    (locked,) = provoked("unlocked_after_visit", "lock.locked")
    (ended,) = provoked("unlocked_after_visit", "visit.ended")
    assert locked.at - ended.at > timedelta(minutes=10)


def test_a_flagged_person_opens_the_door_at_night_with_no_visitor_near() -> None:
    registry = Registry(make_municipality(20, 1).document)
    (opened,) = [o for o in provoked("door_at_night", "door.opened") if o.at.hour >= 22]
    enrolment = registry.enrolments[opened.device]
    assert enrolment.person
    assert "night_wandering" in registry.persons[enrolment.person].flags
    lock = next(d.id for d in registry.devices_of(enrolment.home) if d.kind == "lock")
    assert [o.data["means"] for o in of(lock, "lock.unlocked") if o.at.hour >= 22] == ["inside_knob"]
    assert all(opened.at - o.at > timedelta(minutes=15) for o in of(lock, "visit.ended"))


def test_no_other_door_opens_at_night() -> None:
    at_night = {o.device for o in SAID if o.type == "vaka.door.opened.v1" and o.at.hour >= 22}
    assert at_night == {EVENING.provoked["door_at_night"], "demo/lock-009"}


def test_looks_are_missed_or_find_nobody_only_where_the_script_says_so() -> None:
    made = [one for one in SAID if one.type == "vaka.supervision.performed.v1"]
    unseen = [one for one in made if one.data["outcome"] == "not_visible"]
    assert [one.device for one in unseen] == [EVENING.provoked["not_visible_twice"]] * 2
    assert timedelta(minutes=10) < unseen[1].at - unseen[0].at < timedelta(minutes=20)
    cameras = {one.device for one in made}
    first_look = {one.device for one in made if one.data["slot"] == "look-1"}
    assert cameras - first_look == {EVENING.provoked["look_missed"]}


def test_nobody_visits_where_a_look_is_missed_since_a_visit_would_count_as_one() -> None:
    home = next(d.profile.home for d in EVENING.devices if d.id == EVENING.provoked["look_missed"])
    present = {d.id for d in EVENING.devices if d.profile.home == home}
    assert not [one for one in SAID if one.device in present and ".visit." in one.type]


def test_one_device_falls_silent_while_connected_and_one_is_never_heard() -> None:
    silent = EVENING.provoked["device_silent"]
    assert max(minute(one) for one in SAID if one.device == silent) < 22
    assert not link_downs(silent)
    assert EVENING.provoked["never_heard"] not in {step.device for step in STEPS}


def test_every_other_device_beats_at_least_once_per_interval() -> None:
    excused = {
        EVENING.provoked[a] for a in ("device_silent", "dispenser_offline", "camera_offline", "malformed")
    }
    for device in EVENING.devices:
        beats = [
            s.at
            for s in STEPS
            if s.device == device.id and b".heartbeat." in getattr(s.output, "payload", b"")
        ]
        if device.id in excused or not beats:
            continue
        gaps = [after - before for before, after in itertools.pairwise(beats)]
        assert max(gaps, default=timedelta(0)).total_seconds() <= device.profile.heartbeat_s


def test_strangers_speak_and_are_in_no_enrolment() -> None:
    registry = Registry(make_municipality(20, 1).document)
    for alert, known in (("not_enrolled", True), ("unknown_device", False)):
        device = EVENING.provoked[alert]
        assert provoked(alert, "heartbeat")
        assert (device in registry.devices) == known
        assert device not in registry.enrolments


def test_all_four_classes_are_provoked_within_the_first_forty_minutes() -> None:
    early = {
        step.device.split("/")[1].split("-")[0]
        for step in STEPS
        if step.note and step.at - START < timedelta(minutes=40)
    }
    assert {"gps", "disp", "lock", "cam"} <= early


def test_a_town_that_is_too_small_is_told_how_to_be_larger() -> None:
    with pytest.raises(ConfigurationError, match="--homes 20"):
        make_evening(homes=6)


def test_another_start_than_half_past_six_is_refused() -> None:
    registry = Registry(make_municipality(20, 1).document)
    start = START.replace(hour=9)
    with pytest.raises(ConfigurationError, match="18:30"):
        Evening(make_devices(registry, 1, start), 1, start)


PRINT_DIGEST = """
from tests.simulation.town import digest, make_evening, steps_of
print(digest(steps_of(make_evening())))
"""


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_another_process_gives_the_same_bytes(hash_seed: str) -> None:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", PRINT_DIGEST], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == digest(STEPS)
