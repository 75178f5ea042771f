"""The export: only what is new, the same whatever its steps, and whole after any interruption."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.contract import ConfigurationError
from gateway.pilot import export as exporting
from gateway.pilot import manifest as manifests
from gateway.pilot.export import export, opened, scan
from gateway.pilot.forms import COLUMNS
from tests.unit.pilot.pilot_kit import Notebook, hour
from tests.unit.pilot.two_days import two_days

ADDED_UP = {
    "days": """SELECT device, day, sum(messages), min(first), max(last), sum(unsynced) FROM {0}
    GROUP BY ALL ORDER BY ALL""",
    "alerts": "SELECT id, arg_max(state, version), max(version) FROM {0} GROUP BY id ORDER BY id",
    "deliveries": "SELECT DISTINCT id, alert, recipient FROM {0} ORDER BY id",
}


def contents(folder: Path) -> dict[str, list[Any]]:
    """What the files say, where several rows are of one thing taken together."""
    manifest = manifests.read(folder)
    with opened(folder) as database:
        return {
            table: database.execute(
                ADDED_UP.get(table, "SELECT * FROM {0} ORDER BY ALL").format(scan(folder, manifest, table))
            ).fetchall()
            for table in COLUMNS
        }


def test_small_steps_give_what_one_large_step_gives(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "many").mkdir()
    for name in ("one", "many"):
        two_days().write(tmp_path / name)
    assert contents(export(tmp_path / "one")) == contents(export(tmp_path / "many", step=17))


def test_a_second_export_writes_nothing_and_a_later_one_only_what_is_new(tmp_path: Path) -> None:
    book = two_days()
    last = book.write(tmp_path)
    folder = export(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.parquet")}
    export(tmp_path)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.parquet")} == before

    book.said("A-1", "heartbeat", 61)
    book.write(tmp_path, now_hour=62, first=last + 1)
    export(tmp_path)
    later = contents(folder)
    assert ("A-1", hour(54).replace(tzinfo=None), hour(61).replace(tzinfo=None)) not in later["pauses"]
    assert ("A-1", hour(48).replace(tzinfo=None), hour(61).replace(tzinfo=None)) in later["pauses"]
    assert len([path for path in before if not path.exists()]) == 3  # lasts, beats and statuses are replaced


def test_an_alert_that_changes_later_is_exported_again_and_its_newest_word_holds(tmp_path: Path) -> None:
    book = Notebook()
    book.pilot(homes=["h0"])
    book.home("h0", "p0")
    book.device("d0", "social_alarm", "P", "h0", "p0")
    name = book.alert("d0", "sos", "high", 1, to="team-day", accepted_s=60)
    last = book.write(tmp_path, now_hour=2)
    assert contents(export(tmp_path))["alerts"] == [(name, "accepted", 2)]

    again = Notebook()
    again.tables = book.tables
    again.alert("d0", "sos", "high", 3, to="team-day", accepted_s=60, closed_s=90, outcome="real")
    again.write(tmp_path, now_hour=4, first=last + 1)
    assert contents(export(tmp_path))["alerts"] == [(name, "closed", 3)]


@pytest.mark.parametrize("cut_at", [1, 4, 9])
def test_an_export_that_is_cut_short_is_made_good_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut_at: int
) -> None:
    two_days().write(tmp_path)
    whole = tmp_path / "whole"
    whole.mkdir()
    two_days().write(whole)
    calls = 0
    to_disk: Callable[[Path], None] = exporting.to_disk

    def cut(path: Path) -> None:
        nonlocal calls
        calls += 1
        if calls == cut_at:
            raise KeyboardInterrupt
        to_disk(path)

    with monkeypatch.context() as patched:
        patched.setattr(exporting, "to_disk", cut)
        with pytest.raises(KeyboardInterrupt):
            export(tmp_path, step=50)
    folder = export(tmp_path, step=50)

    assert contents(folder) == contents(export(whole))
    named = {name for files in manifests.read(folder).files.values() for name in files}
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*.parquet")} == named


def test_another_heartbeat_measures_every_silence_again(tmp_path: Path) -> None:
    book = two_days()
    last = book.write(tmp_path)
    folder = export(tmp_path)
    assert any(device == "A-2" for device, *_ in contents(folder)["pauses"]) is False
    for enrolment in book.tables["enrolment"]:
        if enrolment["device"] == "A-2":
            enrolment["heartbeat_s"] = 3600
    book.write(tmp_path, now_hour=61, first=last + 1)
    export(tmp_path)
    assert any(device == "A-2" for device, *_ in contents(folder)["pauses"])


def test_days_are_the_municipalitys_own(tmp_path: Path) -> None:
    two_days().write(tmp_path)
    days = [day.isoformat() for device, day, *_ in contents(export(tmp_path))["days"] if device == "A-1"]

    assert days == ["2026-01-05", "2026-01-06", "2026-01-07"]  # midnight is the next day's


def test_nothing_of_persons_staff_or_places_is_exported(tmp_path: Path) -> None:
    book = two_days()
    book.device("gps", "gps_alarm", "G", "h0", "person-0")
    book.said("gps", "position.update", 3, latitude=59.1, longitude=18.1, accuracy_m=10.0)
    book.write(tmp_path)
    told = str(contents(export(tmp_path)))

    assert "position.update" not in told
    assert "59.1" not in told
    assert "person-" not in told
    assert "anna'" not in told.replace("tag-anna'", "")


def test_two_exports_at_once_are_refused(tmp_path: Path) -> None:
    two_days().write(tmp_path)

    def meanwhile(done: int, of: int) -> None:
        assert 0 < done <= of
        with pytest.raises(ConfigurationError, match="another export is at work"):
            export(tmp_path)

    export(tmp_path, meanwhile)


def test_a_directory_without_a_state_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"state\.db: there is no such file"):
        export(tmp_path)


def test_a_manifest_that_cannot_be_read_says_what_to_do(tmp_path: Path) -> None:
    two_days().write(tmp_path)
    folder = export(tmp_path)
    (folder / manifests.NAME).write_text("{")
    with pytest.raises(ConfigurationError, match="Remove the folder"):
        export(tmp_path)
