"""The words `vaka sim check` and `vaka sim swarm`: what they print, and how they end."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from simulators.scenarios.command import check
from simulators.scenarios.scenario import load_scenario
from simulators.swarm.command import said, swarm
from simulators.swarm.invariants import Violation
from simulators.swarm.swarm import Failure

SMALL = """
title = { sv = "Liten", en = "Small" }
about = { sv = "En knapp.", en = "One button." }
homes = 2
life = "still"
starts = 2026-11-24T22:00:00
lasts = "10m"

[[happens]]
at = "22:05"
device = "social_alarm:1"
do = "press"
"""


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(SMALL)
    return path


def app() -> typer.Typer:
    made = typer.Typer()
    made.command()(check)
    made.command()(swarm)
    return made


def test_check_shows_the_way_of_an_alarm_and_writes_it_as_data(small: Path, tmp_path: Path) -> None:
    out = tmp_path / "ways.json"

    done = CliRunner().invoke(app(), ["check", str(small), "--hops", "--out", str(out)])

    assert done.exit_code == 0
    assert "sos of demo/social-001 (high)" in done.output
    assert "2026-11-24 22:05:00+01:00  happened" in done.output
    assert done.output.endswith("1 alerts, 0 faults\n")
    (way,) = json.loads(out.read_bytes())
    assert [hop["hop"] for hop in way["hops"]][:3] == ["happened", "sent by the device", "arrived"]


def test_check_ends_with_1_when_something_did_not_come_as_expected(small: Path) -> None:
    small.write_text(SMALL + "\n[expect]\nalerts = { fall = { min = 1 } }\n")

    done = CliRunner().invoke(app(), ["check", str(small)])

    assert done.exit_code == 1
    assert "expected: alerts of fall: found 0; expected 1 to any number" in done.output


def test_swarm_counts_what_it_ran(tmp_path: Path) -> None:
    done = CliRunner().invoke(app(), ["swarm", "--seeds", "1", "--from", "14", "--out", str(tmp_path)])

    assert done.exit_code == 0
    assert "1 seeds, " in done.output
    assert done.output.endswith("0 seeds broke an invariant\n")


def test_a_failing_seed_says_how_it_is_run_again(small: Path) -> None:
    broken = [Violation("nobody is forgotten", "alert 1 is open")]

    lines = said(Failure(7, broken, load_scenario(small), 12), Path("var/swarm")).splitlines()

    assert lines[0] == "seed 7: nobody is forgotten: alert 1 is open"
    assert lines[1].endswith("vaka sim swarm --seeds 1 --from 7")
    assert "vaka sim check var/swarm/seed-7.toml (2 homes, 10m, 1 happenings, 0 faults" in lines[2]
