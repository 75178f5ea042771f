"""The mock lock as a process of its own: started, stopped and cut off by its process id."""

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.model.vocabulary import BY_WIRE
from tests.integration.mosquitto import Peer

FOLDER = Path(__file__).parents[2] / "firmware-mocks" / "lock"
PACKAGE = FOLDER / "node_modules" / "@micropython" / "micropython-webassembly-pyscript"
DEVICE = "demo/lock-900"
BASE = f"vaka/1/{DEVICE}"


def command_of(vm: str) -> list[str]:
    if vm == "cpython":
        return [sys.executable, str(FOLDER / "cpython" / "run.py")]
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    if not PACKAGE.is_dir():
        pytest.skip("MicroPython for Node is not installed: run npm install in firmware-mocks/lock")
    return [node, str(FOLDER / "wasm" / "host.mjs")]


class Lock:
    """A running lock; `cut` is the power cut, `stop` the switch."""

    def __init__(self, vm: str, folder: Path, port: int, **more: Any) -> None:
        self.state = folder / "flash"
        self.state.mkdir(exist_ok=True)
        config = {
            "tenant": "demo",
            "device": "lock-900",
            "host": "127.0.0.1",
            "port": port,
            "state_dir": str(self.state),
            "retry_max_ms": 500,
            "unlock_without_grant": True,
            **more,
        }
        path = folder / "lock.json"
        path.write_text(json.dumps(config))
        command = command_of(vm)  # may skip the test, so before anything is opened
        self._log = (folder / "lock.log").open("ab")
        self.process = subprocess.Popen([*command, str(path)], stderr=self._log, stdout=self._log)

    def cut(self) -> None:
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(10)

    def end(self) -> None:
        if self.process.poll() is None:
            self.cut()
        self._log.close()


@contextmanager
def lock(vm: str, folder: Path, port: int, **more: Any) -> Iterator[Lock]:
    one = Lock(vm, folder, port, **more)
    try:
        yield one
    finally:
        one.end()


class Event(msgspec.Struct):
    """An event as every receiver may rely on it; decoding refuses what the interface forbids."""

    specversion: str
    id: str
    source: str
    type: str
    time: str
    sequence: int
    clockquality: str
    data: dict[str, Any]

    @property
    def at(self) -> datetime:
        return datetime.fromisoformat(self.time)

    @property
    def word(self) -> str:
        return self.type.removeprefix("vaka.").removesuffix(".v1")


def events(listener: Peer, word: str = "") -> list[Event]:
    """Every event heard, judged against the interface and the vocabulary."""
    found = [
        msgspec.json.decode(payload, type=Event)
        for topic, payload, _ in list(listener.heard)
        if topic == f"{BASE}/event"
    ]
    for event in found:
        assert event.specversion == "1.0"
        assert event.source == f"vaka:{DEVICE}"
        assert event.clockquality in {"synced", "unsynced"}
        assert event.at.tzinfo is not None
        values = BY_WIRE[event.type].values
        msgspec.convert(event.data, values, str_keys=True)
        assert set(event.data) <= set(values.__struct_fields__)
    return [event for event in found if not word or event.word == word]


def bodies(listener: Peer, leaf: str) -> list[dict[str, Any]]:
    return [json.loads(payload) for topic, payload, _ in list(listener.heard) if topic == f"{BASE}/{leaf}"]
