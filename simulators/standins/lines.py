"""Lines: what a stand-in holds, one line of JSON each, on the disk before it says so."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class Lines:
    """A file that only grows; a last line that was cut by a kill is left out."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = path.read_bytes() if path.exists() else b""
        if whole and not whole.endswith(b"\n"):
            path.write_bytes(whole[: whole.rfind(b"\n") + 1])
        self._file = path.open("ab")

    def read(self) -> Iterator[dict[str, Any]]:
        """Yield what was written."""
        for line in self._path.read_text("utf-8").splitlines():
            yield json.loads(line)

    def write(self, line: dict[str, Any]) -> None:
        """Write a line to the disk."""
        self._file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Release the file."""
        self._file.close()
