"""Locks of a scenario played by real firmware: programs of their own, told what happens as a tester would."""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from gateway.contract.errors import ConfigurationError
from simulators.broker import Broker
from simulators.clock import Clock
from simulators.devices import Device
from simulators.devices.lock import Lock
from simulators.outputs import Link, Message, Step
from simulators.scenarios.build import Play, find_devices

FOLDER = Path(__file__).parents[2] / "firmware-mocks" / "lock"
ORDERS = "orders.txt"
WORDS = {
    b"vaka.lock.unlocked.v1": "unlock",
    b"vaka.lock.locked.v1": "lock",
    b"vaka.lock.jammed.v1": "jam",
}
"""What the script's lock says, and what a tester therefore does to the real one."""
STOPS_WITHIN_S = 5.0


def marked(play: Play, count: int) -> list[str]:
    """Return the locks that firmware plays: those the scenario marks, and so many more of the first.

    ConfigurationError where one of them is no lock, or the firmware is not here.
    """
    devices = [device for where in play.scenario.firmware for device in find_devices(play.world, where)]
    if count:
        devices += [device for device in play.world.devices.values() if isinstance(device, Lock)][:count]
    for device in devices:
        if not isinstance(device, Lock):
            raise ConfigurationError(f"firmware: found {device.id}, a {device.kind}; allowed: a lock")
    if devices and not FOLDER.is_dir():
        raise ConfigurationError(
            f"firmware: found nothing at {FOLDER}; allowed: a checkout with firmware-mocks"
        )
    return list(dict.fromkeys(device.id for device in devices))


def command(machine: str) -> list[str]:
    """Return what runs the firmware: CPython, or MicroPython in Node; ConfigurationError without it."""
    if machine == "cpython":
        return [sys.executable, str(FOLDER / "cpython" / "run.py")]
    node = shutil.which("node")
    if machine != "micropython" or node is None or not (FOLDER / "node_modules").is_dir():
        allowed = "cpython, or micropython with Node and npm install in firmware-mocks/lock"
        raise ConfigurationError(f"machine: found {machine!r}; allowed: {allowed}")
    return [node, str(FOLDER / "wasm" / "host.mjs")]


class Firmware:
    """One lock as a process of its own; a link that breaks is its power cut."""

    def __init__(
        self,
        device: Device,
        broker: Broker,
        password: str | None,
        clock: Clock,
        *,
        speed: float,
        machine: str,
    ) -> None:
        if broker.tls:
            raise ConfigurationError(
                "firmware: found a broker with TLS; allowed: mqtt://, as MicroPython speaks it here"
            )
        self._device, self._broker, self._password = device, broker, password
        self._clock, self._speed, self._command = clock, speed, command(machine)
        self._folder = tempfile.TemporaryDirectory(prefix="vaka-lock-")
        self._path = Path(self._folder.name)
        self._process: subprocess.Popen[bytes] | None = None

    def tell(self, step: Step) -> None:
        """Do to it what the script says that happens."""
        output = step.output
        if isinstance(output, Link):
            (self._on if output.up else self._cut)()
        elif isinstance(output, Message):
            words = [do for kind, do in WORDS.items() if b'"type":"' + kind + b'"' in output.payload]
            with (self._path / ORDERS).open("a", encoding="utf-8") as file:
                file.writelines(f"{do}\n" for do in words)

    def close(self) -> None:
        """Turn it off and remove its files."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(STOPS_WITHIN_S)
            except subprocess.TimeoutExpired:
                self._cut()
        self._folder.cleanup()

    def _on(self) -> None:
        if self._process is not None:
            return
        profile, now = self._device.profile, self._clock.now()
        wall_ms = round(self._clock.wall_of(now) * 1000)
        zone_min = now.astimezone(profile.zone).utcoffset()
        config = {
            "tenant": profile.tenant,
            "device": profile.name,
            "host": self._broker.host,
            "port": self._broker.port,
            "heartbeat_s": max(1, round(profile.heartbeat_s / self._speed)),
            "offset_min": int(zone_min.total_seconds() // 60) if zone_min is not None else 0,
            "state_dir": str(self._path),
            "orders": ORDERS,
            "clock": [round(now.timestamp() * 1000), wall_ms, round(self._speed)],
        }
        (self._path / ORDERS).write_text("")  # what was done to it before the power came is done
        if self._password is not None:
            config |= {"user": self._device.id, "password": self._password}
        file = self._path / "lock.json"
        file.touch(mode=0o600)
        file.write_text(json.dumps(config), encoding="utf-8")
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            [*self._command, str(file)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def _cut(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(STOPS_WITHIN_S)
            self._process = None
