"""`vaka conform run` as a process of its own, against devices that are processes of their own too."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from gateway.conformance.report import Report, read_report
from tests.integration.mosquitto import wait_for

PASSWORD = "password-of-the-device"

DECLARATION = """
[device]
vendor = "Exempel AB"
product = "{product}"
firmware = "1.0.0"
kind = "lock"
firmware_file = "firmware.bin"
[connection]
tenant = "demo"
device = "{device}"
username = "demo/{device}"
password = "{password}"
[pics]
mqtt = {mqtt}
events = {events}
commands = ["lock", "unlock"]
config = ["heartbeat_s"]
battery = true
offline_events = 100
[pixit]
heartbeat_s = {heartbeat_s}
keep_alive_s = 30
reconnect_s = {reconnect_s}
resend_s = 2
operate_s = 1
boot_s = 20
command_s = 1
operated = ["lock.unlocked", "lock.locked"]
[tester]
by = "http"
url = "{url}"
actions = {actions}
"""


@contextmanager
def hook(do: Callable[[str, dict[str, Any]], None]) -> Iterator[str]:
    """Serve an upper tester by HTTP; `do` raises NotImplementedError for what the device cannot."""
    timers: list[threading.Timer] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            values = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            action = self.path.rpartition("/")[2]
            try:
                if after_s := values.pop("after_s", 0):
                    timers.append(threading.Timer(after_s, do, (action, values)))
                    timers[-1].start()
                else:
                    do(action, values)
            except NotImplementedError:
                self.send_error(501)
                return
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    serving.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        for timer in timers:
            timer.cancel()
            timer.join()
        server.shutdown()
        serving.join()
        server.server_close()


def declare(folder: Path, **values: Any) -> Path:
    given = {
        "password": PASSWORD,
        "heartbeat_s": 300,
        "reconnect_s": 2,
        "actions": ["event"],
        "mqtt": ["5", "3.1.1"],
    }
    file = folder / "device.toml"
    words = {
        name: json.dumps(value) if isinstance(value, list) else value
        for name, value in (given | values).items()
    }
    file.write_text(DECLARATION.format(**words))
    (folder / "firmware.bin").write_bytes(b"the firmware")
    return file


class Kit:
    """The command, running; `port` is where the device connects to."""

    def __init__(self, folder: Path, declaration: Path, *more: str) -> None:
        self.out = folder / "conformance"
        self.log = folder / "kit.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "gateway", "conform", "run", "-d", str(declaration)),
                    *(
                        "--out",
                        str(self.out),
                        "--listen",
                        "127.0.0.1:0",
                        "--no-prompts",
                        "--lang",
                        "en",
                        *more,
                    ),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | {"VAKA_LOG": "WARNING"},
            )
        wait_for(
            lambda: b"Let the device connect" in self.log.read_bytes() or self.process.poll() is not None, 60
        )
        line = self.log.read_text().splitlines()[0]
        assert line.startswith("Let the device connect"), self.log.read_text()
        self.port = int(line.rstrip(".").rpartition(":")[2])

    def report(self, within_s: float) -> Report:
        self.process.wait(within_s)
        return read_report(self.out / "report.json")

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)


@contextmanager
def kit(folder: Path, declaration: Path, *more: str) -> Iterator[Kit]:
    one = Kit(folder, declaration, *more)
    try:
        yield one
    finally:
        one.end()
