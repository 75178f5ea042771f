"""The mock pendant, a program of its own, on a real broker and at the gateway's own listener."""

import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.model.vocabulary import BY_WIRE
from simulators.files import read_passwords, write_municipality
from simulators.municipality import make_municipality
from tests.integration.firmware import FOLDER, command_of
from tests.integration.gateway_process import GatewayProcess
from tests.integration.mosquitto import Broker, Peer, mosquitto, peer, wait_for

PENDANT = FOLDER.parent / "pendant"
BASE = "vaka/1/demo/pendant-900"
HAND = [{"after_ms": 200 * n, "do": ("press", "cancel")[n % 2]} for n in range(6)]
AT_ONCE = [one | {"after_ms": 0} for one in HAND]
"""All are in flash before the fifth acknowledgement can cut the power."""


@contextmanager
def pendant(vm: str, folder: Path, port: int, *faults: str, **more: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Yield the running pendant; it ends by a power cut."""
    config = {"tenant": "demo", "device": "pendant-900", "host": "127.0.0.1", "port": port, "test": True}
    config |= {"state_dir": str(folder / "flash"), "retry_max_ms": 500}
    (folder / "flash").mkdir(exist_ok=True)
    path = folder / "pendant.json"
    path.write_text(json.dumps(config | more))
    command = [sys.executable, str(PENDANT / "run.py"), str(path)]
    if vm == "wasm":
        command = [*command_of(vm), str(path), str(PENDANT)]
    with (folder / "pendant.log").open("ab") as log:
        process = subprocess.Popen([*command, *faults], stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.kill()
            process.wait(10)


def told(listener: Peer) -> list[dict[str, Any]]:
    """Every event heard, its values judged by the vocabulary."""
    found = [json.loads(payload) for topic, payload, _ in list(listener.heard) if topic == f"{BASE}/event"]
    for event in found:
        msgspec.convert(event["data"], BY_WIRE[event["type"]].values, str_keys=True)
    return found


def words(listener: Peer) -> list[str]:
    return [event["type"].removeprefix("vaka.").removesuffix(".v1") for event in told(listener)]


def booted(listener: Peer, times: int) -> bool:
    return words(listener).count("device.online") == times


def ask(listener: Peer, **request: Any) -> None:
    """Use the test hook, and wait for its answer."""
    before = len(answers(listener))
    listener.publish(f"{BASE}/test", json.dumps({"id": f"t-{before}", **request}).encode())
    wait_for(lambda: len(answers(listener)) > before)
    assert answers(listener)[-1] == {"id": f"t-{before}", "outcome": "done"}


def answers(listener: Peer) -> list[dict[str, Any]]:
    return [json.loads(payload) for topic, payload, _ in list(listener.heard) if topic == f"{BASE}/tested"]


@contextmanager
def broker_and_listener(folder: Path) -> Iterator[tuple[Broker, Peer]]:
    with mosquitto(folder) as broker, peer(broker) as listener:
        listener.subscribe(f"{BASE}/#")
        yield broker, listener


@pytest.mark.mosquitto
@pytest.mark.parametrize("vm", ["cpython", "wasm"])
def test_it_says_what_a_tester_lets_happen_and_a_reset_is_no_goodbye(vm: str, tmp_path: Path) -> None:
    with broker_and_listener(tmp_path) as (broker, listener), pendant(vm, tmp_path, broker.port) as process:
        wait_for(lambda: words(listener) == ["device.online"])
        ask(listener, do="event", type="alarm.manual", data={"presses": 2})
        ask(listener, do="event", type="fall.detected")
        ask(listener, do="battery", percent=15)
        ask(listener, do="clock", unset=True)
        ask(listener, do="event", type="alarm.cancelled")
        expected = ["device.online", "alarm.manual", "fall.detected", "battery.low", "alarm.cancelled"]
        wait_for(lambda: words(listener) == expected)
        assert [event["clockquality"] for event in told(listener)][-2:] == ["synced", "unsynced"]
        assert told(listener)[1]["data"] == {"presses": 2}
        ask(listener, do="reset")
        wait_for(lambda: words(listener)[5:6] == ["device.online"])
        numbers = [event["sequence"] for event in told(listener)]
        assert numbers == sorted(set(numbers))
        states = [
            json.loads(payload)["state"] for topic, payload, _ in listener.heard if topic == f"{BASE}/status"
        ]
        assert states == ["online", "offline", "online"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


@pytest.mark.mosquitto
@pytest.mark.parametrize("fault", ["repeats", "lost-acknowledgement", "power-cut"])
def test_a_fault_brings_events_twice_and_loses_none(fault: str, tmp_path: Path) -> None:
    with broker_and_listener(tmp_path) as (broker, listener):
        with pendant("cpython", tmp_path, broker.port, fault, hand=HAND):
            wait_for(lambda: len(told(listener)) > len({event["id"] for event in told(listener)}))
            wait_for(lambda: {"alarm.manual", "alarm.cancelled"} <= set(words(listener)))
            outbox = tmp_path / "flash" / "outbox.txt"
            wait_for(lambda: words(listener).count("device.online") >= 1 and not outbox.read_text())
        by_id = {event["id"]: event for event in told(listener)}
        assert all(by_id[event["id"]] == event for event in told(listener)), "a repeat is the same event"


@pytest.mark.mosquitto
def test_a_weak_battery_is_told_once_and_a_wrong_clock_is_a_day_ahead(tmp_path: Path) -> None:
    with broker_and_listener(tmp_path) as (broker, listener):
        outbox = tmp_path / "flash" / "outbox.txt"
        for life, fault in enumerate(("weak-battery", "weak-battery", "wrong-clock"), 1):
            with pendant("cpython", tmp_path, broker.port, fault):
                wait_for(partial(booted, listener, life))
                wait_for(lambda: "battery.critical" in words(listener) and not outbox.read_text())
        assert words(listener).count("battery.critical") == 1
        boots = [one["time"] for one in told(listener) if one["type"] == "vaka.device.online.v1"]
        early, late = boots[1:]
        assert late[:10] > early[:10]


@pytest.mark.parametrize("vm", ["cpython", "wasm"])
def test_every_call_reaches_the_gateway_once_over_a_power_cut(vm: str, tmp_path: Path) -> None:
    municipality = make_municipality(20, 1)
    write_municipality(municipality, tmp_path)
    passwords = read_passwords(tmp_path)
    device = min(one for one in passwords if one.startswith("demo/lock"))
    login = {"device": device.partition("/")[2], "user": device, "password": passwords[device], "test": False}
    gateway = GatewayProcess(tmp_path, registry=str(tmp_path / "registry.toml"))
    gateway.start()
    try:
        port = gateway.listener_port
        with pendant(vm, tmp_path, port, "power-cut", hand=AT_ONCE, **login):
            wait_for(lambda: len(calls(gateway.data, device)) >= len(HAND))
    finally:
        gateway.stop()
    assert calls(gateway.data, device) == ["alarm.manual", "alarm.cancelled"] * 3


def calls(state: Path, device: str) -> list[str]:
    """The calls in the gateway's event log, by the pendant's own numbers."""
    log = sqlite3.connect(f"file:{state}/state.db?mode=ro", uri=True, timeout=5)
    try:
        query = (
            "SELECT type FROM events WHERE device = ? AND type LIKE 'alarm.%' "
            "ORDER BY json_extract(body, '$.sequence')"
        )
        return [word for (word,) in log.execute(query, (device,))]
    finally:
        log.close()
