"""A real gateway and a care system: what staff do in the app is there, and nobody types it a second time."""

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from gateway.__main__ import app
from simulators.standins.care import CareStandIn
from simulators.standins.faults import Faults
from simulators.standins.server import served
from tests.browser.whole_house import registry_file
from tests.integration.gateway_process import GatewayProcess

WITHIN_S = 90.0


def until(fits: Callable[[], Any], told: Callable[[], Any] = lambda: "") -> Any:
    end = time.monotonic() + WITHIN_S
    while not (found := fits()):
        assert time.monotonic() < end, told()
        time.sleep(0.02)
    return found


class App:
    """What a carer's page sends, and a device that calls for help by HTTP."""

    def __init__(self, gateway: GatewayProcess) -> None:
        self.gateway = gateway
        self._sent = 0

    def client(self) -> httpx.Client:
        url = f"http://127.0.0.1:{self.gateway.page_port}"
        with httpx.Client(base_url=url, trust_env=False) as asking:
            token = asking.get("/api/v1/session").json()["forgery_token"]
        return httpx.Client(
            base_url=url, timeout=30, trust_env=False, headers={"Origin": url, "X-Vaka-Token": token}
        )

    def press(self, device: str) -> str:
        """Call for help, and return the alert."""
        self._sent += 1
        event = {
            "specversion": "1.0",
            "id": f"{device}-{self._sent}",
            "source": f"vaka:{device}",
            "type": "vaka.alarm.manual.v1",
            "time": datetime.now(UTC).isoformat(),
            "clockquality": "synced",
            "data": {"presses": 1},
        }
        with self.client() as client:
            path = f"/in/vaka/1/{device}/event"
            client.post(path, json=event).raise_for_status()

            def raised() -> str:
                listed = client.get("/api/v1/alerts").json()["alerts"]
                return next((one["id"] for one in listed if one["device"] == device), "")

            return str(until(raised))

    def handle(self, alert: str, note: str) -> None:
        """Take it, be there, and close it."""
        with self.client() as client:
            path = f"/api/v1/alerts/{alert}"
            client.post(f"{path}/accept", json={"eta_minutes": 10}).raise_for_status()
            client.post(f"{path}/on-site", json={"note": note}).raise_for_status()
            said = {"outcome": "real", "note": note, "seen_count": 1}
            client.post(f"{path}/close", json=said).raise_for_status()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("care")


@pytest.fixture(scope="module")
def system(folder: Path) -> Iterator[tuple[CareStandIn, str]]:
    stand_in = CareStandIn(folder / "care")
    with served(stand_in.app) as url:
        yield stand_in, url
    stand_in.close()


@pytest.fixture(scope="module")
def other(folder: Path) -> Iterator[tuple[CareStandIn, str]]:
    """Another house's FHIR server."""
    stand_in = CareStandIn(folder / "other")
    with served(stand_in.app) as url:
        yield stand_in, f"{url}/fhir"
    stand_in.close()


@pytest.fixture(scope="module")
def gateway(
    folder: Path, system: tuple[CareStandIn, str], other: tuple[CareStandIn, str]
) -> Iterator[GatewayProcess]:
    (folder / "drop").mkdir()
    found = GatewayProcess(
        folder,
        registry=str(registry_file(folder)),
        watch={"round_trip": False},
        **{
            "taps.care": [
                {"kind": "http", "url": system[1], "backfill": True},
                {"name": "by-fhir", "kind": "fhir", "url": f"{system[1]}/fhir", "backfill": True},
                {"name": "by-file", "kind": "file", "folder": str(folder / "drop"), "backfill": True},
            ],
            "taps.fhir": [{"url": other[1], "backfill": True}],
        },
    )
    found.start()
    yield found
    found.stop()


def kinds_of(stand_in: CareStandIn, alert: str) -> list[str]:
    return sorted(record["kind"] for record in list(stand_in.records.values()) if record["alert"] == alert)


WHOLE = ["alert.closed", "alert.handled", "alert.handled", "alert.opened", "visit.requested"]


def test_after_closing_an_alert_the_care_system_holds_all_of_it_and_nobody_typed_anything(
    gateway: GatewayProcess, system: tuple[CareStandIn, str]
) -> None:
    stand_in, url = system
    carer = App(gateway)
    alert = carer.press("t/sos-1")
    carer.handle(alert, "ramlat i köket, hjälpt upp")
    until(lambda: kinds_of(stand_in, alert) == WHOLE, gateway.log)
    closed = stand_in.records[f"alert-{alert}-closed"]
    told = gateway.get(f"/api/v1/alerts/{alert}")
    assert (closed["outcome"], closed["note"]) == ("real", "ramlat i köket, hjälpt upp")
    assert [(step["version"], step["action"], step["actor"]) for step in closed["course"]["steps"]] == [
        (line["version"], line["action"], line["actor"]) for line in told["history"]
    ]
    assert closed["person"] == "person-17"
    visit = stand_in.records[f"visit-{alert}"]["visit"]
    assert (visit["state"], visit["by"]) == ("done", "local")
    assert httpx.get(f"{url}/manual").json() == {"count": 0, "entries": []}


