"""What a year of 10,000 homes costs to evaluate: `python -m benchmarks.pilot` (minutes; a few GB of memory).

The exported files are made by DuckDB itself, in the form that the export writes. Heartbeats are in it as the
export keeps them: counted by device and day, with every silence that was too long, because no figure asks for
one of them; kept one by one they would be two hundred million rows of nothing new.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from gateway.model.pilot import Input, Measure
from gateway.model.registry import Registry, RegistryDocument
from gateway.pilot import manifest as manifests
from gateway.pilot.ask import ask
from gateway.pilot.export import FOLDER, opened
from gateway.pilot.page import as_data, as_html

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
DAYS = 365
BEATS = {"dispenser": 24, "button": 24, "camera": 24, "lock": 2}
KINDS = {
    "dispenser": "medication_dispenser",
    "button": "social_alarm",
    "lock": "lock",
    "camera": "camera",
}
EVERY = {"lock": 2, "camera": 3}
"""Homes of which one has it; the others are in all."""
WINDOWS: dict[str, dict[str, object]] = {
    "dispenser": {
        "doses": [{"ref": "m", "at": "09:00", "minutes": 60}, {"ref": "e", "at": "21:00", "minutes": 60}]
    },
    "camera": {
        "looks": [{"ref": "a", "at": "02:00", "minutes": 40}, {"ref": "b", "at": "05:00", "minutes": 40}]
    },
}
DAY = "CREATE MACRO day_at(d) AS TIMESTAMP '2024-12-31 23:00:00' + to_days(CAST(d AS INTEGER))"
MINUTES = "CREATE MACRO minutes(n) AS to_minutes(CAST(n AS BIGINT))"
DEVICES = """CREATE TABLE made AS
SELECT 'dispenser-' || n AS device, 'h' || n AS home, 'dispenser' AS kind, n FROM range({homes}) r(n)
UNION ALL SELECT 'button-' || n, 'h' || n, 'button', n FROM range({homes}) r(n)
UNION ALL SELECT 'lock-' || n, 'h' || n, 'lock', n FROM range({homes}) r(n) WHERE n % 2 = 0
UNION ALL SELECT 'camera-' || n, 'h' || n, 'camera', n FROM range({homes}) r(n) WHERE n % 3 = 0"""
TABLES = {
    "days": """SELECT device, CAST(day_at(d) + INTERVAL 1 HOUR AS DATE) AS day,
    CASE kind WHEN 'lock' THEN 2 ELSE 24 END AS messages, day_at(d) AS first,
    day_at(d) + INTERVAL 23 HOUR AS last, 0 AS unsynced, 0 AS untimed,
    100 - (d * (n % 7 + 1) / 20.0) % 90 AS battery, first AS month_of FROM made, range({days}) r(d)""",
    "pauses": """SELECT device, until - INTERVAL 5 HOUR AS since, until, until AS month_of FROM
    (SELECT device, day_at(d) + minutes(600 + random() * 700) AS until
    FROM made, range({days}) r(d) WHERE hash(device, d) % 20 = 0 AND kind <> 'lock')""",
    "events": """SELECT 0 AS place, type, device, home, moment AS occurred,
    moment + to_milliseconds(CAST(random() * 3000 AS BIGINT)) AS received, 'synced' AS clock,
    random() * 3 AS late_s, means, credential, dose, NULL::TIMESTAMP AS due, NULL::DOUBLE AS window_min,
    NULL::VARCHAR AS slot, outcome, moment AS month_of FROM (
    SELECT 'medication.taken' AS type, device, home, day_at(d) + minutes(h * 60 + random() * 80) AS moment,
      NULL AS means, NULL AS credential, CASE h WHEN 9 THEN 'm' ELSE 'e' END AS dose, NULL AS outcome
      FROM made, range({days}) r(d), (VALUES (9), (21)) v(h) WHERE kind = 'dispenser' AND random() > 0.02
    UNION ALL
    SELECT 'supervision.performed', device, home, day_at(d) + minutes(h * 60 + random() * 30), NULL, NULL,
      NULL, 'seen' FROM made, range({days}) r(d), (VALUES (2), (5)) v(h)
      WHERE kind = 'camera' AND random() > 0.02
    UNION ALL
    SELECT 'lock.unlocked', device, home, day_at(d) + minutes(h * 60 + random() * 120), 'phone',
      'c' || n % 40, NULL, NULL FROM made, range({days}) r(d), (VALUES (10), (19)) v(h)
      WHERE kind = 'lock')""",
    "alerts": """SELECT 1 AS cursor, device || '-' || d AS id, 4 AS version, CASE kind WHEN 'dispenser'
      THEN 'dose_missed' WHEN 'button' THEN 'sos' WHEN 'camera' THEN 'look_missed' ELSE 'lock_jammed'
      END AS rule,
    CASE kind WHEN 'button' THEN 'high' WHEN 'lock' THEN 'low' ELSE 'medium' END AS severity,
    CASE kind WHEN 'lock' THEN 'ST' ELSE 'SP' END AS type, device, home,
    day_at(d) + minutes(hash(d, device) % 1200) AS raised, raised AS occurred, 0.0 AS late_s,
    'closed' AS state,
    ['real', 'real', 'false', 'test'][CAST(hash(device, d, 1) % 4 + 1 AS INTEGER)] AS outcome, 1 AS count,
    raised AS month_of FROM made, range({days}) r(d) WHERE hash(device, d) % 28 = 0""",
    "entries": """SELECT 1 AS frame, id AS alert, v AS version,
    raised + to_seconds(CASE v WHEN 1 THEN 0 WHEN 2 THEN 40 WHEN 3 THEN 1500 ELSE 2400 END) AS moment,
    ['raised', 'accepted', 'on_site', 'closed'][v] AS action, raised AS month_of
    FROM alerts_made, (VALUES (1), (2), (3), (4)) s(v)""",
    "deliveries": """SELECT 1 AS row, 'd-' || id AS id, id AS alert, 'team-' || hash(home) % 40 AS recipient,
    'page' AS channel, 0 AS step, raised AS queued, 'displayed' AS state, raised AS month_of
    FROM alerts_made""",
    "receipts": """SELECT 1 AS position, raised + to_seconds(CAST(hash(id) % 30 AS BIGINT)) AS moment,
    'd-' || id AS delivery, NULL::VARCHAR AS alert, raised AS month_of FROM alerts_made""",
    "quarantine": """SELECT 1 AS frame, raised AS received, device, raised AS month_of FROM alerts_made
    WHERE hash(id) % 50 = 0""",
}


def main() -> None:
    """Make the year, ask every query of the report, and print what each took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--homes", type=int, default=10_000)
    parser.add_argument("--days", type=int, default=DAYS)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / FOLDER
        counts = make(folder, args.homes, args.days)
        size_mb = sum(path.stat().st_size for path in folder.rglob("*.parquet")) / 1e6
        rows = f"{sum(counts.values()):,} rows in {size_mb:,.0f} MB of Parquet"
        print(f"{args.homes} homes, {args.days} days: {rows}", flush=True)
        for table, count in counts.items():
            print(f"  {table:20}{count:>14,}")
        registry = Registry(document(args.homes))
        print(f"  {'devices enrolled':20}{len(registry.enrolments):>14,}")
        measure(folder, registry)


