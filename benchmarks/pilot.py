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

from gateway.model.registry import Registry, RegistryDocument
from gateway.pilot import manifest as manifests
from gateway.pilot.ask import ask
from gateway.pilot.export import FOLDER, opened
from gateway.pilot.page import as_data, as_html

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
DAYS = 365
FIRST = "TIMESTAMP '2024-12-31 23:00:00'"
BEATS = {"dispenser": 24, "button": 24, "camera": 24, "lock": 2}
DEVICES = """CREATE TABLE made AS
SELECT 'dispenser-' || n AS device, 'h' || n AS home, 'dispenser' AS kind, n FROM range({homes}) r(n)
UNION ALL SELECT 'button-' || n, 'h' || n, 'button', n FROM range({homes}) r(n)
UNION ALL SELECT 'lock-' || n, 'h' || n, 'lock', n FROM range({homes}) r(n) WHERE n % 2 = 0
UNION ALL SELECT 'camera-' || n, 'h' || n, 'camera', n FROM range({homes}) r(n) WHERE n % 3 = 0"""
EVENT = """0 AS place, '{type}' AS type, device, home, moment AS occurred,
moment + to_milliseconds(CAST(random() * 3000 AS BIGINT)) AS received, 'synced' AS clock, random() * 3 AS late_s,
{means} AS means, {credential} AS credential, {dose} AS dose, NULL::TIMESTAMP AS due, NULL::DOUBLE AS window_min,
NULL::VARCHAR AS slot, {outcome} AS outcome"""
TABLES = {
    "days": f"""SELECT device, CAST({FIRST} + INTERVAL 1 HOUR AS DATE) + CAST(d AS INTEGER) AS day,
    CASE kind WHEN 'lock' THEN 2 ELSE 24 END AS messages, {FIRST} + to_days(CAST(d AS INTEGER)) AS first,
    {FIRST} + to_days(CAST(d AS INTEGER)) + INTERVAL 23 HOUR AS last, 0 AS unsynced, 0 AS untimed,
    100 - (d * (n % 7 + 1) / 20.0) % 90 AS battery, first AS month_of FROM made, range({{days}}) r(d)""",
    "pauses": f"""SELECT device, until - INTERVAL 5 HOUR AS since, until, until AS month_of FROM
    (SELECT device, {FIRST} + to_days(CAST(d AS INTEGER)) + to_minutes(CAST(600 + random() * 700 AS BIGINT)) AS until
    FROM made, range({{days}}) r(d) WHERE hash(device, d) % 20 = 0 AND kind <> 'lock')""",
    "events": f"""SELECT {{dose}} FROM (SELECT *, {FIRST} + to_days(CAST(d AS INTEGER))
      + to_minutes(CAST(h * 60 + random() * 80 AS BIGINT)) AS moment, CASE h WHEN 8 THEN 'm' ELSE 'e' END AS ref
      FROM made, range({{days}}) r(d), (VALUES (8), (20)) v(h) WHERE kind = 'dispenser' AND random() > 0.02)
    UNION ALL SELECT {{look}} FROM (SELECT *, {FIRST} + to_days(CAST(d AS INTEGER))
      + to_minutes(CAST(h * 60 + random() * 30 AS BIGINT)) AS moment
      FROM made, range({{days}}) r(d), (VALUES (1), (4)) v(h) WHERE kind = 'camera' AND random() > 0.02)
    UNION ALL SELECT {{lock}} FROM (SELECT *, {FIRST} + to_days(CAST(d AS INTEGER))
      + to_minutes(CAST(h * 60 + random() * 120 AS BIGINT)) AS moment
      FROM made, range({{days}}) r(d), (VALUES (9), (18)) v(h) WHERE kind = 'lock')""",
    "alerts": f"""SELECT 1 AS cursor, device || '-' || d AS id, 4 AS version, CASE kind WHEN 'dispenser'
      THEN 'dose_missed' WHEN 'button' THEN 'sos' WHEN 'camera' THEN 'look_missed' ELSE 'lock_jammed' END AS rule,
    CASE kind WHEN 'button' THEN 'high' WHEN 'lock' THEN 'low' ELSE 'medium' END AS severity,
    CASE kind WHEN 'lock' THEN 'ST' ELSE 'SP' END AS type, device, home,
    {FIRST} + to_days(CAST(d AS INTEGER)) + to_minutes(CAST(hash(d, device) % 1200 AS BIGINT)) AS raised,
    raised AS occurred, 0.0 AS late_s, 'closed' AS state,
    ['real', 'real', 'false', 'test'][CAST(hash(device, d, 1) % 4 + 1 AS INTEGER)] AS outcome, 1 AS count,
    raised AS month_of FROM made, range({{days}}) r(d) WHERE hash(device, d) % 28 = 0""",
    "entries": """SELECT 1 AS frame, id AS alert, v AS version,
    raised + to_seconds(CASE v WHEN 1 THEN 0 WHEN 2 THEN 40 WHEN 3 THEN 1500 ELSE 2400 END) AS moment,
    ['raised', 'accepted', 'on_site', 'closed'][v] AS action, raised AS month_of
    FROM alerts_made, (VALUES (1), (2), (3), (4)) s(v)""",
    "deliveries": """SELECT 1 AS row, 'd-' || id AS id, id AS alert, 'team-' || hash(home) % 40 AS recipient,
    'page' AS channel, 0 AS step, raised AS queued, 'displayed' AS state, raised AS month_of FROM alerts_made""",
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
        print(f"{args.homes} homes, {args.days} days: {sum(counts.values()):,} rows in {size_mb:,.0f} MB of Parquet")
        for table, count in counts.items():
            print(f"  {table:20}{count:>14,}")
        started = time.perf_counter()
        registry = Registry(document(args.homes))
        print(f"registry of {len(registry.enrolments):,} devices checked in {time.perf_counter() - started:.1f} s")
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
    """Write the year as the export would; returns the rows of each table, and of the heartbeats it stands for."""
    kept = manifests.Manifest(cursor=1)
    counts = {}
    with opened(folder) as database:
        database.execute("SELECT setseed(0.5)")
        database.execute(DEVICES.format(homes=homes))
        shapes = {
            "dose": EVENT.format(
                type="medication.taken", means="NULL", credential="NULL", dose="ref", outcome="NULL"
            ),
            "look": EVENT.format(
                type="supervision.performed", means="NULL", credential="NULL", dose="NULL", outcome="'seen'"
            ),
            "lock": EVENT.format(
                type="lock.unlocked", means="'phone'", credential="'c' || n % 40", dose="NULL", outcome="NULL"
            ),
        }
        for table, select in TABLES.items():
            text = select.format(days=days, **shapes) if "{" in select else select
            counts[table] = _write(database, folder, kept, table, text)
            if table == "alerts":
                database.execute(f"CREATE TABLE alerts_made AS {text}")
    manifests.write(folder, kept)
    return counts


def _write(
    database: duckdb.DuckDBPyConnection, folder: Path, kept: manifests.Manifest, table: str, select: str
) -> int:
    when = "received" if table == "events" else "month_of"
    hide = "" if table == "events" else "EXCLUDE (month_of)"
    database.execute(f"CREATE OR REPLACE TEMP TABLE part AS {select}")
    months = database.execute(f"SELECT DISTINCT strftime({when}, '%Y-%m') FROM part ORDER BY 1").fetchall()
    for (month,) in months:
        name = f"{table}/{month}/1-1.parquet"
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        rows = f"SELECT * {hide} FROM part WHERE strftime({when}, '%Y-%m') = '{month}' ORDER BY 2"
        database.execute(f"COPY ({rows}) TO '{folder / name}' (FORMAT parquet, COMPRESSION zstd)")
        kept.files.setdefault(table, []).append(name)
    ((count,),) = database.execute("SELECT count(*) FROM part").fetchall()
    database.execute("DROP TABLE part")
    return int(count)


def document(homes: int) -> RegistryDocument:
    """Return the registry of the year: two dispensers, buttons, locks and cameras in one municipality."""
    ladders = {"care_ladder": "l", "technical_ladder": "l"}
    kinds = {"dispenser": "medication_dispenser", "button": "social_alarm", "lock": "lock", "camera": "camera"}
    devices, enrolments = [], []
    for n in range(homes):
        for prefix, kind in kinds.items():
            if n % {"lock": 2, "camera": 3}.get(prefix, 1):
                continue
            name = f"{prefix}-{n}"
            model = f"{prefix} {'A' if n % 2 else 'B'}" if prefix == "dispenser" else prefix
            devices.append(
                {"id": name, "tenant": "t", "adapter": "vaka", "native_id": name, "kind": kind, "model": model}
            )
            enrolments.append(_enrolment(name, prefix, n))
    return RegistryDocument.model_validate(
        {
            "tenant": [{"id": "t", "name": "T"}],
            "unit": [{"id": "u", "tenant": "t", "name": "U"}],
            "team": [{"id": "x", "unit": "u", "name": "X"}],
            "ladder": [{"id": "l", "tenant": "t", "steps": [{"to": ["x"]}]}],
            "home": [{"id": f"h{n}", "tenant": "t", "unit": "u", **ladders} for n in range(homes)],
            "person": [
                {"ref": f"p{n}", "home": f"h{n}", "sex": ("female", "male")[n % 2]} for n in range(homes)
            ],
            "device": devices,
            "enrolment": enrolments,
            "staff": [
                {"ref": f"s{n}", "tenant": "t", "teams": ["x"], "credentials": [f"c{n}"]} for n in range(40)
            ],
            "pilot": [_pilot()],
        }
    )


def _enrolment(name: str, prefix: str, n: int) -> dict[str, object]:
    windows = {
        "dispenser": {"doses": [{"ref": "m", "at": "08:00", "minutes": 60}, {"ref": "e", "at": "20:00", "minutes": 60}]},
        "camera": {"looks": [{"ref": "a", "at": "01:00", "minutes": 40}, {"ref": "b", "at": "04:00", "minutes": 40}]},
    }
    return {
        "device": name,
        "home": f"h{n}",
        "person": f"p{n}",
        "since": "2024-12-01T00:00:00Z",
        "heartbeat_s": 86400 / BEATS[prefix],
        **windows.get(prefix, {}),
    }


def _pilot() -> dict[str, object]:
    inputs = ("staff_hour_sek", "night_visit_min", "dose_visit_min", "key_trip_min", "alarm_min", "visit_km", "km_sek")
    measures = ("night_visits_per_night", "dose_visits_per_day", "key_trips_per_week", "alarms_per_week")
    return {
        "id": "year",
        "tenant": "t",
        "name": "A whole year",
        "first_day": "2025-01-01",
        "last_day": "2025-12-31",
        "products": ["dispenser A", "dispenser B", "button", "lock", "camera"],
        "baseline": [{"measure": name, "value": 5000, "source": "made up"} for name in measures],
        "promise": {"on_site_min": 30, "source": "made up"},
        "assumption": [
            {"input": name, "low": 5, "likely": 10, "high": 20, "source": "made up"}
            for name in (*inputs, "device_month_sek", "start_sek")
        ],
    }


if __name__ == "__main__":
    main()
