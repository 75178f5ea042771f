"""Debian's mosquitto on a free port in a temporary directory, started and stopped by its own process id."""

import contextlib
import itertools
import os
import shutil
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from getpass import getuser
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

BINARY = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


class Broker:
    """A running broker; `kill` is the power cut, `stop` the orderly end, `start` begins again."""

    def __init__(self, folder: Path, config_lines: Sequence[str], tls: Sequence[str] | None) -> None:
        self.port = free_port()
        self.folder = folder
        self._tls = bool(tls)
        self._process: subprocess.Popen[bytes] | None = None
        self._config = folder / "mosquitto.conf"
        lines = [
            f"listener {self.port} 127.0.0.1",
            "set_tcp_nodelay true",
            f"user {getuser()}",
            *(tls or ()),
            *config_lines,
        ]
        if not any(line.startswith(("allow_anonymous", "password_file")) for line in lines):
            lines.append("allow_anonymous true")
        self._config.write_text("\n".join(lines) + "\n")

    @property
    def url(self) -> str:
        return f"{'mqtts' if self._tls else 'mqtt'}://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return (self.folder / "mosquitto.log").read_text(errors="replace")

    def start(self) -> None:
        assert BINARY
        with (self.folder / "mosquitto.log").open("ab") as log:
            self._process = subprocess.Popen(
                [BINARY, "-v", "-c", str(self._config)], stdout=log, stderr=log, cwd=self.folder
            )
        deadline = time.monotonic() + 10
        while not self._answers():
            assert self._process.poll() is None, self.log
            assert time.monotonic() < deadline, self.log
            time.sleep(0.02)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def reload(self) -> None:
        """Have the files of rights and passwords read again."""
        assert self._process
        self._process.send_signal(signal.SIGHUP)

    def freeze(self) -> None:
        """Keep the connections open and answer nothing, as a half-open network does."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process
        self._process.send_signal(signal.SIGCONT)

    def _end(self, how: signal.Signals) -> None:
        if self._process and self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)
            self._process.send_signal(how)
            self._process.wait(10)
        self._process = None

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1):
                return True
        except OSError:
            return False


@contextmanager
def mosquitto(
    folder: Path, *, config_lines: Sequence[str] = (), tls: Sequence[str] | None = None
) -> Iterator[Broker]:
    """Run a broker; `tls` are the configuration lines that name its certificate files."""
    if BINARY is None:
        if os.environ.get("CI") == "true":
            pytest.fail("mosquitto is not installed, and the build machine must have it")
        pytest.skip("mosquitto is not installed")
    broker = Broker(folder, config_lines, tls)
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
SPAN = 2_000
PORTS = (12_000 + SPAN * WORKER + turn % SPAN for turn in itertools.count(os.getpid() * 37))
"""Below those that the kernel gives to whoever connects, and each process of the tests has its own: a port
stays ours while its server is down."""


def free_port() -> int:
    """Return a port that nobody listens on, nor will before its turn comes again."""
    for port in PORTS:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError


class Peer:
    """A device or another subscriber: paho, with what it heard."""

    def __init__(self, broker: Broker, client_id: str = "", **options: object) -> None:
        self.watch(
            paho.Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=MQTTProtocolVersion.MQTTv5)
        )
        username = options.get("username")
        if username is not None:
            self.client.username_pw_set(str(username), str(options["password"]))
        context = options.get("context")
        if isinstance(context, ssl.SSLContext):
            self.client.tls_set_context(context)
        session = Properties(PacketTypes.CONNECT)
        session.SessionExpiryInterval = 3600 if options.get("keep_session") else 0
        self.client.connect(
            "127.0.0.1", broker.port, clean_start=not options.get("keep_session"), properties=session
        )
        self.client.loop_start()

    def watch(self, client: paho.Client) -> None:
        """Note what this client hears and is granted."""
        self.heard: list[tuple[str, bytes, bool]] = []
        self._granted = 0
        self.client = client
        client.on_message = self._on_message
        client.on_subscribe = self._on_subscribe

    def _on_message(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        self.heard.append((message.topic, message.payload, message.retain))

    def _on_subscribe(self, *_granted: object) -> None:
        self._granted += 1

    def subscribe(self, pattern: str) -> None:
        """Subscribe, and return when the broker has granted it: what is published now is heard."""
        wanted = self._granted + 1
        self.client.subscribe(pattern, 1)
        wait_for(lambda: self._granted >= wanted)

    def publish(self, topic: str, *payloads: bytes, qos: int = 1, retain: bool = False) -> None:
        """Publish in order, and return when the broker has acknowledged the last one."""
        sent = [self.client.publish(topic, payload, qos, retain) for payload in payloads]
        for one in sent:
            one.wait_for_publish(10)
            assert one.is_published()

    def close(self) -> None:
        hang_up(self.client)


def hang_up(client: paho.Client) -> None:
    """Say goodbye and release everything: paho leaves its pair of sockets to the collector."""
    client.disconnect()
    client.loop_stop()
    client._reset_sockets()


@contextmanager
def peer(broker: Broker, client_id: str = "", **options: object) -> Iterator[Peer]:
    """Connect a peer for a while."""
    one = Peer(broker, client_id, **options)
    try:
        yield one
    finally:
        one.close()


def wait_for(condition: Callable[[], object], within_s: float = 60) -> None:
    """Wait in a test without a loop; fail when the condition does not hold in time."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
