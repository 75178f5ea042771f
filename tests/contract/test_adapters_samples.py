"""Published payloads through the real decode: a table of sample, expected and got (`pytest -s` shows it).

The samples kept here are from public documentation, each with its source; VAKA_SAMPLES names a folder
with others.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from gateway.commands.decode import decode_messages, messages_of
from gateway.pipeline.walk import Walk
from gateway.plugins import load_adapters, load_rules

FOLDER = Path(os.environ.get("VAKA_SAMPLES", Path(__file__).parent / "samples"))
SAMPLES = sorted(FOLDER.glob("[0-9]*.json"))
SAME = {
    "uplink.undecoded": {"heartbeat"},
    "battery.report": {"battery.ok", "battery.low", "battery.critical"},
}
"""Names of a sample's reader for what the vocabulary says otherwise."""


def told(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    messages, assumed = messages_of(path)
    lines = decode_messages(Walk(load_adapters(), load_rules(), ()), messages, assumed)
    return json.loads(path.read_text("utf-8")), list(lines)


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_a_published_sample_gives_the_reading_that_its_reader_expects(path: Path) -> None:
    sample, lines = told(path)
    expected = sample["expected"]
    word = expected["event_type"]
    got = [line["type"] for line in lines if "type" in line]
    got += ["message.rejected" for line in lines if "quarantine" in line]
    got += [str(line["status"]).partition(" ")[0] for line in lines if "status" in line]
    raised = any(line.get("raises_alert") for line in lines)
    print(f"{path.stem:45} {word:30} {', '.join(got) or lines}")  # noqa: T201 - the table that is asked for
    assert SAME.get(word, {word}) & set(got), f"expected {word}, got {lines}"
    if expected.get("raises_alert"):
        assert raised


def test_there_are_samples() -> None:
    assert SAMPLES
