"""A scenario over real MQTT to the real gateway: the alerts as in process, real firmware, and by hand."""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.model.alert import Alert
from simulators.driving.account import same_alerts
from simulators.driving.inprocess import Run
from simulators.files import REGISTRY_FILE
from simulators.scenarios.build import build
from simulators.scenarios.scenario import load_scenario
from tests.integration.firmware import PACKAGE
from tests.integration.mosquitto import free_port, mosquitto, wait_for

BOUND_S = 120
SPEED = 60

SCENARIO = """
title = { sv = "Kort", en = "Short" }
about = { sv = "Ett prov", en = "A quarter of an hour with an alarm, a jam, a fall and an outage" }
homes = 10
life = "still"
crew = "none"
starts = 2026-11-22T18:30:00
lasts = "16m"

[[happens]]
at = "+2m"
device = "social_alarm:1"
do = "press"

[[happens]]
at = "+4m"
device = "lock:2"
do = "jam"

[[happens]]
at = "+6m"
device = "fall_detector:1"
do = "fall"

[[fault]]
kind = "mobile"
from = "+7m"
until = "+12m"
where = "home-004"
"""


LINES = """dance
press teapot:1
press social_alarm:2
speed soon
speed 30
fault mobile on home-001
fault mobile off
fault rain on
actions lock:1
status
help

"""


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    path = tmp_path / "short.toml"
    path.write_text(SCENARIO)
    return path


class Served:
    """`vaka sim serve` as a process of its own; `alerts` reads its state file."""

    def __init__(self, folder: Path, scenario: Path, broker: str | None) -> None:
        self.folder, self.port = folder, free_port()
        self.url = broker or f"mqtt://127.0.0.1:{self.port}"
        words = ["serve", str(scenario), "--dir", str(folder), "--port", "0"]
        words += ["--broker", broker] if broker else ["--listener-port", str(self.port)]
        self.log = (folder.parent / "served.log").open("w")
        self.process = subprocess.Popen(_command(*words), stdout=self.log, stderr=self.log)

    def ready(self) -> bool:
        assert self.process.poll() is None, self.said()
        return "it waits for its devices" in self.said()

    def said(self) -> str:
        return (self.folder.parent / "served.log").read_text()

    def alerts(self) -> dict[str, Alert]:
        base = sqlite3.connect(f"file:{self.folder}/state/state.db?mode=ro", uri=True, timeout=5)
        try:
            found = [
                msgspec.json.decode(body, type=Alert) for (body,) in base.execute("SELECT body FROM alerts")
            ]
            return {alert.id: alert for alert in found}
        finally:
            base.close()

    def rules(self) -> set[str]:
        return {alert.rule for alert in self.alerts().values()}

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(30)
        self.log.close()


@contextmanager
def served(folder: Path, scenario: Path, broker: str | None = None) -> Iterator[Served]:
    one = Served(folder, scenario, broker)
    try:
        wait_for(one.ready, BOUND_S)
        yield one
    finally:
        one.close()


def _command(*words: str) -> list[str]:
    return [sys.executable, "-m", "simulators", *words]


def sim(*words: str, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        _command(*words), input=text, capture_output=True, text=True, timeout=BOUND_S, check=False
    )


def drive(scenario: Path, gateway: Served, *more: str) -> dict[str, Any]:
    words = ["--dir", str(gateway.folder), "--broker", gateway.url, "--speed", str(SPEED), "--json", *more]
    done = sim("drive", str(scenario), *words)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def in_process(scenario: Path) -> dict[str, Alert]:
    run = Run(build(load_scenario(scenario)), "whole")
    run.run()
    return run.account.alerts


def key(line: str) -> str:
    """A difference without its moment: the wall's milliseconds are minutes at this speed."""
    return line.rpartition(" ")[0][2:]


def differences(one: dict[str, Alert], other: dict[str, Alert]) -> set[str]:
    lines = same_alerts(one, other)
    less, more = ({key(line) for line in lines if line[0] == sign} for sign in "-+")
    return less ^ more


def check_same(scenario: Path, gateway: Served) -> None:
    tally, meant = drive(scenario, gateway), in_process(scenario)
    wait_for(lambda: {alert.rule for alert in meant.values()} <= gateway.rules())
    assert differences(meant, gateway.alerts()) == set(), same_alerts(meant, gateway.alerts())
    assert {"sos", "lock_jammed", "fall", "device_offline"} <= gateway.rules()
    assert tally["sent"] == tally["acknowledged"] > 50
    assert tally["refused"] == {}
    figures = tally["latencies"]
    assert figures["messages"] == tally["sent"]
    assert figures["whole"]["p99_ms"] >= figures["answer"]["p50_ms"]


