"""Questions to the state file, also while it is written: what the engine goes on from, what people ask."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from gateway.contract import Page, Snapshot
from gateway.model.alert import Alert, AlertEntry
from gateway.model.delivery import Delivery
from gateway.model.event import Event
from gateway.model.frame import Frame, Transport
from gateway.model.registry import RegistryDocument
from gateway.model.status import DeviceStatus, Discovered, Timer
from gateway.model.trace import Trace, Verdict
from gateway.pipeline.state import ALERT_OWNER, deadline_key
from gateway.stores.events import event_of_body, first_place
from gateway.stores.schema import REGISTRY_AT, VERSION
from gateway.stores.sqlite import Reader, from_us

LOOK_BACK = 200_000
"""Newest events among which those of one device are looked for: an index by device would cost every event
more than all else that is stored of it."""
NEWEST_OF_DEVICE = """
SELECT place, body FROM (SELECT place, device, body FROM events ORDER BY place DESC LIMIT ?)
WHERE device = ? LIMIT ?
"""
NAMED = """
SELECT id, place, device, type FROM asked JOIN events ON id >= moment AND id < moment || 'g'
"""
"""No digit comes after `f`: a range of the ids' own index."""
LOOKUP = 500
"""Ids a single look-up asks for (SQLite's limit on variables is 999 in old builds)."""
_KINDS: tuple[Any, ...] = (Alert, AlertEntry, Delivery, DeviceStatus, Discovered, Timer)
_DECODERS: dict[Any, msgspec.json.Decoder[Any]] = {kind: msgspec.json.Decoder(kind) for kind in _KINDS}
"""Made while this is imported: two threads that make the first decoder of a type at once may end
the process (seen with msgspec 0.22, in a program of its own)."""
NO_LIMIT = -1
"""What SQLite takes for every row."""