def measure(folder: Path, registry: Registry) -> None:
    """Print the seconds of every named query, of the page, and the most memory that was held."""
    took: dict[str, float] = {}

    def timed(name: str, work: Callable[[], None]) -> None:
        started = time.perf_counter()
        work()
        took[name] = time.perf_counter() - started
        print(f"  {name:20}{took[name]:>14.2f} s", flush=True)

    figures = ask(folder, registry, "year", NOW, timed)
    started = time.perf_counter()
    page, data = as_html(figures, "sv", "year.json"), as_data(figures)
    print(f"  {'page and data':20}{time.perf_counter() - started:>14.2f} s")
    most_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{len(figures.all)} figures in {sum(took.values()):.1f} s, {len(page) + len(data):,} bytes written; "
        f"at most {most_mb:,.0f} MB of memory, with the making of the year"
    )
    assert figures.value("doses", "doses_planned"), "no dose was planned: the year is not what it should be"


def make(folder: Path, homes: int, days: int) -> dict[str, int]:
    """Write the year as the export would; returns the rows of each table."""
    kept = manifests.Manifest(cursor=1)
    counts = {}
    with opened(folder) as database:
        for statement in (DAY, MINUTES, "SELECT setseed(0.5)", DEVICES.format(homes=homes)):
            database.execute(statement)
        for table, select in TABLES.items():
            database.execute("CREATE OR REPLACE TEMP TABLE part AS " + select.format(days=days))
            counts[table] = _write(database, folder, kept, table)
            if table == "alerts":
                database.execute("CREATE TABLE alerts_made AS FROM part")
            database.execute("DROP TABLE part")
    manifests.write(folder, kept)
    return counts


