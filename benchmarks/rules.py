"""What judging costs: `python -m benchmarks.rules` (in memory, no disk, a few seconds).

One event of each of some types through the real decide step, with no rule, the active rules, and the active
and the shadow rules together. The figures that count are the ratios: an event that no rule listens to costs
what it costs without rules.
"""

import argparse
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from gateway.contract import Rule, RuleState
from gateway.model.event import Event
from gateway.model.registry import RegistryDocument
from gateway.model.vocabulary import VOCABULARY, ClockQuality, DeviceKind
from gateway.pipeline.decide import RuleBook, judge_event
from gateway.pipeline.state import State
from rules import RULES

NOON = datetime(2026, 1, 14, 11, 0, tzinfo=UTC)
KINDS = ("lock", "gps_alarm", "medication_dispenser", "camera", "door_contact", "motion_sensor")
EVENTS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("link.changed", "door_contact", {}),
    ("device.tamper_cleared", "lock", {}),
    ("heartbeat", "door_contact", {}),
    ("heartbeat", "gps_alarm", {"battery_percent": 80}),
    ("motion.detected", "motion_sensor", {}),
    ("door.opened", "door_contact", {}),
    ("lock.unlocked", "lock", {"means": "phone", "credential": "c1"}),
    ("position.update", "gps_alarm", {"latitude": 59.0, "longitude": 18.0, "accuracy_m": 10}),
    ("medication.taken", "medication_dispenser", {}),
)
ROUNDS = 5


def main() -> None:
    """Print microseconds an event and the ratio to no rules at all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--homes", type=int, default=1_000)
    parser.add_argument("--events", type=int, default=2_000)
    args = parser.parse_args()
    active = [rule for rule in RULES if rule.state is RuleState.ACTIVE]
    sets = {"no rules": [], "active": active, "active and shadow": list(RULES)}
    print(
        f"{args.homes} homes; {len(active)} active rules, {len(RULES) - len(active)} in shadow; us an event"
    )
    print(f"{'event':24} {'from':22}" + "".join(f"{name:>20}" for name in sets))
    for event_type, kind, values in EVENTS:
        costs = [cost(rules, event_type, kind, values, args) for rules in sets.values()]
        print(f"{event_type:24} {kind:22}" + "".join(f"{one:20.2f}" for one in costs))


def cost(
    rules: list[Rule], event_type: str, kind: str, values: dict[str, Any], args: argparse.Namespace
) -> float:
    """Return the best of some rounds, microseconds of processor time an event, spread over all homes."""
    book, state = RuleBook(rules), State()
    state.set_registry(RegistryDocument.of(town(args.homes)))
    took = []
    for number in range(ROUNDS):
        state.now = NOON + timedelta(hours=number)
        events = [
            event(f"h{n % args.homes}", event_type, kind, values, state.now) for n in range(args.events)
        ]
        began = time.process_time()
        for one in events:
            judge_event(state, book, one)
        took.append((time.process_time() - began) / args.events * 1e6)
        state.take_changes()
    return min(took)


def event(home: str, event_type: str, kind: str, values: dict[str, Any], at: datetime) -> Event:
    """Return one event of a device of a home."""
    return Event(
        id=f"{home}{at.timestamp():.0f}",
        type=event_type,
        device=f"{home}/{kind}",
        kind=DeviceKind(kind),
        home=home,
        person=f"{home}/p",
        occurred_at=at,
        received_at=at,
        processed_at=at,
        clock=ClockQuality.SYNCED,
        late_s=0,
        frame=1,
        values=msgspec.convert(values, VOCABULARY[event_type].values),
    )


def town(homes: int) -> dict[str, Any]:
    """Return a registry of so many homes with one device of each kind."""
    names = [f"h{n}" for n in range(homes)]
    devices = [(name, kind) for name in names for kind in KINDS]
    zone = {"latitude": 59.0, "longitude": 18.0, "radius_m": 300}
    home = {"tenant": "t", "unit": "u", "care_ladder": "l", "technical_ladder": "l", "zone": zone}
    return {
        "tenant": [{"id": "t", "name": "Town"}],
        "unit": [{"id": "u", "tenant": "t", "name": "Unit"}],
        "team": [{"id": "team", "unit": "u", "name": "Team"}],
        "ladder": [{"id": "l", "tenant": "t", "steps": [{"to": ["team"]}]}],
        "home": [{"id": name, **home} for name in names],
        "person": [{"ref": f"{name}/p", "home": name} for name in names],
        "device": [
            {
                "id": f"{name}/{kind}",
                "tenant": "t",
                "adapter": "b",
                "native_id": f"{name}{kind}",
                "kind": kind,
            }
            for name, kind in devices
        ],
        "enrolment": [
            {
                "device": f"{name}/{kind}",
                "home": name,
                "person": f"{name}/p",
                "since": NOON - timedelta(days=30),
            }
            for name, kind in devices
        ],
    }


if __name__ == "__main__":
    main()
