"""The requirement library: every clause as it stands in a tender, tied to what verifies it."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from gateway.api.texts import Language
from gateway.conformance.case import Case
from gateway.conformance.page import texts
from gateway.contract import ConfigurationError
from gateway.contract.clauses import Clause
from gateway.model.vocabulary import DeviceKind


class Requirement(NamedTuple):
    """One line of the library, in one language; `kinds` are the device kinds that it is for."""

    id: str
    level: str
    kinds: str
    requirement: str
    reason: str
    verified_by: str
    source: str


def requirements(
    clauses: Iterable[Clause], cases: Sequence[Case], language: Language, kind: str | None = None
) -> list[Requirement]:
    """Return the requirements on a kind of device, or on all; ConfigurationError for a kind that is none."""
    if kind is not None and kind not in set(DeviceKind):
        raise ConfigurationError(f"--kind: found {kind!r}; allowed: {', '.join(sorted(DeviceKind))}")
    wanted = [one for one in clauses if kind is None or not one.profile or kind in one.profile]
    return [_requirement(one, cases, language) for one in wanted]


def _requirement(clause: Clause, cases: Sequence[Case], language: Language) -> Requirement:
    book = texts(language)
    words = book["requirements"]
    tests = [f"{case.id} ({words[case.drive.value]})" for case in cases if clause.id in case.clauses]
    return Requirement(
        id=clause.id,
        level=words[clause.level],
        kinds=", ".join(book["kinds"][kind] for kind in clause.profile) or words["all"],
        requirement=clause.sv if language == "sv" else clause.en,
        reason=clause.why_sv if language == "sv" else clause.why_en,
        verified_by=", ".join(tests) or words["inspection"],
        source=clause.source,
    )


def as_csv(found: Iterable[Requirement], language: Language) -> str:
    """Return the requirements as CSV (RFC 4180) with a line of names, for a spreadsheet."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(texts(language)["requirements"]["columns"])
    writer.writerows(found)
    return out.getvalue()


def as_markdown(found: Sequence[Requirement], language: Language, version: str) -> str:
    """Return the requirements as one Markdown table for each kind of device; no version: of SCAIP."""
    words = texts(language)["requirements"]
    of = words["of_interface"].format(version=version.removeprefix("v")) if version else words["of_scaip"]
    names = _cells(words["columns"])
    lines = [f"# {words['title']}", "", f"{words['about']} {of}"]
    for kinds in dict.fromkeys(one.kinds for one in found):
        lines += ["", f"## {kinds[0].upper()}{kinds[1:]}", "", _line(names), "|---" * len(names) + "|"]
        lines += [_line(_cells(one)) for one in found if one.kinds == kinds]
    return "\n".join(lines) + "\n"


def _cells(line: Sequence[str]) -> list[str]:
    """Return the cells without the kind, which stands above the table."""
    return [cell.replace("|", "\\|") for place, cell in enumerate(line) if place != 2]


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
