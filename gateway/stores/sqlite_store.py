"""State in SQLite: one transaction a batch, with the journal's cursor inside it."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from gateway.contract import Changes, Snapshot
from gateway.model.alert import Alert, AlertEntry, AlertState
from gateway.model.delivery import Delivery
from gateway.model.event import Event
from gateway.model.frame import Frame, Transport
from gateway.model.registry import RegistryDocument
from gateway.model.status import DeviceStatus, Discovered, Timer
from gateway.model.trace import Trace, Verdict
from gateway.pipeline.state import deadline_key
from gateway.stores.events import event_of_body, first_place, rows_of_events
from gateway.stores.schema import SCHEMA, VERSION
from gateway.stores.sqlite import SqliteFile, from_us, insert, to_us, transaction

KEEP_TRACES = 200_000
KEEP_QUARANTINED = 200_000
"""Newest remarks and quarantined frames that are kept; older ones are counted by the journal alone."""
PRUNE_EVERY = 1_000
LOOK_BACK = 200_000
"""Newest events among which those of one device are looked for: an index by device would cost every event
more than all else that is stored of it."""
NEWEST_OF_DEVICE = """
SELECT place, body FROM (SELECT place, device, body FROM events ORDER BY place DESC LIMIT ?)
WHERE device = ? LIMIT ?
"""
LOOKUP = 500
"""Ids a single look-up asks for (SQLite's limit on variables is 999 in old builds)."""
NO_LIMIT = -1
"""What SQLite takes for every row."""

encode = msgspec.json.encode


class SqliteStore:
    """Commits come from the engine's one thread; questions may come from any."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self._file = SqliteFile(path, SCHEMA, VERSION, read_only=read_only)
        self._commits = 0

    # --- the engine's side ---

    def load(self) -> Snapshot:
        """Return the state as of the last commit: open alerts only, deliveries not yet settled."""
        meta = dict(self._file.ask("SELECT key, value FROM meta"))
        document = meta.get("registry")
        return Snapshot(
            cursor=int(meta.get("cursor", b"0")),
            now=_moment(meta.get("now")),
            listening_since=_moment(meta.get("listening_since")),
            registry=RegistryDocument.model_validate_json(document) if document else RegistryDocument(),
            statuses=self._bodies("SELECT device, body FROM statuses", DeviceStatus),
            discovered=self._bodies("SELECT key, body FROM discovered", Discovered),
            memories=self._bodies("SELECT key, body FROM memories", dict[str, Any]),
            timers=self._bodies("SELECT key, body FROM timers", Timer),
            alerts=self._bodies("SELECT id, body FROM alerts WHERE open = 1", Alert),
            deliveries=self._bodies("SELECT id, body FROM deliveries WHERE waits = 1", Delivery),
            records=dict(self._file.ask("SELECT key, body FROM records")),
        )

    def known(self, ids: Sequence[str]) -> frozenset[str]:
        """Return those event ids that the event log already has."""
        found: list[str] = []
        for start in range(0, len(ids), LOOKUP):
            part = ids[start : start + LOOKUP]
            marks = ",".join("?" * len(part))
            query = f"SELECT id FROM events WHERE id IN ({marks})"  # noqa: S608 - question marks only
            found.extend(row[0] for row in self._file.ask(query, part))
        return frozenset(found)

    def commit(self, changes: Changes, cursor: int) -> None:
        """Write everything and the cursor in one durable transaction, or nothing."""
        with transaction(self._file.writer):
            self._write_facts(changes)
            self._write_state(changes)
            if changes.registry is not None:
                self._set("registry", changes.registry.model_dump_json().encode())
            for key, moment in (("now", changes.now), ("listening_since", changes.listening_since)):
                if moment is not None:
                    self._set(key, moment.isoformat().encode())
            self._set("cursor", str(cursor).encode())
            self._commits += 1
            if self._commits % PRUNE_EVERY == 0:
                self._prune()

    def _write_facts(self, changes: Changes) -> None:
        put = self._put
        put("INSERT OR IGNORE INTO events", rows_of_events(changes.events))
        put(
            "INSERT INTO traces (frame, step, verdict, reason, clause, device)",
            ((t.frame, t.step, t.verdict.value, t.reason, t.clause, t.device) for t in changes.traces),
        )
        put("INSERT OR IGNORE INTO quarantine", (_quarantine_row(*entry) for entry in changes.quarantine))
        put(
            "INSERT OR IGNORE INTO entries",
            ((e.alert, e.version, e.frame, encode(e)) for e in changes.entries),
        )

    def _write_state(self, changes: Changes) -> None:
        put = self._put
        put("INSERT OR REPLACE INTO statuses", ((k, encode(v)) for k, v in changes.statuses.items()))
        self._replace("discovered", changes.discovered)
        self._replace("memories", changes.memories)
        self._replace("timers", changes.timers)
        records = {key: body and msgspec.Raw(body) for key, body in changes.records.items()}
        self._replace("records", records)
        put("INSERT OR REPLACE INTO alerts", map(_alert_row, changes.alerts.values()))
        put("INSERT OR REPLACE INTO deliveries", map(_delivery_row, changes.deliveries.values()))

    def _replace(self, table: str, rows: Mapping[str, object]) -> None:
        gone = [(key,) for key, value in rows.items() if value is None]
        kept = ((key, encode(value)) for key, value in rows.items() if value is not None)
        self._file.writer.executemany(f"DELETE FROM {table} WHERE key = ?", gone)  # noqa: S608 - our own table names
        self._put(f"INSERT OR REPLACE INTO {table}", kept)

    def _put(self, into: str, rows: Iterable[Sequence[object]]) -> None:
        insert(self._file.writer, into, list(rows))

    def _set(self, key: str, value: bytes) -> None:
        self._file.writer.execute("INSERT OR REPLACE INTO meta VALUES (?,?)", (key, value))

    def _prune(self) -> None:
        self._file.writer.execute(
            "DELETE FROM traces WHERE id <= (SELECT max(id) FROM traces) - ?", (KEEP_TRACES,)
        )
        self._file.writer.execute(
            "DELETE FROM quarantine WHERE frame <= "
            "(SELECT frame FROM quarantine ORDER BY frame DESC LIMIT 1 OFFSET ?)",
            (KEEP_QUARANTINED,),
        )

    # --- what people ask ---

    def cursor(self) -> int:
        """Return the position up to which frames were walked."""
        found = self._file.ask("SELECT value FROM meta WHERE key = 'cursor'")
        return int(found[0][0]) if found else 0

    def alert(self, alert_id: str) -> Alert | None:
        """Return an alert, open or closed."""
        found = self._decoded("SELECT body FROM alerts WHERE id = ?", (alert_id,), Alert)
        return found[0] if found else None

    def closed_alerts(self, limit: int, *, without: str = "") -> list[Alert]:
        """Return the alerts closed last, newest first; none of the tenant named in `without`."""
        query = (
            "SELECT body FROM alerts WHERE open = 0 AND json_extract(body, '$.tenant') <> ? "
            "ORDER BY raised_us DESC LIMIT ?"
        )
        return self._decoded(query, (without, limit), Alert)

    def unwatched(self) -> list[str]:
        """Return the open alerts that have no deadline, or whose deadline no timer keeps."""
        both = "SELECT 0, body FROM alerts WHERE open = 1 UNION ALL SELECT 1, body FROM timers"
        alerts, timers = msgspec.json.Decoder(Alert), msgspec.json.Decoder(Timer)
        opened: list[Alert] = []
        kept: dict[str, datetime] = {}
        for is_timer, body in self._file.ask(both):  # one statement, so that both are of one moment
            if is_timer:
                timer = timers.decode(body)
                kept[timer.key] = timer.due_at
            else:
                opened.append(alerts.decode(body))
        return [
            one.id for one in opened if one.deadline is None or kept.get(deadline_key(one.id)) != one.deadline
        ]

    def history(
        self, alert_id: str, *, after: int | None = None, limit: int | None = None
    ) -> list[AlertEntry]:
        """Return the course of events of an alert, oldest first.

        At most `limit` entries: the first ones after version `after`, without it the newest ones.
        """
        most = NO_LIMIT if limit is None else limit
        if after is not None:
            query = "SELECT body FROM entries WHERE alert = ? AND version > ? ORDER BY version LIMIT ?"
            return self._decoded(query, (alert_id, after, most), AlertEntry)
        query = "SELECT body FROM entries WHERE alert = ? ORDER BY version DESC LIMIT ?"
        return self._decoded(query, (alert_id, most), AlertEntry)[::-1]

    def deliveries(self, alert_id: str, *, limit: int | None = None) -> list[Delivery]:
        """Return the deliveries of an alert, oldest first; with a limit the newest of them."""
        query = "SELECT body FROM deliveries WHERE alert = ? ORDER BY rowid DESC LIMIT ?"
        return self._decoded(query, (alert_id, NO_LIMIT if limit is None else limit), Delivery)[::-1]

    def delivery(self, delivery_id: str) -> Delivery | None:
        """Return a delivery, settled or not."""
        found = self._decoded("SELECT body FROM deliveries WHERE id = ?", (delivery_id,), Delivery)
        return found[0] if found else None

    def events(
        self, *, frame: int | None = None, device: str | None = None, after: int = 0, limit: int = 100
    ) -> list[tuple[int, Event]]:
        """Return events with their place in the log, oldest first (newest first for a device)."""
        if frame is not None:
            rows = self._file.ask(
                "SELECT place, body FROM events WHERE place >= ? AND place < ? ORDER BY place LIMIT ?",
                (first_place(frame), first_place(frame + 1), limit),
            )
        elif device is not None:
            rows = self._file.ask(NEWEST_OF_DEVICE, (LOOK_BACK, device, limit))
        else:
            query = "SELECT place, body FROM events WHERE place > ? ORDER BY place LIMIT ?"
            rows = self._file.ask(query, (after, limit))
        return [(place, event_of_body(body)) for place, body in rows]

    def traces(self, *, frame: int | None = None, limit: int = 100) -> list[Trace]:
        """Return the remarks on one frame, or the newest remarks."""
        columns = "SELECT frame, step, verdict, reason, clause, device FROM traces"
        if frame is None:
            rows = self._file.ask(f"{columns} ORDER BY id DESC LIMIT ?", (limit,))
        else:
            rows = self._file.ask(f"{columns} WHERE frame = ? ORDER BY id LIMIT ?", (frame, limit))
        return [
            Trace(f, step, Verdict(v), reason, clause, device) for f, step, v, reason, clause, device in rows
        ]

    def quarantined(self, *, limit: int = 100) -> list[tuple[Frame, str, str, str]]:
        """Return the newest quarantined frames with device, reason and clause."""
        rows = self._file.ask("SELECT * FROM quarantine ORDER BY frame DESC LIMIT ?", (limit,))
        return [_quarantined(row) for row in rows]

    def alerts_of_frame(self, frame: int) -> list[Alert]:
        """Return the alerts that a frame raised or changed."""
        query = "SELECT body FROM alerts WHERE id IN (SELECT alert FROM entries WHERE frame = ?)"
        return self._decoded(query, (frame,), Alert)

    def close(self) -> None:
        """Release the storage."""
        self._file.close()

    def _bodies(self, query: str, kind: Any) -> dict[str, Any]:
        decoder = msgspec.json.Decoder(kind)
        return {key: decoder.decode(body) for key, body in self._file.ask(query)}

    def _decoded(self, query: str, parameters: Sequence[object], kind: type[Any]) -> list[Any]:
        decoder = msgspec.json.Decoder(kind)
        return [decoder.decode(row[0]) for row in self._file.ask(query, parameters)]


def _moment(stored: bytes | None) -> datetime | None:
    return datetime.fromisoformat(stored.decode()) if stored else None


def _alert_row(alert: Alert) -> tuple[object, ...]:
    return alert.id, alert.state is not AlertState.CLOSED, to_us(alert.raised_at), encode(alert)


def _delivery_row(delivery: Delivery) -> tuple[object, ...]:
    return delivery.id, delivery.alert, delivery.waits, encode(delivery)


def _quarantine_row(frame: Frame, device: str, reason: str, clause: str) -> tuple[object, ...]:
    return (
        frame.position,
        to_us(frame.received_at),
        frame.transport.value,
        frame.channel,
        frame.payload,
        frame.ingress,
        frame.source,
        device,
        reason,
        clause,
    )


def _quarantined(row: Any) -> tuple[Frame, str, str, str]:
    position, received_us, transport, channel, payload, ingress, source, device, reason, clause = row
    frame = Frame(
        transport=Transport(transport),
        channel=channel,
        payload=payload,
        received_at=from_us(received_us),
        ingress=ingress,
        source=source,
        position=position,
    )
    return frame, device, reason, clause
