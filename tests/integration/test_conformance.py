"""The conformance kit as a command, against firmware that shares no code with it."""

import subprocess
import sys
from pathlib import Path
from typing import Any

from gateway.conformance.report import Report
from gateway.conformance.verdict import Verdict
from tests.integration.conformance_kit import PASSWORD, declare, hook, kit
from tests.integration.firmware import Lock

WITHIN_S = 300.0
EVENTS = ["lock.locked", "lock.unlocked", "lock.jammed", "heartbeat", "device.online", "device.fault"]
EVENTS += ["battery.low", "battery.ok"]
TURNS = {"lock.locked": "lock", "lock.unlocked": "unlock", "lock.jammed": "jam"}


def broken(report: Report) -> list[str]:
    return [
        f"{one.id}: {one.verdict.value}: {one.reason}"
        for one in report.clauses
        if one.level == "must" and one.verdict not in {Verdict.PASS, Verdict.NOT_APPLICABLE}
    ]


def test_the_mock_lock_in_cpython_passes_every_must_clause_and_its_statement_verifies(
    tmp_path: Path,
) -> None:
    running: list[Lock] = []
    orders = tmp_path / "flash" / "orders.txt"
    login: dict[str, Any] = {"user": "demo/lock-900", "password": PASSWORD, "orders": "orders.txt"}
    login["unlock_without_grant"] = False

    def power_on(port: int) -> None:
        orders.parent.mkdir(exist_ok=True)
        orders.write_text("")  # a lock obeys every line once a power-on
        running.append(Lock("cpython", tmp_path, port, **login))

    def do(action: str, values: dict[str, Any]) -> None:
        if action == "reset":
            running[-1].end()
            power_on(one.port)
        elif action == "battery":
            with orders.open("a") as file:
                file.write(f"charge {values['percent']}\n")
        elif action == "event" and values["type"] in TURNS:
            with orders.open("a") as file:
                file.write(f"{TURNS[values['type']]}\n")
        else:
            raise NotImplementedError

    key = tmp_path / "vendor.pem"
    command = [sys.executable, "-m", "gateway", "conform"]
    subprocess.run([*command, "key", "--out", str(key)], check=True, capture_output=True)
    with hook(do) as url:
        declaration = declare(
            tmp_path,
            product="mock lock",
            device="lock-900",
            events=EVENTS,
            url=url,
            actions=["event", "reset", "battery"],
            mqtt=["3.1.1"],
        )
        with kit(tmp_path, declaration, "--sign-with", str(key)) as one:
            power_on(one.port)
            try:
                report = one.report(WITHIN_S)
            finally:
                running[-1].end()
    assert report.clauses[0].verdict is Verdict.PASS  # the declaration, which the kit's own cases test
    assert report.verdict is Verdict.PASS, "\n".join(broken(report))
    about = ("--report", str(one.out / "report.json"), "--firmware", str(tmp_path / "firmware.bin"))
    envelope = str(one.out / "statement.dsse.json")
    verify = [*command, "verify", envelope, "--key", f"{key}.pub", "-d", str(declaration), *about]
    told = subprocess.run(verify, check=True, capture_output=True, text=True).stdout
    assert told.startswith(f"good: {report.verdict.value}, self-declared, vaka/1")
    (tmp_path / "firmware.bin").write_bytes(b"another firmware")
    refused = subprocess.run(verify, check=False, capture_output=True, text=True)
    assert refused.returncode == 2
    assert refused.stderr.startswith("--firmware: found SHA-256")


def test_a_mistake_of_the_user_is_one_line_and_exit_two(tmp_path: Path) -> None:
    file = tmp_path / "device.toml"
    file.write_text("[device]\n")
    told = subprocess.run(
        [sys.executable, "-m", "gateway", "conform", "run", "-d", str(file), "--listen", "nowhere"],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert told.returncode == 2
    assert "Traceback" not in told.stderr
    assert all(line.startswith(str(file)) for line in told.stderr.splitlines())
