import json
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from gateway.__main__ import app
from gateway.commands.replay import export_recording
from gateway.config import Settings
from gateway.contract import ConfigurationError, VakaError
from gateway.model.alert import Severity
from gateway.recording.file import Recording
from gateway.replay.backtest import Asked, BackTest, Job, compare
from gateway.replay.crew import Crew
from gateway.replay.difference import pairs
from gateway.replay.result import Judged, Result
from gateway.replay.rulesets import Change, as_recorded, changed, numbers_of
from gateway.rule_files import catalogue
from tests.unit.replay.kit import START

RUN = CliRunner()


def result(file: Path, change: Change | None = None) -> Result:
    test = BackTest(file, "test", None)
    then = as_recorded((), None)
    if change is None:
        return test.run(Job(then, shadows=True))
    return test.run(Job(changed(then, (), None, change), change.told))


@pytest.fixture(scope="module")
def base(file: Path) -> Result:
    return result(file)


def test_every_recorded_alert_comes_again_and_has_the_answers_of_its_crew(base: Result) -> None:
    assert base.came_again == base.recorded_alerts > 50
    assert {one.answered for one in base.alerts} <= {"recorded", "", "habit"}
    assert sum(one.answered == "recorded" for one in base.alerts) > 40
    assert sum(one.answered == "habit" for one in base.alerts) <= 2


def test_a_number_that_is_changed_moves_the_alerts_of_its_rule_alone(base: Result, file: Path) -> None:
    after = result(file, Change(numbers=("fall.confirm_s=50",)))

    moved = [pair for pair in pairs(base.alerts, after.alerts) if pair.what]
    falls = [pair for pair in moved if "fall" in {one.rule for one in (pair.before, pair.after) if one}]

    assert [(pair.what, pair.moved) for pair in falls] == [("later", timedelta(seconds=20))]
    assert len(moved) <= 3, moved


def test_the_answers_of_an_alert_that_comes_later_come_as_much_later(base: Result, file: Path) -> None:
    after = result(file, Change(numbers=("fall.confirm_s=50",)))

    (before,) = (one for one in base.alerts if one.rule == "fall")
    (later,) = (one for one in after.alerts if one.rule == "fall")

    assert before.taken_s is not None
    assert later.taken_s == pytest.approx(before.taken_s, abs=1)
    assert later.answered == "recorded"


def test_what_nobody_answered_because_it_never_was_is_answered_as_the_crew_mostly_does(file: Path) -> None:
    after = result(file, Change(activate=("fall_still",)))
    crew = Crew(Recording(file).examine())
    habit = crew.habit(Severity.HIGH)

    (new,) = (one for one in after.alerts if one.rule == "fall_still")

    assert habit is not None
    assert new.answered == "habit"
    assert new.taken_s == pytest.approx(habit.taken_s, abs=1)


def test_a_run_is_the_same_every_time(file: Path) -> None:
    change = Change(activate=("X4",))

    assert msgspec.json.encode(result(file, change)) == msgspec.json.encode(result(file, change))


def test_shadow_rules_are_judged_against_their_budget(base: Result) -> None:
    judged = {one.rule: one for one in base.judged}

    assert judged["fall_still"].state == "shadow"
    assert judged["fall_still"].raised == 1
    assert judged["fall_still"].budget == 0.3
    assert judged["fall_still"].verdict == "too short a time to tell"
    assert judged["fall"].persons == 8
    assert judged["wrong_cartridge"].verdict == ""


def test_a_verdict_needs_a_week() -> None:
    def verdict(raised: int, budget: float) -> str:
        per_week = raised / 10 / 2
        return Judged(
            rule="r",
            catalogue="X1",
            state="shadow",
            raised=raised,
            false=0,
            persons=10,
            per_week=per_week,
            most=1,
            budget=budget,
            weeks=2,
        ).verdict

    assert verdict(7, 0.3) == "above"
    assert verdict(6, 0.3) == "within"
    assert verdict(0, 0) == "within"


def test_load_is_counted_for_everybody_who_was_asked(base: Result) -> None:
    assert sum(load.offers for load in base.loads.values()) > 100
    assert all(load.busiest <= load.offers for load in base.loads.values())
    assert any(load.calls for load in base.loads.values())
    assert sum(one.climbs for one in base.alerts) > 50


def test_two_processes_give_what_one_gives(file: Path, base: Result) -> None:
    before, after, notes = compare(Asked(file, "test", None, Change(activate=("X4",))), lambda _read: None)

    assert after is not None
    assert notes == ()
    assert before.alerts == base.alerts
    assert before.loads == base.loads
    assert {one.rule for one in after.alerts} - {one.rule for one in before.alerts} == {"fall_still"}


