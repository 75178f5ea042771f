"""A commit as statements: the frames of one batch, everything they changed, and the cursor."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import chain, islice

import msgspec

from gateway.contract import Changes
from gateway.model.alert import Alert, AlertState
from gateway.model.delivery import Delivery
from gateway.model.frame import Frame
from gateway.stores.events import rows_of_events
from gateway.stores.schema import REGISTRY_AT
from gateway.stores.sqlite import Row, Statement, to_us
from gateway.stores.sqlite_journal import row_of_frame

KEEP_TRACES = 200_000
KEEP_QUARANTINED = 200_000
"""Newest remarks and quarantined frames that are kept; older ones are counted by the journal alone."""
ROWS_AT_ONCE = 1024
FRAME_COLUMNS = 7
"""The first columns of a frame are those of its quarantine too: all but flags and fault."""
PRUNE: tuple[Statement, ...] = (
    ("DELETE FROM traces WHERE id <= (SELECT max(id) FROM traces) - ?", [(KEEP_TRACES,)]),
    (
        """DELETE FROM quarantine WHERE frame <=
        (SELECT frame FROM quarantine ORDER BY frame DESC LIMIT 1 OFFSET ?)""",
        [(KEEP_QUARANTINED,)],
    ),
)

encode = msgspec.json.encode


def statements_of(changes: Changes, cursor: int) -> Iterator[Statement]:
    """Yield what must be written in one transaction; tables without a change are left out.

    Rows are made while they are written: those of a whole registry's timers would fill more memory at
    once than the state does.
    """
    meta: Statement = ("INSERT OR REPLACE INTO meta", _meta(changes, cursor))
    for sql, rows in chain(_facts(changes), _state(changes), _registry(changes), (meta,)):
        if rows:
            yield sql, rows


def _facts(changes: Changes) -> Iterable[Statement]:
    yield "INSERT INTO frames", [row_of_frame(frame) for frame in changes.frames]
    yield "INSERT OR IGNORE INTO events", list(rows_of_events(changes.events))
    yield (
        "INSERT INTO traces (frame, step, verdict, reason, clause, device)",
        [(t.frame, t.step, t.verdict.value, t.reason, t.clause, t.device) for t in changes.traces],
    )
    yield "INSERT OR IGNORE INTO quarantine", [_quarantine_row(*entry) for entry in changes.quarantine]
    entries = [(e.alert, e.version, e.frame, encode(e)) for e in changes.entries]
    yield "INSERT OR IGNORE INTO entries", entries


def _state(changes: Changes) -> Iterable[Statement]:
    statuses = [(device, encode(status)) for device, status in changes.statuses.items()]
    yield "INSERT OR REPLACE INTO statuses", statuses
    yield from _replaced("discovered", changes.discovered)
    yield from _replaced("memories", changes.memories)
    yield from _replaced("timers", changes.timers)
    records = {key: body and msgspec.Raw(body) for key, body in changes.records.items()}
    yield from _replaced("records", records)
    yield "INSERT OR REPLACE INTO alerts", [_alert_row(alert) for alert in changes.alerts.values()]
    yield "INSERT OR REPLACE INTO deliveries", [_delivery_row(one) for one in changes.deliveries.values()]


def _replaced(table: str, rows: Mapping[str, object]) -> Iterable[Statement]:
    gone = [(key,) for key, value in rows.items() if value is None]
    yield f"DELETE FROM {table} WHERE key = ?", gone  # noqa: S608 - our own table names
    kept = ((key, value) for key, value in rows.items() if value is not None)
    while part := [(key, encode(value)) for key, value in islice(kept, ROWS_AT_ONCE)]:
        yield f"INSERT OR REPLACE INTO {table}", part


def _registry(changes: Changes) -> Iterable[Statement]:
    if changes.registry is not None:
        yield "DELETE FROM meta WHERE key = ?", [("registry",)]  # where files made before have it
        yield "INSERT OR REPLACE INTO registry", [(1, changes.registry.to_json())]


def _meta(changes: Changes, cursor: int) -> list[Row]:
    rows: list[Row] = [("cursor", str(cursor).encode())]
    moments: dict[str, datetime | None] = {"now": changes.now, "listening_since": changes.listening_since}
    rows += [(key, at.isoformat().encode()) for key, at in moments.items() if at is not None]
    if changes.registry is not None:
        rows.append((REGISTRY_AT, str(cursor).encode()))
    return rows


def _alert_row(alert: Alert) -> Row:
    return alert.id, alert.state is not AlertState.CLOSED, to_us(alert.raised_at), encode(alert)


def _delivery_row(delivery: Delivery) -> Row:
    return delivery.id, delivery.alert, delivery.waits, encode(delivery)


def _quarantine_row(frame: Frame, device: str, reason: str, clause: str) -> Row:
    return (*row_of_frame(frame)[:FRAME_COLUMNS], device, reason, clause)
