"""How decide and route grow with homes and rules: `python -m benchmarks.growth` (in-process, bounded).

Each row walks the same mix of events through the real walk: homes grow with all rules in force, then rules
grow with all homes. The ratio to the first row says what growth costs; one machine's events a second say
little about another's.
"""

import argparse
import gc
import json
import random
import statistics
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from gateway.contract import Rule
from gateway.model.frame import Frame, Transport
from gateway.model.registry import RegistryDocument
from gateway.pipeline.state import State
from gateway.pipeline.walk import Walk
from gateway.plugins import load_adapters, load_rules

RESULTS = Path(__file__).parent / "results"
START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
MIX = (
    ("lock", "heartbeat", 300),
    ("sos", "heartbeat", 300),
    ("lock", "lock.unlocked", 80),
    ("lock", "lock.locked", 80),
    ("gps", "position.update", 150),
    ("doser", "medication.taken", 60),
    ("doser", "medication.dispensed", 20),
    ("sos", "battery.low", 5),
    ("sos", "alarm.manual", 5),
)
"""Device, event, and how often of a thousand."""
KINDS = {"lock": "lock", "sos": "social_alarm", "gps": "gps_alarm", "doser": "medication_dispenser"}
POSITION = {"latitude": 59.0, "longitude": 15.0, "accuracy_m": 8.0, "source": "gnss"}
WARM_UP = 200


def registry(homes: int) -> RegistryDocument:
    """Return a municipality: four devices and one person in every home, a unit for every hundred homes."""
    numbers = range(homes)
    units = range(homes // 100 + 1)
    parts: dict[str, Any] = {
        "tenant": [{"id": "t", "name": "Storköping"}],
        "unit": [{"id": f"u{n}", "tenant": "t", "name": "Unit"} for n in units],
        "team": [
            {"id": f"{name}{n}", "unit": f"u{n}", "name": name} for n in units for name in ("day", "tech")
        ],
        "ladder": [
            {"id": f"{name}{n}", "tenant": "t", "steps": [{"to": [f"{team}{n}"]}]}
            for n in units
            for name, team in (("care", "day"), ("technical", "tech"))
        ],
        "home": [
            {
                "id": f"h{n}",
                "tenant": "t",
                "unit": f"u{n // 100}",
                "care_ladder": f"care{n // 100}",
                "technical_ladder": f"technical{n // 100}",
                "zone": {"latitude": 59.0, "longitude": 15.0, "radius_m": 500},
            }
            for n in numbers
        ],
        "person": [{"ref": f"p{n}", "home": f"h{n}"} for n in numbers],
    }
    names = [(f"t/{name}-{n}", kind, n) for n in numbers for name, kind in KINDS.items()]
    parts["device"] = [
        {"id": name, "tenant": "t", "adapter": "vaka", "native_id": name, "kind": kind}
        for name, kind, _ in names
    ]
    parts["enrolment"] = [
        {"device": name, "home": f"h{n}", "person": f"p{n}", "since": START} for name, _, n in names
    ]
    return RegistryDocument.of(parts)


def frames(homes: int, events: int, seed: int) -> list[Frame]:
    """Return so many messages of random homes, a millisecond apart."""
    chance = random.Random(seed)  # noqa: S311 - a made-up day
    kinds = chance.choices([one[:2] for one in MIX], [one[2] for one in MIX], k=events)
    found = []
    for number, (device, word) in enumerate(kinds):
        name = f"t/{device}-{chance.randrange(homes)}"
        at = START + timedelta(seconds=1, milliseconds=number)
        event = {
            "specversion": "1.0",
            "id": f"{seed}-{number}",
            "source": f"vaka:{name}",
            "type": f"vaka.{word}.v1",
            "time": at.isoformat(),
            "clockquality": "synced",
            "data": POSITION if word == "position.update" else {},
        }
        payload = json.dumps(event).encode()
        found.append(Frame(Transport.MQTT, f"vaka/1/{name}/event", payload, at, position=number + 10))
    return found


def prepared(homes: int, rules: Sequence[Rule]) -> tuple[Walk, State, float]:
    """Return a walk with its town in the state, and how many seconds the registry took."""
    walk, state = Walk(load_adapters(), rules, ("page",)), State()
    payload = registry(homes).to_json()
    frame = Frame(Transport.REGISTRY, "registry", payload, START, position=1)
    began = time.perf_counter()
    walk.step(state, frame, walk.read(frame), frozenset(), START)
    state.take_changes()
    return walk, state, time.perf_counter() - began


def rate(walk: Walk, state: State, messages: Sequence[Frame]) -> float:
    """Return events a second through normalise, decide and route: reading is timed elsewhere."""
    read = [walk.read(frame) for frame in messages]
    for frame, decoded in zip(messages[:WARM_UP], read[:WARM_UP], strict=True):
        walk.step(state, frame, decoded, frozenset(), frame.received_at)
    state.take_changes()
    gc.collect()
    began = time.perf_counter()
    for frame, decoded in zip(messages[WARM_UP:], read[WARM_UP:], strict=True):
        walk.step(state, frame, decoded, frozenset(), frame.received_at)
    took_s = time.perf_counter() - began
    state.take_changes()
    return (len(messages) - WARM_UP) / took_s


def row(homes: int, rules: Sequence[Rule], events: int, rounds: int) -> dict[str, float]:
    """Return the median of the rounds, each on a fresh state."""
    found, registry_s = [], 0.0
    for number in range(rounds):
        walk, state, registry_s = prepared(homes, rules)
        found.append(rate(walk, state, frames(homes, events, number)))
    return {
        "homes": homes,
        "rules": len(rules),
        "events_s": statistics.median(found),
        "registry_s": registry_s,
    }


def main() -> None:
    """Print the table and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--homes", type=int, default=10_000)
    parser.add_argument("--events", type=int, default=5_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    every = load_rules()
    active = [rule for rule in every if rule.state == "active"]
    most, n, rounds = arguments.homes, arguments.events, arguments.rounds
    rows = [("homes", homes, active) for homes in (most // 100, most // 10, most)]
    rows += [("rules", most, active[: len(active) // 4]), ("rules", most, active[: len(active) // 2])]
    rows += [("rules", most, active), ("rules", most, every)]
    print(f"{'grows':6} {'homes':>7} {'rules':>6} {'events/s':>10} {'ratio':>6} {'registry s':>11}")
    found: list[dict[str, float]] = []
    first: dict[str, float] = {}
    for what, homes, rules in rows:
        one = row(max(homes, 1), rules, n, rounds)
        ratio = one["events_s"] / first.setdefault(what, one["events_s"])
        found.append(one | {"ratio": ratio})
        shown = f"{what:6} {one['homes']:>7,} {one['rules']:>6} {one['events_s']:>10,.0f} {ratio:>6.2f}"
        print(f"{shown} {one['registry_s']:>11.2f}", flush=True)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "growth.json").write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
