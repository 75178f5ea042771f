"""Rule child: reads, compiles and tries rule files where a hang or a crash does no harm."""

import json
import resource
import signal
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NoReturn

from gateway.contract.library import RuleEntry, RuleLibrary
from gateway.pipeline.rehearse import rehearse
from gateway.rule_files import contents, libraries

MEMORY_BYTES = 1 << 30


def main(arguments: Sequence[str]) -> None:
    """Print a JSON line for each fault and each file that is done; the first argument is each file's time."""
    within_s, paths = float(arguments[0]), [Path(name) for name in arguments[1:]]
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    found = libraries()
    for path in paths:
        # SIGALRM has its default here: it ends this process, whatever holds the interpreter.
        signal.setitimer(signal.ITIMER_REAL, within_s)
        for fault in judge(path, found):
            _say({"fault": fault})
        _say({"done": str(path)})


def judge(path: Path, found: Iterable[RuleLibrary]) -> list[str]:
    """Return the faults of one file: of its form, or of its own vectors."""
    faults: list[str] = []
    for library in found:
        entries, wrong = library.read(contents([path]))
        faults += wrong or [fault for entry in entries for fault in tried(entry, str(path), library)]
    return faults


def tried(entry: RuleEntry, name: str, library: RuleLibrary) -> list[str]:
    """Return what a rule's own vectors found, one line each."""
    rules = {rule.id: rule for other in library.entries() for rule in other.rules}
    faults: list[str] = []
    for vector in entry.vectors:
        try:
            faults += [
                f"{name}: vectors {vector.name!r}: {line}" for line in rehearse(rules, entry.rules, vector)
            ]
        except (ValueError, KeyError, TypeError) as error:
            told = " ".join(str(error).split())[:200]
            faults.append(
                f"{name}: vectors {vector.name!r}: found {told}; allowed: what the language of vectors has"
            )
    return faults


def _say(line: dict[str, str]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def _start() -> NoReturn:
    main(sys.argv[1:])
    raise SystemExit(0)


if __name__ == "__main__":
    _start()
