"""The word `vaka sim check`: a scenario on the whole gateway, what did not hold, and the way of alarms."""

from pathlib import Path
from typing import Annotated

import typer

from gateway.model.alert import Severity
from simulators.scenarios.build import ZONE
from simulators.scenarios.expected import unmet
from simulators.scenarios.hops import chains, report, report_json
from simulators.scenarios.scenario import load_scenario
from simulators.swarm.run import hushed, run_once


def check(
    scenario: Annotated[
        str, typer.Argument(help="A scenario of the library, or a file.", show_default=False)
    ],
    *,
    seed: Annotated[int | None, typer.Option(help="Another seed than the file's.")] = None,
    hops: Annotated[
        bool, typer.Option("--hops", help="Show the way of every High alert, hop by hop.")
    ] = False,
    rule: Annotated[str, typer.Option(help="Show the ways of this rule's alerts.")] = "",
    out: Annotated[
        Path | None, typer.Option(help="Write the ways of all alerts to this file, as JSON.")
    ] = None,
) -> None:
    """Play a scenario on the whole gateway, and check what must hold and what it expects."""
    told = load_scenario(scenario)
    with hushed():
        run = run_once(told if seed is None else told.model_copy(update={"seed": seed}))
    if run.evidence is not None:
        ways = chains(run.evidence)
        if out is not None:
            out.write_bytes(report_json(ways))
        shown = [one for one in ways if one.rule == rule or (hops and one.severity is Severity.HIGH)]
        typer.echo(report(shown, ZONE) + "\n" if shown else "", nl=False)
    missed = unmet(told.expect, run.evidence) if run.evidence is not None else []
    for said in [*map(str, run.broken), *(f"expected: {one}" for one in missed)]:
        typer.echo(said)
    alerts = len(run.evidence.alerts) if run.evidence is not None else 0
    typer.echo(f"{scenario}: {run.frames} frames, {alerts} alerts, {len(run.broken) + len(missed)} faults")
    raise typer.Exit(1 if run.broken or missed else 0)
