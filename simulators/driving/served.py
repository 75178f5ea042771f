"""The real gateway on a scenario's clock, for a drive over real MQTT: its own process, its own files."""

import time
from datetime import timedelta
from pathlib import Path

import typer

from gateway.commands.serve import serve
from gateway.config import Settings
from gateway.logs import set_up_logging
from gateway.wiring import Gateway
from simulators.clock import CLOCK_FILE, FastClock, SharedClock, write_clock
from simulators.driving.inprocess import empty_folder
from simulators.files import REGISTRY_FILE, write_municipality
from simulators.municipality import Municipality
from simulators.scenarios.build import Play

LEAD = timedelta(minutes=30)
"""So long before the scenario the clock begins, at its usual speed, so that a drive can begin in time."""
STATE = "state"


def serve_play(play: Play, folder: Path, *, port: int, listener_port: int, broker: str | None) -> None:
    """Write registry, secrets and clock there, and run the gateway until it is told to stop."""
    set_up_logging("WARNING")
    empty_folder(folder / STATE)
    write_municipality(Municipality(play.world.document, play.world.passwords), folder)
    write_clock(folder / CLOCK_FILE, [FastClock(play.start - LEAD, time.time(), 1.0)])
    settings = Settings.model_validate(
        {
            "data_dir": folder / STATE,
            "registry": folder / REGISTRY_FILE,
            "listener": {"enabled": broker is None, "port": listener_port},
            "broker": [{"name": "drive", "url": broker, "client_id": "vaka-drive"}] if broker else [],
            "api": {"port": port},
            "watch": {"round_trip": False},
        }
    )

    async def ready(gateway: Gateway) -> None:
        way_in = broker or f"mqtt://127.0.0.1:{gateway.listener.port if gateway.listener else 0}"
        name = play.scenario.name
        drive = f"vaka sim drive {name} --seed {play.seed} --dir {folder} --broker {way_in} --speed 60"
        typer.echo(f"{gateway.page} serves {name}; it waits for its devices:\n  {drive}")
        typer.get_text_stream("stdout").flush()

    serve(settings, SharedClock(folder / CLOCK_FILE), ready)
