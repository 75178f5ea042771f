"""A town of twenty homes for the tests of the simulators."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from gateway.model.registry import Registry
from simulators.evening import MINUTES, Evening
from simulators.municipality import make_municipality
from simulators.outputs import Message, Step
from simulators.stage import Stage, digest, play
from simulators.town import make_devices

START = datetime(2026, 11, 22, 18, 30, tzinfo=ZoneInfo("Europe/Stockholm"))


def make_evening(seed: int = 1, homes: int = 20) -> Evening:
    registry = Registry(make_municipality(homes, seed, since=START).document)
    return Evening(make_devices(registry, seed, START), seed, START)


def steps_of(evening: Evening) -> list[Step]:
    return list(play(Stage(evening.devices), START + timedelta(minutes=MINUTES)))


__all__ = ["START", "Said", "digest", "make_evening", "said", "steps_of"]


class Said(msgspec.Struct):
    """One event or reading as it stands on the wire."""

    at: datetime
    device: str
    type: str
    time: datetime
    data: dict[str, object]
    sequence: int | None
    id: str


def said(steps: list[Step], *, skip: frozenset[str] = frozenset()) -> list[Said]:
    """Read every event and every reading of a trace; `skip` names devices that speak broken JSON."""
    found: list[Said] = []
    for step in steps:
        output = step.output
        if not isinstance(output, Message) or step.device in skip:
            continue
        leaf = output.topic.rpartition("/")[2]
        body = msgspec.json.decode(output.payload)
        rows = [body] if leaf == "event" else body["readings"] if leaf == "telemetry" else []
        found += [
            Said(
                step.at,
                step.device,
                row["type"],
                datetime.fromisoformat(row["time"]),
                row["data"],
                row.get("sequence"),
                row["id"],
            )
            for row in rows
        ]
    return found
