"""The `vaka route` and `vaka people` words of the command line."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.commands import people as work
from gateway.commands import route as routing
from gateway.config import load_settings
from gateway.imports.plans import KINDS, Import

Plainly = Callable[[Callable[..., Any]], Callable[..., Any]]
Config = Annotated[
    Path | None, typer.Option("--config", "-c", help="The TOML file; without it the defaults.")
]
Data = Annotated[
    Path | None, typer.Option("--data", help="The data directory, instead of the configured one.")
]


def add_commands(app: typer.Typer, plainly: Plainly) -> None:
    """Add the commands; `plainly` turns an error that the user can act on into a line and an exit code."""
    app.command("route")(plainly(route))
    people = typer.Typer(help="Who works when: import plans, and see who is on duty.", no_args_is_help=True)
    people.command("import")(plainly(import_plan))
    people.command("duty")(plainly(duty))
    app.add_typer(people, name="people")


def route(  # noqa: PLR0917 - the words of a command line
    event: Annotated[str, typer.Argument(help="'<device> <event>', as 'gps-1 alarm.manual'.")],
    at: Annotated[str, typer.Option(help="When, by the tenant's clock, as '2026-12-24 23:10'.")] = "",
    hours: Annotated[float, typer.Option(min=0.01, max=168, help="How long nobody answers.")] = 3,
    value: Annotated[
        list[str] | None, typer.Option(help="name=value of the event, as battery_percent=4.")
    ] = None,
    config: Config = None,
    data: Data = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of lines.")] = False,
) -> None:
    """Say who would be called, when, by which channel, and why, if nobody answered."""
    settings = load_settings(config)
    zone = routing.zone_of(settings, data, event)
    asked = routing.question(event, at, hours, value or [], zone)
    if as_json:
        typer.echo(routing.as_json(routing.lines_of(settings, data, asked)))
        return
    for line in routing.route(settings, data, asked, zone):
        typer.echo(line)


def import_plan(  # noqa: PLR0913, PLR0917 - the words of a command line
    kind: Annotated[str, typer.Argument(help=f"What the file holds: {', '.join(KINDS)}.")],
    file: Annotated[Path, typer.Argument(help="CSV, or for shifts also iCalendar.")],
    source: Annotated[str, typer.Option(help="The plan's name; a newer file of it replaces it.")] = "",
    tenant: Annotated[str, typer.Option(help="Whose; needed when there are several.")] = "",
    team: Annotated[str, typer.Option(help="For shifts that name none.")] = "",
    since: Annotated[str, typer.Option(help="From when the plan holds; else its first row.")] = "",
    until: Annotated[str, typer.Option(help="Until when; else its last row.")] = "",
    url: Annotated[str, typer.Option(help="Of a running gateway; its token in VAKA_TOKEN.")] = "",
    config: Config = None,
    data: Data = None,
) -> None:
    """Import staff, shifts or visits; a fault or a plan that leaves alerts to nobody is refused."""
    settings = load_settings(config)
    name, zone = work.tenant_of(settings, data, tenant)
    told = Import(
        kind=kind,
        content=file.read_bytes(),
        zone=zone,
        source=source or file.stem,
        tenant=name,
        team=team,
        since=work.moment_of(since, zone),
        until=work.moment_of(until, zone),
        actor="command",
    )
    typer.echo(work.import_plan(settings, data, told, url))


def duty(
    at: Annotated[str, typer.Option(help="When, by the tenant's clock; now without it.")] = "",
    config: Config = None,
    data: Data = None,
) -> None:
    """Tell who is on duty in every team."""
    for line in work.on_duty(load_settings(config), data, at):
        typer.echo(line)
