"""A home with an edge, a device that speaks to it, and what lies between edge and centre, for tests."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from gateway.service.logins import hash_secret
from tests.integration.gateway_process import GatewayProcess, _toml
from tests.integration.mosquitto import free_port, wait_for

DEVICES = ("t/sensor-1", "t/sensor-2", "t/pendant-1")
LOCK = "t/lock-1"
EDGE, PASSWORD = "t/edge-1", "the-edges-password"
START_WITHIN_S = 120.0


def write_registry(folder: Path, heartbeat_s: float = 3600) -> Path:
    """Write the registry of one home with three devices behind an edge."""
    kinds = {"t/sensor-1": "motion_sensor", "t/sensor-2": "motion_sensor", "t/pendant-1": "social_alarm"}
    kinds[LOCK] = "lock"

    def device(name: str, kind: str, **more: Any) -> dict[str, Any]:
        return {"id": name, "tenant": "t", "adapter": "vaka", "native_id": name, "kind": kind} | more

    since = datetime(2026, 1, 1, tzinfo=UTC).isoformat()
    parts = {
        "tenant": [{"id": "t", "name": "Testköping"}],
        "unit": [{"id": "u", "tenant": "t", "name": "Unit"}],
        "team": [{"id": "day", "unit": "u", "name": "day"}],
        "ladder": [{"id": "care", "tenant": "t", "steps": [{"to": ["day"]}]}],
        "home": [{"id": "h1", "tenant": "t", "unit": "u", "care_ladder": "care", "technical_ladder": "care"}],
        "person": [{"ref": "p1", "home": "h1"}],
        "device": [
            *(device(name, kind, via=EDGE) for name, kind in kinds.items()),
            device(EDGE, "gateway", secret=hash_secret(PASSWORD)),
        ],
        "enrolment": [
            *({"device": name, "home": "h1", "person": "p1", "since": since} for name in kinds),
            {"device": EDGE, "home": "h1", "since": since, "heartbeat_s": heartbeat_s},
        ],
    }
    path = folder / "registry.json"
    path.write_text(json.dumps(parts))
    return path


class EdgeProcess:
    """A real edge as a separate process; the log is `edge.log` in its folder."""

    def __init__(self, folder: Path, links: Sequence[dict[str, Any]], **more: Any) -> None:
        self.folder, self.host, self.port = folder, "127.0.0.1", free_port()
        self.before: Sequence[str] = ()
        self.program: Sequence[str] = (sys.executable, "-m", "gateway", "edge", "--config")
        self.environment: dict[str, str] = {}
        self.data = folder / "edge"
        uplink = {"keep_alive_s": 2, "ack_within_s": 10, "connect_within_s": 3, "reconnect_max_s": 0.5}
        self.settings: dict[str, Any] = {
            "data_dir": str(self.data),
            "heartbeat_s": 1,
            "identity": {"tenant": "t", "name": "edge-1", "password": PASSWORD},
            "link": list(links),
            "uplink": uplink | {"return_after_s": 2, "lost_after_s": 1} | more.pop("uplink", {}),
            "clock": {"source": "trusted"},
            "listener": {"port": self.port, "anonymous": True},
        } | more
        self.host = self.settings["listener"].setdefault("host", self.host)
        self.settings["listener"]["port"] = self.port
        (folder / "edge.toml").write_text(_toml(self.settings))
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.folder / "edge.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*self.before, *self.program, str(self.folder / "edge.toml")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | {"VAKA_LOG": "INFO"} | self.environment,
            )

    def wait(self) -> None:
        """Wait until it takes connections."""
        wait_for(self.listens, within_s=START_WITHIN_S)

    def listens(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log()
        with suppress(OSError), socket.create_connection((self.host, self.port), 1):
            return True
        return False

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        return self._end(signal.SIGTERM)

    def log(self) -> str:
        return (self.folder / "edge.log").read_text(errors="replace")

    def queued(self) -> int:
        file = sqlite3.connect(self.data / "queue.db", timeout=10)
        try:
            return int(file.execute("SELECT count(*) FROM frames").fetchone()[0])
        finally:
            file.close()

    def _end(self, how: signal.Signals) -> int:
        if self.process is None:
            return 0
        process, self.process = self.process, None
        process.send_signal(how)
        return process.wait(30)


class Proxy:
    """A network between edge and centre that can be cut: connections break, and none is taken."""

    def __init__(self, port: int) -> None:
        self.to, self.port = port, free_port()
        self.taken = 0
        self._ends: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._cut = threading.Event()
        self.mend()

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def mend(self) -> None:
        """Carry bytes again."""
        self._cut.clear()
        self._begin(self._accept, socket.create_server(("127.0.0.1", self.port)))

    def cut(self) -> None:
        """Break every connection and take none."""
        self._cut.set()
        while self._threads:
            self._threads.pop().join(30)
        while self._ends:
            self._ends.pop().close()

    close = cut

    def _begin(self, work: Callable[..., None], *on: socket.socket) -> None:
        for one in on:
            one.settimeout(0.1)
        thread = threading.Thread(target=work, args=on, daemon=True)
        thread.start()
        self._threads.append(thread)  # only what has begun can be waited for

    def _accept(self, server: socket.socket) -> None:
        with server:
            while not self._cut.is_set():
                with suppress(OSError):
                    near, _ = server.accept()
                    self.taken += 1
                    self._join(near)

    def _join(self, near: socket.socket) -> None:
        self._ends.append(near)
        try:
            far = socket.create_connection(("127.0.0.1", self.to), 5)
        except OSError:
            near.shutdown(socket.SHUT_RDWR)
            return
        self._ends.append(far)
        self._begin(self._pump, near, far)
        self._begin(self._pump, far, near)

    def _pump(self, start: socket.socket, end: socket.socket) -> None:
        with suppress(OSError):
            while not self._cut.is_set():
                with suppress(TimeoutError):
                    data = start.recv(65536)
                    if not data:
                        break
                    end.sendall(data)
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


class Sensor:
    """A device that keeps an event until it is acknowledged, and connects again by itself.

    Each connection has a client of its own: paho, told to publish between its connection and the answer to
    it, sends that before what it has kept, and the order would be lost before anybody heard it.
    """

    def __init__(self, name: str, port: int, host: str = "127.0.0.1", password: str = "") -> None:
        self.name, self.said = name, 0
        self._to, self._password = (host, port), password
        self._kept: dict[int, bytes] = {}
        self._ids: dict[int, int] = {}
        self._acknowledged: deque[int] = deque()
        self._client: paho.Client | None = None
        self._lock, self._closed = threading.RLock(), threading.Event()
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._thread.start()

    def say(self, word: str = "motion.detected") -> None:
        with self._lock:
            self.said += 1
            event = {
                "specversion": "1.0",
                "id": f"{self.name}-{self.said}",
                "type": f"vaka.{word}.v1",
                "time": datetime.now(UTC).isoformat(),
                "sequence": self.said,
                "clockquality": "synced",
                "data": {},
            }
            self._kept[self.said] = json.dumps(event).encode()
            if self._client is not None:
                self._publish(self._client, self.said)

    def unanswered(self) -> int:
        with self._lock:
            self._settle()
            return len(self._kept)

    def close(self) -> None:
        self._closed.set()
        with self._lock:
            if self._client is not None:
                self._client.disconnect()
        self._thread.join(30)

    def _live(self) -> None:
        while not self._closed.is_set():
            client = paho.Client(
                CallbackAPIVersion.VERSION2,
                client_id=self.name.replace("/", "-"),
                clean_session=False,
                protocol=MQTTProtocolVersion.MQTTv311,
                reconnect_on_failure=False,
            )
            client.max_inflight_messages_set(20)
            client.max_queued_messages_set(0)
            client.on_connect, client.on_publish = self._connected, self._answered
            if self._password:
                client.username_pw_set(self.name, self._password)
            with suppress(OSError):
                client.connect(*self._to, keepalive=30)
                client.loop_forever()
            with self._lock:
                self._client = None
            self._closed.wait(0.5)

    def _connected(self, client: paho.Client, _data: object, _flags: object, reason: Any, *_: object) -> None:
        if reason.is_failure or self._closed.is_set():
            client.disconnect()
            return
        with self._lock:
            self._settle()
            self._ids = {}
            for number in self._kept:
                self._publish(client, number)
            self._client = client

    def _publish(self, client: paho.Client, number: int) -> None:
        told = client.publish(f"vaka/1/{self.name}/event", self._kept[number], qos=1)
        self._ids[told.mid] = number

    def _answered(self, _client: object, _data: object, mid: int, *_: object) -> None:
        """Note an answer; paho holds its own lock here, so ours must not be asked for."""
        self._acknowledged.append(mid)

    def _settle(self) -> None:
        while self._acknowledged:
            self._kept.pop(self._ids[self._acknowledged.popleft()], None)


def logged_of(gateway: GatewayProcess, device: str) -> list[int]:
    """Return the sequences of a device's own events in the order of the event log."""
    log = sqlite3.connect(gateway.data / "state.db", timeout=10)
    try:
        rows = log.execute(
            "SELECT json_extract(body, '$.sequence') FROM events WHERE device = ? ORDER BY place", (device,)
        ).fetchall()
        return [row[0] for row in rows if row[0] is not None]
    finally:
        log.close()


def order_of(gateway: GatewayProcess) -> list[tuple[str, str]]:
    """Return device and type of every event of the home, in the order of the log."""
    log = sqlite3.connect(gateway.data / "state.db", timeout=10)
    try:
        found = log.execute("SELECT device, type FROM events ORDER BY place").fetchall()
        return [row for row in found if row[0] in DEVICES]
    finally:
        log.close()


def alerts_of(gateway: GatewayProcess, device: str) -> list[str]:
    """Return the rules of the alerts about a device."""
    log = sqlite3.connect(gateway.data / "state.db", timeout=10)
    try:
        found = log.execute("SELECT body FROM alerts").fetchall()
    finally:
        log.close()
    return [alert["rule"] for (body,) in found if (alert := json.loads(body)).get("device") == device]
