"""`vaka command` and `vaka configure`: what a running gateway shall tell a device, asked over its API."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import httpx
import typer

from gateway.contract import ConfigurationError, VakaError

TOKEN = "VAKA_TOKEN"  # noqa: S105 - the name of the variable that holds it
WITHIN_S = 30.0
LOOK_AGAIN_S = 0.5
OPEN = frozenset({"requested", "sent", "delivered"})
Plainly = Callable[[Callable[..., Any]], Callable[..., Any]]
Url = Annotated[str, typer.Option(help="Of the running gateway; its token in VAKA_TOKEN.")]
Reason = Annotated[str, typer.Option(help="Why; it stands in the audit.")]


def add_commands(app: typer.Typer, plainly: Plainly) -> None:
    """Add the commands; `plainly` turns an error that the user can act on into a line and an exit code."""
    app.command("command")(plainly(command))
    app.command("configure")(plainly(configure))


def command(  # noqa: PLR0913, PLR0917 - the words of a command line
    device: str,
    do: Annotated[str, typer.Argument(help="lock, unlock, locate or supervise.")],
    reason: Reason,
    url: Url = "http://127.0.0.1:8080",
    within_s: Annotated[float, typer.Option(min=1, help="How long it may wait for the device.")] = 60,
    until: Annotated[str, typer.Option(help="When a look must end, with offset.")] = "",
    masking: Annotated[int | None, typer.Option(min=0, max=4, help="Of a look.")] = None,
    *,
    wait: Annotated[bool, typer.Option(help="Wait for the result.")] = True,
) -> None:
    """Give a command to a device, and say how far it came; exit code 1 when it was not done."""
    more = {"until": until or None, "masking": masking}
    body = {"do": do, "reason": reason, "within_s": within_s}
    body |= {name: value for name, value in more.items() if value is not None}
    given = _ask("POST", url, f"devices/{quote(device)}/commands", body)
    last = time.monotonic() + within_s + WITHIN_S
    while wait and given["state"] in OPEN and time.monotonic() < last:
        time.sleep(LOOK_AGAIN_S)
        given = _ask("GET", url, f"commands/{given['id']}")
    for step in given["steps"]:
        typer.echo(f"{step['at']}  {step['state']}  {step['detail']}".rstrip())
    if wait and given["state"] != "done":
        raise typer.Exit(1)


def configure(
    device: str,
    file: Annotated[Path | None, typer.Argument(help="JSON; without it the present one is told.")] = None,
    reason: Reason = "",
    url: Url = "http://127.0.0.1:8080",
) -> None:
    """Set the configuration that a device should have, or say which it has."""
    path = f"devices/{quote(device)}/config"
    if file is None:
        typer.echo(json.dumps(_ask("GET", url, path), indent=2))
        return
    try:
        config = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{file}: {error}; allowed: a JSON object") from error
    found = _ask("PUT", url, path, {"config": config, "reason": reason})
    typer.echo(f"{device}: revision {found['desired']['revision']} is set")


def _ask(method: str, url: str, path: str, body: dict[str, Any] | None = None) -> Any:
    headers = {"Authorization": f"Bearer {os.environ[TOKEN]}"} if os.environ.get(TOKEN) else {}
    try:
        answer = httpx.request(
            method, f"{url.rstrip('/')}/api/v1/{path}", json=body, headers=headers, timeout=WITHIN_S
        )
    except httpx.HTTPError as error:
        raise VakaError(f"{url}: the gateway did not answer: {type(error).__name__}") from error
    if not answer.is_success:
        raise VakaError(f"{url}: {answer.status_code}: {answer.text[:500]}")
    return answer.json()
