"""The seven steps of CONTRIBUTING.md, walked with what `vaka new-adapter` makes."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.__main__ import app
from gateway.commands.new_adapter import NAMES_ALLOWED, STEPS
from gateway.contract.manifest import QUALITY_RULES, read_manifest, read_quality

ROOT = Path(__file__).parents[2]
WITHIN_S = 120
UNWRITTEN = re.compile(r'        raise Undecodable\(f"no reader is written yet.*\n')
DECODE = """\
        native_id = frame.channel.split("/")[1]
        try:
            said = json.loads(frame.payload)
        except ValueError as error:
            raise Undecodable(str(error), clause="ACME-JSON", native_id=native_id) from error
        if said != {"button": "pressed"}:
            return (Ignored(native_id, "not a press"),)
        return (
            Reading(native_id=native_id, kind=DeviceKind.BUTTON, type="alarm.manual", values=AlarmValues()),
        )
"""


def made(*words: str) -> str:
    done = CliRunner().invoke(app, ["new-adapter", *words])
    assert done.exit_code == 0, done.output
    return done.stdout


def refused(*words: str) -> str:
    done = CliRunner().invoke(app, ["new-adapter", *words])
    assert done.exit_code == 2
    (line,) = done.stderr.splitlines()
    return line


def ran(*words: str, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    more = {"PYTHONPATH": os.pathsep.join(map(str, filter(None, (path, ROOT))))}
    return subprocess.run(
        [sys.executable, "-m", *words],
        cwd=ROOT,
        env=os.environ | more,
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )


def suite_of(folder: Path) -> subprocess.CompletedProcess[str]:
    return ran("pytest", "-p", "no:cacheprovider", "-c", str(folder / "pyproject.toml"), str(folder))


def replaced(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def decode_written(codec: Path) -> None:
    text, count = UNWRITTEN.subn(DECODE, codec.read_text())
    assert count == 1
    codec.write_text(text)
    replaced(codec, "from collections.abc", "import json\nfrom collections.abc")
    model = "from gateway.model.reading import Ignored, Reading\n"
    replaced(codec, model, f"{model}from gateway.model.vocabulary import AlarmValues, DeviceKind\n")
    replaced(
        codec, '"ACME-UNWRITTEN": "The reader of this message is written."', '"ACME-JSON": "It is JSON."'
    )


def test_the_seven_steps_lead_from_an_empty_folder_to_a_frame_that_is_read(tmp_path: Path) -> None:
    # 1. What it says, collected: a press of a button, and a message that is no JSON.
    press, noise = '{"button":"pressed"}', "{"
    # 2. The folder.
    folder, target = tmp_path / "acme", tmp_path / "installed"
    made("acme", "--out", str(folder))
    package = folder / "vaka_acme"
    # 3. The manifest.
    replaced(package / "manifest.toml", "sources = []", 'sources = ["Acme button, interface 1.2"]')
    manifest = read_manifest((package / "manifest.toml").read_text())
    assert (manifest.id, manifest.sources) == ("acme", ("Acme button, interface 1.2",))
    # 4. The golden frames first: they fail, and nothing else does.
    case = json.loads((package / "frames" / "button-pressed.json").read_text())
    assert case["payload"] == press
    reason = "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"
    bad = {"quarantine": {"reason": reason, "clause": "ACME-JSON", "native_id": "unit-1"}}
    asked = {key: value for key, value in case.items() if key != "expect"} | {"payload": noise} | bad
    (package / "frames" / "no-json.json").write_text(json.dumps(asked))
    before = suite_of(folder)
    assert before.returncode == 1, before.stdout + before.stderr
    assert before.stdout.count("FAILED") == 2
    assert "2 failed" in before.stdout
    # 5. The decoder: they pass.
    decode_written(package / "codec.py")
    after = suite_of(folder)
    assert after.returncode == 0, after.stdout + after.stderr
    # 6. The quality file: a rule is done.
    rule = "golden-frames"
    todo = f'{rule} = {{ status = "todo", reason = "not looked at yet" }}'
    replaced(package / "quality.toml", todo, f'{rule} = {{ status = "done" }}')
    assert read_quality((package / "quality.toml").read_text())[rule].status == "done"
    # 7. Registered by its own distribution: installed, the gateway finds it and reads a frame with it.
    still = ("--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "--quiet")
    installed = ran("pip", "install", *still, "--target", str(target), str(folder))
    assert installed.returncode == 0, installed.stderr
    words = ("--transport", "mqtt", "--topic", "acme/unit-7/event", "--payload", press)
    read = ran("gateway", "decode", *words, path=target)
    assert read.returncode == 0, read.stderr
    line = json.loads(read.stdout)
    assert (line["type"], line["device"], line["raises_alert"]) == ("alarm.manual", "unit-7", True)


def test_the_command_and_the_guide_name_the_same_seven_steps(tmp_path: Path) -> None:
    told = re.findall(r"^(\d)\. \*\*(.+?)\*\*", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    assert [(number, title.rstrip(".")) for number, title in told] == [
        (str(number), step) for number, step in enumerate(STEPS, 1)
    ]
    shown = made("acme", "--out", str(tmp_path / "acme"))
    assert [line for line in shown.splitlines() if line.startswith("Next: 1. Collect what it says")]


def test_every_quality_rule_is_asked_and_none_is_taken_as_done(tmp_path: Path) -> None:
    made("acme", "--out", str(tmp_path / "acme"))
    answers = read_quality((tmp_path / "acme" / "vaka_acme" / "quality.toml").read_text())
    assert {rule: answer.status for rule, answer in answers.items()} == dict.fromkeys(QUALITY_RULES, "todo")


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a source tree like ours, with our own project file."""
    (tmp_path / "adapters").mkdir()
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_in_the_source_tree_it_stands_beside_the_others_and_is_registered(tree: Path) -> None:
    before = tomllib.loads((tree / "pyproject.toml").read_text())
    made("acme")
    after = tomllib.loads((tree / "pyproject.toml").read_text())
    group = after["project"]["entry-points"]["vaka.adapters"]
    assert group == before["project"]["entry-points"]["vaka.adapters"] | {"acme": "adapters.acme:ADAPTER"}
    strangers = [
        contract["modules"]
        for contract in after["tool"]["importlinter"]["contracts"]
        if contract["name"] == "Adapters are strangers to each other"
    ]
    assert strangers[0][-1] == "adapters.acme"
    for contract in after["tool"]["importlinter"]["contracts"]:
        if "adapters.acme" in contract.get("modules", ()):
            contract["modules"].remove("adapters.acme")
    del group["acme"]
    assert after == before
    assert {path.name for path in (tree / "adapters" / "acme").iterdir()} == {
        "__init__.py", "codec.py", "manifest.toml", "quality.toml", "frames",
    }  # fmt: skip
    assert 'files("adapters.acme")' in (tree / "adapters" / "acme" / "codec.py").read_text()


