"""Published payloads through the real decode: sample, expected, got, verdict (`pytest -s` shows the table).

The samples kept here are from public documentation, each with its source; VAKA_SAMPLES names a folder
with others. Where ours differs from a sample's suggestion on purpose, `samples_remarks.toml` says why.
"""

import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.commands.decode import Message, decode_messages, frame_of_message, messages_of
from gateway.model.event import flat_values
from gateway.model.reading import Reading
from gateway.model.vocabulary import VOCABULARY, HealthValues
from gateway.pipeline.walk import Walk
from gateway.plugins import load_adapters, load_rules

FOLDER = Path(os.environ.get("VAKA_SAMPLES", Path(__file__).parent / "samples"))
SAMPLES = sorted(FOLDER.glob("[0-9]*.json"))
KNOWN = tomllib.loads(Path(__file__).with_name("samples_remarks.toml").read_text("utf-8"))
Lines = list[dict[str, Any]]


class Heard:
    """One sample: what its reader suggests, what the adapters read, and what the whole walk made of it."""

    def __init__(self, path: Path) -> None:
        self.name = path.stem
        sample = json.loads(path.read_text("utf-8"))
        self.expected: dict[str, Any] = sample["expected"]
        messages, assumed = messages_of(path)
        walk = Walk(load_adapters(), load_rules(), ())
        self.lines: Lines = list(decode_messages(walk, messages, assumed))
        self.readings = list(_readings(walk, messages))
        word = self.expected["event_type"]
        self.words: list[str] = KNOWN["words"].get(word, [word])
        self.events = [line for line in self.lines if "type" in line]
        self.own = [line for line in self.events if line["type"] in self.words]
        self.refused = [line for line in self.lines if "quarantine" in line]

    def differences(self) -> Iterator[tuple[str, str]]:
        """Yield what differs: the thing compared, and the two sides."""
        raised = any(line.get("raises_alert") for line in self.lines)
        if raised != self.expected["raises_alert"]:
            yield "alert", f"expected {self.expected['raises_alert']}, got {raised}"
        if "message.rejected" in self.words:
            yield from self._refusal()
            return
        if len(self.own) != 1 and not (not self.own and self._status()):
            yield "count", f"expected one {'/'.join(self.words)}, got {self.got()}"
        for line in self.events:
            if line not in self.own and VOCABULARY[line["type"]].values is not HealthValues:
                yield "besides", f"also {line['type']}"
        yield from self._device()
        yield from self._time()
        for field, wanted in self.expected["values"].items():
            yield from self._value(field, wanted)

    def got(self) -> str:
        """Return what came out, in words."""
        words = [line["type"] for line in self.events] + ["message.rejected"] * len(self.refused)
        return ", ".join(words) or "; ".join(str(line.get("status", line)) for line in self.lines)

    def _status(self) -> bool:
        """A level heard first is the device's status: exactly one such reading."""
        said = [item for item in self.readings if item.type in self.words]
        return len(said) == 1 and not said[0].happened

    def _refusal(self) -> Iterator[tuple[str, str]]:
        if len(self.refused) != 1 or self.events:
            yield "count", f"expected one refused message, got {self.got()}"
            return
        reason = self.refused[0]["quarantine"]
        for missing in self.expected["values"].get("missing", ()):
            if missing not in reason:
                yield "missing", f"{missing} is not named in {reason!r}"
        wanted = self.expected["device_id"]
        if wanted and self.refused[0].get("device") != wanted:
            yield "device", f"expected {wanted}, got {self.refused[0].get('device')}"

    def _device(self) -> Iterator[tuple[str, str]]:
        said = [item for item in self.readings if item.type in self.words]
        wanted = self.expected["device_id"]
        ids = {line["device"] for line in self.own} or {item.native_id for item in said}
        if wanted is not None and ids != {wanted}:
            yield "device", f"expected {wanted}, got {', '.join(sorted(ids))}"
        kind = KNOWN["kinds"].get(self.expected["device_kind"], self.expected["device_kind"])
        kinds = {line["device_kind"] for line in self.own} or {item.kind.value for item in said}
        if kinds != {kind}:
            yield "kind", f"expected {kind}, got {', '.join(sorted(kinds))}"

    def _time(self) -> Iterator[tuple[str, str]]:
        written = self.expected["occurred_at"]
        wanted = _moment(written)
        times = [_moment(line["occurred_at"]) for line in self.own]
        times += [item.occurred_at for item in self.readings if item.type in self.words and not times]
        for got in times:
            if not self._same_time(got, wanted):
                yield "occurred_at", f"expected {written}, got {got}"
                return

    @staticmethod
    def _same_time(got: datetime | None, wanted: datetime | None) -> bool:
        if got is None or wanted is None:
            return got is wanted
        return abs((got - wanted).total_seconds()) < 0.001

    def _value(self, field: str, wanted: Any) -> Iterator[tuple[str, str]]:
        if field in KNOWN["dropped"]:
            if str(wanted) in json.dumps(self.lines, ensure_ascii=False):
                yield field, f"personal, and still told: {KNOWN['dropped'][field]}"
            return
        told = [line["values"] for line in self.own]
        told += [flat_values(item.values) for item in self.readings if item.type in self.words]
        told += [flat_values(item.values) for item in self.readings] if field == "battery_percent" else []
        names = {field, KNOWN["named"].get(field, field)}
        found = [values[name] for values in told for name in names if name in values]
        if not any(_alike(got, wanted) for got in found):
            yield field, f"expected {wanted!r}, got {found!r}"


