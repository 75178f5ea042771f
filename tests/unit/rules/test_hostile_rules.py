"""Hostile rule files: each is refused with one clear line, within seconds, and nothing else is lost."""

import resource
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway import rule_files
from gateway.__main__ import app
from gateway.contract import ConfigurationError
from gateway.plugins import load_rules
from gateway.rule_files import examine, joined, own_rules
from rules.language.lint import parse
from rules.language.predicate import MAX_SOURCE, Predicate, PredicateError, check_source
from rules.library import LIBRARY

WITHIN_S = 5.0
"""Processor time, so that a busy machine does not decide."""
GOOD = """
catalogue = "M1"
id = "own_door"
version = 1
state = "active"
source = "the unit's own routine"
budget = 1.0

[numbers]
open_s = 600
accept_s = 300

[texts.sv]
alert = "Dörren står öppen länge"
routine = "Ring upp."

[texts.en]
alert = "The door has been open for long"
routine = "Call."

[[trigger]]
on = ["door.opened"]
when = "WHEN"
for = "open_s"
until = { on = ["door.closed"] }
severity = "low"
accept = "accept_s"

[[vectors]]
name = "ten minutes"
fires = true
devices = { door = { kind = "door_contact" } }
steps = [{ at = 0, says = "door.opened" }, { at = 700 }]
expect = [{ at = 600, severity = "low", accept = 300 }]

[[vectors]]
name = "nine minutes"
fires = false
devices = { door = { kind = "door_contact" } }
steps = [{ at = 0, says = "door.opened" }, { at = 540, says = "door.closed" }]
"""


def with_when(source: str) -> str:
    return GOOD.replace("WHEN", source)


HOSTILE = {
    "200 000 parentheses": (with_when("(" * 200_000 + "true" + ")" * 200_000), "file: found 4"),
    "900 parentheses": (with_when("(" * 900 + "true" + ")" * 900), "trigger.0.when: found brackets 900 deep"),
    "brackets of lists": (
        with_when("size(" + "[" * 30 + "]" * 30 + ") > 0"),
        "trigger.0.when: found brackets 31",
    ),
    "a huge regular expression": (
        with_when("device.role.matches('(a+)+$')"),
        "trigger.0.when: found matches(...); allowed: contains",
    ),
    "a comprehension": (
        with_when("person.flags.all(f, person.flags.all(g, f == g))"),
        "trigger.0.when: found all(...); allowed: contains",
    ),
    "a map macro": (with_when("size(person.flags.map(f, f + f)) > 0"), "trigger.0.when: found map(...)"),
    "an unknown variable": (
        with_when("resident.name == ''"),
        "trigger.0.when: found the variable 'resident'",
    ),
    "an unknown number": (
        with_when("battery < n.limit"),
        "trigger.0.when: found n.limit; allowed: a name under",
    ),
    "3000 characters": (
        with_when(" || ".join(["is_night"] * 250)),
        f"trigger.0.when: found an expression of 2996 characters; allowed: at most {MAX_SOURCE}",
    ),
    "many negations": (with_when("!" * 1500 + "true"), "trigger.0.when: found many signs of negation"),
    "no expression at all": (with_when("true &&"), "trigger.0.when: found 'true &&'"),
    "a field that may be missing": (
        with_when("event.open_s > 3.0"),
        "trigger.0.when: found the number 3.0; allowed: n.<name>",
    ),
    "an unknown field of the event": (with_when("has(event.colour)"), "trigger.0.when: found event.colour"),
    "an unknown key": (GOOD.replace("WHEN", "true") + "\n[wishes]\na = 1\n", "wishes: found an unknown key"),
    "an unknown key of a trigger": (
        with_when("true").replace('for = "open_s"', 'for = "open_s"\nafter = "open_s"'),
        "trigger.0.after: found an unknown key",
    ),
    "an unknown event type": (
        with_when("true").replace('on = ["door.opened"]', 'on = ["door.ajar"]'),
        "trigger.0.on: found 'door.ajar'; allowed: door.opened, door.closed, door.left_open",
    ),
    "tables inside tables": (
        with_when("true") + "\nx = " + "{ a = " * 2000 + "1" + " }" * 2000,
        "file: found tables 20",
    ),
    "lists inside lists": (
        with_when("true") + "\nx = " + "[" * 9000 + "]" * 9000,
        "file: found tables 9000 deep",
    ),
    "a very long dotted key": (
        with_when("true") + "\n" + "a." * 9000 + "b = 1",
        "file: found tables 9000 deep",
    ),
    "no TOML": ("<xml/>", "file: found no TOML"),
    "one of our rules again": (
        with_when("true").replace("own_door", "sos"),
        "id: found 'sos', another rule's",
    ),
    "a place in our catalogue": (
        with_when("true").replace('"M1"', '"G1"'),
        "catalogue: found 'G1'; allowed: M1",
    ),
    "a rule that says it is built in": (
        with_when("true").split("[[trigger]]")[0].replace("version", 'kind = "python"\nversion')
        + GOOD[GOOD.index("[[vec") :],
        "kind: found 'python'; allowed: 'document'",
    ),
    "no vectors": (with_when("true").split("[[vectors]]")[0], "vectors: found none with fires = true"),
    "a vector that does not hold": (
        with_when("true").replace("at = 600, sev", "at = 500, sev"),
        "vectors 'ten minutes': found at=600.0",
    ),
    "a vector of another language": (
        with_when("true").replace('{ at = 0, says = "door.opened" }, { at = 700 }', "{ at = 0, shout = 1 }"),
        "vectors.0: found Object contains unknown field",
    ),
    "an event that no device can say": (
        with_when("true").replace('{ at = 0, says = "door.opened" }, { at = 700 }', '{ says = "door.ajar" }'),
        "vectors 'ten minutes': found 'door.ajar'",
    ),
}


