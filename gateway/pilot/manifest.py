"""Manifest: what has been exported, and by which files; a file it does not name was never written."""

import os
from pathlib import Path

import msgspec

from gateway.contract import ConfigurationError

FORM = 1
NAME = "manifest.json"


class Manifest(msgspec.Struct, forbid_unknown_fields=True):
    """`cursor` is the last frame exported, `delivery_row` the last row of deliveries, `files` by table."""

    form: int = FORM
    cursor: int = 0
    delivery_row: int = 0
    files: dict[str, list[str]] = {}

    def paths(self, folder: Path, table: str) -> list[str]:
        """Return the files of a table, oldest first."""
        return [str(folder / name) for name in self.files.get(table, [])]


def read(folder: Path) -> Manifest:
    """Return the manifest of a folder, an empty one where there is none yet or it is of an older form."""
    path = folder / NAME
    if not path.exists():
        return Manifest()
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except msgspec.DecodeError as error:
        raise ConfigurationError(
            f"{path}: cannot be read: {error}. Remove the folder: it is made anew"
        ) from error
    return found if found.form == FORM else Manifest()


def write(folder: Path, manifest: Manifest) -> None:
    """Replace the manifest in one step: from then on its files count, and no others."""
    new = folder / f"{NAME}.new"
    new.write_bytes(msgspec.json.format(msgspec.json.encode(manifest)))
    to_disk(new)
    new.replace(folder / NAME)
    to_disk(folder)


def sweep(folder: Path, manifest: Manifest) -> None:
    """Remove what an export left that was cut short."""
    named = {name for files in manifest.files.values() for name in files}
    for path in (*folder.rglob("*.parquet"), *folder.rglob("*.new"), *folder.rglob("*.ndjson")):
        if path.relative_to(folder).as_posix() not in named:
            path.unlink()


def to_disk(path: Path) -> None:
    """Return when the file or folder is on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