def _readings(walk: Walk, messages: list[Message]) -> Iterator[Reading]:
    for position, message in enumerate(messages, 1):
        for item in walk.read(frame_of_message(message, position)).items:
            if isinstance(item, Reading):
                yield item


def _moment(written: str | None) -> datetime | None:
    """Return a suggested time; None for one without a zone, which nobody can place."""
    try:
        moment = datetime.fromisoformat(written or "")
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else None


def _alike(got: Any, wanted: Any) -> bool:
    if isinstance(wanted, list):
        return str(got).split(",") == [str(part) for part in wanted]
    if isinstance(wanted, bool) or isinstance(got, bool):
        return got is wanted
    if isinstance(wanted, (int, float)) and isinstance(got, (int, float)):
        return abs(got - wanted) < 1e-6 * max(1.0, abs(wanted))
    return str(got) == str(wanted)


def remark(sample: str, field: str) -> str:
    remarks: Mapping[str, str] = KNOWN["remarks"]
    return remarks.get(f"{sample}.{field}", "")


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_a_published_sample_gives_the_reading_that_its_reader_expects(path: Path) -> None:
    heard = Heard(path)
    differing = list(heard.differences())
    wrong = [f"{field}: {how}" for field, how in differing if not remark(heard.name, field)]
    said = [f"{field}: {remark(heard.name, field)}" for field, _ in differing if remark(heard.name, field)]
    said += [f"{field} dropped" for field in heard.expected["values"] if field in KNOWN["dropped"]]
    verdict = "; ".join(["DIFFERS", *wrong] if wrong else ["as expected", *said])
    word = heard.expected["event_type"]
    print(f"\n{heard.name:42} | {word:30} | {heard.got():30} | {verdict}", end="")  # noqa: T201 - the table
    assert not wrong, f"{wrong}, of {heard.lines}"


def test_there_are_samples() -> None:
    assert SAMPLES


def test_a_sample_that_suggests_something_else_is_told_apart() -> None:
    heard = Heard(SAMPLES[0])
    heard.expected = {
        **heard.expected,
        "raises_alert": not heard.expected["raises_alert"],
        "device_id": "somebody else",
        "device_kind": "camera",
        "occurred_at": "2001-01-01T00:00:00Z",
        "values": {"battery_percent": -1},
    }
    compared = {field for field, _ in heard.differences()}
    assert compared >= {"alert", "device", "kind", "occurred_at", "battery_percent"}
