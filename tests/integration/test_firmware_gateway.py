"""The mock lock at the gateway's own listener: no code in common, and nothing lost between them."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from simulators.files import read_passwords, write_municipality
from simulators.municipality import make_municipality
from tests.integration.firmware import lock
from tests.integration.gateway_process import GatewayProcess
from tests.integration.mosquitto import wait_for

DEVICE = "demo/lock-001"
HAND = [{"after_ms": 200 * n, "do": ("unlock", "lock")[n % 2]} for n in range(10)]


def login(folder: Path) -> dict[str, Any]:
    return {"device": "lock-001", "user": DEVICE, "password": read_passwords(folder)[DEVICE]}


def turned(state: Path) -> list[str]:
    """The turns of the bolt in the gateway's event log, by the lock's own time."""
    log = sqlite3.connect(f"file:{state}/state.db?mode=ro", uri=True, timeout=5)
    try:
        words = (
            "SELECT type FROM events WHERE device = ? AND type LIKE 'lock.%' "
            "ORDER BY json_extract(body, '$.occurred_at')"
        )
        return [word for (word,) in log.execute(words, (DEVICE,))]
    finally:
        log.close()


@pytest.mark.parametrize("vm", ["cpython", "wasm"])
def test_a_lock_keeps_its_events_until_the_gateway_has_them_over_a_kill_of_the_gateway(
    vm: str, tmp_path: Path
) -> None:
    write_municipality(make_municipality(5, 1), tmp_path)
    gateway = GatewayProcess(tmp_path, registry=str(tmp_path / "registry.toml"))
    gateway.start()
    try:
        with lock(vm, tmp_path, gateway.listener_port, hand=HAND, **login(tmp_path)) as device:
            outbox = device.state / "outbox.txt"
            wait_for(lambda: len(turned(gateway.data)) >= 2)
            gateway.kill()
            wait_for(lambda: outbox.read_text().count("vaka.lock.") >= 3)
            gateway.start()
            wait_for(lambda: len(turned(gateway.data)) >= len(HAND) and not outbox.read_text())
            assert device.stop() == 0
    finally:
        gateway.stop()
    assert turned(gateway.data) == ["lock.unlocked", "lock.locked"] * 5
