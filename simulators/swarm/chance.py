"""From a seed to a small scenario in which much goes wrong: which faults and happenings, when, how strong."""

from collections.abc import Callable
from datetime import datetime
from random import Random
from typing import Any

from simulators.scenarios.scenario import Scenario, read_scenario

DAYS = ("2026-11-22", "2026-06-19", "2026-10-24", "2026-03-28")
"""An ordinary evening, midsummer, and the two nights in which the clocks are changed."""
HAPPENS: tuple[tuple[str, str, dict[str, float]], ...] = (
    ("social_alarm", "press", {}),
    ("social_alarm", "press", {}),
    ("gps_alarm", "press", {}),
    ("gps_alarm", "fall", {}),
    ("gps_alarm", "cancel", {}),
    ("gps_alarm", "wander", {"metres": 900, "for_s": 1500}),
    ("medication_dispenser", "jam", {}),
    ("medication_dispenser", "clear_jam", {}),
    ("medication_dispenser", "run_low", {}),
    ("lock", "night_exit", {}),
    ("lock", "jam", {}),
    ("lock", "free", {}),
    ("door_contact", "open", {"for_s": 600}),
    ("social_alarm", "hang", {}),
    ("lock", "go_down", {}),
    ("lock", "come_up", {}),
    ("camera", "go_down", {}),
    ("camera", "come_up", {}),
    ("medication_dispenser", "go_down", {}),
    ("medication_dispenser", "come_up", {}),
)
KINDS = ("social_alarm", "gps_alarm", "medication_dispenser", "lock", "camera", "door_contact")
POINTS = ("idle", "mid_batch", "before_commit", "before_telling")


def random_scenario(seed: int) -> Scenario:
    """Return the scenario of a seed: small ones are more likely than large ones."""
    rng = Random(f"swarm {seed}")  # noqa: S311 - a simulation must be repeatable, not secret
    minutes = round(60 + 300 * rng.random() ** 4)
    told: dict[str, Any] = {
        "title": {"sv": f"Svärm, frö {seed}", "en": f"Swarm, seed {seed}"},
        "about": {"sv": "Gjord av slumpen.", "en": "Made by chance."},
        "homes": round(4 + 16 * rng.random() ** 4),
        "life": rng.choice(("ordinary", "ordinary", "ordinary", "still")),
        "crew": rng.choice(("ordinary",) * 5 + ("none",)),
        "starts": datetime.fromisoformat(f"{rng.choice(DAYS)}T{rng.randrange(24):02d}:00:00"),
        "lasts": f"{minutes}m",
        "seed": seed,
    }
    told["happens"] = [_happening(rng, minutes) for _ in range(rng.randint(2, 9))]
    told["fault"] = [_fault(rng, number, minutes) for number in range(rng.randint(1, 6))]
    return read_scenario(told, f"swarm-{seed}", f"seed {seed}")


def _happening(rng: Random, minutes: int) -> dict[str, Any]:
    kind, action, values = rng.choice(HAPPENS)
    device = f"{kind}:1" if rng.random() < 0.7 else kind
    return {"at": _at(rng, 2, minutes - 2), "device": device, "do": action, "with": values}


def _fault(rng: Random, number: int, minutes: int) -> dict[str, Any]:
    begins = rng.randint(0, max(1, minutes - 20))
    ends = max(min(minutes - 5, begins + rng.randint(1, 45)), begins + 1)
    seconds = rng.randrange(60)
    made: dict[str, Any] = {"id": f"f{number}", "from": f"+{begins}m", **rng.choice(MAKERS)(rng)}
    if made["kind"] == "crash":
        return {**made, "from": f"+{begins}m{seconds}s"}
    if made.get("where") == "some":
        made |= {"where": rng.choice((*KINDS, "all")), "share": rng.choice((1.0, 0.5, 0.3))}
    return {**made, "until": f"+{ends}m"}


MAKERS: tuple[Callable[[Random], dict[str, Any]], ...] = (
    lambda rng: {"kind": "loss", "where": "some", "chance": rng.choice((0.02, 0.1, 0.4))},
    lambda rng: {"kind": "delay", "where": "some", "seconds": rng.choice(([0, 5], [1, 60], [60, 900]))},
    lambda rng: {"kind": "duplication", "where": "some", "chance": rng.choice((0.1, 0.5))},
    lambda rng: {"kind": "reordering", "where": "some", "chance": 0.4, "seconds": rng.choice((5, 60))},
    lambda rng: {"kind": "corruption", "where": "some", "chance": 0.3, "bits": rng.choice((1, 1, 3, 20))},
    lambda rng: {"kind": "corruption", "where": "all", "chance": 0.2, "bits": rng.choice((3, 20))},
    lambda rng: {
        "kind": "clock",
        "where": "some",
        "jump_s": rng.choice((-86400, -3600, -30, 30, 4000, 90000)),
        "drift_s_per_h": rng.choice((0, 5, -5)),
    },
    lambda _rng: {"kind": "battery", "where": "some"},
    lambda rng: {"kind": rng.choice(("power", "mobile", "broker", "storm")), "where": "some"},
    lambda rng: {"kind": "cloud", "where": "some", "loses": rng.random() < 0.3},
    lambda rng: {
        "kind": "channel",
        "channel": rng.choice(("", "page", "webpush")),
        "mode": rng.choice(("dead", "hangs", "slow")),
        "seconds": rng.choice((20, 120, 900)),
        "chance": rng.choice((1.0, 0.5)),
    },
    lambda rng: {"kind": "phones", "share": rng.choice((1.0, 0.5))},
    lambda rng: {"kind": "crash", "point": rng.choice(POINTS), "down": rng.choice(("2s", "20s", "4m"))},
    lambda rng: {"kind": "crash", "point": rng.choice(POINTS), "down": rng.choice(("2s", "20s", "4m"))},
    lambda rng: {"kind": "crash", "point": rng.choice(POINTS), "down": rng.choice(("2s", "20s", "4m"))},
    lambda _rng: {"kind": "disk"},
)


def _at(rng: Random, first: int, last: int) -> str:
    return f"+{rng.randint(first, last)}m{rng.randrange(60)}s"
