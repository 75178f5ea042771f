"""Rule files: the catalogue of the installed libraries, and a municipality's own, judged in a child.

A file may be hostile or just unlucky: it is read, compiled and tried where a hang, a crash or a hunger for
memory ends a child and not the gateway (alert rules, sections 4b and 6.4).
"""

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path

from gateway.contract import ConfigurationError
from gateway.contract.library import RuleEntry, RuleLibrary

MAX_FILES = 500
MAX_BYTES = 200_000
WITHIN_S = 10.0
"""So long one file may take to be read, compiled and tried."""
CHILD = "gateway.rule_child"


def libraries() -> list[RuleLibrary]:
    """Return the installed libraries of rules."""
    return [entry.load() for entry in entry_points(group="vaka.rule_libraries")]


def catalogue() -> list[RuleEntry]:
    """Return every rule that the installed libraries hold."""
    return [entry for library in libraries() for entry in library.entries()]


def own_rules(folder: Path | None, *, examined: bool = False) -> list[RuleEntry]:
    """Return a municipality's own rules; ConfigurationError with one line for each fault of a file.

    `examined` spares the child process for files that were in one just before.
    """
    if folder is None:
        return []
    if not examined and (faults := examine(paths_in(folder))):
        raise ConfigurationError("\n".join(faults))
    found: list[RuleEntry] = []
    for library in libraries():
        entries, faults_found = library.read(contents(paths_in(folder)))
        if faults_found:
            raise ConfigurationError("\n".join(faults_found))
        found += entries
    return found


def joined(entries: Iterable[RuleEntry]) -> dict[str, dict[str, str]]:
    """Return the words of several rules as one book a language."""
    book: dict[str, dict[str, str]] = {}
    for entry in entries:
        for language, words in entry.texts.items():
            book.setdefault(language, {}).update(words)
    return book


def paths_in(folder: Path) -> list[Path]:
    """Return the rule files of a folder; ConfigurationError when it is none, or holds too many."""
    if not folder.is_dir():
        raise ConfigurationError(f"rules_dir: found {str(folder)!r}; allowed: a folder with *.toml files")
    paths = sorted(folder.glob("*.toml"))
    if len(paths) > MAX_FILES:
        raise ConfigurationError(f"rules_dir: found {len(paths)} files; allowed: at most {MAX_FILES}")
    return paths


def contents(paths: Iterable[Path]) -> Mapping[str, str]:
    """Return the text of each file by its path."""
    return {str(path): path.read_text(encoding="utf-8") for path in paths}


def examine(paths: Sequence[Path]) -> list[str]:
    """Return what is wrong with these files, one line each; one that stops its child is refused by name."""
    faults: list[str] = []
    waiting: list[Path] = []
    for path in paths:
        refused = _refused(path)
        faults += refused
        waiting += [] if refused else [path]
    while waiting:
        done, found, ending = _in_child(waiting)
        faults += found
        if done == len(waiting):
            break
        allowed = f"one that is read in {WITHIN_S:.0f} s"
        faults.append(f"{waiting[done]}: file: found {ending}; allowed: {allowed}")
        waiting = waiting[done + 1 :]
    return faults


def _refused(path: Path) -> Iterable[str]:
    """Say what is wrong with a file before anything reads it."""
    try:
        size = path.stat().st_size
        if size <= MAX_BYTES:
            path.read_text(encoding="utf-8")
            return []
    except UnicodeDecodeError:
        return [f"{path}: file: found bytes that are no UTF-8; allowed: TOML 1.0"]
    except OSError as error:
        return [f"{path}: file: found {error.strerror}; allowed: a file that can be read"]
    return [f"{path}: file: found {size} bytes; allowed: at most {MAX_BYTES}"]


def _in_child(paths: Sequence[Path]) -> tuple[int, list[str], str]:
    """Judge the files in one child; return how many it finished, their faults, and how it ended."""
    command = [sys.executable, "-P", "-m", CHILD, str(WITHIN_S), *map(str, paths)]
    ending = "one that takes too long"
    try:
        ran = subprocess.run(  # noqa: S603 - our own interpreter and module; paths are arguments, never a shell's
            command,
            capture_output=True,
            timeout=WITHIN_S * (len(paths) + 1),
            check=False,
            stdin=subprocess.DEVNULL,
        )
        output = ran.stdout
        if ran.returncode < 0:
            ending = f"one that stops its reader (signal {-ran.returncode})"
    except subprocess.TimeoutExpired as error:
        output = error.stdout or b""
    lines = list(_lines(output))
    return sum("done" in line for line in lines), [line["fault"] for line in lines if "fault" in line], ending


def _lines(output: bytes) -> Iterator[dict[str, str]]:
    for line in output.splitlines():
        try:
            yield json.loads(line)
        except ValueError:  # the last one, cut off
            continue
