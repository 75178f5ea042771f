"""The word `vaka sim swarm`: many seeds with a bar, and what a failing one needs to be run again."""

from pathlib import Path
from typing import Annotated

import typer

from simulators.swarm.run import hushed
from simulators.swarm.swarm import Failure, Tally, run_swarm


def swarm(
    *,
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds.")] = 100,
    first: Annotated[int, typer.Option("--from", min=0, help="The first seed.")] = 1,
    out: Annotated[Path, typer.Option(help="Folder for the small scenarios of failing seeds.")] = Path(
        "var/swarm"
    ),
) -> None:
    """Run random scenarios full of faults on the whole gateway, and check what must hold after each."""
    with hushed(), typer.progressbar(length=seeds, label=f"seeds {first} to {first + seeds - 1}") as bar:

        def told(_seed: int, _tally: Tally) -> None:
            bar.update(1)

        tally = run_swarm(range(first, first + seeds), told=told, out=out)
    typer.echo(
        f"{tally.seeds} seeds, {tally.frames} frames, {tally.alerts} alerts, {tally.crashes} crashes: "
        f"{len(tally.failures)} seeds broke an invariant"
    )
    for failure in tally.failures:
        typer.echo(said(failure, out))
    raise typer.Exit(1 if tally.failures else 0)


def said(failure: Failure, out: Path) -> str:
    """Return what an engineer needs of a failing seed."""
    small = failure.small
    shape = f"{small.homes} homes, {small.lasts}, {len(small.happens)} happenings, {len(small.fault)} faults"
    path = out / f"seed-{failure.seed}.toml"
    lines = [
        f"seed {failure.seed}: {failure.broken[0]}",
        f"  again:   {failure.again}",
        f"  smaller: vaka sim check {path} ({shape}, after {failure.trials} runs)",
    ]
    return "\n".join(lines)
