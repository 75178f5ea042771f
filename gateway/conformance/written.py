"""The files that a run leaves: the JSON master, the pages in both languages, JUnit XML; and its summary."""

from collections.abc import Iterator
from pathlib import Path

from gateway.conformance.junit import junit
from gateway.conformance.page import LANGUAGES, as_html
from gateway.conformance.report import Report, as_json
from gateway.conformance.verdict import Verdict

JSON_FILE = "report.json"
JUNIT_FILE = "junit.xml"
STATEMENT_FILE = "statement.dsse.json"


def write_json(report: Report, folder: Path) -> bytes:
    """Write the master and return its bytes: what a statement is about."""
    data = as_json(report)
    (folder / JSON_FILE).write_bytes(data)
    return data


def write_forms(report: Report, folder: Path) -> list[Path]:
    """Write what is made from the master."""
    folder.mkdir(parents=True, exist_ok=True)
    made = [folder / JUNIT_FILE]
    made[0].write_bytes(junit(report))
    names = {language: f"report.{language}.html" for language in LANGUAGES}
    for language, name in names.items():
        other = next(found for found in LANGUAGES if found != language)
        made.append(folder / name)
        made[-1].write_text(as_html(report, language, names[other]), encoding="utf-8")
    return made


def summary(report: Report) -> Iterator[str]:
    """Yield what came of it: each clause that is no pass, the counts, and the verdict."""
    for clause in report.clauses:
        if clause.verdict not in {Verdict.PASS, Verdict.NOT_APPLICABLE}:
            yield f"{clause.verdict.value:15} {clause.level:6} {clause.id}: {clause.reason}"
    counts = ", ".join(f"{report.count('must', verdict)} {verdict.value}" for verdict in Verdict)
    yield f"must-clauses: {counts}"
    for one in report.exclusions:
        yield f"left out: {one.case}, challenge {one.challenge}: {one.reason}"
    yield f"verdict: {report.verdict.value}"
