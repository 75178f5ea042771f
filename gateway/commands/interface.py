"""`vaka interface`: write the open device interface's published documents to a folder."""

from pathlib import Path
from typing import Annotated

import typer

from gateway.interface.documents import adapter_documents, published, write
from gateway.interface.reports import handed_in
from gateway.plugins import load_adapters

app = typer.Typer(
    help="The open device interface as documents.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def interface() -> None:
    """Keep `write` a word of its own although it is the only one yet."""


@app.command("write")
def write_documents(
    out: Annotated[Path, typer.Option(help="The folder; made if it is missing, files in it replaced.")],
    reports: Annotated[
        Path | None, typer.Option(help="A folder with reports of the conformance kit, for the catalogue.")
    ] = None,
) -> None:
    """Write pages, schemas, AsyncAPI and examples of every version, and the catalogue of adapters."""
    tested = handed_in(reports) if reports else []
    try:
        count = write({**published(), **adapter_documents(load_adapters(), tested)}, out)
    except OSError as error:
        typer.echo(f"{error.filename or out}: cannot be written: {error.strerror}", err=True)
        raise typer.Exit(2) from error
    typer.echo(f"{out}: {count} documents")
