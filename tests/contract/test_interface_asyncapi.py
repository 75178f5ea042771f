"""The AsyncAPI document of every version, held against the public parser of the AsyncAPI initiative."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from gateway.interface.documents import published
from gateway.interface.version import VERSIONS

FOLDER = Path(__file__).parents[1] / "validators"
WORST_ALLOWED = 2
"""Severity of a hint: 0 is an error, 1 a warning."""


def node() -> str:
    found = shutil.which("node")
    there = (FOLDER / "node_modules" / "@asyncapi" / "parser").is_dir()
    if found is None or not there:
        reason = "the AsyncAPI parser needs node and scripts/node-packages tests/validators"
        if os.environ.get("CI", "").lower() in {"1", "true"}:
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    return found


def judged(path: Path) -> dict[str, object]:
    done = subprocess.run(
        [node(), str(FOLDER / "asyncapi.mjs"), str(path)],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    told: dict[str, object] = json.loads(done.stdout)
    return told


@pytest.mark.parametrize("name", VERSIONS)
def test_the_document_is_valid_and_whole(name: str, tmp_path: Path) -> None:
    path = tmp_path / "asyncapi.json"
    path.write_text(published()[f"{name}/asyncapi.json"])
    told = judged(path)
    assert [one for one in told["diagnostics"] if one["severity"] < WORST_ALLOWED] == []  # type: ignore[attr-defined]
    assert told["valid"] is True
    assert told["channels"] == 6
    assert told["messages"] == 5 + len(list(VERSIONS[name].words()))


def test_the_parser_sees_a_broken_document_and_a_wrong_example(tmp_path: Path) -> None:
    document = json.loads(published()["v1/asyncapi.json"])
    document["components"]["messages"]["status"]["examples"][0]["payload"]["battery"] = 101
    document["channels"]["event"]["messages"]["lost"] = {"$ref": "#/components/messages/lost"}
    path = tmp_path / "broken.json"
    path.write_text(json.dumps(document))
    told = judged(path)
    assert told["valid"] is False
