"""The files of a made-up municipality: registry.toml, and secrets.json for the simulators alone."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import fields

from gateway.contract.errors import ConfigurationError
from gateway.model.records import Record
from gateway.model.registry import RegistryDocument
from simulators.municipality import Municipality

REGISTRY_FILE = "registry.toml"
SECRETS_FILE = "secrets.json"


def write_municipality(made: Municipality, folder: Path) -> None:
    """Write registry.toml and secrets.json (readable by the owner alone); ConfigurationError if it cannot."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / REGISTRY_FILE).write_text(to_toml(made.document), encoding="utf-8")
        path = folder / SECRETS_FILE
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(made.passwords, file, indent=1)
    except OSError as error:
        raise ConfigurationError(f"{folder}: cannot be written: {error.strerror}") from error


def read_passwords(folder: Path) -> dict[str, str]:
    """Read secrets.json of that folder; ConfigurationError says what is missing."""
    path = folder / SECRETS_FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, str])
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from error
    except msgspec.MsgspecError as error:
        raise ConfigurationError(f"{path}: not a JSON object of device id to password: {error}") from error


def to_toml(document: RegistryDocument) -> str:
    """Write the registry as TOML, leaving out what is as by default; the same document, the same text."""
    lines: list[str] = []
    for heading in document.__struct_fields__:
        for record in getattr(document, heading):
            lines.append(f"[[{heading}]]")
            lines.extend(f"{key} = {_value(value)}" for key, value in _row(record).items())
            lines.append("")
    return "\n".join(lines)


def _row(record: Record) -> dict[str, Any]:
    """Return the keys of a record that are not as by default, as JSON would have them."""
    told = msgspec.json.decode(record.to_json())
    return {
        one.name: told[one.name]
        for one in fields(record)
        if one.name in told and getattr(record, one.name) != one.default
    }


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_value(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_value(inner) for inner in value) + "]"
    return json.dumps(value, ensure_ascii=False)
