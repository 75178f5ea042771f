"""The same seed gives the same event log: in two processes with other hashes, and by another Python.

`VAKA_OTHER_PYTHON` names an interpreter of another version that has the packages of requirements.txt.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCENARIO = ROOT / "tests" / "simulation" / "trouble.toml"
OTHER = os.environ.get("VAKA_OTHER_PYTHON", "")


def digest(python: str, hashes: str, level: str = "fleet") -> str:
    words = ["-m", "simulators", "run", str(SCENARIO), "--level", level, "--hours", "0.6", "--json"]
    done = subprocess.run(
        [python, *words],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONHASHSEED": hashes, "PYTHONPATH": str(ROOT)},
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return str(json.loads(done.stdout)["digest"])


def test_two_processes_with_other_hashes_give_the_same_digest() -> None:
    assert digest(sys.executable, "1") == digest(sys.executable, "4711")


def test_packets_through_the_listener_are_the_same_every_time_too() -> None:
    assert digest(sys.executable, "1", "listener") == digest(sys.executable, "4711", "listener")


@pytest.mark.skipif(not OTHER, reason="VAKA_OTHER_PYTHON names no other interpreter")
def test_another_version_of_python_gives_the_same_digest() -> None:
    assert digest(sys.executable, "1") == digest(OTHER, "2")
