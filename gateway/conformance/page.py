"""The report as a page for people: one HTML file a language that needs nothing else, and can be printed."""

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from gateway.conformance.prompts import Language
from gateway.conformance.report import CaseResult, PacketLine, Report
from gateway.conformance.verdict import Verdict, together

PAGES = Environment(
    loader=PackageLoader("gateway.conformance", "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
LANGUAGES: tuple[Language, ...] = ("sv", "en")
BYTES_SHOWN = 1024
"""So many bytes of one packet are shown; the JSON master has all."""
ROW_BYTES = 16


def as_html(report: Report, language: Language, other: str = "") -> str:
    """Return the page; `other` is the file name of the page in the other language."""
    words = texts(language)
    values = {
        "t": words,
        "lang": language,
        "other": other,
        "other_lang": "en" if language == "sv" else "sv",
        "r": report,
        "facts": _facts(report, words),
        "counts": _counts(report, words),
        "clauses": [_clause(report, one.id, language) for one in report.clauses],
        "cases": [_case(report, one, language) for one in report.cases],
        "packets": [_packet(one) for one in _evidence(report)],
    }
    return PAGES.get_template("report.html").render(values)


@cache
def texts(language: Language) -> dict[str, Any]:
    """Return the words of one language."""
    text = files("gateway.conformance").joinpath("texts", f"{language}.toml").read_text("utf-8")
    return tomllib.loads(text)


def _facts(report: Report, words: dict[str, Any]) -> list[tuple[str, str]]:
    named, device = words["facts"], report.device
    facts = [
        (named["vendor"], device.vendor),
        (named["product"], device.product),
        (named["kind"], words["kinds"].get(device.kind, device.kind)),
        (named["firmware"], device.firmware),
        (named["serial"], device.serial),
        (named["interface"], report.interface),
        (named["began"], report.began_at.isoformat(sep=" ", timespec="seconds")),
        (named["ended"], report.ended_at.isoformat(sep=" ", timespec="seconds")),
        (named["counterpart"], report.counterpart),
        (named["kit"], report.kit.version),
        (named["kit_digest"], report.kit.digest),
        *((named[f"{name}_digest"], digest) for name, digest in report.digests.items()),
    ]
    return [(name, value) for name, value in facts if value]


def _counts(report: Report, words: dict[str, Any]) -> list[tuple[str, list[int]]]:
    return [
        (words["verdicts"][verdict.value], [report.count(level, verdict) for level in ("must", "should")])
        for verdict in Verdict
    ]


def _clause(report: Report, clause: str, language: Language) -> dict[str, Any]:
    one = next(found for found in report.clauses if found.id == clause)
    cases = [case.id for case in report.cases if clause in case.clauses]
    swedish = language == "sv" and one.sv != ""  # a clause that is not translated yet is said to be English
    text, lang = (one.sv, "sv") if swedish else (one.en, "en")
    return {"one": one, "text": text, "lang": lang, "cases": cases}


def _case(report: Report, case: CaseResult, language: Language) -> dict[str, Any]:
    known = {line.number for line in report.packets}
    return {
        "one": case,
        "text": case.sv if language == "sv" else case.en,
        "verdict": together(finding.verdict for finding in case.findings),
        "findings": [
            (finding, [number for number in finding.evidence if number in known]) for finding in case.findings
        ],
    }


def _evidence(report: Report) -> list[PacketLine]:
    wanted = {number for case in report.cases for finding in case.findings for number in finding.evidence}
    return [line for line in report.packets if line.number in wanted]


def _packet(line: PacketLine) -> dict[str, Any]:
    return {"one": line, "dump": dump(bytes.fromhex(line.raw)[:BYTES_SHOWN]), "cut": line.size > BYTES_SHOWN}


def dump(raw: bytes) -> str:
    """Return bytes as offset, hexadecimal and text, sixteen a line."""
    rows = []
    for start in range(0, len(raw), ROW_BYTES):
        part = raw[start : start + ROW_BYTES]
        text = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in part)
        rows.append(f"{start:04x}  {part.hex(' '):<{ROW_BYTES * 3 - 1}}  {text}")
    return "\n".join(rows)
