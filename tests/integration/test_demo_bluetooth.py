"""The demo as a user starts and stops it: Bluetooth devices beside the MQTT ones, and nothing left behind."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.integration.mosquitto import free_port, wait_for

EDGE = "demo/edge-001"
PENDANT = "demo/ble-pendant-001"
BLUETOOTH = {PENDANT, "demo/ble-lock-001", "demo/ble-disp-001", "demo/bthome-001", "demo/alerttag-001"}
WITHIN_S = 240.0
LOOK_EVERY_S = 0.2
"""Who asks more often keeps the gateway from what it is asked about."""
WARN = "default::ResourceWarning,default::RuntimeWarning"
"""What a process says that leaves something open or unawaited; its children inherit it."""


class Demo:
    """A demo in its own process; what it printed is in `demo.out`."""

    def __init__(self, folder: Path, port: int) -> None:
        self.out, self._port = folder / "demo.out", port
        words = ("-m", "gateway", "demo", "--speed", "120", "--port", str(port))
        with self.out.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, *words],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=os.environ | {"TMPDIR": str(folder), "PYTHONWARNINGS": WARN},
                start_new_session=True,
            )

    def get(self, path: str) -> Any:
        time.sleep(LOOK_EVERY_S)
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/api/v1/{path}", timeout=5) as answer:
                return json.load(answer)
        except OSError:
            return None

    def seen(self) -> dict[str, dict[str, Any]]:
        """Return the fleet's devices that were heard, by their id."""
        return {one["device"]: one for one in self.get("fleet") or () if one["last_seen_at"]}

    def calls_of(self, device: str) -> list[int]:
        """Return the frames that a device's open alerts came from."""
        found = (self.get("alerts") or {"alerts": ()})["alerts"]
        return [one["frame"] for one in found if one["device"] == device]

    def stop(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(60)

    def left(self) -> list[str]:
        """Return the commands of the demo's session that still run."""
        listed = subprocess.run(["ps", "-eo", "sid=,stat=,args="], capture_output=True, text=True, check=True)
        rows = [line.split(None, 2) for line in listed.stdout.splitlines()]
        return [row[2] for row in rows if row[0] == str(self.process.pid) and not row[1].startswith("Z")]


@contextmanager
def demo(folder: Path) -> Iterator[Demo]:
    playing = Demo(folder, free_port())
    try:
        yield playing
    finally:
        if playing.process.poll() is None:
            os.killpg(playing.process.pid, signal.SIGKILL)
            playing.process.wait(30)


def test_the_demo_shows_bluetooth_devices_through_an_edge_and_stops_without_a_trace(tmp_path: Path) -> None:
    with demo(tmp_path) as playing:
        wait_for(lambda: {EDGE, *BLUETOOTH} <= playing.seen().keys(), within_s=WITHIN_S)
        wait_for(lambda: playing.calls_of(PENDANT), within_s=WITHIN_S)
        told = playing.get(f"trace/{playing.calls_of(PENDANT)[0]}")["steps"][0]["reason"]
        assert f"heard by ble of the edge {EDGE}" in told
        assert f"ble/vaka/1/{PENDANT}/event from F0:00:00:00:00:02" in told
        assert playing.stop() == 0, playing.out.read_text()
        said = playing.out.read_text()
        assert "Traceback" not in said
        assert "Warning" not in said
        assert playing.left() == []
        assert [one.name for one in tmp_path.iterdir()] == ["demo.out"]
