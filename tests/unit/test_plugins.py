"""A broken adapter of somebody's: named in one line, and no other word of the command suffers from it."""

import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.__main__ import app
from gateway.contract import ConfigurationError
from gateway.plugins import load_adapters

GOOD = """
class Own:
    def __init__(self):
        self.manifest = read_manifest(files(__package__).joinpath("manifest.toml").read_text())

    def decode(self, frame):
        return ()

ADAPTER = Own()
"""
IMPORTS = "from importlib.resources import files\nfrom gateway.contract.manifest import read_manifest\n"
MANIFEST = (
    'id = "gadget"\nproduct = "x"\nversion = "1"\ntopics = ["gadget/#"]\nbranch = "gadget/{native_id}"\n'
)
SAID = '{"specversion":"1.0","id":"1","source":"d","type":"heartbeat","time":"2026-02-03T20:15:00Z"}'
Install = Callable[..., Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Lay a distribution with one adapter beside the installed ones, as an installer would."""

    def lay(codec: str, manifest: str = MANIFEST, value: str = "gadget_of_a_stranger:ADAPTER") -> Path:
        package, told = tmp_path / "gadget_of_a_stranger", tmp_path / "vaka_gadget-2.1.dist-info"
        package.mkdir()
        told.mkdir()
        (package / "__init__.py").write_text(codec)
        (package / "manifest.toml").write_text(manifest)
        (told / "METADATA").write_text("Metadata-Version: 2.1\nName: vaka-gadget\nVersion: 2.1\n")
        (told / "entry_points.txt").write_text(f"[vaka.adapters]\ngadget = {value}\n")
        monkeypatch.syspath_prepend(tmp_path)
        return package

    yield lay
    sys.modules.pop("gadget_of_a_stranger", None)


BROKEN = {
    "a syntax error": (
        "ADAPTER = 1\ndef decode(:\n", MANIFEST, r"/__init__\.py, line 2: SyntaxError: invalid syntax",
    ),
    "a module that is not there": (
        "\nimport a_library_that_nobody_has\n", MANIFEST,
        r"/__init__\.py, line 2: ModuleNotFoundError: No module named 'a_library_that_nobody_has'",
    ),
    "an error of its own at import, in lines": (
        "raise RuntimeError('one\\ntwo')\n", MANIFEST, r"/__init__\.py, line 1: RuntimeError: one two",
    ),
    "a manifest without topics": (
        IMPORTS + GOOD, MANIFEST.replace("topics", "topic"), r"/manifest\.toml: ValidationError: .*`topics`",
    ),
    "a manifest that is no TOML": (
        IMPORTS + GOOD, "id = \n", r"/manifest\.toml: TOMLDecodeError: .*line 1",
    ),
    "a manifest of another name": (
        IMPORTS + GOOD, MANIFEST.replace('"gadget"', '"widget"'),
        r"its manifest\.toml says id 'widget'; allowed: 'gadget'",
    ),
    "no such thing in its module": ("", MANIFEST, r"AttributeError: .*ADAPTER"),
    "something that is no adapter": ("ADAPTER = 1", MANIFEST, r"int is no adapter"),
}  # fmt: skip


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_adapter_is_told_in_one_line_with_distribution_entry_point_and_place(
    install: Install, fault: str
) -> None:
    codec, manifest, told = BROKEN[fault]
    install(codec, manifest)
    with pytest.raises(ConfigurationError) as refused:
        load_adapters()
    assert "\n" not in str(refused.value)
    whose = (
        "vaka-gadget 2.1, entry point vaka.adapters: gadget = gadget_of_a_stranger:ADAPTER: cannot be used: "
    )
    assert str(refused.value).startswith(whose)
    assert re.search(told, str(refused.value))


@pytest.mark.parametrize("word", ["check", "serve"])
def test_the_gateway_does_not_start_with_a_broken_adapter_and_shows_no_traceback(
    install: Install, word: str, tmp_path: Path
) -> None:
    install("def decode(:\n")
    config = tmp_path / "vaka.toml"
    config.write_text(f'data_dir = "{tmp_path / "data"}"\n')
    done = CliRunner().invoke(app, [word, "--config", str(config)])
    assert done.exit_code == 2
    (line,) = [line for line in done.stderr.splitlines() if "gadget" in line]
    assert "line 1: SyntaxError" in line
    assert "Traceback" not in done.output


@pytest.mark.parametrize(
    "words",
    [["export", "--out", "x.gz"], ["interface", "write", "--out", "x"], ["demo"]],
    ids=lambda words: words[0],
)
def test_other_words_name_a_broken_adapter_too_and_end(
    install: Install, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("def decode(:\n")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "state.db").touch()
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 2
    assert "vaka-gadget 2.1" in done.stderr
    assert "line 1: SyntaxError" in done.stderr
    assert "Traceback" not in done.output


def test_naming_the_adapters_that_are_wanted_leaves_a_broken_one_aside(
    install: Install, tmp_path: Path
) -> None:
    install("def decode(:\n")
    config = tmp_path / "vaka.toml"
    config.write_text('adapters = ["vaka"]\n')
    assert CliRunner().invoke(app, ["check", "--config", str(config)]).exit_code == 0


def test_decode_goes_on_with_the_other_adapters_and_tells_of_the_broken_one(install: Install) -> None:
    install("def decode(:\n")
    words = ["decode", "--topic", "vaka/1/town/d/event", "--payload", SAID]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0
    assert json.loads(done.stdout)["device"] == "town/d"
    assert "vaka-gadget 2.1" in done.stderr


def test_a_whole_adapter_of_a_stranger_is_found(install: Install) -> None:
    install(IMPORTS + GOOD)
    assert "gadget" in [adapter.manifest.id for adapter in load_adapters()]
