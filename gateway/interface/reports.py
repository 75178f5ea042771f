"""Reports of the conformance kit that were handed in, as the catalogue of tested products needs them."""

from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Literal

import msgspec

from gateway.interface.catalogue import Tested


class _Device(msgspec.Struct):
    vendor: str
    product: str
    firmware: str
    kind: str


class _Kit(msgspec.Struct):
    version: str


class _Clause(msgspec.Struct):
    level: str
    verdict: str


class _Report(msgspec.Struct):
    form: Literal["vaka-conformance-report/1"]
    interface: str
    verdict: str
    device: _Device
    kit: _Kit
    counterpart: str
    ended_at: datetime
    clauses: list[_Clause]


def handed_in(folder: Path) -> list[Tested]:
    """Read every report of a folder (`*.json`, and one folder deeper); a file that is none is left out."""
    found: list[Tested] = []
    for path in sorted([*folder.glob("*.json"), *folder.glob("*/*.json")]):
        try:
            found.append(_tested(msgspec.json.decode(path.read_bytes(), type=_Report)))
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            continue  # whoever put it there sees that its product is not in the table
    return found


def _tested(report: _Report) -> Tested:
    verdicts = Counter(clause.verdict for clause in report.clauses if clause.level == "must")
    figures = ", ".join(f"{count} {verdict}" for verdict, count in sorted(verdicts.items()))
    device = report.device
    return Tested(
        vendor=device.vendor,
        product=device.product,
        firmware=device.firmware,
        kind=device.kind,
        interface=report.interface,
        kit=report.kit.version,
        date=report.ended_at.date().isoformat(),
        result=report.verdict,
        figures=f"must: {figures}",
        by=report.counterpart,
    )
