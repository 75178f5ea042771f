"""`vaka new-adapter`: the skeleton of an adapter, with a golden frame that fails until there is a codec."""

import re
import tomllib
from collections.abc import Callable
from importlib.metadata import entry_points
from importlib.resources import files
from keyword import iskeyword
from pathlib import Path
from string import Template
from typing import Annotated, Any

import typer

from gateway.contract import ConfigurationError
from gateway.contract.manifest import QUALITY_RULES

Plainly = Callable[[Callable[..., Any]], Callable[..., Any]]
NAME = re.compile(r"[a-z][a-z0-9]{1,39}")
NAMES_ALLOWED = "one word of 2 to 40 small letters and digits, a letter first, no keyword of Python"
OWN = "vaka"
"""The project whose source tree may hold the new adapter beside ours."""
SECTION = '[project.entry-points."vaka.adapters"]'
STRANGERS = 'name = "Adapters are strangers to each other"'
STEPS = (
    "Collect what it says",
    "Make the folder",
    "Write `manifest.toml`",
    "Write the golden frames first",
    "Write `decode`",
    "Answer `quality.toml`",
    "Register it",
)
"""The seven steps as CONTRIBUTING.md calls them; the second is done here, and the seventh begun."""


def add_commands(app: typer.Typer, plainly: Plainly) -> None:
    """Add the command; `plainly` turns an error that the user can act on into a line and an exit code."""
    app.command("new-adapter")(plainly(new_adapter))


def new_adapter(
    name: Annotated[str, typer.Argument(help=f"{NAMES_ALLOWED[0].upper()}{NAMES_ALLOWED[1:]}.")],
    out: Annotated[
        Path | None,
        typer.Option(help="A new folder for a distribution of its own; without it Vaka's source tree."),
    ] = None,
) -> None:
    """Make the skeleton of an adapter, with a golden frame that fails until its codec is written."""
    _check_name(name)
    if out is None:
        made, trial = _in_tree(name, Path())
    else:
        made, trial = _on_its_own(name, out)
    for path in made:
        typer.echo(path)
    typer.echo("")
    for number, step in enumerate(STEPS, 1):
        typer.echo(f"{number}. {step}{' (done)' if number == 2 else ''}")
    typer.echo(f"\nNext: 1. Collect what it says, then 3. Write `manifest.toml`.\n{trial}")


def _check_name(name: str) -> None:
    if not NAME.fullmatch(name) or iskeyword(name):
        raise ConfigurationError(f"NAME: found {name!r}; allowed: {NAMES_ALLOWED}")
    for entry in entry_points(group="vaka.adapters"):
        if entry.name == name:
            raise ConfigurationError(f"NAME: found {name!r}: taken by {entry.value}; allowed: another word")


def _on_its_own(name: str, out: Path) -> tuple[list[Path], str]:
    """Write the distribution; returns its files, and how it is tried."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigurationError(f"--out: found {str(out)!r}: already there; allowed: a new or empty folder")
    module = f"{OWN}_{name}"
    texts = {out / module / path: text for path, text in _package(name, module).items()}
    texts[out / "tests" / f"test_{name}.py"] = _filled("test.py", name, module)
    texts[out / "pyproject.toml"] = _filled("pyproject.toml", name, module)
    _write(texts)
    told = f"The golden frame fails until `decode` is written: python -m pytest {out}"
    return list(texts), f"{told}\nThen it is found once it is installed: pip install -e {out}"


def _in_tree(name: str, root: Path) -> tuple[list[Path], str]:
    """Write the package into Vaka's source tree and register it; returns its files, and how it is tried."""
    project = root / "pyproject.toml"
    text = project.read_text("utf-8") if project.is_file() else ""
    if not _is_ours(text):
        raise ConfigurationError(
            "--out: found nothing, and here is not Vaka's source tree; allowed: --out FOLDER for a"
            " distribution of its own, or the root of the source tree as working directory"
        )
    folder, module = root / "adapters" / name, f"adapters.{name}"
    if folder.exists():
        raise ConfigurationError(f"NAME: found {name!r}: {folder} is already there; allowed: another word")
    registered = _registered(text, name, module)
    texts = {folder / path: content for path, content in _package(name, module).items()}
    _write(texts)
    project.write_text(registered, "utf-8")
    told = f"It is registered in {project}; name it in ARCHITECTURE.md's folder `adapters/` too."
    return [*texts, project], f"{told}\nThe golden frame fails until `decode` is written: make test"


def _is_ours(text: str) -> bool:
    try:
        return bool(tomllib.loads(text).get("project", {}).get("name") == OWN)
    except tomllib.TOMLDecodeError:
        return False


def _registered(text: str, name: str, module: str) -> str:
    """Add the entry point and the arrows' line to the project file's text, each at its section's end."""
    for start, end, line in (
        (SECTION, "\n\n", f'\n{name} = "{module}:ADAPTER"'),
        (STRANGERS, "\n]", f'\n  "{module}",'),
    ):
        before, found, after = text.partition(start)
        inside, stop, rest = after.partition(end)
        if not (found and stop):
            raise ConfigurationError(f"pyproject.toml: found no {start}; allowed: Vaka's own project file")
        text = f"{before}{found}{inside}{line}{stop}{rest}"
    return text


PRIVACY = """
[privacy] # where the format carries names, numbers, faces or places: a path a line; or why it carries none
dropped = []
reason = "not looked at yet"
"""


def _package(name: str, module: str) -> dict[str, str]:
    """Return the adapter's files by their path in its package."""
    head = "# How this adapter answers the quality rules: done, todo or exempt; the last two with a reason.\n"
    unanswered = '{ status = "todo", reason = "not looked at yet" }'
    rules = (f"# {asked}\n{rule} = {unanswered}\n" for rule, asked in QUALITY_RULES.items())
    return {
        "__init__.py": _filled("__init__.py", name, module),
        "codec.py": _filled("codec.py", name, module),
        "manifest.toml": _filled("manifest.toml", name, module),
        "quality.toml": head + "".join(rules) + PRIVACY,
        "frames/button-pressed.json": _filled("frame.json", name, module),
    }


def _filled(template: str, name: str, module: str) -> str:
    text = files("gateway.commands").joinpath("skeleton", f"{template}.txt").read_text("utf-8")
    words = {"name": name, "module": module, "title": name.capitalize(), "clause": name.upper()}
    return Template(text).substitute(words)


def _write(texts: dict[Path, str]) -> None:
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
