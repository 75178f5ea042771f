"""Exports: bulk exports, under way and done, as NDJSON files that are kept an hour (Bulk Data Access 2.0)."""

import asyncio
import logging
import shutil
import threading
from collections.abc import Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_urlsafe
from typing import Any, BinaryIO

import msgspec

from gateway.api.fhir.asking import MOST, Search
from gateway.api.fhir.errors import ThrottledError
from gateway.api.fhir.reading import Reading
from gateway.api.fhir.threads import Threads
from gateway.contract import Clock, Mark, StoreUnavailableError
from gateway.fhir.kinds import KINDS, UPDATED
from gateway.fhir.terms import moment

log = logging.getLogger(__name__)

KEPT = timedelta(hours=1)
LOOK_S = 60.0
"""So often it is looked for exports past their time."""
UNDER_WAY = 2
"""Exports that are written at once; the others wait."""
HELD, HELD_EACH = 8, 4
"""Exports that are kept at once, of all and of one actor; one more is refused until one is gone."""
LINES_A_FILE = 50_000
MOST_BYTES = 4 << 30
"""What one export may write: past it, it fails and says so."""
OVERLAP = timedelta(seconds=60)
"""So much before its start, or before what the log had by then, is the transaction time: what was on its
way, however long the disk or a flood held it up, comes with the next `_since`."""
SETTLED = timedelta(days=1)
"""A delivery changes for so long after it was queued, which is all the time it has."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What an export is of: who asked by which address, and the types in their order."""

    actor: str
    address: str
    kinds: tuple[str, ...]
    since: datetime | None = None


class Written(msgspec.Struct, frozen=True):
    """One file of an export."""

    kind: str
    name: str
    count: int


class TooLargeError(Exception):
    """An export past its bound."""


class Job:
    """One export. Written by its thread; read by the loop."""

    def __init__(self, wanted: Wanted, folder: Path, at: datetime) -> None:
        self.id = folder.name
        self.wanted = wanted
        self.folder = folder
        self.at = at - OVERLAP
        self.expires_at = at + KEPT
        self.files: list[Written] = []
        self.written = 0
        self.bytes = 0
        self.kind = ""
        self.error = ""
        self.done = False
        self.stop = threading.Event()

    @property
    def progress(self) -> str:
        """What it does, in a few words."""
        return f"{self.written} resources, now {self.kind}" if self.kind else "waiting"

    def write(self, reading: Reading) -> None:
        """Write all files; a disk or database that refuses is the end of it, and its reason is kept."""
        try:
            self.folder.mkdir(mode=0o700, parents=True)
            if (newest := reading.newest()) is not None:  # what came later may still be on its way
                self.at = min(self.at, newest - OVERLAP)
            for kind in self.wanted.kinds:
                self.kind = kind
                self._write_kind(reading, kind)
            self.done = not self.stop.is_set()
        except (OSError, StoreUnavailableError, TooLargeError) as error:
            if not self.stop.is_set():  # else its folder was taken from under it
                self.error = str(error) if not isinstance(error, OSError) else f"the disk: {error.strerror}"
                log.warning("export failed: %s", self.error)
        except Exception:
            self.error = "the gateway failed at it; its log says how"
            log.exception("export failed")
        finally:
            if not self.done:
                shutil.rmtree(self.folder, ignore_errors=True)

    def _write_kind(self, reading: Reading, kind: str) -> None:
        mark: Mark | None = ()
        number = 1
        while mark is not None and not self.stop.is_set():
            name = f"{kind}.{number}.ndjson"
            with (self.folder / name).open("wb") as file:
                lines, mark = self._write_file(reading, kind, mark, file)
            if lines:
                self.files.append(Written(kind, name, lines))
            number += 1

    def _write_file(
        self, reading: Reading, kind: str, mark: Mark | None, file: BinaryIO
    ) -> tuple[int, Mark | None]:
        lines = 0
        while mark is not None and lines < LINES_A_FILE and not self.stop.is_set():
            page = reading.page(Search(kind=KINDS[kind], params=self._params(kind), count=MOST, mark=mark))
            body = b"".join(msgspec.json.encode(one) + b"\n" for one in page.found)
            file.write(body)
            lines += len(page.found)
            self.written += len(page.found)
            self.bytes += len(body)
            if self.bytes > MOST_BYTES:
                raise TooLargeError(
                    f"the export is larger than {MOST_BYTES >> 30} GiB; ask for less with _since"
                )
            mark = page.more
        return lines, mark

    def _params(self, kind: str) -> dict[str, Sequence[str]]:
        if self.wanted.since is None or UPDATED not in KINDS[kind].params:
            return {}  # the registry is always told whole
        since = self.wanted.since
        if kind == "Communication" and since - datetime.min.replace(tzinfo=UTC) > SETTLED:
            since -= SETTLED
        return {UPDATED: [f"ge{moment(since)}"]}


class Exports:
    """All exports of this process; a restart ends them, and what was written is removed."""

    def __init__(self, folder: Path, clock: Clock, *, look_s: float = LOOK_S) -> None:
        self._folder = folder
        self._look_s = look_s
        self._clock = clock
        self._jobs: dict[str, Job] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._next_look: asyncio.TimerHandle | None = None
        self.threads = Threads(UNDER_WAY)
        shutil.rmtree(folder, ignore_errors=True)

    def start(self, wanted: Wanted, reading: Reading) -> Job:
        """Begin an export; ThrottledError when so many are kept already."""
        self._forget()
        own = sum(one.wanted.actor == wanted.actor for one in self._jobs.values())
        if len(self._jobs) >= HELD or own >= HELD_EACH:
            raise ThrottledError(
                f"{len(self._jobs)} exports are kept already, {own} of yours; delete one, or wait until one "
                "expires",
                60,
            )
        job = Job(wanted, self._folder / token_urlsafe(24), self._clock.now())
        self._jobs[job.id] = job
        self._begin(self._run(job, reading), "fhir export")
        self._look_again()
        return job

    def find(self, job_id: str, actor: str) -> Job | None:
        """Return an export to who began it, None to anybody else."""
        self._forget()
        found = self._jobs.get(job_id)
        return found if found is not None and found.wanted.actor == actor else None

    def remove(self, job: Job) -> None:
        """End an export and remove what it wrote."""
        job.stop.set()
        self._jobs.pop(job.id, None)
        self._begin(asyncio.to_thread(shutil.rmtree, job.folder, ignore_errors=True), "fhir export removed")

    async def close(self) -> None:
        """End all exports and wait for their threads."""
        if self._next_look is not None:
            self._next_look.cancel()
        for job in list(self._jobs.values()):
            self.remove(job)
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self.threads.close()
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    async def _run(self, job: Job, reading: Reading) -> None:
        await self.threads.export(lambda: None if job.stop.is_set() else job.write(reading))

    def _begin(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _look_again(self) -> None:
        """Remove what is past its hour, and look again while there is any, though nobody asks."""
        self._forget()
        if self._next_look is not None:
            self._next_look.cancel()
        loop = asyncio.get_running_loop()
        self._next_look = loop.call_later(self._look_s, self._look_again) if self._jobs else None

    def _forget(self) -> None:
        now = self._clock.now()
        for job in [one for one in self._jobs.values() if one.expires_at <= now]:
            self.remove(job)
