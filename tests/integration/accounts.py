"""Holds what a load run was told is safe against what the gateway's log and alerts hold."""

import sqlite3
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from gateway.model.alert import AlertState
from gateway.model.event import event_id
from gateway.model.synthetic import BUTTON
from gateway.stores.sqlite_store import SqliteStore


def acknowledged(path: Path) -> set[tuple[str, str, str]]:
    """Return (device, message id, time) of every acknowledged message."""
    return {tuple(line.split()) for line in path.read_text().splitlines()}  # type: ignore[misc]


def check_accounts(acked: Path, data: Path, words: tuple[str, ...]) -> dict[str, int]:
    """Assert: every acknowledged event exactly once, every alarm counted exactly once, no alert forgotten."""
    told = acknowledged(acked)
    rows = logged(data)
    ids = Counter(row[0] for row in rows)
    missing = [
        (device, name)
        for device, name, at in told
        if not any(ids[_event(device, name, at, word)] for word in words)
    ]
    assert not missing, f"{len(missing)} of {len(told)} acknowledged events are not in the log: {missing[:3]}"
    assert max(ids.values()) == 1
    store = SqliteStore(data / "state.db")
    try:
        snapshot = store.load()
        alarms = Counter(device for _, device, type_ in rows if type_ == "alarm.manual")
        alerts = [alert for alert in snapshot.alerts.values() if alert.device != BUTTON]
        raised = {alert.device: alert.count for alert in alerts if alert.rule == "sos"}
        assert raised == dict(alarms)
        now = datetime.now(UTC)
        for alert in alerts:
            assert alert.state is not AlertState.CLOSED
            assert alert.deadline is not None
            assert alert.deadline > now or (now - alert.deadline).total_seconds() < 10, alert
        return {"acknowledged": len(told), "events": len(rows), "alerts": len(raised)}
    finally:
        store.close()


def logged(data: Path) -> list[tuple[str, str, str]]:
    """Return (id, device, type) of every event in the log, but for the gateway's own synthetic alarm."""
    log = sqlite3.connect(data / "state.db")
    try:
        return log.execute("SELECT id, device, type FROM events WHERE device <> ?", (BUTTON,)).fetchall()
    finally:
        log.close()


def _event(device: str, name: str, at: str, word: str) -> str:
    return event_id(device, f"{name}\0{word}", datetime.fromisoformat(at))
