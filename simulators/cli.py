"""The commands of the simulators; a user's mistake is one line on standard error, never a traceback."""

import asyncio
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
import typer

from gateway.config import load_registry
from gateway.contract.errors import VakaError
from simulators.bluetooth import with_bluetooth
from simulators.broker import read_broker
from simulators.clock import FastClock
from simulators.driver import Driver
from simulators.driving.live_words import add_live_words
from simulators.driving.words import add_words
from simulators.evening import STARTS_AT, Evening
from simulators.files import REGISTRY_FILE, read_passwords, write_municipality
from simulators.load import Plan, run_load, serve_sink
from simulators.loops import say, until_stopped
from simulators.municipality import make_municipality
from simulators.radio.command import radio, radio_home
from simulators.stage import Stage
from simulators.standins.command import care_system
from simulators.standins.make import make_standin
from simulators.standins.server import serve
from simulators.town import make_devices

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

LOCAL = ZoneInfo("Europe/Stockholm")


def this_evening() -> str:
    """Return today's start of the script, the default of both the evening and the enrolments.

    Were the devices enrolled long before, all of them would be overdue when the gateway starts.
    """
    hour, minute = STARTS_AT
    return datetime.now(LOCAL).replace(hour=hour, minute=minute, second=0, microsecond=0).isoformat()


def moment(text: str) -> datetime:
    """Read an ISO moment; without an offset it is Swedish local time. BadParameter otherwise."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r}; allowed: a moment as 2026-11-22T18:30:00+01:00") from error
    return found if found.tzinfo else found.replace(tzinfo=LOCAL)


@app.command()
def municipality(
    *,
    out: Annotated[Path, typer.Option(help="Folder for registry.toml and secrets.json.")],
    homes: Annotated[int, typer.Option(min=1, max=100_000)] = 20,
    seed: int = 1,
    tenant: str = "demo",
    since: Annotated[
        str, typer.Option(default_factory=this_evening, help="Since when every device is enrolled.")
    ],
    bluetooth: Annotated[
        bool, typer.Option("--bluetooth", help="One home more, with an edge and Bluetooth devices.")
    ] = False,
) -> None:
    """Make a municipality from a seed: the registry, and the devices' passwords for the simulators."""
    made = make_municipality(homes, seed, tenant, moment(since))
    if bluetooth:
        made = with_bluetooth(made, moment(since))
    write_municipality(made, out)
    found = made.document
    say(f"{out / REGISTRY_FILE}: {len(found.home)} homes, {len(found.device)} devices")


@app.command()
def evening(
    *,
    folder: Annotated[Path, typer.Option("--dir", help="Folder with registry.toml and secrets.json.")],
    wall0: Annotated[float | None, typer.Option(help="Wall time of the start, seconds since 1970.")] = None,
    broker: str = "mqtt://127.0.0.1:1883",
    start: Annotated[
        str, typer.Option(default_factory=this_evening, help="Simulated start, 18:30 local time.")
    ],
    speed: Annotated[float, typer.Option(min=0.01, max=3600)] = 60,
    seed: int = 1,
    ca: Annotated[Path | None, typer.Option(help="Certificate authority for mqtts.")] = None,
) -> None:
    """Play the scripted evening in fast time over real MQTT, then ordinary life until it is stopped."""
    begins, target = moment(start), read_broker(broker, ca)
    script = Evening(make_devices(load_registry(folder / REGISTRY_FILE), seed, begins), seed, begins)
    passwords = read_passwords(folder)
    wall = datetime.now(LOCAL).timestamp() if wall0 is None else wall0
    clock = FastClock(begins, wall, speed)

    async def play(stop: asyncio.Event) -> None:
        tally = await Driver(Stage(script.devices), target, passwords, clock, say).run(stop)
        say(f"stopped: {tally.acknowledged} of {tally.sent} messages acknowledged")

    until_stopped(play)


@app.command()
def load(  # noqa: PLR0913 - every argument is an option of the command
    *,
    broker: str = "mqtt://127.0.0.1:1883",
    connections: Annotated[int, typer.Option(min=1, max=20_000)] = 10,
    messages: Annotated[int, typer.Option(min=1, help="Messages in all.")] = 10_000,
    rate: Annotated[float, typer.Option(min=0, help="Messages a second in all; 0 is flat out.")] = 0,
    window: Annotated[int, typer.Option(min=1, max=60_000, help="Unacknowledged per connection.")] = 256,
    folder: Annotated[
        Path | None, typer.Option("--dir", help="Folder with secrets.json to log in by.")
    ] = None,
    tenant: str = "load",
    kind: Annotated[str, typer.Option("--type", help="Event type, as motion.detected.")] = "motion.detected",
    alarm_every: Annotated[int, typer.Option(min=0, help="Every so manieth is alarm.manual.")] = 0,
    duplicate: Annotated[float, typer.Option(min=0, max=1, help="Share that is sent twice.")] = 0,
    reorder: Annotated[float, typer.Option(min=0, max=1, help="Share of batches sent out of order.")] = 0,
    seed: int = 1,
    acked: Annotated[
        Path | None, typer.Option(help="Write device, id and time of what was acknowledged.")
    ] = None,
    patience_s: Annotated[float, typer.Option(min=1, help="Give up after so long without a PUBACK.")] = 60,
) -> None:
    """Send QoS 1 events as fast or as evenly as asked, and account for every acknowledgement (MQTT 3.1.1)."""
    plan = Plan(
        broker=read_broker(broker),
        connections=connections,
        messages=messages,
        rate=rate,
        window=window,
        tenant=tenant,
        passwords=read_passwords(folder) if folder else {},
        kind=kind,
        alarm_every=alarm_every,
        duplicate=duplicate,
        reorder=reorder,
        seed=seed,
        acked=acked,
        patience_s=patience_s,
    )
    report = until_stopped(lambda stop: run_load(plan, stop))
    say(msgspec.json.encode(report).decode())
    if report.acknowledged < messages:
        raise typer.Exit(1)


@app.command()
def sink(
    host: str = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535)] = 1884,
) -> None:
    """Acknowledge everything and keep nothing: the ceiling that the load generator is measured against."""
    until_stopped(lambda stop: serve_sink(host, port, stop, say))


@app.command()
def standin(
    service: Annotated[str, typer.Argument(help="46elks, push or webhook.")],
    *,
    port: Annotated[int, typer.Option(min=0, max=65535)] = 0,
    habit: Annotated[
        str, typer.Option(help="What people called do: a key, nobody, engaged, voice mail.")
    ] = "1",
    fail: Annotated[int, typer.Option(min=0, max=599, help="Answer with this HTTP status.")] = 0,
    slow_s: Annotated[float, typer.Option(min=0)] = 0,
    late_s: Annotated[float, typer.Option(min=0, help="Hold reports back.")] = 0,
    twice: Annotated[bool, typer.Option(help="Send every report two times.")] = False,
) -> None:
    """Stand in for a service that alerts leave by, on loopback; says what it was asked."""
    made = make_standin(service, habit, say)
    made.faults.fail, made.faults.slow_s, made.faults.late_s = fail, slow_s, late_s
    made.faults.twice = twice
    until_stopped(lambda stop: serve(made.app, port, stop, say))


app.command()(care_system)
app.command()(radio)
app.command()(radio_home)
add_words(app)
add_live_words(app)


def main() -> None:
    """Run a command; exit status 2 with one line for what a user can mend."""
    try:
        app()
    except VakaError as error:
        typer.echo(f"simulators: {error}", err=True)
        sys.exit(2)
