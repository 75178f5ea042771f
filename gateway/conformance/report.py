"""The report of a run: the JSON master that every other form is made from, with the bytes as evidence."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from importlib.metadata import version
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Literal

import msgspec

from gateway.conformance.exclusions import Exclusion
from gateway.conformance.record import Record, Seen
from gateway.conformance.run import Run, Standing
from gateway.conformance.verdict import Finding, Verdict
from gateway.contract import ConfigurationError

FORM: Literal["vaka-conformance-report/1"] = "vaka-conformance-report/1"
INTERFACE = "vaka/1"
OTHER_BYTES = 64
"""How much of a packet that no finding points to is kept; evidence is kept whole."""


class Device(msgspec.Struct, frozen=True):
    """What was tested."""

    vendor: str
    product: str
    firmware: str
    kind: str
    serial: str = ""


class Kit(msgspec.Struct, frozen=True):
    """What tested it: the version, and the SHA-256 over all files of the kit."""

    version: str
    digest: str
    cases: int


class CaseResult(msgspec.Struct, frozen=True):
    """One case; its worst finding is its verdict."""

    id: str
    clauses: tuple[str, ...]
    en: str
    sv: str
    drive: str
    at_s: float
    took_s: float
    findings: tuple[Finding, ...]


class PacketLine(msgspec.Struct, frozen=True):
    """One packet; `raw` is hexadecimal, cut short (`size` is the whole) where no finding points to it."""

    number: int
    at_s: float
    link: int
    direction: str
    kind: str
    fate: str
    size: int
    raw: str
    topic: str = ""
    remark: str = ""


class ExclusionLine(msgspec.Struct, frozen=True):
    """A case that was left out after a challenge."""

    case: str
    challenge: str
    reason: str
    since: str


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The JSON master; `digests` are SHA-256 in hexadecimal of declaration and, when given, firmware."""

    form: Literal["vaka-conformance-report/1"] = FORM
    interface: str = INTERFACE
    verdict: Verdict
    device: Device
    kit: Kit
    counterpart: str
    began_at: datetime
    ended_at: datetime
    digests: Mapping[str, str]
    declaration: Mapping[str, Any]
    clauses: tuple[Standing, ...]
    cases: tuple[CaseResult, ...]
    exclusions: tuple[ExclusionLine, ...]
    packets: tuple[PacketLine, ...]
    packets_dropped: int = 0

    def count(self, level: str, verdict: Verdict) -> int:
        """Return how many clauses of a level have a verdict."""
        return sum(one.level == level and one.verdict is verdict for one in self.clauses)


def report_of(run: Run, began_at: datetime, counterpart: str, interface: str = INTERFACE) -> Report:
    """Return the report of a run that has ended."""
    declared, record = run.bench.declaration, run.bench.record
    device = declared.device
    digests = {"declaration": declared.digest()}
    if device.firmware_file is not None:
        digests["firmware"] = file_digest(device.firmware_file)
    cases = tuple(_case(one.case.id, one) for one in run.tried)
    return Report(
        interface=interface,
        verdict=run.verdict(),
        device=Device(device.vendor, device.product, device.firmware, device.kind.value, device.serial),
        kit=Kit(version("vaka"), kit_digest(), len(run.cases)),
        counterpart=counterpart,
        began_at=began_at,
        ended_at=run.bench.clock.now(),
        digests=digests,
        declaration=msgspec.json.decode(declared.public()),
        clauses=tuple(run.standings()),
        cases=cases,
        exclusions=tuple(_excluded(one) for one in run.exclusions),
        packets=tuple(_lines(record, cases)),
        packets_dropped=record.dropped,
    )


def as_json(report: Report) -> bytes:
    """Write it as JSON that people can read too."""
    return msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n"


def read_report(path: Path) -> Report:
    """Read the JSON master; ConfigurationError when the file is none."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Report)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        allowed = f"a JSON report of `vaka conform run` ({FORM})"
        raise ConfigurationError(f"{path}: found {error}; allowed: {allowed}") from error


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def kit_digest() -> str:
    """Return the SHA-256 over names and contents of all files of the kit, its cases and its clauses."""
    found = hashlib.sha256()
    for root, under in (("gateway.conformance", ""), ("gateway.contract", "clauses")):
        for name, file in sorted(_files(files(root).joinpath(under) if under else files(root), root)):
            content = file.read_bytes()
            found.update(f"{name}\0{len(content)}\0".encode() + content)
    return found.hexdigest()


def _files(folder: Traversable, name: str) -> Iterable[tuple[str, Traversable]]:
    if not folder.is_dir():
        return
    for one in folder.iterdir():
        if one.is_dir() and one.name != "__pycache__":
            yield from _files(one, f"{name}/{one.name}")
        elif one.is_file() and not one.name.endswith(".pyc"):
            yield f"{name}/{one.name}", one


def _case(name: str, tried: Any) -> CaseResult:
    case = tried.case
    return CaseResult(
        id=name,
        clauses=case.clauses,
        en=case.en,
        sv=case.sv,
        drive=case.drive.value,
        at_s=tried.at_s,
        took_s=tried.took_s,
        findings=tried.findings,
    )


def _excluded(one: Exclusion) -> ExclusionLine:
    return ExclusionLine(one.case, one.challenge, one.reason, one.since.isoformat())


def _lines(record: Record, cases: Iterable[CaseResult]) -> Iterable[PacketLine]:
    shown = {number for case in cases for finding in case.findings for number in finding.evidence}
    return (_line(seen, whole=seen.number in shown) for seen in record)


def _line(seen: Seen, *, whole: bool) -> PacketLine:
    return PacketLine(
        number=seen.number,
        at_s=seen.at_s,
        link=seen.link,
        direction=seen.direction.value,
        kind=seen.kind,
        fate=seen.fate.value,
        size=len(seen.raw),
        raw=(seen.raw if whole else seen.raw[:OTHER_BYTES]).hex(),
        topic=seen.topic,
        remark=seen.remark,
    )
