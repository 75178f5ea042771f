import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.accounts import acknowledged, check_accounts
from tests.integration.gateway_process import GatewayProcess
from tests.integration.loads import load, make_town, settle
from tests.integration.mosquitto import wait_for

EVENTS = 30_000
pytestmark = pytest.mark.slow


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of 128 MB, where this process may."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=128m", "tmpfs", folder], check=False, capture_output=True
    )
    if done.returncode:
        pytest.skip("mounting a small disk needs root")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def fill(disk: Path) -> Path:
    """Take what is free on the disk, also while the gateway writes to it."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass
    return filler


def test_a_full_disk_holds_senders_back_and_loses_nothing(tmp_path: Path, small_disk: Path) -> None:
    town = make_town(tmp_path)
    gateway = GatewayProcess(tmp_path, data=small_disk / "state", registry=str(town / "registry.toml"))
    gateway.start()
    try:
        filler = fill(small_disk)
        sender = load(town, gateway.url, EVENTS)
        wait_for(lambda: (health := gateway.health()) and health["status"] == "failing")
        before = len(acknowledged(town / "acked"))
        assert before < EVENTS
        filler.unlink()
        assert sender.wait(180) == 0, (town / "load.log").read_text()
        settle(gateway)
        wait_for(lambda: (health := gateway.health()) and health["status"] == "ok")
    finally:
        gateway.stop()
    figures = check_accounts(town / "acked", gateway.data, ("motion.detected", "alarm.manual"))
    assert figures["acknowledged"] == figures["events"] == EVENTS
