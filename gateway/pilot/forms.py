"""Forms: how each kind of row is read from the state file's JSON, and what of it is kept for analysis.

Positions and movements are not kept: what only says that a device was there is counted by device and day.
"""

from typing import NamedTuple


class Form(NamedTuple):
    """The columns of the staged JSON lines, and the SELECT that makes a table's rows from them."""

    columns: str
    select: str


UTC = "CREATE MACRO utc(moment) AS CAST(CAST(moment AS TIMESTAMPTZ) AS TIMESTAMP)"
"""Reads a moment with its offset as the UTC it is."""
EVENT = Form(
    """{place: 'BIGINT', body: 'STRUCT(type VARCHAR, device VARCHAR, home VARCHAR, occurred_at VARCHAR,
    received_at VARCHAR, clock VARCHAR, late_s DOUBLE, "values" STRUCT(battery_percent DOUBLE, means VARCHAR,
    credential VARCHAR, dose VARCHAR, due_at VARCHAR, window_min DOUBLE, slot VARCHAR, outcome VARCHAR))'}""",
    """SELECT place, body.type AS type, body.device AS device, body.home AS home,
    utc(body.occurred_at) AS occurred, utc(body.received_at) AS received, body.clock AS clock,
    coalesce(body.late_s, 0) AS late_s, body."values".means AS means, body."values".credential AS credential,
    body."values".dose AS dose, utc(body."values".due_at) AS due, body."values".window_min AS window_min,
    body."values".slot AS slot, body."values".outcome AS outcome, body."values".battery_percent AS battery
    FROM staged""",
)
EVENTS = """SELECT * EXCLUDE (battery), received AS month_of FROM fresh
WHERE type NOT IN ('heartbeat', 'position.update', 'motion.detected', 'link.changed', 'test')
ORDER BY device, place"""
"""What no figure asks for one by one is left to `days` and `pauses`."""
HEARD = "CREATE OR REPLACE TEMP VIEW heard AS SELECT * FROM fresh WHERE type <> 'device.offline'"
"""That a device is gone is the broker's word, not the device's own."""
DAYS = """SELECT device, CAST(timezone(coalesce(zone, 'UTC'), timezone('UTC', received)) AS DATE) AS day,
count(*) AS messages, min(received) AS first, max(received) AS last,
count(*) FILTER (clock = 'unsynced') AS unsynced, count(*) FILTER (clock = 'none') AS untimed,
arg_max(battery, place) FILTER (battery IS NOT NULL) AS battery, min(received) AS month_of
FROM heard LEFT JOIN beats USING (device) GROUP BY device, day ORDER BY device, day"""
PAUSES = """SELECT device, since, until, until AS month_of FROM (
  SELECT f.device, heartbeat_s, received AS until,
    coalesce(lag(received) OVER (PARTITION BY f.device ORDER BY place), l.last) AS since
  FROM heard f JOIN beats b USING (device) LEFT JOIN lasts l USING (device))
WHERE epoch_us(until) - epoch_us(since) > heartbeat_s * 1.5e6 ORDER BY device, until"""
"""Silences longer than one and a half heartbeats: half of one is left for what networks do."""
LASTS = """SELECT device, max(last) AS last FROM (
  SELECT device, last FROM lasts UNION ALL SELECT device, received FROM heard)
GROUP BY device ORDER BY device"""
ALERTS = Form(
    """{n: 'BIGINT', body: 'STRUCT(id VARCHAR, rule VARCHAR, severity VARCHAR, type VARCHAR, device VARCHAR,
    home VARCHAR, raised_at VARCHAR, occurred_at VARCHAR, late_s DOUBLE, state VARCHAR, outcome VARCHAR,
    count BIGINT, version BIGINT)'}""",
    """SELECT n AS cursor, body.id AS id, coalesce(body.version, 1) AS version, body.rule AS rule,
    body.severity AS severity, body.type AS type, body.device AS device, body.home AS home,
    utc(body.raised_at) AS raised, utc(body.occurred_at) AS occurred, coalesce(body.late_s, 0) AS late_s,
    coalesce(body.state, 'offered') AS state, body.outcome AS outcome, coalesce(body.count, 1) AS count,
    utc(body.raised_at) AS month_of FROM staged ORDER BY id""",
)
ENTRIES = Form(
    """{n: 'BIGINT', body: 'STRUCT(alert VARCHAR, version BIGINT, "at" VARCHAR, action VARCHAR)'}""",
    """SELECT n AS frame, body.alert AS alert, body.version AS version, utc(body."at") AS moment,
    body.action AS action, utc(body."at") AS month_of FROM staged ORDER BY alert, version""",
)
DELIVERIES = Form(
    """{n: 'BIGINT', body: 'STRUCT(id VARCHAR, alert VARCHAR, recipient VARCHAR, channel VARCHAR,
    step INTEGER, queued_at VARCHAR, state VARCHAR)'}""",
    """SELECT n AS row, body.id AS id, body.alert AS alert, body.recipient AS recipient,
    body.channel AS channel, coalesce(body.step, 0) AS step, utc(body.queued_at) AS queued,
    coalesce(body.state, 'queued') AS state, utc(body.queued_at) AS month_of FROM staged ORDER BY id""",
)
NAMED = "{n: 'BIGINT', us: 'BIGINT', name: 'VARCHAR'}"
RECEIPTS = Form(
    NAMED,
    """SELECT n AS position, make_timestamp(us) AS moment,
    CASE WHEN name LIKE 'delivery/%' THEN split_part(name, '/', 3) END AS delivery,
    CASE WHEN name LIKE 'shown/%' THEN split_part(name, '/', 2) END AS alert,
    make_timestamp(us) AS month_of FROM staged ORDER BY n""",
)
QUARANTINE = Form(
    NAMED,
    """SELECT n AS frame, make_timestamp(us) AS received, name AS device, make_timestamp(us) AS month_of
    FROM staged ORDER BY n""",
)
STATUSES = Form(
    "{n: 'BIGINT', body: 'STRUCT(device VARCHAR, last_seen_at VARCHAR, battery_percent DOUBLE)'}",
    """SELECT body.device AS device, utc(body.last_seen_at) AS last_seen, body.battery_percent AS battery
    FROM staged ORDER BY device""",
)
COLUMNS: dict[str, str] = {
    "events": """place BIGINT, type VARCHAR, device VARCHAR, home VARCHAR, occurred TIMESTAMP,
    received TIMESTAMP, clock VARCHAR, late_s DOUBLE, means VARCHAR, credential VARCHAR, dose VARCHAR,
    due TIMESTAMP, window_min DOUBLE, slot VARCHAR, outcome VARCHAR""",
    "days": """device VARCHAR, day DATE, messages BIGINT, first TIMESTAMP, last TIMESTAMP, unsynced BIGINT,
    untimed BIGINT, battery DOUBLE""",
    "pauses": "device VARCHAR, since TIMESTAMP, until TIMESTAMP",
    "lasts": "device VARCHAR, last TIMESTAMP",
    "beats": "device VARCHAR, heartbeat_s DOUBLE, zone VARCHAR",
    "alerts": """cursor BIGINT, id VARCHAR, version BIGINT, rule VARCHAR, severity VARCHAR, type VARCHAR,
    device VARCHAR, home VARCHAR, raised TIMESTAMP, occurred TIMESTAMP, late_s DOUBLE, state VARCHAR,
    outcome VARCHAR, count BIGINT""",
    "entries": "frame BIGINT, alert VARCHAR, version BIGINT, moment TIMESTAMP, action VARCHAR",
    "deliveries": """row BIGINT, id VARCHAR, alert VARCHAR, recipient VARCHAR, channel VARCHAR, step INTEGER,
    queued TIMESTAMP, state VARCHAR""",
    "receipts": "position BIGINT, moment TIMESTAMP, delivery VARCHAR, alert VARCHAR",
    "quarantine": "frame BIGINT, received TIMESTAMP, device VARCHAR",
    "statuses": "device VARCHAR, last_seen TIMESTAMP, battery DOUBLE",
}
"""The columns of every exported table, in their order."""


def columns_of(table: str) -> list[tuple[str, str]]:
    """Return the names and kinds of an exported table's columns."""
    return split(COLUMNS[table])


def split(columns: str) -> list[tuple[str, str]]:
    """Return the names and kinds of columns as they are written one after the other."""
    pairs = (column.split() for column in columns.split(","))
    return [(name, kind) for name, kind in pairs]