def test_a_second_one_of_the_same_name_leaves_the_first_as_it_is(tree: Path) -> None:
    made("acme")
    codec, project = tree / "adapters" / "acme" / "codec.py", tree / "pyproject.toml"
    codec.write_text("mine")
    registered = project.read_text()
    assert "already there" in refused("acme")
    assert (codec.read_text(), project.read_text()) == ("mine", registered)


@pytest.mark.parametrize(
    "name", ["Acme", "acme-button", "9lives", "a", "", "åäö", "class", "../up", "a" * 41]
)
def test_what_is_no_word_is_refused_with_what_is_allowed(name: str, tmp_path: Path) -> None:
    line = refused("--out", str(tmp_path / "new"), "--", name)
    assert line == f"NAME: found {name!r}; allowed: {NAMES_ALLOWED}"
    assert not (tmp_path / "new").exists()


def test_the_name_of_an_installed_adapter_is_taken(tmp_path: Path) -> None:
    line = refused("owntracks", "--out", str(tmp_path / "new"))
    assert line == "NAME: found 'owntracks': taken by adapters.owntracks:ADAPTER; allowed: another word"


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    assert "already there" in refused("acme", "--out", str(tmp_path))
    assert "already there" in refused("acme", "--out", str(tmp_path / "mine.txt"))
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_outside_of_the_source_tree_a_folder_must_be_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "--out FOLDER" in refused("acme")
    (tmp_path / "pyproject.toml").write_text("not TOML")
    assert "--out FOLDER" in refused("acme")


def test_a_folder_that_cannot_be_made_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "file" in refused("acme", "--out", str(tmp_path / "file" / "deeper"))
