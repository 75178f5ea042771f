"""A made-up town with devices that send, and the wait until the gateway has walked everything."""

import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from tests.integration.gateway_process import GatewayProcess
from tests.integration.mosquitto import wait_for


def make_town(folder: Path, homes: int = 20) -> Path:
    """Write a registry and its devices' passwords."""
    shutil.copytree(_town(homes).name, folder, dirs_exist_ok=True)
    return folder


@cache
def _town(homes: int) -> tempfile.TemporaryDirectory[str]:
    """Make a town once for all tests of a process, and keep it until that ends."""
    folder = tempfile.TemporaryDirectory(prefix="vaka-town-")
    subprocess.run(
        [
            sys.executable,
            "-m",
            "simulators",
            "municipality",
            "--homes",
            str(homes),
            "--seed",
            "7",
            "--out",
            folder.name,
        ],
        check=True,
        capture_output=True,
    )
    return folder


def load(town: Path, url: str, events: int, *more: str) -> subprocess.Popen[bytes]:
    """Send flat out from twenty devices, every thousandth an alarm; `acked` tells what was accepted."""
    with (town / "load.log").open("wb") as log:
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "simulators", "load", "--broker", url, "--dir", str(town)),
                *(
                    "--connections",
                    "20",
                    "--messages",
                    str(events),
                    "--alarm-every",
                    "1000",
                    "--window",
                    "64",
                ),
                *("--acked", str(town / "acked"), "--patience-s", "120", *more),
            ],
            stdout=log,
            stderr=log,
        )


def settle(gateway: GatewayProcess) -> None:
    """Wait until no frame waits for the engine."""
    wait_for(lambda: (health := gateway.health()) and health["intake"]["waiting"] == 0, within_s=60)
