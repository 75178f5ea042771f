"""The `vaka` command."""

import getpass
import json
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, ParamSpec, TypeVar

import typer

from gateway.api.passwords import hash_password, new_token
from gateway.commands import contacts as book
from gateway.commands import decode as decoding
from gateway.commands import doctor as examination
from gateway.commands import inspect
from gateway.commands import rules as rulebook
from gateway.commands.codes import add_commands as add_codes
from gateway.commands.demo import demo as play
from gateway.commands.edge import add_commands as add_edge
from gateway.commands.fleet import add_commands as add_fleet
from gateway.commands.new_adapter import add_commands as add_new_adapter
from gateway.commands.orders import add_commands as add_orders
from gateway.commands.people_app import add_commands
from gateway.commands.pilot import add_commands as add_pilot
from gateway.commands.reconcile import add_commands as add_reconcile
from gateway.commands.replay import add_commands as add_replay
from gateway.commands.serve import serve as run
from gateway.config import Settings, load_settings
from gateway.contract import Adapter, VakaError
from gateway.logs import set_up_logging
from gateway.pipeline.walk import Walk
from gateway.plugins import command_groups, find_adapters, load_adapters, load_rules
from gateway.preflight import examine
from gateway.service.logins import hash_secret, new_password
from gateway.service.parts import PartFailedError

P = ParamSpec("P")
R = TypeVar("R")

