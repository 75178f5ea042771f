"""A load through a gateway whose server of figures is away, and that is killed; then all is counted."""

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from tests.integration.gateway_process import GatewayProcess
from tests.integration.loads import load, settle
from tests.integration.victoria import Victoria


def outage(
    town: Path, server: Victoria, *, events: int, rate: int, away_s: float, back_within_s: float = 120
) -> dict[str, float]:
    """Run it; returns the figures, after what is in the log and what is on the server are the same."""
    gateway = GatewayProcess(
        town,
        registry=str(town / "registry.toml"),
        **{"taps.influx": [{"url": server.url, "backfill": True}]},
    )
    server.start()
    gateway.start()
    try:
        before = events // 40
        assert load(town, gateway.url, before).wait(120) == 0, (town / "load.log").read_text()
        until(lambda: len(server.values("vaka_event_place")) == before)
        server.stop()
        sender = load(town, gateway.url, events - before, "--rate", str(rate))
        began = time.monotonic()
        until(lambda: time.monotonic() - began > away_s / 2 and events_of(gateway) > before, away_s + 60)
        gateway.kill()
        gateway.start()
        until(lambda: time.monotonic() - began > away_s, away_s + 60)
        behind = events_of(gateway)
        server.start()
        returned = time.monotonic()
        until(lambda: len(server.values("vaka_event_place")) > before + (behind - before) / 10, 120)
        tenth = time.monotonic() - returned  # most of it is the tap's own pause between two attempts
        gateway.kill()  # in the middle of the back-fill
        gateway.start()
        until(lambda: len(set(server.values("vaka_event_place"))) >= behind, back_within_s)
        filled = time.monotonic() - returned
        assert sender.wait(back_within_s) == 0, (town / "load.log").read_text()
        settle(gateway)
        until(lambda: len(server.values("vaka_event_place")) >= len(logged(gateway, "events")), 120)
        until(lambda: len(server.values("vaka_alert_frame")) >= len(logged(gateway, "entries")), 120)
    finally:
        gateway.stop()
    return accounts(gateway, server) | {
        "away_s": away_s,
        "waiting_when_it_came_back": behind - before,
        "first_tenth_back_s": tenth,
        "all_back_s": filled,
    }


def until(condition: Callable[[], object], within_s: float = 60) -> None:
    """Wait; a question that takes long is asked seldom, so that it is not what is measured."""
    deadline = time.monotonic() + within_s
    while True:
        asked = time.monotonic()
        if condition():
            return
        assert asked < deadline
        time.sleep(max(0.05, 4 * (time.monotonic() - asked)))


def accounts(gateway: GatewayProcess, server: Victoria) -> dict[str, float]:
    """Assert that the server has each event and each line of history once, and nothing else."""
    events, entries = logged(gateway, "events"), logged(gateway, "entries")
    assert sorted(server.values("vaka_event_place")) == sorted(events)
    assert sum(server.values("vaka_event_n")) == len(events)
    assert sorted(server.values("vaka_alert_frame")) == sorted(entries)
    return {
        "events_in_the_log": len(events),
        "events_on_the_server": len(server.values("vaka_event_place")),
        "lines_of_history_in_the_log": len(entries),
        "lines_of_history_on_the_server": len(server.values("vaka_alert_frame")),
    }


def events_of(gateway: GatewayProcess) -> int:
    """Return how many events the log has."""
    return len(logged(gateway, "events"))


def logged(gateway: GatewayProcess, table: str) -> list[float]:
    """Return the places of events, or the frames of lines of history; the synthetic alarm's left out."""
    asked = {
        "events": "SELECT place FROM events WHERE device NOT LIKE 'vaka-synthetic/%'",
        "entries": "SELECT frame FROM entries JOIN alerts ON alerts.id = entries.alert"
        " WHERE json_extract(alerts.body, '$.tenant') <> 'vaka-synthetic'",
    }[table]
    log = sqlite3.connect(gateway.data / "state.db", timeout=60)
    try:
        return [float(row[0]) for row in log.execute(asked)]
    finally:
        log.close()
