"""The words of `vaka sim` that run a scenario in process, and show what there is."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from gateway.contract.errors import ConfigurationError
from simulators.driving.inprocess import (
    SUMMARY_FILE,
    Progress,
    Run,
    as_json,
    empty_folder,
    lines,
)
from simulators.driving.levels import ABOUT, LEVELS, read_level
from simulators.faults.when import length
from simulators.scenarios.build import build
from simulators.scenarios.command import check
from simulators.scenarios.scenario import Scenario, load_scenario, names
from simulators.swarm.command import swarm

STEPS = 100
"""Steps of the progress bar."""

Wanted = Annotated[str, typer.Argument(help="A scenario of the library, or a file.", show_default=False)]
LEVEL_HELP = f"{', '.join(LEVELS)}: how much of the gateway and of the network is real."


def run(
    scenario: Wanted,
    *,
    seed: Annotated[int | None, typer.Option(help="Instead of the scenario's own.")] = None,
    level: Annotated[str, typer.Option(help=LEVEL_HELP)] = "fleet",
    hours: Annotated[float | None, typer.Option(min=0.01, help="Instead of its own length.")] = None,
    out: Annotated[Path | None, typer.Option(help="Keep the run as a data directory there.")] = None,
    as_data: Annotated[bool, typer.Option("--json", help="The summary for programs.")] = False,
) -> None:
    """Run a scenario in process at full speed, and say what came of it; exit 1 if not what it expects."""
    chosen = read_level(level)
    read = shortened(load_scenario(scenario), hours)
    folder = empty_folder(out) if out is not None else None
    one = Run(build(read, seed), chosen, folder)
    with progress_bar(read.name) as progress:
        one.run(progress)
    summary = one.summary()
    if folder is not None:
        (folder / SUMMARY_FILE).write_text(as_json(summary) + "\n", encoding="utf-8")
    typer.echo(as_json(summary) if as_data else "\n".join(lines(summary)))
    if not summary.good:
        raise typer.Exit(1)


def list_scenarios() -> None:
    """Name the scenarios of the library, a line each."""
    for name in names():
        scenario = load_scenario(name)
        typer.echo(f"{name:24} {scenario.title.en}: {size(scenario)}")
    for level in LEVELS:
        typer.echo(f"--level {level:16} {ABOUT[level]}")


def show(scenario: Wanted) -> None:
    """Say what happens in a scenario, what fails, and what must come of it."""
    found = load_scenario(scenario)
    typer.echo(f"{found.name}: {found.title.en} ({found.title.sv})\n{found.about.en}\n{size(found)}")
    for one in found.happens:
        when = one.at if one.at is not None else f"every {one.every}"
        typer.echo(f"  happens {when}: {one.device} {one.do}{f': {one.note}' if one.note else ''}")
    for fault in found.fault:
        until = f" until {fault.ends}" if fault.ends is not None else ""
        where = fault.where if isinstance(fault.where, str) else ", ".join(fault.where)
        typer.echo(f"  fails   {fault.begins}{until}: {fault.kind} at {where}")
    for rule, count in found.expect.alerts.items():
        most = "" if count.most is None else f", at most {count.most}"
        typer.echo(f"  expects {rule}: at least {count.least}{most}")
    if found.expect.first_carer_within_s is not None:
        typer.echo(
            f"  expects a High alert on somebody's phone within {found.expect.first_carer_within_s:g} s"
        )


def size(scenario: Scenario) -> str:
    """Say how large and how long a scenario is."""
    where = scenario.municipality or f"{scenario.homes} homes"
    hours = length(scenario.lasts).total_seconds() / 3600
    return f"{where}, {hours:g} h from {scenario.starts:%Y-%m-%d %H:%M}"


def shortened(scenario: Scenario, hours: float | None) -> Scenario:
    """Return it with another length; ConfigurationError where that is longer than a year."""
    if hours is None:
        return scenario
    if hours > 366 * 24:
        raise ConfigurationError(f"hours: found {hours:g}; allowed: at most {366 * 24}")
    return scenario.model_copy(update={"lasts": f"{hours * 60:.0f}m"})


@contextmanager
def progress_bar(label: str) -> Iterator[Progress | None]:
    """Show on standard error how far it is; nothing where that is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    with typer.progressbar(length=STEPS, label=label, file=sys.stderr) as bar:

        def progress(share: float) -> None:
            if (step := int(share * STEPS) - bar.pos) > 0:
                bar.update(step)

        yield progress
        bar.update(STEPS - bar.pos)


def add_words(app: typer.Typer) -> None:
    """Give them to the command."""
    app.command()(run)
    app.command("list")(list_scenarios)
    app.command()(show)
    app.command()(check)
    app.command()(swarm)