def test_an_outage_of_the_care_system_and_a_kill_of_the_gateway_while_it_catches_up_lose_and_double_nothing(
    gateway: GatewayProcess, system: tuple[CareStandIn, str]
) -> None:
    stand_in, _ = system
    carer = App(gateway)
    first = carer.press("t/sos-1")
    carer.handle(first, "före avbrottet")
    stand_in.faults = Faults(fail=503)
    second = carer.press("t/sos-2")
    carer.handle(second, "under avbrottet")
    asked = stand_in.requests
    until(lambda: stand_in.requests > asked, gateway.log)
    third = carer.press("t/gps-1")
    stand_in.faults = Faults(slow_s=0.05)  # so that the kill comes between two records
    until(lambda: kinds_of(stand_in, second), gateway.log)
    gateway.kill()
    gateway.start()
    carer.handle(third, "efter avbrottet")
    for alert in (first, second, third):
        until(lambda alert=alert: kinds_of(stand_in, alert) == WHOLE, gateway.log)  # type: ignore[misc]
    lines = (gateway.folder / "care" / "care.jsonl").read_text("utf-8").splitlines()
    kept = [line["record"] for line in map(json.loads, lines) if "record" in line]
    assert len({(one["key"], one["version"]) for one in kept}) == len(kept)
    assert stand_in.manual == []
    until(lambda: cursor(gateway) >= last_entry(gateway), gateway.log)
    names = set(stand_in.records)
    tasks = [
        held["identifier"][0]["value"] for (kind, _), held in stand_in.fhir.held.items() if kind == "Task"
    ]
    assert sorted(tasks) == sorted(names)
    assert {path.stem for path in (gateway.folder / "drop").glob("*.json")} == names


def test_another_fhir_server_has_each_alert_and_each_line_of_its_history_once(
    gateway: GatewayProcess, other: tuple[CareStandIn, str]
) -> None:
    until(lambda: cursor(gateway) >= last_entry(gateway), gateway.log)
    alerts = asked(gateway.data / "state.db", "SELECT count(*) FROM alerts")
    kinds = [kind for kind, _ in other[0].fhir.held]
    assert kinds.count("DetectedIssue") == kinds.count("Task") == alerts
    lines = asked(gateway.data / "state.db", "SELECT count(*) FROM entries")
    assert kinds.count("AuditEvent") == kinds.count("Provenance") == lines


def test_reconciling_finds_all_there_until_the_care_system_lost_one(
    gateway: GatewayProcess, system: tuple[CareStandIn, str]
) -> None:
    stand_in, _ = system
    stand_in.faults = Faults()
    alert = App(gateway).press("t/sos-1")
    until(lambda: f"visit-{alert}" in stand_in.records, gateway.log)
    until(lambda: cursor(gateway) >= last_entry(gateway), gateway.log)
    config = str(gateway.folder / "vaka.toml")
    good = CliRunner().invoke(app, ["reconcile", "--config", config, "--json"])
    assert good.exit_code == 0
    for told in json.loads(good.stdout):
        assert (told["good"], told["missing"], told["lost"]) == (True, [], [])
        assert told["expected"] == told["proved"] == told["listed"] == len(stand_in.records)
    lost = stand_in.records.pop(f"visit-{alert}")
    bad = CliRunner().invoke(app, ["reconcile", "--config", config])
    assert bad.exit_code == 1
    assert f"lost {lost['key']} version 1" in bad.stdout
    assert CliRunner().invoke(app, ["reconcile", "--config", config, "--offline"]).exit_code == 0
    stand_in.faults = Faults(fail=503)
    unread = CliRunner().invoke(app, ["reconcile", "--config", config])
    assert unread.exit_code == 1
    assert "its own list could not be read: HTTP 503" in unread.stdout
    nobody = CliRunner().invoke(app, ["reconcile", "--config", config, "--tap", "other"])
    assert nobody.exit_code == 2
    stand_in.records[lost["key"]] = lost
    stand_in.faults = Faults()


def cursor(gateway: GatewayProcess) -> int:
    return int(asked(gateway.data / "taps.db", "SELECT min(upto) FROM cursors"))


def last_entry(gateway: GatewayProcess) -> int:
    return int(asked(gateway.data / "state.db", "SELECT max(frame) FROM entries"))


def asked(file: Path, query: str) -> Any:
    connection = sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)
    try:
        return connection.execute(query).fetchone()[0]
    finally:
        connection.close()
