"""What a back-test costs: `python -m benchmarks.replay` (a month of forty homes; its making takes longest).

Prints seconds and frames a second of the export, of one run that judges the rules in shadow, and of a rule
change: both runs and the table. With `--data` an existing data directory is measured instead.
"""

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from benchmarks.month import live
from gateway.commands.replay import export_recording, run
from gateway.config import Settings
from gateway.replay.rulesets import Change
from gateway.replay.table import told

T = TypeVar("T")


def main() -> None:
    """Make, export, replay, and print what each took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--homes", type=int, default=40)
    parser.add_argument("--days", type=float, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data", type=Path, help="measure this data directory")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="vaka-replay-") as made:
        folder = args.data or Path(made)
        if args.data is None:
            what = f"make {args.days:g} days of {args.homes} homes"
            timed(what, lambda: live(folder, args.homes, args.days, args.seed))
        measure(folder, Path(made) / "month.gz")


def measure(folder: Path, file: Path) -> None:
    """Export a data directory and run it in both ways."""
    exported = timed("export", lambda: export_recording(Settings(), folder, file, (None, None), keep=False))
    frames = exported.frames
    print(f"{frames} frames, {file.stat().st_size / 1e6:.1f} MB, {os.cpu_count()} processors")
    judged = timed("judge the rules in shadow", lambda: run(Settings(), file, Change(), None), frames)
    change = Change(numbers=("fall.confirm_s=45",), activate=("fall_still",))
    compared = timed("back-test of a rule change", lambda: run(Settings(), file, change, None), frames)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{len(compared.before.alerts)} alerts, {peak:.0f} MB of memory at most\n")
    for line in told(compared.before, compared.after, compared.notes):
        print(line)
    print()
    for line in list(told(judged.before, None))[-25:]:
        print(line)


def timed(what: str, work: Callable[[], T], frames: int = 0) -> T:
    """Do the work and say how long it took."""
    began = time.perf_counter()
    done = work()
    took_s = time.perf_counter() - began
    rate = f", {frames / took_s:,.0f} frames/s" if frames else ""
    print(f"{what}: {took_s:.1f} s{rate}", flush=True)
    return done


if __name__ == "__main__":
    main()
