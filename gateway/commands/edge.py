"""`vaka edge`: run the home edge until it is told to stop, or check its configuration."""

import asyncio
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from gateway.commands.people_app import Plainly
from gateway.contract import ConfigurationError
from gateway.logs import set_up_logging

T = TypeVar("T")
Config = Annotated[Path | None, typer.Option("--config", "-c", help="The edge's TOML file (docs/edge.md).")]


def add_commands(app: typer.Typer, plainly: Plainly) -> None:
    """Add the words; `plainly` turns an error that the user can act on into a line and an exit code."""
    edge = typer.Typer(help="The home edge: hear devices in a home and pass on what they say.")

    @edge.callback(invoke_without_command=True)
    @plainly
    def run(context: typer.Context, config: Config = None) -> None:
        """Run the edge until Ctrl-C or SIGTERM."""
        context.obj = config
        if context.invoked_subcommand is None:
            set_up_logging()
            run_edge(_named(config))

    @edge.command()
    @plainly
    def check(context: typer.Context, config: Config = None) -> None:
        """Check the edge's configuration: one line a fault, with file, key, found and allowed."""
        typer.echo(check_edge(_named(config or context.obj)))

    app.add_typer(edge, name="edge")


def run_edge(config: Path) -> None:
    """Serve one home; SIGINT and SIGTERM end it with everything heard on its disk."""
    from gateway.edge.house import Edge  # noqa: PLC0415 - no other word should pay for its start
    from gateway.edge.settings import load_edge_settings  # noqa: PLC0415 - as above

    settings = load_edge_settings(config)

    async def serve() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        await _located(config, lambda: Edge(settings)).run(stop)

    asyncio.run(serve())


def check_edge(config: Path) -> str:
    """Read everything that a start would read; ConfigurationError says every fault."""
    from gateway.edge.house import local_registry  # noqa: PLC0415 - as above
    from gateway.edge.settings import load_edge_settings  # noqa: PLC0415 - as above
    from gateway.plugins import load_adapters  # noqa: PLC0415 - as above
    from gateway.transports.mqtt_client.dialling import tls_context  # noqa: PLC0415 - as above

    settings = load_edge_settings(config)
    adapters = load_adapters(settings.adapters)
    registry = _located(config, lambda: local_registry(settings, adapters))
    for link in settings.link:
        _located(config, partial(tls_context, link.broker()))
    links = ", then ".join(link.name for link in settings.link)
    devices = f"{len(registry.devices)} devices of its own listener"
    return f"{config}: good (edge {settings.identity.native_id}, by {links}; {devices})"


def _located(config: Path, made: Callable[[], T]) -> T:
    """Make what the file describes; a fault is told with the file's name."""
    try:
        return made()
    except ConfigurationError as error:
        raise ConfigurationError(f"{config}: {error}") from error


def _named(config: Path | None) -> Path:
    if config is None:
        raise ConfigurationError("--config: found nothing; allowed: the edge's TOML file")
    return config
