"""Export: what is new in the state file, as Parquet by month, for DuckDB to read; the rest is there already.

Every step of frames is written to files of its own, and counts when the manifest names them. One that is cut
short leaves files that no manifest names: the next export sweeps them away and makes them again.
"""

import fcntl
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import msgspec

from gateway.contract import ConfigurationError
from gateway.model.registry import RegistryDocument
from gateway.pilot import forms
from gateway.pilot.forms import Form, columns_of
from gateway.pilot.manifest import Manifest, read, sweep, to_disk, write
from gateway.pilot.source import Page, Source

FOLDER = "analysis"
"""In the data directory: everything in it is made from the state file, and can be made again."""
STEP = 100_000
"""Frames of one step: what is held as text at once."""
REPLACED = frozenset({"lasts", "beats", "statuses"})
"""Tables of which only the newest file counts."""
Progress = Callable[[int, int], None]


def unsaid(done: int, of: int) -> None:
    """Say nothing of how far an export is."""


def export(data_dir: Path, progress: Progress = unsaid, *, step: int = STEP) -> Path:
    """Bring the folder up to the state file; returns the folder. Safe beside a running gateway.

    A device whose heartbeat is another than at the last export makes everything be read again: its
    silences were measured with the old one. ConfigurationError while another export runs.
    """
    source = Source(data_dir)
    folder = data_dir / FOLDER
    try:
        with _alone(folder):
            document = source.registry()
            manifest = read(folder)
            if _beats_changed(folder, manifest, document):
                manifest = Manifest()
            sweep(folder, manifest)
            _run(source, folder, manifest, document, progress, step)
    finally:
        source.close()
    return folder


