"""Scenario files: what they may say, what their errors say, and what comes of those of the library."""

from pathlib import Path

import pytest

from gateway.contract.errors import ConfigurationError
from simulators.scenarios.build import build
from simulators.scenarios.expected import unmet
from simulators.scenarios.hops import Hop, chains, report, report_json
from simulators.scenarios.scenario import load_scenario, names
from simulators.scenarios.write import text_of
from simulators.swarm.chance import random_scenario
from simulators.swarm.run import Run, run_once

SMALL = """
title = { sv = "Liten", en = "Small" }
about = { sv = "En knapp.", en = "One button." }
homes = 2
life = "still"
starts = 2026-11-24T22:00:00
lasts = "20m"

[[happens]]
at = "22:05"
device = "social_alarm:1"
do = "press"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", names())
def test_a_scenario_of_the_library_can_be_read_and_written_again(name: str, tmp_path: Path) -> None:
    scenario = load_scenario(name)
    again = load_scenario(written(tmp_path, text_of(scenario)))

    assert again.model_copy(update={"name": name}) == scenario
    assert scenario.title.sv != scenario.title.en


@pytest.mark.parametrize("seed", range(20))
def test_a_scenario_made_by_chance_is_its_file(seed: int, tmp_path: Path) -> None:
    scenario = random_scenario(seed)
    again = load_scenario(written(tmp_path, text_of(scenario)))

    assert again.model_copy(update={"name": scenario.name}) == scenario


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("colour = 3", "mine.toml: colour: found 3; allowed: a key that docs/simulation.md names"),
        ('lasts = "a while"', "mine.toml: found Cannot overwrite a value"),
        ("homes = 0", "mine.toml: homes"),
        ("[[fault]]\nkind = 'gremlins'", "mine.toml: fault.0: found"),
        ("[[fault]]\nkind = 'loss'\nchance = 2", "mine.toml: fault.0.loss.chance: found 2; allowed: "),
        ("[[fault]]\nkind = 'disk'\nfrom = 'noon'", 'allowed: a local time as "22:10", or a length'),
        ("[[happens]]\ndevice = 'lock:1'\ndo = 'jam'", "happens.1: found neither; allowed: at or every"),
    ],
)
def test_a_mistake_names_file_key_what_was_found_and_what_is_allowed(
    line: str, said: str, tmp_path: Path
) -> None:
    text = SMALL.replace("homes = 2\n", "") if line.startswith("homes") else SMALL
    text = f"{line}\n{text}" if "[[" not in line else f"{text}\n{line}\n"

    with pytest.raises(ConfigurationError) as caught:
        load_scenario(written(tmp_path, text))

    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ('device = "social_alarm:9"', "social_alarm:9"),
        ('device = "product:Nosuch"', "product: found 'Nosuch'; allowed: simulated"),
        ('device = "lock:1"', "do = 'press' for demo/lock-001; allowed: "),
    ],
)
def test_a_place_or_an_action_that_is_not_there_is_named(found: str, said: str, tmp_path: Path) -> None:
    scenario = load_scenario(written(tmp_path, SMALL.replace('device = "social_alarm:1"', found)))

    with pytest.raises(ConfigurationError) as caught:
        build(scenario)

    assert said in str(caught.value)


def test_an_unknown_name_lists_the_library() -> None:
    with pytest.raises(ConfigurationError, match="lulea"):
        load_scenario("nowhere")


def checked(name: str) -> Run:
    run = run_once(load_scenario(name))
    assert run.broken == []
    assert run.evidence is not None
    assert unmet(run.play.scenario.expect, run.evidence) == []
    return run


def test_the_first_carer_has_an_alarm_of_lulea_within_a_minute() -> None:
    run = checked("lulea")
    assert run.evidence is not None
    first = next(chain for chain in chains(run.evidence) if chain.rule == "sos")

    took_s = first.seconds(Hop.HAPPENED, Hop.DISPLAYED)

    assert took_s is not None
    assert took_s < 60


@pytest.mark.parametrize(
    ("name", "hop", "told"),
    [
        ("lulea-held", Hop.ARRIVED, "5 h 34 min of it between device and gateway"),
        ("lulea-slow-phones", Hop.DISPLAYED, "of it in the channel, until a phone showed it"),
    ],
)
def test_the_report_names_the_hop_where_the_five_hours_were_spent(name: str, hop: Hop, told: str) -> None:
    run = checked(name)
    assert run.evidence is not None
    first = next(chain for chain in chains(run.evidence) if chain.rule == "sos")
    spent = next(one for one in first.hops if one.hop is hop)

    assert first.spent_at is hop
    assert 5 * 3600 < spent.took_s < 6 * 3600
    assert told in report([first])
    assert first.alert.encode() in report_json([first])


@pytest.mark.parametrize(
    "name", ["camera-privacy", "dispenser-recall", "regional-outage", "shift-change", "wandering"]
)
def test_a_scenario_of_the_library_comes_out_as_it_expects(name: str) -> None:
    checked(name)


def test_what_did_not_come_as_expected_is_said_with_figures(tmp_path: Path) -> None:
    wanted = "\n[expect]\nalerts = { fall = { min = 1 }, sos = { max = 0 } }\nfirst_carer_within_s = 0.5\n"
    run = run_once(load_scenario(written(tmp_path, SMALL + wanted)))
    assert run.evidence is not None

    said = unmet(run.play.scenario.expect, run.evidence)

    assert said[0] == "alerts of fall: found 0; expected 1 to any number"
    assert said[1] == "alerts of sos: found 1; expected 0 to 0"
    assert "in the channel, until a phone showed it; expected 0 s" in said[2]
