"""`vaka people` and `vaka route` on a data directory, as an operator types them."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.__main__ import app
from gateway.stores.lock import hold
from gateway.stores.sqlite_journal import SqliteJournal
from simulators.files import write_municipality
from simulators.municipality import make_municipality

DEVICE = "demo/gps-001"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    write_municipality(make_municipality(20, seed=1), tmp_path)
    path = tmp_path / "vaka.toml"
    path.write_text(
        f'data_dir = "{tmp_path}/data"\nregistry = "{tmp_path}/registry.toml"\n', encoding="utf-8"
    )
    return path


def vaka(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, words)
    return done.exit_code, done.output


def test_who_would_be_called_is_told_from_a_registry_alone(config: Path) -> None:
    code, told = vaka("route", f"{DEVICE} alarm.manual", "--at", "2026-12-24 23:10", "-c", str(config))
    assert code == 0
    lines = told.splitlines()
    assert lines[1].startswith("2026-12-24 23:10:00  called      staff-")
    assert "on duty in night-patrol" in lines[1]
    assert "alarm-centre, again and again until a person answers" in lines[-1]


def test_the_same_as_json(config: Path) -> None:
    words = ("route", f"{DEVICE} alarm.manual", "--at", "2026-12-24T12:00", "--json", "-c", str(config))
    code, told = vaka(*words)
    assert code == 0
    assert [line["what"] for line in json.loads(told)][:2] == ["raised", "called"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("route", "demo/gps-001"), "'<device> <event>'"),
        (("route", "nothing alarm.manual"), "device: found 'nothing'"),
        (("route", f"{DEVICE} alarm.manual", "--at", "tomorrow"), "--at: found 'tomorrow'"),
        (("people", "import", "shifts", "missing.csv"), "missing.csv"),
        (("people", "duty", "--at", "noon"), "found 'noon'"),
    ],
)
def test_what_cannot_be_done_is_one_clear_line(config: Path, words: tuple[str, ...], said: str) -> None:
    code, told = vaka(*words, "-c", str(config))
    assert code == 2
    assert said in told
    assert len(told.splitlines()) == 1


def test_a_plan_is_checked_by_the_real_step_and_then_journalled(config: Path, tmp_path: Path) -> None:
    plan = tmp_path / "week.csv"
    plan.write_text("staff,team,since,until\nstaff-01,care-group,2026-12-24 07:00,2026-12-24 15:00\n")
    words = ("people", "import", "shifts", str(plan), "-c", str(config))
    assert vaka(*words) == (0, "journalled as frame 2; it holds from the gateway's next start\n")
    journal = SqliteJournal(tmp_path / "data" / "state.db")
    try:
        (registry, frame) = journal.read(0, 10)
    finally:
        journal.close()
    assert [registry.channel, frame.channel] == ["registry", "people/shifts"]
    plan.write_text("staff,team,since,until\nstranger,care-group,2026-12-24 07:00,2026-12-24 15:00\n")
    code, told = vaka(*words)
    assert (code, "staff: found 'stranger'" in told) == (2, True)


def test_a_running_gateways_directory_is_left_alone(config: Path, tmp_path: Path) -> None:
    plan = tmp_path / "staff.csv"
    plan.write_text("ref,teams\nstaff-90,care-group\n")
    with hold(tmp_path / "data"):
        code, told = vaka("people", "import", "staff", str(plan), "-c", str(config))
    assert (code, "in use by another running gateway" in told) == (2, True)


def test_who_is_on_duty_is_told_for_every_team(config: Path) -> None:
    code, told = vaka("people", "duty", "--at", "2026-12-24 12:00", "-c", str(config))
    assert code == 0
    assert "alarm-centre: answers as one, at all hours" in told
    assert "night-patrol: nobody" in told
