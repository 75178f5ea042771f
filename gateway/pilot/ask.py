"""Ask: the figures of a pilot, each the answer of one named query over the exported files."""

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import msgspec

from gateway.model.registry import Registry
from gateway.pilot import manifest as manifests
from gateway.pilot.export import opened, scan
from gateway.pilot.figures import Figure, Figures
from gateway.pilot.forms import columns_of, split
from gateway.pilot.privacy import suppress
from gateway.pilot.scope import Rows, Scope, scope_of

EXPORTED = ("events", "days", "pauses", "alerts", "entries", "deliveries", "receipts", "quarantine")
BASE = "base"
QUERIES = (
    "scope",
    "availability",
    "availability_weeks",
    "battery",
    "latency",
    "alerts",
    "alerts_products",
    "response",
    "promise",
    "responders",
    "nuisance",
    "doses",
    "doses_weeks",
    "looks",
    "keys",
    "baseline",
    "benefit",
    "residents",
    "indicators",
    "gaps",
)
"""In the order of the report; each is a file of its own, that answers one question."""
COLUMNS = {
    "pilot": """since TIMESTAMP, until TIMESTAMP, first_day DATE, last_day DATE, zone VARCHAR,
    night_from TIME, night_until TIME, promise_min DOUBLE""",
    "devices": """device VARCHAR, home VARCHAR, person VARCHAR, product VARCHAR, kind VARCHAR,
    heartbeat_s DOUBLE, enrolled TIMESTAMP, supervised BOOLEAN""",
    "persons": "person VARCHAR, sex VARCHAR",
    "windows": "device VARCHAR, what VARCHAR, ref VARCHAR, starts TIME, minutes DOUBLE",
    "staff_credentials": "credential VARCHAR",
    "baseline": "measure VARCHAR, value DOUBLE",
    "assumptions": "input VARCHAR, low DOUBLE, likely DOUBLE, high DOUBLE",
    "promise_severities": "severity VARCHAR",
}
"""What the registry says, as tables."""
DECIMALS = 6
"""Kept of a value: past them the order in which a database adds shows."""
Timed = Callable[[str, Callable[[], None]], None]


@cache
def query(name: str) -> str:
    """Return the text of a named query; its first line says in words what it asks."""
    return (resources.files("gateway.pilot") / "queries" / f"{name}.sql").read_text(encoding="utf-8")


def question(name: str) -> str:
    """Return what a named query asks, in words."""
    return query(name).partition("\n")[0].removeprefix("--").strip()


def ask(
    folder: Path, registry: Registry, pilot_id: str, now: datetime | None, timed: Timed | None = None
) -> Figures:
    """Return every figure of a pilot from an export's folder, small cells hidden.

    `now` is the moment the data has come to; `timed` runs each named query, to measure it.
    """
    scope = scope_of(registry, pilot_id, now)
    found: list[Figure] = []

    def answer(name: str, database: duckdb.DuckDBPyConnection) -> None:
        found.extend(suppress(name, _answers(database, name)))

    with opened(folder) as database:
        run = timed or (lambda _, work: work())
        run(BASE, lambda: prepare(database, folder, scope))
        for name in QUERIES:
            run(name, lambda name=name: answer(name, database))  # type: ignore[misc] # bound at once
    return Figures(scope, found)


def prepare(database: duckdb.DuckDBPyConnection, folder: Path, scope: Scope) -> None:
    """Make the tables of the registry and of the pilot's own part of the exported files."""
    manifest = manifests.read(folder)
    for table in EXPORTED:
        source = scan(folder, manifest, table)
        names = ", ".join(name for name, _ in columns_of(table))
        database.execute(f"CREATE VIEW {table} AS SELECT {names} FROM {source}")  # noqa: S608 - our own names
    with TemporaryDirectory() as place:
        for name, rows in scope.tables.items():
            _load(database, Path(place) / name, name, rows)
    for statement in re.split(r";\n", query(BASE)):
        if statement.strip():
            database.execute(statement)


def _load(database: duckdb.DuckDBPyConnection, path: Path, name: str, rows: Rows) -> None:
    database.execute(f"CREATE TABLE {name} ({COLUMNS[name]})")
    if not rows:
        return
    path.write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))
    columns = ", ".join(f"{column}: '{kind}'" for column, kind in split(COLUMNS[name]))
    source = f"read_json('{path}', format='newline_delimited', columns={{{columns}}})"
    database.execute(f"INSERT INTO {name} SELECT * FROM {source}")  # noqa: S608 - our own names


def _answers(database: duckdb.DuckDBPyConnection, name: str) -> Sequence[tuple[Figure, int | None]]:
    """Return the figures of a query, each with the homes or persons behind it where it says them."""
    result = database.execute(query(name))
    columns = [column[0] for column in result.description or ()]
    answers = []
    for row in result.fetchall():
        cell = dict(zip(columns, row, strict=True))
        figure = Figure(
            query=name,
            measure=cell["measure"],
            subject=cell["subject"],
            part=cell["part"],
            value=None if cell["value"] is None else round(cell["value"], DECIMALS),
            unit=cell["unit"],
            rows=cell["rows"],
        )
        answers.append((figure, cell.get("people")))
    return sorted(answers, key=_order)


def _order(answer: tuple[Figure, int | None]) -> tuple[int, str, str, str]:
    """Keep one order whatever the database's: by subject (numbers by size), part and measure."""
    figure = answer[0]
    number = int(figure.subject) if figure.subject.isdigit() else 0
    return number, figure.subject, figure.part, figure.measure
