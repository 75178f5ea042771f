"""File: a recording on disk: gzip, one JSON object a line, a digest at the end that shows a cut."""

import gzip
import hashlib
import io
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import msgspec

from gateway.contract import ConfigurationError
from gateway.recording.form import (
    VERSION,
    AlertLine,
    EntryLine,
    FrameLine,
    Header,
    Line,
    Trailer,
    decode,
    encode,
)

LEVEL = 6
MAX_LINE_BYTES = 64 * 1024 * 1024
"""A registry of a quarter of a million homes fits; what is longer is no recording."""
Progress = Callable[[int], None]
"""Is told how many bytes of the file were read since it was told last."""
TELL_EVERY = 5000
BUFFER = 1 << 18
WHOLE = "a whole one: export it, or copy it, again"


class RecordingFile:
    """Writes lines to a file beside the wanted one, which takes its place when the recording is whole."""

    def __init__(self, path: Path) -> None:
        self._path, self._beside = path, path.with_name(path.name + ".part")
        self._sha = hashlib.sha256()
        self.lines = self.frames = 0

    def __enter__(self) -> Self:
        # Without name and time in it, equal recordings are equal files.
        self._raw = self._beside.open("wb")
        self._file = gzip.GzipFile("", "wb", LEVEL, self._raw, mtime=0)
        return self

    def add(self, line: Line) -> None:
        """Write a line."""
        told = encode(line) + b"\n"
        self._sha.update(told)
        self._file.write(told)
        self.lines += 1
        self.frames += isinstance(line, FrameLine)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            end = Trailer(lines=self.lines, frames=self.frames, sha256=self.sha256)
            self._file.write(encode(end) + b"\n")
        self._file.close()
        self._raw.close()
        if kind is None:
            self._beside.replace(self._path)
        else:
            with suppress(OSError):
                self._beside.unlink()

    @property
    def sha256(self) -> str:
        """The digest of what was written so far."""
        return self._sha.hexdigest()


class Recording:
    """Reads a recording again and again, a line at a time; every fault is a ConfigurationError.

    `sha256` and `frames` are known once it was examined.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.size = path.stat().st_size
        self.sha256, self.frames = "", 0
        first = next(self._lines(None), b"")
        self.header = self._header(first)

    def examine(self, progress: Progress | None = None) -> Iterator[Line]:
        """Yield every line but header and trailer, and see at the end that none is missing or changed."""
        sha, frames = hashlib.sha256(), 0
        for lines, told in enumerate(self._lines(progress)):
            line = self._decoded(told, lines + 1)
            if isinstance(line, Trailer):
                self._check(line, Trailer(lines=lines, frames=frames, sha256=sha.hexdigest()))
                self.sha256, self.frames = line.sha256, line.frames
                return
            sha.update(told)
            frames += isinstance(line, FrameLine)
            if not isinstance(line, Header):
                yield line
        raise self._fault("a file without its end", WHOLE)

    def inputs(self, progress: Progress | None = None, *, ticks: bool = True) -> Iterator[FrameLine]:
        """Yield the lines that are inputs, without `ticks` of ticks only starts; of an examined file."""
        for told in self._lines(progress):
            if told.startswith(_PASSED_OVER):
                continue
            if not ticks and told.startswith(_TICK) and _START not in told:
                continue
            line = decode(told)
            if not isinstance(line, Header | AlertLine | EntryLine | Trailer):
                yield line

    def _lines(self, progress: Progress | None) -> Iterator[bytes]:
        with self._path.open("rb") as raw, io.BufferedReader(gzip.GzipFile(fileobj=raw), BUFFER) as file:
            try:
                yield from _told(file, raw, progress)
            except EOFError as error:
                raise self._fault("a file that was cut", WHOLE) from error
            except (gzip.BadGzipFile, zlib.error) as error:
                raise self._fault(f"no recording ({error})", "a file that vaka export made") from error

    def _header(self, told: bytes) -> Header:
        try:
            form = msgspec.json.decode(told).get("form")
        except (msgspec.DecodeError, UnicodeDecodeError, AttributeError) as error:
            raise self._fault("no recording", "a file that vaka export made") from error
        if form != VERSION:
            raise self._fault(f"form {form!r}", f"{VERSION}, or the version of vaka that made it")
        line = self._decoded(told, 1)
        if not isinstance(line, Header):
            raise self._fault("another first line", "the header of a recording")
        return line

    def _decoded(self, told: bytes, number: int) -> Line:
        try:
            return decode(told)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise self._fault(f"line {number}: {error}", f"lines of form {VERSION}") from error

    def _check(self, told: Trailer, found: Trailer) -> None:
        if told != found:
            what = "other lines than it was made of" if told.lines == found.lines else f"{found.lines} lines"
            raise self._fault(what, f"the {told.lines} that it was made of")

    def _fault(self, found: str, allowed: str) -> ConfigurationError:
        return ConfigurationError(f"{self._path}: found {found}; allowed: {allowed}")


_PASSED_OVER = (b'{"line":"alert"', b'{"line":"history"')
"""How lines begin that are no inputs: they need not be decoded."""
_TICK, _START = b'{"line":"tick"', b'"start":true'


def _told(file: "io.BufferedReader[Any]", raw: IO[bytes], progress: Progress | None) -> Iterator[bytes]:
    before = 0
    for number, told in enumerate(iter(lambda: file.readline(MAX_LINE_BYTES), b"")):
        yield told
        if progress is not None and number % TELL_EVERY == 0:
            progress(raw.tell() - before)
            before = raw.tell()
    if progress is not None:
        progress(raw.tell() - before)
