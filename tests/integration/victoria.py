"""Debian's VictoriaMetrics on a free port in a temporary folder, stopped by its own process id."""

import json
import os
import shutil
import signal
import subprocess
import time
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from tests.integration.mosquitto import free_port

BINARY = shutil.which("victoria-metrics", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
START_WITHIN_S = 60.0


class Victoria:
    """A running server, with the options that docs/taps.md asks for; `stop` is the orderly end."""

    def __init__(self, folder: Path) -> None:
        if BINARY is None:
            if os.environ.get("CI", "").lower() in {"1", "true"}:
                pytest.fail("victoria-metrics is not installed, and the build machine must have it")
            pytest.skip("victoria-metrics is not installed")
        self.port = free_port()
        self.folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        assert BINARY
        options = [
            f"-storageDataPath={self.folder / 'victoria'}",
            f"-httpListenAddr=127.0.0.1:{self.port}",
            "-dedup.minScrapeInterval=1ms",
            "-retentionPeriod=2y",
            "-memory.allowedBytes=256MB",
        ]
        with (self.folder / "victoria.log").open("ab") as log:
            self._process = subprocess.Popen([BINARY, *options], stdout=log, stderr=log, cwd=self.folder)
        deadline = time.monotonic() + START_WITHIN_S
        while not self._answers():
            assert self._process.poll() is None, self.log
            assert time.monotonic() < deadline, self.log
            time.sleep(0.02)

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(60)
        self._process = None

    @property
    def log(self) -> str:
        return (self.folder / "victoria.log").read_text(errors="replace")

    def values(self, metric: str) -> list[float]:
        """Return every value that one metric has, of all its series."""
        urllib.request.urlopen(f"http://127.0.0.1:{self.port}/internal/force_flush", timeout=30).close()
        asked = urllib.parse.urlencode({"match[]": metric})
        with urllib.request.urlopen(
            f"http://127.0.0.1:{self.port}/api/v1/export?{asked}", timeout=120
        ) as answer:
            return [value for line in answer for value in json.loads(line)["values"]]

    def series(self, matching: str) -> list[dict[str, str]]:
        """Return the labels of every series."""
        asked = urllib.parse.urlencode({"match[]": matching})
        with urllib.request.urlopen(
            f"http://127.0.0.1:{self.port}/api/v1/export?{asked}", timeout=120
        ) as answer:
            return [json.loads(line)["metric"] for line in answer]

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False
