"""`vaka sim care-system`: the care system that stands in for a municipality's own."""

from pathlib import Path
from typing import Annotated

import typer

from simulators.loops import say, until_stopped
from simulators.standins.care import CareStandIn
from simulators.standins.server import serve


def care_system(
    *,
    port: Annotated[int, typer.Option(min=0, max=65535)] = 0,
    folder: Annotated[Path | None, typer.Option("--dir", help="Where it keeps what it holds.")] = None,
    token: Annotated[str, typer.Option(help="Without it nobody is asked who they are.")] = "",
    fail: Annotated[int, typer.Option(min=0, max=599, help="Answer with this HTTP status.")] = 0,
    slow_s: Annotated[float, typer.Option(min=0)] = 0,
) -> None:
    """Take care records and FHIR bundles on loopback, list them, and count what people typed by hand."""
    made = CareStandIn(folder, token, say)
    made.faults.fail, made.faults.slow_s = fail, slow_s
    say("records to the address, FHIR bundles to /fhir below it, the page for people at /")
    try:
        until_stopped(lambda stop: serve(made.app, port, stop, say))
    finally:
        made.close()