@pytest.mark.slow
def test_a_run_in_process_and_over_the_listener_give_the_same_alerts(tmp_path: Path, scenario: Path) -> None:
    with served(tmp_path / "town", scenario) as gateway:
        check_same(scenario, gateway)


@pytest.mark.slow
@pytest.mark.mosquitto
def test_a_run_in_process_and_through_mosquitto_give_the_same_alerts(tmp_path: Path, scenario: Path) -> None:
    (tmp_path / "broker").mkdir()
    with (
        mosquitto(tmp_path / "broker", config_lines=["max_queued_messages 0"]) as broker,
        served(tmp_path / "town", scenario, broker.url) as gateway,
    ):
        check_same(scenario, gateway)


@pytest.mark.slow
@pytest.mark.parametrize("machine", ["cpython", "micropython"])
def test_real_firmware_in_a_scenario_gives_the_alert_that_is_expected(
    tmp_path: Path, scenario: Path, machine: str
) -> None:
    if machine == "micropython" and not PACKAGE.is_dir():
        pytest.skip("MicroPython for Node is not installed: run npm install in firmware-mocks/lock")
    scenario.write_text('firmware = ["lock:2"]\n' + SCENARIO.replace('"16m"', '"6m"'))
    with served(tmp_path / "town", scenario) as gateway:
        drive(scenario, gateway, "--machine", machine)
        wait_for(lambda: {"lock_jammed", "sos"} <= gateway.rules())
        (jammed,) = [alert for alert in gateway.alerts().values() if alert.rule == "lock_jammed"]
        assert jammed.device == "demo/lock-002"
        base = sqlite3.connect(f"file:{gateway.folder}/state/state.db?mode=ro", uri=True)
        (boot,) = base.execute(
            "SELECT count(*) FROM frames WHERE CAST(payload AS TEXT) LIKE '%\"vm\"%'"
        ).fetchone()
        base.close()
        assert boot >= 1  # only the firmware says which machine it runs on


def test_a_press_by_hand_is_an_alert_and_a_wrong_one_is_a_line(tmp_path: Path, scenario: Path) -> None:
    with served(tmp_path / "town", scenario) as gateway:
        where = ["--dir", str(gateway.folder), "--broker", gateway.url]
        done = sim("press", "social_alarm:1", *where)
        assert done.returncode == 0, done.stderr
        assert "demo/social-001: press, acknowledged" in done.stdout
        wait_for(lambda: "sos" in gateway.rules())
        for words, says in (
            (["press", "teapot:1", *where], "social_alarm:1"),
            (["press", "social_alarm:1", "--do", "dance", *where], "press"),
            (["press", "social_alarm:1", *where[:2], "--broker", "mqtt://127.0.0.1:9"], "127.0.0.1:9"),
            (["press", "social_alarm:1", "--dir", "/nowhere"], REGISTRY_FILE),
            (["drive", "nothing-such", *where], "quiet"),
        ):
            wrong = sim(*words)
            assert wrong.returncode == 2, wrong.stdout
            assert "Traceback" not in wrong.stderr
            assert says in wrong.stderr or says == "quiet"


@pytest.mark.slow
def test_the_console_obeys_and_answers_bad_lines_with_one(tmp_path: Path, scenario: Path) -> None:
    with served(tmp_path / "town", scenario) as gateway:
        words = ["console", str(scenario), "--dir", str(gateway.folder), "--broker", gateway.url]
        process = subprocess.Popen(
            _command(*words),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ,
        )
        assert process.stdin is not None
        process.stdin.write(LINES)
        process.stdin.flush()
        wait_for(lambda: "sos" in gateway.rules())
        out, err = process.communicate("quit\n", timeout=BOUND_S)
    assert (process.returncode, err) == (0, "")
    for said in (
        "'dance': no such word",
        "'teapot:1': no such device",
        "demo/social-002: press",
        "allowed: speed N",
        "speed 30",
        "mobile: on for",
        "mobile: 1 ended",
        "fault rain:",
        "demo/lock-001: ",
        "devices connected",
        "messages acknowledged",
    ):
        assert said in out, said
