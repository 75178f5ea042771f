"""The world: repeatable to the byte, home by home, and full of what devices and residents do."""

import itertools
import os
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest

from gateway.contract.errors import ConfigurationError
from gateway.model.registry import Registry
from gateway.model.vocabulary import BY_WIRE
from simulators.outputs import Message, Step
from simulators.stage import digest, play
from simulators.world.make import Plan, World, make_world
from simulators.world.shape import names, shape
from tests.simulation.town import said

START = datetime(2026, 11, 23, 18, 0, tzinfo=ZoneInfo("Europe/Stockholm"))


def trace(world: World, hours: float) -> list[Step]:
    return list(play(world.stage, START + timedelta(hours=hours)))


def world_of(homes: int, *, seed: int = 1, **more: object) -> World:
    plan = msgspec.structs.replace(Plan(homes=homes, crew="none"), **more)
    return make_world(plan, seed, START, secret=False)


WORLD = world_of(25)
STEPS = trace(WORLD, 24)
SAID = said(STEPS)


def test_the_same_seed_gives_the_same_world_and_another_seed_another() -> None:
    assert digest(trace(world_of(25), 24)) == digest(STEPS)
    assert digest(trace(world_of(25, seed=2), 24)) != digest(STEPS)


def test_a_further_home_changes_nothing_in_any_other() -> None:
    devices = set(WORLD.devices)
    larger = [step for step in trace(world_of(26), 24) if step.device in devices]
    assert digest(larger) == digest(STEPS)


def test_every_word_that_devices_say_is_in_the_vocabulary_with_values_of_its_type() -> None:
    for one in SAID:
        word = BY_WIRE[one.type]
        msgspec.convert(one.data, word.values, str_keys=True)
        assert set(one.data) <= set(word.values.__struct_fields__)


def test_nobody_tells_the_same_event_twice_but_devices_whose_firmware_repeats() -> None:
    seen = Counter((one.device, one.id) for one in SAID)
    again = {device for (device, _), times in seen.items() if times > 1}
    assert all("repeats_after_reconnect" in WORLD.devices[d].profile.traits.quirks for d in again)


def test_residents_sleep_walk_take_their_medicine_and_are_visited() -> None:
    kinds = Counter(one.type.removeprefix("vaka.").removesuffix(".v1") for one in SAID)
    for kind in (
        "bed.enter",
        "bed.exit",
        "medication.taken",
        "visit.started",
        "lock.unlocked",
        "door.opened",
    ):
        assert kinds[kind] >= 5, kind
    assert kinds["medication.missed"] < kinds["medication.taken"] / 4
    asleep = [one for one in SAID if one.type == "vaka.bed.enter.v1"]
    assert Counter(one.at.astimezone(START.tzinfo).hour for one in asleep).most_common(1)[0][0] in {
        21,
        22,
        23,
    }


def test_a_resident_in_the_bathroom_is_not_seen_and_one_in_bed_is() -> None:
    looks = Counter(one.data["outcome"] for one in SAID if one.type == "vaka.supervision.performed.v1")
    assert looks["seen"] > 5 * looks["not_visible"]


def test_staff_who_visit_are_at_work_and_in_one_home_at_a_time() -> None:
    visits: dict[str, list[tuple[datetime, datetime]]] = {}
    begun: dict[object, tuple[str, datetime]] = {}
    for one in SAID:
        if one.type == "vaka.visit.started.v1":
            begun[one.data["visit"]] = (str(one.data["credential"]), one.at)
        elif one.type == "vaka.visit.ended.v1" and one.data["visit"] in begun:
            who, since = begun[one.data["visit"]]
            visits.setdefault(who, []).append((since, one.at))
    assert visits
    for spans in visits.values():
        spans.sort()
        assert all(left <= next_since for (_, left), (next_since, _) in itertools.pairwise(spans))


def test_a_scenario_names_a_device_by_id_by_number_by_home_and_by_kind() -> None:
    (first,) = WORLD.find("lock:1")
    assert WORLD.find(first.id) == [first]
    assert first in WORLD.find(first.profile.home)
    assert len(WORLD.find("lock")) > 10
    with pytest.raises(ConfigurationError, match="no such device"):
        WORLD.find("lock:999")
    with pytest.raises(ConfigurationError, match="allowed for lock"):
        first.act(START.astimezone(UTC), "press")


@pytest.mark.parametrize("name", names())
def test_a_reference_municipality_has_the_shares_that_its_sources_say(name: str) -> None:
    found = shape(name)
    assert all(one.source for one in found.technology)
    homes = 3000
    kits = Counter(kind for n in range(homes) for kind in found.kit(1, f"home-{n}"))
    for kind, per_1000 in found.rates.items():
        wanted = per_1000 / 1000 * found.inhabitants / found.homes * homes
        assert kits[kind] == pytest.approx(wanted, rel=0.25, abs=12)


def test_a_municipality_larger_than_a_unit_has_teams_for_every_unit() -> None:
    world = world_of(320, life="still", municipality="small")
    registry = Registry(world.document)
    assert {"care-group", "care-group-002", "night-patrol-003"} <= set(registry.teams)
    assert {home.unit for home in registry.homes.values()} == {"unit-north", "unit-002", "unit-003"}
    assert len(registry.staff) == len(
        {staff for one in registry.rotations.values() for t in one.turns for staff in t}
    )


def test_products_are_given_to_homes_in_turn_and_differ() -> None:
    world = world_of(20, products={"medication_dispenser": ("northern dispenser", "coastal dispenser")})
    models = Counter(d.model for d in world.document.device if d.kind.value == "medication_dispenser")
    assert models["northern dispenser"] == models["coastal dispenser"] == 6


def test_an_unknown_municipality_is_one_clear_line() -> None:
    with pytest.raises(ConfigurationError, match="allowed: large, middle, small"):
        world_of(20, municipality="metropolis")


PRINT_DIGEST = """
from tests.simulation.test_world import STEPS, digest
print(digest(STEPS))
"""


def test_another_process_with_another_hash_seed_gives_the_same_bytes() -> None:
    environment = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", PRINT_DIGEST], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == digest(STEPS)


def test_messages_leave_in_the_order_of_time() -> None:
    times = [step.at for step in STEPS if isinstance(step.output, Message)]
    assert times == sorted(times)
