"""A simulated municipality in process, at full speed: how much faster than real time, and in how much memory.

Everything is real but the transport and the disk: devices, residents, staff, decoding, rules, escalation; the
commits go into a digest. Several numbers of homes show that a home costs the same in a small and a large
municipality; `--large` plays 250,000 homes for an hour. Each is played in a process of its own. Figures are
of this machine, with whatever else runs on it: the processor's seconds are told beside the wall's.
"""

import argparse
import gc
import json
import os
import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from gateway.contract import RuleState
from gateway.model.registry import RegistryDocument
from gateway.pipeline.walk import Walk
from gateway.plugins import load_adapters, load_rules, urgency
from simulators.faults.straight import Straight
from simulators.house.fleet import Fleet
from simulators.house.keep import Digest
from simulators.house.player import Player
from simulators.house.port import Setting
from simulators.world.make import Plan, World, make_world

RESULTS = Path(__file__).parent / "results"
START = datetime(2026, 11, 23, 6, tzinfo=ZoneInfo("Europe/Stockholm"))
"""A Monday morning: everything that a day has is in the first hours."""
LARGE_HOMES, LARGE_LIMIT_GIB = 250_000, 12.0
HOLD = 200_000
"""Objects made before the collector looks: what a simulation keeps is not garbage."""


def run(homes: int, hours: float, seed: int, municipality: str | None, shadows: bool) -> dict[str, Any]:  # noqa: FBT001 - handed to another process
    """Play it once, and return the figures."""
    began = time.perf_counter()
    before_mib = _memory_mib()
    plan = Plan(homes=homes, visits=homes < LARGE_HOMES, municipality=municipality)
    player, gateway, keep = _made(plan, seed, shadows=shadows)
    gc.collect()
    gc.freeze()
    gc.set_threshold(HOLD, 20, 100)
    ready, worked, frames = time.perf_counter(), time.process_time(), gateway.frames
    _play(player, hours)
    gateway.close()
    played_s, cpu_s = time.perf_counter() - ready, time.process_time() - worked
    gc.unfreeze()
    frames = gateway.frames - frames
    memory_mib = _memory_mib()
    return {
        "homes": homes,
        "devices": len(player.stage.devices),
        "hours": hours,
        "shadow_rules": shadows,
        "made_s": round(ready - began, 1),
        "played_s": round(played_s, 1),
        "cpu_s": round(cpu_s, 1),
        "times_real": round(hours * 3600 / played_s),
        "frames": frames,
        "frames_per_s": round(frames / played_s),
        "events": keep.events,
        "events_per_s": round(keep.events / played_s),
        "frames_per_cpu_s": round(frames / cpu_s),
        "cpu_us_per_home_hour": round(cpu_s * 1e6 / homes / hours),
        "memory_mib": round(memory_mib),
        "kib_per_home": round((memory_mib - before_mib) * 1024 / homes, 1),
        "open_alerts": len(gateway.state.alerts),
        "digest": keep.hexdigest()[:16],
    }


def _made(plan: Plan, seed: int, *, shadows: bool) -> tuple[Player, Fleet, Digest]:
    world = make_world(plan, seed, START, secret=False)
    adapters, keep = load_adapters(), Digest()
    rules = [rule for rule in load_rules() if shadows or rule.state is RuleState.ACTIVE]
    gateway = Fleet(_setting(world, Walk(adapters, rules, ("page", "webpush"))), keep)
    world.document = RegistryDocument()  # the gateway has its own by now
    return Player(world.stage, Straight(), gateway, world.crew), gateway, keep


def _setting(world: World, walk: Walk) -> Setting:
    start = START.astimezone(ZoneInfo("UTC"))
    return Setting(walk, urgency(tuple(walk.table.adapters.values())), world.document, start, world.crew)


def _play(player: Player, hours: float) -> None:
    """Play in twentieths, and say how far it is."""
    began, shown = time.perf_counter(), sys.stderr.isatty()
    for part in range(1, 21):
        player.play(START + timedelta(hours=hours * part / 20))
        spent = time.perf_counter() - began
        if shown:
            line = f"\r  {part * 5:3d} %  {spent:6.0f} s, about {spent * (20 - part) / part:6.0f} s to go "
            print(line, end="\n" if part == 20 else "", file=sys.stderr, flush=True)


def _memory_mib() -> float:
    """Return what the process holds now, as the kernel counts it."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 2**20


def show(found: dict[str, Any]) -> None:
    """Print one run as a line."""
    print(
        f"{found['homes']:>7,} homes {found['devices']:>8,} devices {found['hours']:>5g} h: "
        f"{found['played_s']:>8,.1f} s (processor {found['cpu_s']:,.1f} s), "
        f"{found['times_real']:,} times real time, "
        f"{found['frames_per_s']:,} messages/s ({found['frames_per_cpu_s']:,} a processor second, "
        f"{found['events_per_s']:,} events/s), "
        f"{found['cpu_us_per_home_hour']:,} us a home and hour, {found['memory_mib']:,} MiB "
        f"({found['kib_per_home']} KiB a home), made in {found['made_s']:g} s, digest {found['digest']}",
        flush=True,
    )


def main() -> None:
    """Run what is asked for, print it, and keep it in benchmarks/results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--homes", type=int, nargs="+", default=[10_000])
    parser.add_argument("--hours", type=float, default=24)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--municipality", default=None, help="small, middle or large: homes as theirs")
    parser.add_argument("--large", action="store_true", help="250,000 homes for one hour, within 12 GiB")
    parser.add_argument("--shadows", action="store_true", help="the rules in shadow too: twice the work")
    asked = parser.parse_args()
    rows = [(LARGE_HOMES, 1.0)] if asked.large else [(homes, asked.hours) for homes in asked.homes]
    print(f"load of the machine before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} threads")
    found = []
    for homes, hours in rows:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
            found.append(
                alone.submit(run, homes, hours, asked.seed, asked.municipality, asked.shadows).result()
            )
        show(found[-1])
    RESULTS.mkdir(exist_ok=True)
    name = "large" if asked.large else "table" if len(rows) > 1 else "run"
    (RESULTS / f"municipality-{name}.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    if asked.large and found[0]["memory_mib"] > LARGE_LIMIT_GIB * 1024:
        raise SystemExit(f"more than {LARGE_LIMIT_GIB} GiB")


if __name__ == "__main__":
    main()
