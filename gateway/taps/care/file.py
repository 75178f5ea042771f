"""File: one file a record in a folder, for systems that read folders; JSON, or CSV with a heading."""

import asyncio
import csv
import io
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from gateway.contract import Handed, TapFault
from gateway.tap_settings import CareSettings
from gateway.taps.care.carrier import Held, proved
from gateway.taps.care.ledger import Ledger, given
from gateway.taps.care.records import CareRecord, Step, encode

COLUMNS = (
    "key", "version", "kind", "at", "tenant", "home", "person", "device", "device_kind", "text", "word",
    "alert", "severity", "occurred_at", "raised_at", "action", "actor", "outcome", "outcome_text", "note",
    "visit_state", "visit_by", "visit_eta", "visit_arrived_at", "dose_deviation", "dose", "dose_due_at",
    "course",
)  # fmt: skip
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet would carry out instead of showing it."""
DONE, ERROR = ".done", ".error"
"""What the reading system writes beside a file, where it writes receipts."""


class FileConnector:
    """Writes each record under a temporary name, to the disk, then under its own; never an older one."""

    def __init__(self, settings: CareSettings) -> None:
        self._folder = Path(settings.folder or "")
        self._format = settings.format
        self._ledger: Ledger | None = None

    async def put(self, record: CareRecord) -> Handed:
        """Hand over a record; TapFault when the folder takes nothing."""
        try:
            told = await asyncio.to_thread(self._write, record)
        except OSError as error:
            raise TapFault(f"the folder takes nothing: {error.strerror or type(error).__name__}") from error
        return proved(record, told)

    async def held(self) -> Mapping[str, Held] | None:
        """Return what was put into the folder, with what the reading system says of it in receipts."""
        try:
            return await asyncio.to_thread(self._held)
        except OSError as error:
            raise TapFault(f"the folder cannot be read: {error.strerror or type(error).__name__}") from error

    async def close(self) -> None:
        """Release the ledger."""
        if self._ledger is not None:
            self._ledger.close()
            self._ledger = None

    def _write(self, record: CareRecord) -> str:
        """Write a record unless the folder has had it; return what proves it."""
        ledger = self._opened()
        name = f"{record.key}.{self._format}"
        if ledger.version(record.key) >= record.version:
            return f"there {name}"
        put_whole(self._folder / name, as_csv(record) if self._format == "csv" else encode(record))
        for ending in (DONE, ERROR):  # of an older version: it says nothing of this one
            with suppress(FileNotFoundError):
                (self._folder / f"{name}{ending}").unlink()
        ledger.note(record.key, record.version)
        return f"written {name}"

    def _held(self) -> Mapping[str, Held]:
        found = {key: Held(version=version) for key, version in given(self._folder).items()}
        for path in self._folder.glob(f"*.{self._format}{ERROR}"):
            key = path.name.removesuffix(f".{self._format}{ERROR}")
            if key in found:
                said = path.read_text("utf-8", errors="replace").split()
                found[key] = Held(version=found[key].version, refused=" ".join(said)[:160] or "refused")
        return found

    def _opened(self) -> Ledger:
        if self._ledger is None:
            self._ledger = Ledger(self._folder)
        return self._ledger


def put_whole(path: Path, body: bytes) -> None:
    """Write a file so that who reads the folder sees all of it or nothing, also after a power cut."""
    under_way = path.with_name(f".{path.name}.part")
    with under_way.open("wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    under_way.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Bring a folder's list of names to the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def as_csv(record: CareRecord) -> bytes:
    """Return a record as a heading and one row: UTF-8 with its mark, semicolons, the course as lines."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n")
    writer.writerow(COLUMNS)
    row = _row(record)
    writer.writerow([_shown(row.get(column)) for column in COLUMNS])
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def _row(record: CareRecord) -> dict[str, object]:
    done, visit, dose = record.handled, record.visit, record.dose
    steps = record.course.steps if record.course else ()
    return {name: getattr(record, name) for name in CareRecord.__struct_fields__} | {
        "word": record.codes.word if record.codes else None,
        "action": done.action if done else None,
        "actor": done.actor if done else None,
        "visit_state": visit.state if visit else None,
        "visit_by": visit.by if visit else None,
        "visit_eta": visit.eta if visit else None,
        "visit_arrived_at": visit.arrived_at if visit else None,
        "dose_deviation": dose.deviation if dose else None,
        "dose": dose.dose if dose else None,
        "dose_due_at": dose.due_at if dose else None,
        "course": "\n".join(_line(step) for step in steps),
    }


def _line(step: Step) -> str:
    return f"{step.at.isoformat(timespec='seconds')} {step.text} {step.actor} {step.detail}".rstrip()


def _shown(value: object) -> str:
    if value is None:
        return ""
    text = value.isoformat() if hasattr(value, "isoformat") else str(value)
    return f"'{text}" if text.startswith(FORMULA) else text