@pytest.mark.parametrize(("text", "line"), HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_file_is_refused_with_one_clear_line_within_seconds(
    tmp_path: Path, text: str, line: str
) -> None:
    file = tmp_path / "hostile.toml"
    file.write_text(text, encoding="utf-8")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    faults = examine([file])
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime < WITHIN_S
    assert faults, "nobody refused it"
    assert faults[0].startswith(f"{file}: {line}"), faults[0]
    assert "; allowed: " in faults[0] or "; expected " in faults[0]
    assert all("\n" not in fault and len(fault) < 600 for fault in faults)


@pytest.mark.parametrize(("text", "line"), HOSTILE.values(), ids=HOSTILE.keys())
def test_the_reader_itself_refuses_it_with_the_same_line(text: str, line: str) -> None:
    """The child process is a second wall, not the first: what is said does not depend on it."""
    faults = LIBRARY.read_one("hostile.toml", text)
    assert not faults if line.startswith("vectors '") else faults[0].startswith(f"hostile.toml: {line}")


TWO_KINDS = """count = { n = "open_s", window = "open_s" }
hysteresis = { value = "open_s", on = "open_s", off = "open_s" }"""
WRONG = {
    "a state of no rule": ('state = "active"', 'state = "sleeping"', "state: found 'sleeping'"),
    "no number for a word": ("open_s = 600", "", "trigger.0.for: found 'open_s'; allowed: a name under"),
    "a number nobody reads": ("open_s = 600", "open_s = 600\nidle_s = 1", "numbers.idle_s: found a number"),
    "an unknown key": ('severity = "low"', 'severity = "low"\nseverty = "high"', "trigger.0.severty: found"),
    "two kinds of gathering": (
        'for = "open_s"',
        TWO_KINDS,
        "trigger.0: found a dict; allowed: a trigger has at most one of count",
    ),
    "for and absent": (
        'for = "open_s"',
        'for = "open_s"\nabsent = { on = ["door.closed"], within = "open_s" }',
        "trigger.0: found a dict; allowed: a trigger has at most one of for and absent",
    ),
    "within and by": (
        'for = "open_s"\n',
        'absent = { on = ["door.closed"], within = "open_s", by = "12:00" }\n',
        "trigger.0.absent: found a dict; allowed: absent has exactly one of within and by",
    ),
    "by without since": (
        'for = "open_s"\n',
        'absent = { on = ["door.closed"], by = "12:00" }\n',
        "trigger.0.absent: found a dict; allowed: by needs since",
    ),
    "an unknown event": ('on = ["door.opened"]', 'on = ["door.ajar"]', "trigger.0.on: found 'door.ajar'"),
    "a device of no kind": ("budget = 1.0", 'budget = 1.0\ndevices = ["gate"]', "devices: found 'gate'"),
    "bounds of nothing": (
        "[texts.sv]",
        "[bounds]\nidle_s = [1, 2]\n\n[texts.sv]",
        "file: found a dict; allowed: bounds names",
    ),
    "a number out of its bounds": (
        "[texts.sv]",
        "[bounds]\nopen_s = [1, 2]\n\n[texts.sv]",
        "file: found a dict; allowed: numbers.open_s",
    ),
    "an answer to no question": ("WHEN", "local.rain > 0", "trigger.0.when: found local.rain"),
    "no field of that event": ("WHEN", "event.colour == 'x'", "trigger.0.when: found event.colour"),
    "a hidden number": ("WHEN", "has(event.open_s) && event.open_s > 17", "trigger.0.when: found the number"),
    "correlated devices of no home": (
        'for = "open_s"',
        'correlate = { key = "person", with = [{ on = ["motion.detected"] }], within = "open_s" }',
        "subject: found 'device'; allowed: 'home'",
    ),
}


@pytest.mark.parametrize(("old", "new", "line"), WRONG.values(), ids=WRONG.keys())
def test_a_document_that_does_not_hold_together_is_refused(old: str, new: str, line: str) -> None:
    text = GOOD.replace(old, new, 1)
    text = text.replace("WHEN", "true")
    document, faults = parse(text)
    assert document is None
    assert any(fault.startswith(line) for fault in faults), faults


def test_a_field_that_may_be_missing_is_asked_for_with_has() -> None:
    _, faults = parse(with_when("event.open_s > n.open_s"))
    assert faults == [
        "trigger.0.when: found event.open_s, which may be missing; allowed: has(event.open_s) && ..."
    ]


def test_the_guard_stops_what_the_engine_would_die_of_before_it_sees_it() -> None:
    for source in ("(" * 200_000, "[" * 200_000, "x" * 200_000, "-" * 1_000 + "1"):
        with pytest.raises(PredicateError, match="allowed: at most"):
            check_source(source)


@pytest.mark.parametrize("source", ["1 +", "'", "a ? b", "has(", "\0", "'\\"])
def test_what_is_no_expression_is_refused_and_never_a_crash(source: str) -> None:
    with pytest.raises(PredicateError, match="allowed"):
        Predicate(source)


def test_a_municipalitys_rule_is_found_beside_ours_with_its_words(tmp_path: Path) -> None:
    (tmp_path / "door.toml").write_text(with_when("true"), encoding="utf-8")
    own = own_rules(tmp_path)
    rules = load_rules(own)
    assert {"own_door", "sos"} <= {rule.id for rule in rules}
    assert joined(own)["sv"]["routine.own_door"] == "Ring upp."


def test_one_faulty_file_keeps_the_gateway_from_starting_with_half_its_rules(tmp_path: Path) -> None:
    (tmp_path / "door.toml").write_text(with_when("true"), encoding="utf-8")
    (tmp_path / "other.toml").write_text("<xml/>", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"other\.toml: file: found no TOML"):
        own_rules(tmp_path)


def test_two_files_with_one_id_are_refused_together(tmp_path: Path) -> None:
    for name in ("a.toml", "b.toml"):
        (tmp_path / name).write_text(with_when("true"), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"b\.toml: id: found 'own_door', another rule's"):
        own_rules(tmp_path)


def test_only_a_shadow_rule_can_be_named_active() -> None:
    rules = {rule.id: rule for rule in load_rules((), ["L3", "home_silent"])}
    assert [rules[name].state.value for name in ("door_ajar", "home_silent", "no_exit")] == [
        "active",
        "active",
        "shadow",
    ]
    with pytest.raises(ConfigurationError, match="active_rules: found 'G1'"):
        load_rules((), ["G1"])


DYING = """
import json, os, signal, sys, time
for name in sys.argv[2:]:
    if "deadly" in name:
        os.kill(os.getpid(), signal.SIGSEGV)
    if "slow" in name:
        time.sleep(60)
    print(json.dumps({"done": name}), flush=True)
"""


def test_a_file_that_kills_or_stops_its_reader_is_refused_by_name_and_the_others_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dying_child.py").write_text(DYING, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(rule_files, "CHILD", "dying_child")
    monkeypatch.setattr(rule_files, "WITHIN_S", 0.3)
    names = ["a.toml", "deadly.toml", "m.toml", "slow.toml", "z.toml"]
    for name in names:
        (tmp_path / name).write_text("", encoding="utf-8")
    faults = examine([tmp_path / name for name in names])
    assert [fault.partition(": ")[0].rpartition("/")[2] for fault in faults] == ["deadly.toml", "slow.toml"]
    assert "one that stops its reader (signal 11)" in faults[0]
    assert "one that takes too long" in faults[1]


def test_files_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    (tmp_path / "folder.toml").mkdir()
    faults = examine([tmp_path / "bytes.toml", tmp_path / "folder.toml", tmp_path / "gone.toml"])
    assert len(faults) == 3
    assert all("; allowed: " in fault for fault in faults)
    with pytest.raises(ConfigurationError, match="rules_dir: found"):
        own_rules(tmp_path / "nowhere")


def test_the_command_says_each_fault_in_a_line_and_good_when_there_is_none(tmp_path: Path) -> None:
    run = CliRunner()
    file = tmp_path / "door.toml"
    file.write_text(with_when("true"), encoding="utf-8")
    assert run.invoke(app, ["rules", "lint", str(file)]).output == "good\n"
    file.write_text(with_when("nobody"), encoding="utf-8")
    result = run.invoke(app, ["rules", "lint", str(tmp_path)])
    assert (result.exit_code, result.output.count("\n")) == (2, 1)
    assert "found the variable 'nobody'" in result.output


def test_the_configured_folder_is_linted_by_check(tmp_path: Path) -> None:
    run = CliRunner()
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "door.toml").write_text(with_when("nobody"), encoding="utf-8")
    config = tmp_path / "vaka.toml"
    config.write_text(f'rules_dir = "{tmp_path / "rules"}"\n', encoding="utf-8")
    result = run.invoke(app, ["check", "--config", str(config)])
    assert result.exit_code == 2
    assert "door.toml: trigger.0.when: found the variable 'nobody'" in result.output
    (tmp_path / "rules" / "door.toml").write_text(with_when("true"), encoding="utf-8")
    assert run.invoke(app, ["check", "--config", str(config)]).exit_code == 0
    shown = run.invoke(app, ["rules", "test", "own_door", "--config", str(config)])
    assert "1 that fire, 1 that must not" in shown.output
    told = run.invoke(app, ["rules", "explain", "M1", "--config", str(config)])
    assert "when door.opened, for 10 min" in told.output
    assert run.invoke(app, ["rules", "explain", "G99"]).exit_code == 2
