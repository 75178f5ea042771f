"""The lock in Node, written from the page alone, held by the conformance kit to what it declares."""

import json
import signal
import subprocess
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from listener_kit import certificates
from test_vendor_node import FOLDER, node

from gateway.conformance.verdict import Verdict
from tests.integration.conformance_kit import kit
from tests.integration.mosquitto import free_port

HOOK = "http://127.0.0.1:8099"
"""What the declaration beside the device says; a test needs a free port of its own."""


@contextmanager
def device(folder: Path, port: int, ca: Path, hook: int) -> Iterator[None]:
    declared = tomllib.loads((FOLDER / "device.toml").read_text())["connection"]
    settings: dict[str, Any] = {
        "tenant": declared["tenant"],
        "device": declared["device"],
        "user": declared["username"],
        "password": declared["password"],
        "host": "127.0.0.1",
        "port": port,
        "ca": str(ca),
        "state_dir": str(folder / "memory"),
        "hook_port": hook,
        "first_wait_ms": 100,
        "longest_wait_ms": 500,
        "stalled_ms": 3000,
    }
    (folder / "vendor.json").write_text(json.dumps(settings))
    with (folder / "vendor.log").open("wb") as log:
        process = subprocess.Popen(
            [node(), str(FOLDER / "main.mjs"), str(folder / "vendor.json")], stdout=log, stderr=log
        )
    try:
        yield
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(10)


def test_the_vendors_lock_keeps_what_it_declares(tmp_path: Path) -> None:
    node()
    made, hook = certificates(tmp_path), free_port()
    declaration = tmp_path / "device.toml"
    told = (FOLDER / "device.toml").read_text().replace(HOOK, f"http://127.0.0.1:{hook}")
    declaration.write_text(told.replace("[pixit]", "[pixit]\nmargin_s = 2"))
    tls = ("--certificate", str(made["server_cert"]), "--certificate-key", str(made["server_key"]))
    with kit(tmp_path, declaration, *tls) as one, device(tmp_path, one.port, made["ca"], hook):
        report = one.report(300)
    must = {
        one.id: one.reason for one in report.clauses if one.level == "must" and one.verdict is Verdict.FAIL
    }
    assert must == {}
    assert report.verdict is Verdict.PASS, {one.id: (one.verdict, one.reason) for one in report.clauses}
