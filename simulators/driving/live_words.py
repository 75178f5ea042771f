"""The words of `vaka sim` that meet a running gateway: serve, drive, press and console."""

import asyncio
from importlib import import_module
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from simulators.broker import read_broker
from simulators.driver import Tally
from simulators.driving.console import Console, listen
from simulators.driving.latency import said
from simulators.driving.live import Drive, prepare
from simulators.driving.press import press
from simulators.driving.words import Wanted, shortened
from simulators.loops import say, until_stopped
from simulators.scenarios.build import build
from simulators.scenarios.scenario import load_scenario

Folder = Annotated[
    Path | None,
    typer.Option("--dir", help="Folder of `vaka sim serve` or the demo: passwords, and the gateway's clock."),
]
At = Annotated[str, typer.Option("--broker", help="The gateway's listener, or a broker: mqtt://host:port.")]
Speed = Annotated[float, typer.Option(min=0.01, max=3600, help="Times faster than the clock on the wall.")]
Seed = Annotated[int | None, typer.Option(help="Instead of the scenario's own.")]
Hours = Annotated[float | None, typer.Option(min=0.01, help="Instead of its own length.")]
Locks = Annotated[int, typer.Option("--firmware", min=0, help="Let real firmware play so many locks more.")]
Machine = Annotated[str, typer.Option(help="What the firmware runs on: cpython, micropython.")]
HERE = "mqtt://127.0.0.1:1883"


def serve(
    scenario: Wanted,
    *,
    folder: Annotated[Path, typer.Option("--dir", help="Folder for registry, secrets, clock and state.")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of the pages; 0 takes a free one.")] = 8080,
    listener_port: Annotated[int, typer.Option(min=0, max=65535, help="Where devices connect to.")] = 0,
    broker: Annotated[str | None, typer.Option(help="Hear a broker instead: mqtt://host:port.")] = None,
    seed: Seed = None,
) -> None:
    """Run the real gateway with a scenario's municipality, on a clock that a drive sets."""
    play = build(load_scenario(scenario), seed)
    served = import_module(
        "simulators.driving.served"
    )  # all of the gateway: seconds that other words do not need
    served.serve_play(play, folder, port=port, listener_port=listener_port, broker=broker)


def drive(  # noqa: PLR0913 - every argument is an option of the command
    scenario: Wanted,
    *,
    broker: At = HERE,
    folder: Folder = None,
    speed: Speed = 60,
    seed: Seed = None,
    hours: Hours = None,
    firmware: Locks = 0,
    machine: Machine = "cpython",
    as_data: Annotated[bool, typer.Option("--json", help="The figures for programs.")] = False,
) -> None:
    """Drive a scenario over real MQTT, a connection a device, and say how long each message took."""
    made = prepare(shortened(load_scenario(scenario), hours), seed, folder, read_broker(broker), firmware)
    made.machine = machine
    _warn(made, speed)
    tally = until_stopped(lambda stop: made.run(stop, _aside if as_data else say, speed))
    if as_data:
        say(msgspec.json.encode(tally).decode())
    else:
        _figures(tally)


def press_device(
    device: Annotated[str, typer.Argument(help="An id, or kind:n as social_alarm:1.")],
    *,
    folder: Annotated[Path, typer.Option("--dir", help="Folder with registry.toml and secrets.json.")],
    broker: At = HERE,
    do: Annotated[str, typer.Option(help="What happens to it.")] = "press",
) -> None:
    """Let one device do one thing on a running gateway: somebody presses the SOS."""
    done = press(folder, read_broker(broker), device, do)
    say(f"{done.device}: {do}, acknowledged in {done.took_ms:g} ms ({done.messages} messages)")


def console(
    scenario: Wanted, *, broker: At = HERE, folder: Folder = None, speed: Speed = 60, seed: Seed = None
) -> None:
    """Drive a scenario and take orders a line each: press social_alarm:1, fault mobile on, speed 600."""
    made = prepare(load_scenario(scenario), seed, folder, read_broker(broker))
    _warn(made, speed)

    async def run(stop: asyncio.Event) -> Tally:
        talking = Console(made, stop)
        return await made.run(stop, say, speed, lambda: listen(talking, say))

    say("help says which words there are; quit ends")
    _figures(until_stopped(run))


def _warn(made: Drive, speed: float) -> None:
    if not made.clock.shared and speed != 1:
        typer.echo(
            "the gateway does not share this clock: its times are the wall's, those of the devices run ahead "
            "(vaka sim serve makes a folder with a shared one)",
            err=True,
        )


def _figures(tally: Tally) -> None:
    say(f"{tally.acknowledged} of {tally.sent} messages acknowledged, {tally.dropped} dropped")
    for line in said(tally.latencies) if tally.latencies else ():
        say(line)


def _aside(line: str) -> None:
    typer.echo(line, err=True)


def add_live_words(app: typer.Typer) -> None:
    """Give them to the command."""
    app.command()(serve)
    app.command()(drive)
    app.command("press")(press_device)
    app.command()(console)
