"""Export: a gateway's journal as a recording, a page at a time, freed of what is personal."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path

import msgspec
from msgspec.structs import replace

from gateway.contract import ConfigurationError, Refused
from gateway.model.alert import Alert, AlertEntry
from gateway.model.frame import INTERNAL, Frame, Transport
from gateway.model.synthetic import BUTTON, SYNTHETIC
from gateway.pipeline.edges import Edges
from gateway.pipeline.forwarding import opened
from gateway.pipeline.walk import OF_PEOPLE, Walk
from gateway.recording.file import RecordingFile
from gateway.recording.form import (
    KEPT,
    PSEUDONYMS,
    VERSION,
    AlertLine,
    EntryLine,
    FrameLine,
    Header,
    Line,
    RegistryLine,
    TickLine,
    raw,
)
from gateway.recording.held import ENROLMENTS, Held, was_refused
from gateway.recording.inside import CHANNELS, Inside
from gateway.recording.names import Kept, Names, Pseudonyms
from gateway.recording.places import Places, Unmoved
from gateway.recording.readings import Readings
from gateway.recording.registries import Registries
from gateway.stores.sqlite_journal import SqliteJournal
from gateway.stores.state_reader import StateReader

PAGE = 1000
WARM_UP = timedelta(days=7)
"""So long before its beginning a recording from the middle of a journal already tells what devices said."""
BEFORE = timedelta(minutes=1)
"""So long before the first frame what held then is told, so that the gateway seems to have just begun."""
LEFT_OUT = (
    "raw messages",
    "names, secrets, certificates and models of the registry",
    "sentences of people and rules",
    "vendors' details, firmware and altitude",
    "devices that are not enrolled",
    "the synthetic alarm",
)
REMOVED = ("references of persons, homes, staff and devices", "positions and zones")
Progress = Callable[[int], None]


@dataclass(frozen=True)
class Wanted:
    """What is to be exported, and what the gateway that made it was like."""

    gateway: str
    since: datetime | None = None
    until: datetime | None = None
    keep_references: bool = False
    channels: Sequence[str] = ()
    active: Sequence[str] = ()
    rules: dict[str, str] = field(default_factory=dict)


@dataclass
class Exported:
    """What came of it."""

    frames: int = 0
    left_out: int = 0
    sha256: str = ""


def export(folder: Path, out: Path, wanted: Wanted, walk: Walk, progress: Progress) -> Exported:
    """Write the recording; ConfigurationError when there is nothing to write.

    `progress` is told how many frames of the journal were read.
    """
    path = folder / "state.db"
    if not path.exists():
        raise ConfigurationError(f"{path}: there is no such file; allowed: a data directory (--data)")
    journal, store = SqliteJournal(path), StateReader(path)
    try:
        return _Export(journal, store, wanted, walk).write(out, progress)
    finally:
        store.close()
        journal.close()


def _nowhere(_key: str, _body: bytes | None) -> None:
    """Keep no record: an export changes nothing."""


class _Export:
    def __init__(self, journal: SqliteJournal, store: StateReader, wanted: Wanted, walk: Walk) -> None:
        self._journal, self._store, self._wanted, self._walk = journal, store, wanted, walk
        self._names: Names = Kept() if wanted.keep_references else Pseudonyms()
        places = Unmoved() if wanted.keep_references else Places()
        adapters = walk.table.adapters
        self._registries = Registries(self._names, places, adapters, wanted.rules)
        self._readings = Readings(self._names, places)
        self._inside = Inside(self._names, self._registries, adapters)
        self._held = Held(walk.manifests, was_refused(store))
        self._edges = Edges({}, _nowhere)
        self._failed = store.failed_frames()
        self._alert = lru_cache(maxsize=4096)(store.alert)

    def write(self, out: Path, progress: Progress) -> Exported:
        """Write header, opening and every frame of the period."""
        first, last, header = self._period()
        done = Exported()
        with RecordingFile(out) as file:
            file.add(header)
            for line in self._opening(first) if header.opening else ():
                file.add(line)
            while first <= last and (frames := self._journal.read(first - 1, min(PAGE, last - first + 1))):
                for line in self._page(frames):
                    file.add(line)
                done.left_out += len(frames)
                first = frames[-1].position + 1
                progress(len(frames))
            done.frames, done.sha256 = file.frames, file.sha256
        done.left_out = max(0, done.left_out - done.frames)
        return done

    def _period(self) -> tuple[int, int, Header]:
        """Return the first and last position, and the header of what is between."""
        last = self._journal.last()
        if not last:
            raise ConfigurationError("the journal is empty: found no frame to export")
        wanted = self._wanted
        since, until = wanted.since or self._at(1), wanted.until or self._at(last)
        first = self._position(since - WARM_UP, last) if wanted.since else 1
        end = self._position(until, last + 1) - 1 if wanted.until else last
        if end < first or since > until:
            span = f"{self._at(1).isoformat()} to {self._at(last).isoformat()}"
            raise ConfigurationError(f"--from, --until: found no frame between them; the journal has {span}")
        channels = {*wanted.channels, *self._store.channels()} & CHANNELS
        header = Header(
            form=VERSION,
            gateway=wanted.gateway,
            since=max(since, self._at(1)),
            until=min(until, self._at(last)),
            opening=first > 1,
            references=KEPT if wanted.keep_references else PSEUDONYMS,
            left_out=LEFT_OUT if wanted.keep_references else (*LEFT_OUT, *REMOVED),
            channels=tuple(sorted(channels)),
            active=tuple(wanted.active),
            rules=wanted.rules,
        )
        return first, end, header

    def _at(self, position: int) -> datetime:
        return self._journal.read(position - 1, 1)[0].received_at

    def _position(self, at: datetime, last: int) -> int:
        """Return the first position received at that moment or later, `last` when none is before it."""
        low, high = 1, last
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if self._at(middle) < at else (low, middle)
        return low

    def _opening(self, first: int) -> Iterator[Line]:
        """Yield what held when a recording from the middle of the journal begins, and a start."""
        begins = self._at(first)
        registry: RegistryLine | None = None
        told: list[Frame] = []
        for frame in self._journal.read_inside(first):
            if _of_registry(frame):
                registry = self._taken(replace(frame, received_at=begins - BEFORE)) or registry
            elif frame.channel.startswith(OF_PEOPLE):
                told.append(frame)
        if registry is not None:
            yield registry
        for frame in told:
            line = self._line(replace(frame, received_at=begins - BEFORE))
            if line is not None:
                yield line
        yield TickLine(n=0, at=begins, start=True)

    def _page(self, frames: Sequence[Frame]) -> Iterator[Line]:
        entries: dict[int, list[AlertEntry]] = {}
        for entry in self._store.entries(frames[0].position, frames[-1].position):
            entries.setdefault(entry.frame, []).append(entry)
        for frame in frames:
            line = self._line(frame)
            if line is not None:
                yield line
            for entry in entries.get(frame.position, ()):
                yield from self._history(entry)

    def _line(self, frame: Frame) -> FrameLine | None:
        """Return what may be told of a frame; None where that is nothing."""
        if frame.position in self._failed:
            return None
        try:
            if frame.transport not in INTERNAL:
                return self._device(frame)
            return self._internal(frame)
        except (Refused, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None  # nobody could read it then either

    def _device(self, frame: Frame) -> FrameLine | None:
        if frame.source == BUTTON:
            return None
        decoded = self._walk.read(frame)
        if any(getattr(item, "native_id", "") == BUTTON for item in decoded.items):
            return None
        registry = self._held.registry
        if decoded.edge:
            heard = opened(registry, self._edges, frame, decoded)
            if heard is None:
                return None  # an edge sent it again: it changed nothing
            frame, decoded = heard
        return self._readings.line(frame, decoded, registry)

    def _internal(self, frame: Frame) -> FrameLine | None:
        if frame.channel.startswith(OF_PEOPLE):
            return self._inside.people(frame)
        if frame.transport is Transport.CLOCK:
            return TickLine(n=frame.position, at=frame.received_at, start=frame.channel == "start")
        if _of_registry(frame):
            return self._taken(frame)
        if frame.transport is Transport.WATCH:
            return self._inside.watch(frame)
        if frame.transport is Transport.PERSON:
            parts = frame.channel.split("/")
            return None if len(parts) < 2 or self._hidden(parts[1]) else self._inside.answer(frame)
        return self._receipt(frame)

    def _receipt(self, frame: Frame) -> FrameLine | None:
        parts = frame.channel.split("/")
        if len(parts) == 2:
            return None if self._hidden(parts[1]) else self._inside.shown(frame)
        delivery = self._store.delivery(parts[2]) if len(parts) in {3, 4} and parts[0] == "delivery" else None
        if delivery is None or self._hidden(delivery.alert):
            return None
        return self._inside.receipt(frame, delivery)

    def _taken(self, frame: Frame) -> RegistryLine | None:
        """Return the whole registry that holds from a frame on, by file or by console."""
        document = self._held.take(frame)
        if document is None:
            return None
        return RegistryLine(
            n=frame.position, at=frame.received_at, document=raw(self._registries.document(document))
        )

    def _hidden(self, alert: str) -> bool:
        found = self._alert(alert)
        return found is not None and found.tenant == SYNTHETIC

    def _history(self, entry: AlertEntry) -> Iterator[Line]:
        alert = self._alert(entry.alert)
        if alert is None or alert.tenant == SYNTHETIC:
            return
        if entry.version == 1:
            yield self._raised(alert, entry)
        yield EntryLine(
            ref=self._names.ref(entry.alert),
            version=entry.version,
            at=entry.at,
            action=entry.action,
            severity=entry.severity or "",
            outcome=(alert.outcome or "") if entry.action == "closed" else "",
        )

    def _raised(self, alert: Alert, entry: AlertEntry) -> AlertLine:
        ref = self._names.ref
        registry = self._held.registry
        known = {alert.device, *registry.ladders, *registry.teams, *registry.staff, *registry.homes}
        return AlertLine(
            ref=ref(alert.id),
            n=entry.frame,
            rule=alert.rule if alert.rule in self._wanted.rules else ref(alert.rule),
            severity=entry.severity or alert.severity,
            raised_at=alert.raised_at,
            home=ref(alert.home),
            person=ref(alert.person or ""),
            device=ref(alert.device or ""),
            subject=self._inside.subject(alert, known),
            type=alert.type.value,
        )


def _of_registry(frame: Frame) -> bool:
    """Tell whether a frame can change the registry: a file's, or an enrolment made in the console."""
    return frame.transport is Transport.REGISTRY or frame.channel.startswith(ENROLMENTS)
