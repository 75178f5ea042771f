"""Commands from the API to the mock lock, over kills of the gateway and absences of the lock."""

import json
import re
import sqlite3
from pathlib import Path
from typing import Any

import httpx

from simulators.files import read_passwords, write_municipality
from simulators.municipality import make_municipality
from tests.integration.firmware import lock
from tests.integration.gateway_process import GatewayProcess
from tests.integration.mosquitto import wait_for

DEVICE = "demo/lock-001"


def login(folder: Path) -> dict[str, Any]:
    return {"device": "lock-001", "user": DEVICE, "password": read_passwords(folder)[DEVICE]}


def ask(gateway: GatewayProcess, method: str, path: str, **body: Any) -> Any:
    """Ask as the page's own script would: with its token, from its origin."""
    base = f"http://127.0.0.1:{gateway.page_port}"
    with httpx.Client(base_url=base, timeout=20) as client:
        found = re.search(r'"X-Vaka-Token": "([^"]+)"', client.get("/health").text)
        assert found
        headers = {"X-Vaka-Token": found[1], "Origin": base}
        answer = client.request(method, f"/api/v1{path}", json=body or None, headers=headers)
        return answer.json() | {"code_": answer.status_code} if method != "GET" else answer.json()


def state_of(gateway: GatewayProcess, command: str) -> str:
    return str(ask(gateway, "GET", f"/commands/{command}").get("state", ""))


def turned(state: Path) -> list[str]:
    log = sqlite3.connect(f"file:{state}/state.db?mode=ro", uri=True, timeout=5)
    try:
        words = "SELECT type FROM events WHERE device = ? AND type LIKE 'lock.%' ORDER BY place"
        return [word for (word,) in log.execute(words, (DEVICE,))]
    finally:
        log.close()


def test_an_unlocking_is_done_once_over_a_kill_and_one_that_comes_too_late_never(tmp_path: Path) -> None:
    write_municipality(make_municipality(5, 1), tmp_path)
    gateway = GatewayProcess(tmp_path, registry=str(tmp_path / "registry.toml"))
    gateway.start()
    path = f"/devices/{DEVICE}/commands"
    try:
        given = ask(gateway, "POST", path, do="unlock", reason="morning visit", id="c1", within_s=300)
        assert (given["code_"], given["state"]) == (202, "requested"), given
        gateway.kill()
        gateway.start()
        assert state_of(gateway, "c1") == "requested"
        with lock("cpython", tmp_path, gateway.listener_port, **login(tmp_path)) as device:
            wait_for(lambda: state_of(gateway, "c1") == "done", 60)
            again = ask(gateway, "POST", path, do="unlock", reason="morning visit", id="c1", within_s=300)
            assert (again["code_"], again["state"]) == (202, "done")
            gateway.kill()
            gateway.start()
            wanted = ask(
                gateway, "PUT", f"/devices/{DEVICE}/config", config={"heartbeat_s": 60}, reason="winter"
            )
            assert (wanted["code_"], wanted["drifts"]) == (200, True), wanted
            wait_for(lambda: not ask(gateway, "GET", f"/devices/{DEVICE}/config")["drifts"], 60)
            flash = json.loads((device.state / "state.txt").read_text())
            assert (flash["locked"], flash["heartbeat_s"], flash["revision"]) == (False, 60, 1)
            assert device.stop() == 0
        ask(gateway, "POST", path, do="lock", reason="evening", id="c2", within_s=2)
        wait_for(lambda: state_of(gateway, "c2") == "expired", 30)
        with lock("cpython", tmp_path, gateway.listener_port, **login(tmp_path)) as device:
            given = ask(gateway, "POST", path, do="unlock", reason="visit", id="c3", within_s=300)
            wait_for(lambda: state_of(gateway, "c3") == "done", 60)
            assert device.stop() == 0
        steps = ask(gateway, "GET", "/commands/c1")["steps"]
        assert steps[0]["state"] == "requested"
        assert steps[-1]["state"] == "done"
        assert {step["state"] for step in steps} <= {"requested", "sent", "delivered", "done"}
        assert [one["id"] for one in ask(gateway, "GET", path)] == ["c3", "c2", "c1"]
    finally:
        gateway.stop()
    assert turned(gateway.data) == ["lock.unlocked", "lock.unlocked"], gateway.log()