class StateReader:
    """Answers from the last commit, in any thread; StoreUnavailableError when the file cannot be read."""

    def __init__(self, path: Path) -> None:
        self._reader = Reader(path, VERSION)

    def load(self) -> Snapshot:
        """Return the state as of the last commit: open alerts only, deliveries not yet settled."""
        meta = dict(self._reader.ask("SELECT key, value FROM meta"))
        memories = self._reader.ask("SELECT key, body FROM memories")
        return Snapshot(
            cursor=int(meta.get("cursor", b"0")),
            now=_moment(meta.get("now")),
            listening_since=_moment(meta.get("listening_since")),
            registry=stored_registry(self._reader),
            statuses=self._bodies("SELECT device, body FROM statuses", DeviceStatus),
            discovered=self._bodies("SELECT key, body FROM discovered", Discovered),
            memories={key: msgspec.json.decode(body) for key, body in memories},
            timers=self._bodies("SELECT key, body FROM timers", Timer),
            alerts=self._bodies("SELECT id, body FROM alerts WHERE open = 1", Alert),
            deliveries=self._bodies("SELECT id, body FROM deliveries WHERE waits = 1", Delivery),
            records=dict(self._reader.ask("SELECT key, body FROM records")),
        )

    def known(self, ids: Sequence[str]) -> frozenset[str]:
        """Return those event ids that the event log already has."""
        found: list[str] = []
        for start in range(0, len(ids), LOOKUP):
            part = ids[start : start + LOOKUP]
            marks = ",".join("?" * len(part))
            query = f"SELECT id FROM events WHERE id IN ({marks})"  # noqa: S608 - question marks only
            found.extend(row[0] for row in self._reader.ask(query, part))
        return frozenset(found)

    def cursor(self) -> int:
        """Return the position up to which frames were walked."""
        found = self._reader.ask("SELECT value FROM meta WHERE key = 'cursor'")
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
        both = (
            "SELECT 0, body FROM alerts WHERE open = 1 "
            "UNION ALL SELECT 1, body FROM timers WHERE key >= ? AND key < ?"  # the alerts' own: few of all
        )
        own = (f"{ALERT_OWNER}\0", f"{ALERT_OWNER}\1")
        alerts, timers = _DECODERS[Alert], _DECODERS[Timer]
        opened: list[Alert] = []
        kept: dict[str, datetime] = {}
        for is_timer, body in self._reader.ask(both, own):  # one statement, so that both are of one moment
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
            rows = self._reader.ask(
                "SELECT place, body FROM events WHERE place >= ? AND place < ? ORDER BY place LIMIT ?",
                (first_place(frame), first_place(frame + 1), limit),
            )
        elif device is not None:
            rows = self._reader.ask(NEWEST_OF_DEVICE, (LOOK_BACK, device, limit))
        else:
            query = "SELECT place, body FROM events WHERE place > ? ORDER BY place LIMIT ?"
            rows = self._reader.ask(query, (after, limit))
        return [(place, event_of_body(body)) for place, body in rows]

    def traces(self, *, frame: int | None = None, limit: int = 100) -> list[Trace]:
        """Return the remarks on one frame, or the newest remarks."""
        columns = "SELECT frame, step, verdict, reason, clause, device FROM traces"
        if frame is None:
            rows = self._reader.ask(f"{columns} ORDER BY id DESC LIMIT ?", (limit,))
        else:
            rows = self._reader.ask(f"{columns} WHERE frame = ? ORDER BY id LIMIT ?", (frame, limit))
        return [
            Trace(f, step, Verdict(v), reason, clause, device) for f, step, v, reason, clause, device in rows
        ]

    def quarantined(self, *, limit: int = 100) -> list[tuple[Frame, str, str, str]]:
        """Return the newest quarantined frames with device, reason and clause."""
        rows = self._reader.ask("SELECT * FROM quarantine ORDER BY frame DESC LIMIT ?", (limit,))
        return [_quarantined(row) for row in rows]

    def failed_frames(self) -> frozenset[int]:
        """Return the frames that the engine itself failed on, and that changed nothing."""
        rows = self._reader.ask("SELECT frame FROM quarantine WHERE clause = 'engine'")
        return frozenset(row[0] for row in rows)

    def entries(self, first: int, last: int) -> list[AlertEntry]:
        """Return the lines of history that frames from `first` to `last` wrote, in their order."""
        query = "SELECT body FROM entries WHERE frame BETWEEN ? AND ? ORDER BY frame, alert, version"
        return self._decoded(query, (first, last), AlertEntry)

    def event_word(self, event_id: str) -> str:
        """Return the type of an event, "" for one that is not in the log."""
        rows = self._reader.ask("SELECT type FROM events WHERE id = ?", (event_id,))
        return str(rows[0][0]) if rows else ""

    def page(self, after: int, frames: int) -> Page:
        """Return what at most so many frames after that position wrote."""
        upto = max(after, min(self.cursor(), after + frames))  # what it had written is on disk
        places = "SELECT place, body FROM events WHERE place >= ? AND place < ? ORDER BY place"
        rows = self._reader.ask(places, (first_place(after + 1), first_place(upto + 1)))
        entries = self.entries(after + 1, upto)
        alerts = (self.alert(name) for name in dict.fromkeys(entry.alert for entry in entries))
        return Page(
            after=after,
            upto=upto,
            events=[(place, event_of_body(body)) for place, body in rows],
            entries=entries,
            alerts={alert.id: alert for alert in alerts if alert is not None},
        )

    def named_at(self, moments: Sequence[str]) -> list[tuple[str, int, str, str]]:
        """Return id, place, device and type of the events whose ids begin so (12 digits: a millisecond)."""
        found: list[tuple[str, int, str, str]] = []
        for start in range(0, len(moments), LOOKUP):
            part = moments[start : start + LOOKUP]
            asked = f"WITH asked (moment) AS (VALUES {','.join(['(?)'] * len(part))}) {NAMED}"
            found += self._reader.ask(asked, part)
        return found

    def channels(self) -> frozenset[str]:
        """Return every channel by which something was ever delivered."""
        rows = self._reader.ask("SELECT DISTINCT json_extract(body, '$.channel') FROM deliveries")
        return frozenset(row[0] for row in rows)

    def alerts_of_frame(self, frame: int) -> list[Alert]:
        """Return the alerts that a frame raised or changed."""
        query = "SELECT body FROM alerts WHERE id IN (SELECT alert FROM entries WHERE frame = ?)"
        return self._decoded(query, (frame,), Alert)

    def close(self) -> None:
        """Release the file."""
        self._reader.close()

    def _bodies(self, query: str, kind: Any) -> dict[str, Any]:
        decoder = _DECODERS[kind]
        return {key: decoder.decode(body) for key, body in self._reader.ask(query)}

    def _decoded(self, query: str, parameters: Sequence[object], kind: type[Any]) -> list[Any]:
        decoder = _DECODERS[kind]
        return [decoder.decode(row[0]) for row in self._reader.ask(query, parameters)]


def stored_registry(reader: Reader) -> RegistryDocument:
    """Return the registry as of the last commit; files made before have it as a row of `meta`."""
    found = reader.ask("SELECT value FROM meta WHERE key = 'registry'")
    found = found or reader.ask("SELECT body FROM registry")
    return RegistryDocument.from_json(found[0][0]) if found else RegistryDocument()


def registry_changed_at(reader: Reader) -> int:
    """Return the position of the commit that wrote the registry last; 0 in files made before it was kept."""
    found = reader.ask("SELECT value FROM meta WHERE key = ?", (REGISTRY_AT,))
    return int(found[0][0]) if found else 0


def _moment(stored: bytes | None) -> datetime | None:
    return datetime.fromisoformat(stored.decode()) if stored else None


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
