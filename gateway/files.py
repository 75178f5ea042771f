"""Files: reading the TOML and JSON that people write; ConfigurationError for what cannot be read at all."""

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import tomli

from gateway.contract import ConfigurationError
from gateway.model.faults import RecordError
from gateway.model.registry import RegistryDocument
from gateway.model.sharing import Sharing

HEADING = re.compile(r"^\[\[[a-z]+\]\][ \t]*\r?$", re.MULTILINE)
PART_CHARS = 100_000
"""So much of a registry is read at once: the tables of a large one take far more memory than its records."""


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file whole."""
    return _toml(path, _text(path, "a TOML file in UTF-8"))


def read_registry(path: Path) -> RegistryDocument:
    """Read a registry from TOML, or from JSON when the file is named so, which takes a third of the time.

    RecordError tells every fault of its records.
    """
    if path.suffix == ".json":
        return RegistryDocument.from_json(_text(path, "a JSON file in UTF-8"))
    text = _text(path, "a TOML file in UTF-8")
    return _in_parts(text) or RegistryDocument.of(_toml(path, text))


def _text(path: Path, allowed: str) -> str:
    try:
        return path.read_bytes().decode()
    except UnicodeDecodeError as error:
        found = f"a byte that is not UTF-8 at offset {error.start}"
    except FileNotFoundError:
        found = "no such file"
    except OSError as error:
        found = f"a file that cannot be read ({error.strerror})"
    raise ConfigurationError(f"{path}: found {found}; allowed: {allowed}")


def _toml(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        found = f"a fault in the TOML: {error}"
    raise ConfigurationError(f"{path}: found {found}; allowed: a TOML file in UTF-8")


def _in_parts(text: str) -> RegistryDocument | None:
    """Read a registry part by part, None for one that must be read whole: to understand it, or its faults."""
    if "'''" in text or '"""' in text:
        return None  # a heading may be a line of a text there
    first = HEADING.search(text)
    found: dict[str, list[Any]] = {}
    sharing = Sharing()
    try:
        if first is None or tomli.loads(text[: first.start()]):
            return None
        for part in _parts(text):
            read = RegistryDocument.of(tomli.loads(part))
            for heading in read.__struct_fields__:
                found.setdefault(heading, []).extend(map(sharing.share, getattr(read, heading)))
    except (tomli.TOMLDecodeError, RecordError):
        return None
    return RegistryDocument(**{heading: tuple(rows) for heading, rows in found.items()})


def _parts(text: str) -> Iterator[str]:
    """Yield a text in parts that each begin with the heading of a record."""
    begins = [0]
    for heading in HEADING.finditer(text):
        if heading.start() - begins[-1] >= PART_CHARS:
            begins.append(heading.start())
    for begin, end in pairwise([*begins, len(text)]):
        yield text[begin:end]