@contextmanager
def opened(folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a database in memory that speaks UTC, asks no network for anything and spills into the folder."""
    connection = duckdb.connect(config={"autoinstall_known_extensions": "false"})
    try:
        connection.execute(f"SET temp_directory = '{_quoted(folder / 'spill')}'")
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(forms.UTC)
        yield connection
    finally:
        connection.close()


def scan(folder: Path, manifest: Manifest, table: str) -> str:
    """Return what to select a table's rows from."""
    files = manifest.paths(folder, table)
    if not files:
        columns = ", ".join(f"CAST(NULL AS {kind}) AS {name}" for name, kind in columns_of(table))
        return f"(SELECT {columns} LIMIT 0)"
    names = ", ".join("'" + name.replace("'", "''") + "'" for name in files)
    return f"read_parquet([{names}])"


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigurationError(f"{folder}: another export is at work; wait until it is done") from error
        yield


def _run(  # noqa: PLR0917 - what one export is made of
    source: Source,
    folder: Path,
    manifest: Manifest,
    document: RegistryDocument,
    progress: Progress,
    step: int,
) -> None:
    first, until = manifest.cursor, source.cursor()
    with opened(folder) as database:
        _hold_beats(database, folder, document)
        lasts = scan(folder, manifest, "lasts")
        database.execute(f"CREATE TEMP TABLE lasts AS SELECT * FROM {lasts}")  # noqa: S608 - our own files
        while manifest.cursor < until:
            part = _Part(database, folder, manifest, source)
            part.write(min(manifest.cursor + step, until))
            manifest = part.done
            progress(manifest.cursor - first, until - first)


class _Part:
    """One step of frames: everything new of it in files, then the manifest that names them."""

    def __init__(
        self, database: duckdb.DuckDBPyConnection, folder: Path, manifest: Manifest, source: Source
    ) -> None:
        self._database, self._folder, self._source = database, folder, source
        self._before = manifest
        self.done = msgspec.convert(msgspec.to_builtins(manifest), Manifest)

    def write(self, until: int) -> None:
        """Export the frames up to a position."""
        after, source = self._before.cursor, self._source
        self.done.cursor = until
        self._events(after, until)
        self._bodies("entries", forms.ENTRIES, source.entries(after, until))
        self._bodies("alerts", forms.ALERTS, source.alerts(after, until))
        deliveries = source.deliveries(self._before.delivery_row)
        self._bodies("deliveries", forms.DELIVERIES, deliveries)
        self.done.delivery_row = deliveries[-1][0] if deliveries else self._before.delivery_row
        self._named("receipts", forms.RECEIPTS, source.receipts(after, until))
        self._named("quarantine", forms.QUARANTINE, source.quarantine(after, until))
        self._bodies("statuses", forms.STATUSES, source.statuses())
        self._keep("beats", "SELECT * FROM beats ORDER BY device")
        write(self._folder, self.done)
        sweep(self._folder, self.done)

    def _events(self, after: int, until: int) -> None:
        pages = self._source.events(after, until)
        lines = (b'{"place":%d,"body":%b}\n' % row for page in pages for row in page)
        with self._staged(forms.EVENT, lines) as select:
            self._database.execute(f"CREATE OR REPLACE TEMP TABLE fresh AS {select}")
        self._database.execute(forms.HEARD)
        self._keep("events", forms.EVENTS)
        self._keep("days", forms.DAYS)
        self._keep("pauses", forms.PAUSES)
        self._database.execute(f"CREATE OR REPLACE TEMP TABLE lasts AS {forms.LASTS}")
        self._keep("lasts", "SELECT * FROM lasts ORDER BY device")

    def _bodies(self, table: str, form: Form, rows: Page) -> None:
        with self._staged(form, (b'{"n":%d,"body":%b}\n' % (n, bytes(body)) for n, body in rows)) as select:
            self._keep(table, select)

    def _named(self, table: str, form: Form, rows: Page) -> None:
        lines = (msgspec.json.encode({"n": n, "us": us, "name": name}) + b"\n" for n, us, name in rows)
        with self._staged(form, lines) as select:
            self._keep(table, select)

    @contextmanager
    def _staged(self, form: Form, lines: Iterable[bytes]) -> Iterator[str]:
        """Give the SELECT of a form over these lines, which lie in a file of their own meanwhile."""
        path = self._folder / "staged.ndjson"
        with path.open("wb") as file:
            file.writelines(lines)
        source = f"read_json('{_quoted(path)}', format='newline_delimited', columns={form.columns})"
        try:
            yield f"WITH staged AS (FROM {source}) {form.select}"
        finally:
            path.unlink()

    def _keep(self, table: str, select: str) -> None:
        """Write a table's new rows, one file a month; a table that is replaced loses its older file."""
        database = self._database
        database.execute(f"CREATE OR REPLACE TEMP TABLE part AS {select}")
        named = self.done.files.setdefault(table, [])
        if table in REPLACED:
            named[:] = [self._copy(table, "now", "SELECT * FROM part")]
            return
        months = "SELECT DISTINCT strftime(month_of, '%Y-%m') FROM part WHERE month_of IS NOT NULL ORDER BY 1"
        for (month,) in database.execute(months).fetchall():
            rows = f"SELECT * EXCLUDE (month_of) FROM part WHERE strftime(month_of, '%Y-%m') = '{month}'"  # noqa: S608 - ours
            named.append(self._copy(table, month, rows))

    def _copy(self, table: str, month: str, select: str) -> str:
        name = f"{table}/{month}/{self._before.cursor + 1}-{self.done.cursor}.parquet"
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f"{path.name}.new")
        self._database.execute(f"COPY ({select}) TO '{_quoted(new)}' (FORMAT parquet, COMPRESSION zstd)")
        to_disk(new)
        new.replace(path)
        return name


def _hold_beats(database: duckdb.DuckDBPyConnection, folder: Path, document: RegistryDocument) -> None:
    """Make the table of the heartbeats that are promised, and of the zone each device's days are in."""
    path = folder / "beats.ndjson"
    zones = {tenant.id: tenant.time_zone for tenant in document.tenant}
    zone_of = {device.id: zones[device.tenant] for device in document.device}
    rows = [
        {"device": one.device, "heartbeat_s": one.heartbeat_s, "zone": zone_of[one.device]}
        for one in sorted(document.enrolment, key=lambda one: one.device)
    ]
    path.write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))
    columns = "{device: 'VARCHAR', heartbeat_s: 'DOUBLE', zone: 'VARCHAR'}"
    source = f"read_json('{_quoted(path)}', format='newline_delimited', columns={columns})"
    database.execute(f"CREATE TEMP TABLE beats AS SELECT * FROM {source}")  # noqa: S608 - our own file
    path.unlink()


def _beats_changed(folder: Path, manifest: Manifest, document: RegistryDocument) -> bool:
    now = {one.device: one.heartbeat_s for one in document.enrolment}
    with opened(folder) as database:
        heard = database.execute(f"""SELECT device, heartbeat_s FROM {scan(folder, manifest, "lasts")} l
        LEFT JOIN {scan(folder, manifest, "beats")} b USING (device)""").fetchall()  # noqa: S608 - our own names
    return any(device in now and now[device] != beat for device, beat in heard)


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
