"""`vaka devices`: enrol the devices of a table in a running gateway."""

import os
from pathlib import Path
from typing import Annotated

import httpx
import typer

TOKEN = "VAKA_TOKEN"  # noqa: S105 - the name of the variable that holds it
WITHIN_S = 30.0

app = typer.Typer(
    help="Devices of a running gateway.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def devices() -> None:
    """Keep `enrol` a word of its own although it is the only one yet."""


@app.command("enrol")
def enrol(
    file: Annotated[Path, typer.Argument(help="CSV: id, adapter, native_id, kind, home and more.")],
    url: Annotated[
        str, typer.Option(help="Of the running gateway; its token in VAKA_TOKEN.")
    ] = "http://127.0.0.1:8080",
) -> None:
    """Enrol all devices of a table, or none: every fault is told with its line and column."""
    try:
        typer.echo(_send(file, url))
    except OSError as error:
        _end(f"{file}: {error.strerror or error}", error)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        _end(f"{url}: the gateway did not answer: {type(error).__name__}", error)
    except ValueError as error:
        _end(str(error), error)


def _end(message: str, error: Exception) -> None:
    typer.echo(message, err=True)
    raise typer.Exit(2) from error


def _send(file: Path, url: str) -> str:
    """Send the table; ValueError has the gateway's own sentences."""
    headers = {"Authorization": f"Bearer {os.environ[TOKEN]}"} if os.environ.get(TOKEN) else {}
    answer = httpx.post(
        f"{url.rstrip('/')}/api/v1/devices/table",
        params={"name": file.name[:200]},
        content=file.read_bytes(),
        headers=headers | {"Content-Type": "text/csv"},
        timeout=WITHIN_S,
    )
    try:
        told = answer.json()
        if answer.status_code == 200:
            return f"{len(told['devices'])} devices enrolled as frame {told['frame']}"
        detail = str(told["detail"])
    except (ValueError, KeyError) as error:
        raise ValueError(f"{url}: found status {answer.status_code} and no answer of a gateway") from error
    raise ValueError(detail if answer.status_code in {409, 422} else f"{url}: {answer.status_code}: {detail}")
