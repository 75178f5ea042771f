"""A registry is read from TOML, part by part where that means the same, and from JSON."""

from pathlib import Path

import pytest

from gateway import files
from gateway.config import load_registry
from gateway.contract import ConfigurationError
from gateway.files import read_registry
from gateway.model.faults import RecordError
from gateway.model.registry import RegistryDocument

TEXT = """# a municipality
[[tenant]]
id = "t"
name = "Tenant"
[[unit]]
id = "u"
tenant = "t"
name = "Unit"
[[ladder]]
id = "l"
tenant = "t"
[[ladder.steps]]
to = ["g"]
[[unit]]
id = "v"
tenant = "t"
name = "[[unit]]"
"""


def written(tmp_path: Path, text: str, name: str = "registry.toml") -> Path:
    path = tmp_path / name
    path.write_text(text)
    return path


@pytest.mark.parametrize("chars", [1, 60, 100_000])
@pytest.mark.parametrize(
    "more",
    ["", '[[team]]\nid = "g"\nunit = "u"\nname = """\n[[team]]\n"""\n', "[[ladder.steps]]\nto = ['h']\n"],
)
def test_a_registry_read_in_parts_is_the_one_read_whole(
    chars: int, more: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, TEXT + more)
    whole = RegistryDocument.of(files.read_toml(path))
    monkeypatch.setattr(files, "PART_CHARS", chars)
    assert read_registry(path) == whole


def test_a_fault_is_told_by_its_place_in_the_whole_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "PART_CHARS", 1)
    with pytest.raises(RecordError, match=r"unit\.2\.name: found 5; "):
        read_registry(written(tmp_path, TEXT + '[[unit]]\nid = "w"\ntenant = "t"\nname = 5\n'))
    with pytest.raises(ConfigurationError, match=r"found a fault in the TOML: .*line 19"):
        read_registry(written(tmp_path, TEXT + "[[unit]]\nid = \n"))
    with pytest.raises(ConfigurationError, match="found a fault in the TOML"):
        read_registry(written(tmp_path, f"tenant = []\n{TEXT}"))


def test_a_registry_may_be_json(tmp_path: Path) -> None:
    document = read_registry(written(tmp_path, TEXT.replace('to = ["g"]', 'to = ["g"]\nwithin_s = 5')))
    path = written(tmp_path, document.to_json().decode(), "registry.json")
    assert read_registry(path) == document
    with pytest.raises(ConfigurationError, match=r"ladder l: steps\.to: found 'g'; allowed: "):
        load_registry(path)
    written(tmp_path, "{", "registry.json")
    with pytest.raises(
        ConfigurationError, match=r"registry\.json: found a fault in the JSON: .*; allowed: JSON"
    ):
        load_registry(path)
