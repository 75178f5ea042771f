"""A real gateway as a separate process, which a test may kill -9 by its own process id and start again."""

import json
import os
import select
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.integration.mosquitto import free_port

START_WITHIN_S = 120.0


class GatewayProcess:
    """Started with a configuration in its own folder; the log is `gateway.log` there."""

    def __init__(self, folder: Path, *, data: Path | None = None, **settings: Any) -> None:
        self.folder = folder
        self.page_port = free_port()
        self.listener_port = free_port()
        self.data = data or folder / "state"
        listener = {"port": self.listener_port} | settings.pop("listener", {})
        self.settings = {
            "data_dir": str(self.data),
            "listener": listener,
            "api": {"port": self.page_port},
        } | settings
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "vaka.toml").write_text(_toml(self.settings))

    def start(self) -> None:
        with (self.folder / "gateway.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "gateway", "serve", "--config", str(self.folder / "vaka.toml")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | {"VAKA_LOG": "WARNING"},
            )
        deadline = time.monotonic() + START_WITHIN_S
        while self.health() is None:
            assert self._process.poll() is None, self.log()
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.02)

    def health(self) -> dict[str, Any] | None:
        """Return the health report, None while nobody answers."""
        return self.get("/api/v1/health")

    def get(self, path: str) -> Any:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.page_port}{path}", timeout=5) as answer:
                return json.load(answer)
        except OSError:
            return None

    def kill(self) -> None:
        """End it as a power cut would, and the process of its taps with it."""
        children = [os.pidfd_open(child) for child in self.children()]
        self._end(signal.SIGKILL)
        for child in children:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(child, signal.SIGKILL)
            assert select.select([child], [], [], 30)[0]
            os.close(child)

    def children(self) -> list[int]:
        """Return the processes that it started."""
        if self._process is None:
            return []
        return [int(one) for one in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]

    def stop(self) -> int:
        """End it as an operator would; returns the exit code."""
        return self._end(signal.SIGTERM)

    def log(self) -> str:
        return (self.folder / "gateway.log").read_text(errors="replace")

    @property
    def url(self) -> str:
        """The listener that devices of the town send to."""
        return f"mqtt://127.0.0.1:{self.listener_port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def _end(self, how: signal.Signals) -> int:
        if self._process is None:
            return 0
        self._process.send_signal(how)
        code = self._process.wait(30)
        self._process = None
        return code


def _toml(settings: dict[str, Any], within: str = "") -> str:
    """Write the little TOML that the tests need: values, tables and arrays of tables."""
    lines, tables = [], []
    for key, value in settings.items():
        if isinstance(value, dict):
            tables.append(f"[{within}{key}]\n{_toml(value, f'{within}{key}.')}")
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            tables.extend(f"[[{key}]]\n{_toml(part)}" for part in value)
        else:
            lines.append(f"{key} = {json.dumps(value)}")
    return "\n".join([*lines, *tables]) + "\n"