app = typer.Typer(
    help="Vaka keeps watch: from a device's bytes to a carer who answers.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
journal = typer.Typer(help="Look at the journal.", no_args_is_help=True)
app.add_typer(journal, name="journal")
rules = typer.Typer(help="Look at the rules, and try them.", no_args_is_help=True)
app.add_typer(rules, name="rules")
contacts = typer.Typer(help="Where people at work can be reached.", no_args_is_help=True)
app.add_typer(contacts, name="contacts")

Config = Annotated[
    Path | None, typer.Option("--config", "-c", help="The TOML file; without it the defaults.")
]
Data = Annotated[
    Path | None, typer.Option("--data", help="The data directory, instead of the configured one.")
]


def _plainly(command: Callable[P, R]) -> Callable[P, R]:
    """Turn an error that the user can act on into one line a fault and exit code 2; 1 if a part failed."""

    @wraps(command)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except PartFailedError as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(1) from error
        except VakaError as error:
            typer.echo(str(error), err=True)
        except BrokenPipeError:
            raise  # the reader of our output has had enough: no fault of anybody's
        except OSError as error:
            typer.echo(f"{error.filename or 'system'}: {error.strerror or error}", err=True)
        raise typer.Exit(2)

    return guarded


@app.command()
@_plainly
def serve(config: Config = None) -> None:
    """Run the gateway until Ctrl-C or SIGTERM."""
    set_up_logging()
    run(load_settings(config))


@app.command()
@_plainly
def demo(
    homes: Annotated[int, typer.Option(min=20, max=500, help="The evening needs twenty.")] = 20,
    seed: int = 1,
    speed: Annotated[float, typer.Option(min=1, max=3600, help="Times real time.")] = 60,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of the pages.")] = 8080,
    broker: Annotated[str | None, typer.Option(help="mqtt://host:port of a real broker to use.")] = None,
) -> None:
    """Play a scripted evening in simulated homes, with the page open on localhost."""
    set_up_logging("WARNING")
    play(homes, seed, speed, port, broker)


@app.command()
@_plainly
def check(config: Config = None) -> None:
    """Check configuration and registry: one line a fault, with file, key, found and allowed."""
    settings = load_settings(config)
    told = "no registry"
    registry = examine(settings, [adapter.manifest.id for adapter in load_adapters(settings.adapters)])
    if registry is not None:
        told = f"{len(registry.homes)} homes, {len(registry.enrolments)} enrolled devices"
    typer.echo(f"{config or 'defaults'}: good ({told})")


Asked = Annotated[list[str] | None, typer.Argument(help="Catalogue ids or names; without them every rule.")]


@rules.command("lint")
@_plainly
def rules_lint(
    files: Annotated[list[Path] | None, typer.Argument(help="Without them: rules_dir.")] = None,
    config: Config = None,
) -> None:
    """Read rule files, compile them and try their vectors, in a process of their own; one line a fault."""
    faults = rulebook.lint(load_settings(config), files or [])
    for fault in faults:
        typer.echo(fault, err=True)
    if faults:
        raise typer.Exit(2)
    typer.echo("good")


@rules.command("test")
@_plainly
def rules_test(wanted: Asked = None, config: Config = None) -> None:
    """Run every rule's own vectors through the real steps in virtual time."""
    results = list(rulebook.trials(rulebook.entries(load_settings(config), wanted or [])))
    for _, line in results:
        typer.echo(line)
    if not all(held for held, _ in results):
        raise typer.Exit(1)


@rules.command("table")
@_plainly
def rules_table() -> None:
    """Print the catalogue as the Markdown table that docs/rules.md holds."""
    for line in rulebook.table(rulebook.entries(Settings(), [])):
        typer.echo(line)


@rules.command("explain")
@_plainly
def rules_explain(wanted: Asked = None, config: Config = None) -> None:
    """Say in words what the rules do, with their numbers."""
    for line in rulebook.explanations(rulebook.entries(load_settings(config), wanted or [])):
        typer.echo(line)


@app.command()
@_plainly
def decode(
    files: Annotated[list[Path] | None, typer.Argument(help="Files of the samples' form.")] = None,
    transport: str = "mqtt",
    topic: str | None = None,
    payload: str | None = None,
) -> None:
    """Print one JSON line for every event, or the reason why there is none."""
    walk = Walk(_usable_adapters(), load_rules(), ())
    jobs = [decoding.messages_of(file) for file in files or []]
    if topic is not None:
        found = {"transport": transport, "topic": topic, "payload": payload or ""}
        jobs.append((decoding.messages_from(found), {}))
    if not jobs:
        raise VakaError("decode: found nothing to read; allowed: FILE..., or --topic with --payload")
    for messages, assumed in jobs:
        for line in decoding.decode_messages(walk, messages, assumed):
            typer.echo(json.dumps(line, ensure_ascii=False))


@app.command()
@_plainly
def trace(
    position: Annotated[int | None, typer.Argument(help="A trace id; without it the newest remarks.")] = None,
    config: Config = None,
    data: Data = None,
    newest: Annotated[int, typer.Option(min=1, max=10_000)] = 20,
) -> None:
    """Say where a message stopped, and why."""
    directory = _directory(config, data)
    lines = (
        inspect.trace_frame(directory, position) if position else inspect.newest_remarks(directory, newest)
    )
    for line in lines:
        typer.echo(line)


@journal.command("export")
@_plainly
def journal_export(
    config: Config = None,
    data: Data = None,
    after: Annotated[int, typer.Option(min=0, help="Only positions above this.")] = 0,
    until: Annotated[int | None, typer.Option(min=1, help="Only positions up to this.")] = None,
) -> None:
    """Write the journal to standard output as JSON lines; it holds what devices sent: handle it as such."""
    for line in inspect.export_journal(_directory(config, data), after, until):
        sys.stdout.write(line + "\n")


@contacts.command("list")
@_plainly
def contacts_list(config: Config = None, data: Data = None) -> None:
    """Say who can be reached by which channels; addresses are not shown."""
    for line in book.noted(_directory(config, data)):
        typer.echo(line)


@contacts.command("note")
@_plainly
def contacts_note(recipient: str, kind: str, config: Config = None, data: Data = None) -> None:
    """Note a phone, sms, voice or email address of a person or team; it is asked for, never an argument."""
    address = typer.prompt("Address", hide_input=sys.stdin.isatty(), err=True)
    typer.echo(book.note(_directory(config, data), recipient, kind, address))


@contacts.command("remove")
@_plainly
def contacts_remove(recipient: str, kind: str, config: Config = None, data: Data = None) -> None:
    """Forget all addresses of a kind (also webpush)."""
    typer.echo(book.remove(_directory(config, data), recipient, kind))


@app.command()
@_plainly
def doctor(config: Config = None) -> None:
    """Examine whether this machine keeps what the gateway promises."""
    findings = list(examination.examine(load_settings(config)))
    for verdict, sentence in findings:
        typer.echo(f"{verdict:4}  {sentence}")
    raise typer.Exit(examination.exit_code(findings))


@app.command()
@_plainly
def password() -> None:
    """Ask for a password and print its argon2 hash, for `api.user`."""
    typer.echo(hash_password(getpass.getpass("Password: ")))


@app.command()
@_plainly
def token() -> None:
    """Make an API token; print it and its hash, for `api.token`."""
    plain, digest = new_token()
    typer.echo(f"token       {plain}\ntoken_hash  {digest}")


@app.command()
@_plainly
def secret() -> None:
    """Make a device's MQTT password; print it and its digest, for `device.secret`."""
    plain = new_password()
    typer.echo(f"password  {plain}\nsecret    {hash_secret(plain)}")


def _usable_adapters() -> list[Adapter]:
    """Return the adapters that can be used, and tell of the others: a broken one does not stop the rest."""
    adapters, faults = find_adapters()
    for fault in faults:
        typer.echo(fault, err=True)
    return adapters


def _directory(config: Path | None, data: Path | None) -> Path:
    settings: Settings = load_settings(config)
    return data or settings.data_dir


def _add_group(name: str, run: Callable[..., None]) -> None:
    """Pass everything after the word on to the package that brings it."""
    passed_on = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}

    @app.command(name, context_settings=passed_on, help=f"More words: see vaka {name} --help.")
    @_plainly
    def group(context: typer.Context) -> None:
        run(context.args)


add_commands(app, _plainly)
add_codes(app, _plainly)
add_edge(app, _plainly)
add_fleet(app, _plainly)
add_new_adapter(app, _plainly)
add_orders(app, _plainly)
add_replay(app, _plainly)
add_reconcile(app, _plainly)
add_pilot(app, _plainly)
for _name, _run in command_groups().items():
    _add_group(_name, _run)


def main() -> None:
    """Run the command line."""
    try:
        app()
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has had enough


if __name__ == "__main__":
    main()
