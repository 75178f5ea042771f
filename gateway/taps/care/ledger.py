"""Ledger: which versions a folder was given, for the system that reads it takes the files away."""

import os
from pathlib import Path
from typing import BinaryIO

FOLDER = ".vaka"
FILE = "given.tsv"
MAX_LINES = 200_000
"""Past it the oldest are forgotten when it is opened; a tap sends no more than its last page again."""


class Ledger:
    """One line a record, on the disk before the tap says that it is through."""

    def __init__(self, drop: Path) -> None:
        self._path = drop / FOLDER / FILE
        self._path.parent.mkdir(exist_ok=True)
        self._given = given(drop)
        if len(self._given) > MAX_LINES:
            self._given = dict(list(self._given.items())[-MAX_LINES:])
            self._anew()
        self._file: BinaryIO = self._path.open("ab")
        if self._file.tell() and not _ends_well(self._path):  # a line that was cut in the middle
            self._file.write(b"\n")

    def version(self, key: str) -> int:
        """Return the version that was given last, 0 for none."""
        return self._given.get(key, 0)

    def note(self, key: str, version: int) -> None:
        """Write that a version was given; it is on the disk when this returns."""
        self._file.write(f"{key}\t{version}\n".encode())
        self._file.flush()
        os.fsync(self._file.fileno())
        self._given.pop(key, None)
        self._given[key] = version

    def close(self) -> None:
        """Release the file."""
        self._file.close()

    def _anew(self) -> None:
        under_way = self._path.with_suffix(".part")
        lines = "".join(f"{key}\t{version}\n" for key, version in self._given.items())
        with under_way.open("wb") as file:
            file.write(lines.encode())
            file.flush()
            os.fsync(file.fileno())
        under_way.replace(self._path)


def given(drop: Path) -> dict[str, int]:
    """Return the version of each record that a folder was given; it may be asked while a tap writes."""
    path = drop / FOLDER / FILE
    found: dict[str, int] = {}
    if path.exists():
        for line in path.read_text("utf-8").splitlines():
            key, _, version = line.partition("\t")
            if key and version.isdecimal():
                found.pop(key, None)
                found[key] = int(version)
    return found


def _ends_well(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read() == b"\n"
