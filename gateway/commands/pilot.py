"""`vaka pilot`: which pilots there are, the report of one, and two products side by side."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from gateway.commands.people_app import Config, Data, Plainly
from gateway.config import load_settings
from gateway.contract import ConfigurationError

Lang = Annotated[Literal["sv", "en"], typer.Option("--lang", help="Language of the page.")]
Name = Annotated[str, typer.Argument(metavar="PILOT", help="Its id in the registry.")]
Out = Annotated[Path, typer.Option(help="The page; its figures lie beside it as .json.")]
TOLD_FROM = 200_000
"""Frames from which on an export says how far it is."""


def add_commands(app: typer.Typer, plainly: Plainly) -> None:
    """Add the words; `plainly` turns an error that the user can act on into a line and an exit code."""
    pilot = typer.Typer(
        help="Evaluate a pilot: what was delivered, what it cost, what came of it.", no_args_is_help=True
    )
    pilot.command("list")(plainly(list_pilots))
    pilot.command("report")(plainly(report))
    pilot.command("compare")(plainly(compare))
    app.add_typer(pilot, name="pilot")


def list_pilots(config: Config = None, data: Data = None) -> None:
    """List the pilots of the registry that the data directory has."""
    from gateway.pilot import run  # noqa: PLC0415 - its libraries cost a second that no other word should pay

    lines = list(run.listed(_directory(config, data)))
    for line in lines or ["no pilots: the registry has no [[pilot]]"]:
        typer.echo(line)


def report(
    pilot: Name, out: Out = Path("report.html"), config: Config = None, data: Data = None, lang: Lang = "sv"
) -> None:
    """Write one page that can be printed, and all its figures as JSON beside it."""
    from gateway.pilot import run  # noqa: PLC0415 - as above

    beside = out.with_suffix(".json")
    if beside == out:
        raise ConfigurationError(f"--out: found {out}; allowed: a name that does not end in .json")
    figures = run.figures_of(_directory(config, data), pilot, _progress)
    run.write_report(figures, out, beside, lang)
    typer.echo(f"{out} and {beside}: {len(figures.all)} figures")


def compare(  # noqa: PLR0917 - the words of a command line
    pilot: Name,
    products: Annotated[
        tuple[str, str] | None, typer.Option(help="Two products, as the registry names their models.")
    ] = None,
    other: Annotated[
        Path | None, typer.Option("--with", help="Another data directory with the same pilot.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write a page too.")] = None,
    config: Config = None,
    data: Data = None,
    lang: Lang = "sv",
) -> None:
    """Show two products of a pilot, or two data directories of it, side by side on the same measures."""
    from gateway.pilot import run  # noqa: PLC0415 - as above

    directory = _directory(config, data)
    if products is not None and other is None:
        names, second = products, None
    elif products is None and other is not None:
        names, second = (str(directory), str(other)), run.figures_of(other, pilot, _progress)
    else:
        raise ConfigurationError("compare: found neither or both; allowed: --products A B, or --with DIR")
    first = run.figures_of(directory, pilot, _progress)
    for line in run.compared(first, second, names, lang, out):
        typer.echo(line)


def _progress(done: int, of: int) -> None:
    if of >= TOLD_FROM:
        typer.echo(f"\rexported {done:,} of {of:,} frames", err=True, nl=done == of)


def _directory(config: Path | None, data: Path | None) -> Path:
    return data or load_settings(config).data_dir