def _write(database: duckdb.DuckDBPyConnection, folder: Path, kept: manifests.Manifest, table: str) -> int:
    months = "SELECT strftime(month_of, '%Y-%m'), count(*) FROM part GROUP BY ALL ORDER BY 1"
    counts = dict(database.execute(months).fetchall())
    for month in counts:
        name = f"{table}/{month}/1-1.parquet"
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        rows = "SELECT * EXCLUDE (month_of) FROM part WHERE strftime(month_of, '%Y-%m') = $month ORDER BY 2"
        to = f" TO '{folder / name}' (FORMAT parquet, COMPRESSION zstd)"
        database.execute(f"COPY ({rows.replace('$month', repr(month))}){to}")
        kept.files.setdefault(table, []).append(name)
    return sum(counts.values())


def document(homes: int) -> RegistryDocument:
    """Return the registry of the year: two dispensers, buttons, locks and cameras in one municipality."""
    ladders = {"care_ladder": "l", "technical_ladder": "l"}
    there = [(prefix, n) for n in range(homes) for prefix in KINDS if n % EVERY.get(prefix, 1) == 0]
    sexes = ("female", "male")
    return RegistryDocument.of(
        {
            "tenant": [{"id": "t", "name": "T"}],
            "unit": [{"id": "u", "tenant": "t", "name": "U"}],
            "team": [{"id": "x", "unit": "u", "name": "X"}],
            "ladder": [{"id": "l", "tenant": "t", "steps": [{"to": ["x"]}]}],
            "home": [{"id": f"h{n}", "tenant": "t", "unit": "u", **ladders} for n in range(homes)],
            "person": [{"ref": f"p{n}", "home": f"h{n}", "sex": sexes[n % 2]} for n in range(homes)],
            "device": [_device(prefix, n) for prefix, n in there],
            "enrolment": [_enrolment(prefix, n) for prefix, n in there],
            "staff": [
                {"ref": f"s{n}", "tenant": "t", "teams": ["x"], "credentials": [f"c{n}"]} for n in range(40)
            ],
            "pilot": [_pilot()],
        }
    )


def _device(prefix: str, n: int) -> dict[str, object]:
    name = f"{prefix}-{n}"
    model = f"{prefix} {'A' if n % 2 else 'B'}" if prefix == "dispenser" else prefix
    return {
        "id": name,
        "tenant": "t",
        "adapter": "vaka",
        "native_id": name,
        "kind": KINDS[prefix],
        "model": model,
    }


def _enrolment(prefix: str, n: int) -> dict[str, object]:
    return {
        "device": f"{prefix}-{n}",
        "home": f"h{n}",
        "person": f"p{n}",
        "since": "2024-12-01T00:00:00Z",
        "heartbeat_s": 86400 / BEATS[prefix],
        **WINDOWS.get(prefix, {}),
    }


def _pilot() -> dict[str, object]:
    return {
        "id": "year",
        "tenant": "t",
        "name": "A whole year",
        "first_day": "2025-01-01",
        "last_day": "2025-12-31",
        "products": ["dispenser A", "dispenser B", "button", "lock", "camera"],
        "baseline": [{"measure": name, "value": 5000, "source": "made up"} for name in Measure],
        "promise": {"on_site_min": 30, "source": "made up"},
        "assumption": [
            {"input": name, "low": 5, "likely": 10, "high": 20, "source": "made up"} for name in Input
        ],
    }


if __name__ == "__main__":
    main()
