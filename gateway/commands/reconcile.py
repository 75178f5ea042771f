"""`vaka reconcile`: what each care system should have by the log, and what is proved to be there."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from gateway.config import Settings, load_settings
from gateway.contract import ConfigurationError, TapFault
from gateway.model.registry import Registry
from gateway.service.tapping import NoWords
from gateway.stores.state_reader import StateReader
from gateway.stores.taps import FILE, SqliteCursors
from gateway.tap_settings import CareSettings
from gateway.taps.care import CONNECTORS
from gateway.taps.care.carrier import Held
from gateway.taps.care.making import Asked
from gateway.taps.care.reconciling import Account, Known, account_of, known_of

Plainly = Callable[[Callable[..., Any]], Callable[..., Any]]
Config = Annotated[
    Path | None, typer.Option("--config", "-c", help="The TOML file; without it the defaults.")
]
Data = Annotated[
    Path | None, typer.Option("--data", help="The data directory, instead of the configured one.")
]
SHOWN = 50
"""Records of each sort that the lines name; the JSON names all."""


def add_commands(app: typer.Typer, plainly: Plainly) -> None:
    """Add the command; `plainly` turns an error that the user can act on into a line and an exit code."""
    app.command("reconcile")(plainly(reconcile))


def reconcile(
    config: Config = None,
    data: Data = None,
    tap: Annotated[str, typer.Option(help="Only the care system of this name.")] = "",
    *,
    offline: Annotated[bool, typer.Option("--offline", help="Do not ask the receiver for its list.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of lines.")] = False,
) -> None:
    """Hold the log against each care system's proofs, refusals and own list; exit 1 if one lacks something.

    It may be asked while the gateway runs, or of a copy of its data directory.
    """
    settings = load_settings(config)
    accounts = list(accounts_of(settings, data or settings.data_dir, tap, offline=offline))
    if as_json:
        told = [msgspec.to_builtins(one) | {"good": one.good} for one in accounts]
        typer.echo(msgspec.json.format(msgspec.json.encode(told), indent=2).decode())
    else:
        for account in accounts:
            for line in lines_of(account):
                typer.echo(line)
    if not all(one.good for one in accounts):
        raise typer.Exit(1)


def accounts_of(
    settings: Settings, data: Path, only: str = "", *, offline: bool = False
) -> Iterator[Account]:
    """Yield how each configured care system stands; ConfigurationError when there is none."""
    wanted = [one for one in settings.taps.care if only in ("", one.name)]
    if not wanted:
        allowed = ", ".join(one.name for one in settings.taps.care) or "none is configured (taps.care)"
        raise ConfigurationError(f"care system: found {only or 'none'!r}; allowed: {allowed}")
    for path in (data / "state.db", data / FILE):
        if not path.exists():
            raise ConfigurationError(f"{path}: there is no such file; the gateway has not run with it yet")
    log = StateReader(data / "state.db")
    cursors = SqliteCursors(data / FILE, read_only=True)
    try:
        registry = Registry(log.load().registry)
        asked = Asked(log, lambda: registry, NoWords())
        known = [(one, known_of(one, log, cursors, asked)) for one in wanted]
    finally:
        cursors.close()
        log.close()
    for one, told in known:
        yield account_of(one, told, None) if offline else asyncio.run(_listed(one, told))


async def _listed(settings: CareSettings, known: Known) -> Account:
    """Return the account with what the receiver lists itself, or with why that cannot be read."""
    connector = CONNECTORS[settings.kind](settings)
    held: dict[str, Held] | None = None
    unread = ""
    try:
        listed = await connector.held()
        held = dict(listed) if listed is not None else None
    except TapFault as fault:
        unread = str(fault)
    finally:
        await connector.close()
    return account_of(settings, known, held, unread)


def lines_of(account: Account) -> Iterator[str]:
    """Yield an account as a person reads it."""
    head = f"{account.tap} ({account.kind}): {account.expected} records expected, {account.proved} proved"
    yield (
        f"{head}, {len(account.refused)} refused, {len(account.missing)} missing, {len(account.lost)} lost, "
        f"{len(account.given_up)} given up; "
        f"{account.waiting} still to be sent"
    )
    if account.begun is None:
        yield "  it has not begun: start the gateway with this configuration"
    if account.unread:
        yield f"  its own list could not be read: {account.unread}"
    elif account.listed is None:
        yield "  its own list was not asked for, or it offers none: what is proved rests on its answers"
    else:
        yield f"  it lists {account.listed} itself"
    for name in ("refused", "missing", "lost", "given_up"):
        named = getattr(account, name)
        for one in named[:SHOWN]:
            yield f"  {name} {one.key} version {one.version} {one.why}".rstrip()
        if len(named) > SHOWN:
            yield f"  {name}: {len(named) - SHOWN} more; --json names all"