def test_rules_of_the_recording_that_are_not_here_are_told() -> None:
    assert as_recorded(("M7",), None).notes == ("M7 was active then, and is no shadow rule here",)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("fall", "allowed: rule.number=value"),
        ("fall.confirm_s", "allowed: rule.number=value"),
        ("nothing.confirm_s=3", "allowed: rule.number=value"),
        ("fall.weight=3", "found 'weight' of fall; allowed: confirm_s"),
        ("fall.confirm_s=soon", "allowed: a number"),
        ("fall.confirm_s=-1", "allowed: a number"),
        ("fall.confirm_s=nan", "allowed: a number"),
    ],
)
def test_a_number_that_cannot_be_set_is_refused_in_words(words: str, told: str) -> None:
    with pytest.raises(VakaError, match="--set") as error:
        numbers_of([words], catalogue())

    assert told in str(error.value)


def test_a_rule_that_is_not_in_shadow_cannot_be_switched_on() -> None:
    with pytest.raises(ConfigurationError, match=r"--activate: found 'fall'; allowed: .*fall_still"):
        changed(as_recorded((), None), (), None, Change(activate=("fall",)))


def test_a_part_of_a_journal_begins_with_what_held_then(lived: Path, tmp_path: Path) -> None:
    span = (START + timedelta(hours=2), START + timedelta(hours=3))
    out = tmp_path / "part.gz"
    export_recording(Settings(), lived, out, span, keep=True)
    recording = Recording(out)

    first = next(iter(recording.inputs()))
    found = result(out)

    assert (recording.header.since, recording.header.until) == span
    assert first.n == 1  # less than a week was before it: the recording is told from its beginning
    assert all(span[0] <= one.raised_at <= span[1] for one in found.alerts)
    assert found.came_again == found.recorded_alerts > 3


def test_a_part_from_the_middle_has_its_registry_and_is_no_silence(
    lived: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.recording.export.WARM_UP", timedelta(minutes=30))
    out = tmp_path / "part.gz"
    export_recording(Settings(), lived, out, (START + timedelta(hours=3), None), keep=True)
    recording = Recording(out)
    kinds = [line.__struct_config__.tag for line in recording.inputs()]

    found = result(out)

    assert recording.header.opening
    assert kinds[0] == "registry"
    assert sum(one.rule == "device_silent" for one in found.alerts) <= 3
    assert found.alerts


def test_the_commands_tell_a_table_and_json(lived: Path, tmp_path: Path) -> None:
    out, earlier = tmp_path / "e.gz", tmp_path / "before.json"
    exported = RUN.invoke(app, ["export", "--data", str(lived), "--out", str(out)])
    assert exported.exit_code == 0, exported.output
    assert "personal data removed" in exported.stdout

    as_json = RUN.invoke(app, ["replay", str(out), "--json"])
    earlier.write_text(as_json.stdout)
    table = RUN.invoke(app, ["replay", str(out), "--against", str(earlier), "--set", "fall.confirm_s=50"])

    assert as_json.exit_code == 0
    assert table.exit_code == 0, table.output
    assert "20 s later" in table.stdout
    assert "Load of who was asked" in table.stdout
    assert "fall (G2, active):" in table.stdout
    compared = RUN.invoke(app, ["replay", str(out), "--against", str(earlier), "--json"])
    assert json.loads(compared.stdout)["moved"] == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["replay", "nowhere.gz"], "nowhere.gz: No such file"),
        (["replay", "{file}", "--set", "fall=3"], "--set: found 'fall=3'"),
        (["replay", "{file}", "--activate", "sos"], "--activate: found 'sos'"),
        (["replay", "{file}", "--rules", "{file}"], "allowed: a folder"),
        (["replay", "{file}", "--against", "nowhere.json"], "nowhere.json: No such file"),
        (["replay", "{file}", "--against", "{file}"], "allowed: what vaka replay --json printed"),
        (["export", "--data", "nowhere", "--out", "x.gz"], "nowhere/state.db: there is no such file"),
        (["export", "--data", "{data}", "--out", "{data}/x/y.gz"], "No such file"),
        (["export", "--data", "{data}", "--out", "x.gz", "--from", "june"], "--from: found 'june'"),
        (["export", "--data", "{data}", "--out", "x.gz", "--from", "2030-01-01"], "found no frame between"),
    ],
)
def test_a_mistake_is_one_clear_line(arguments: list[str], told: str, file: Path, lived: Path) -> None:
    words = [word.format(file=file, data=lived) for word in arguments]

    ran = RUN.invoke(app, words)

    assert ran.exit_code == 2, ran.output
    assert told in ran.output
    assert "Traceback" not in ran.output
