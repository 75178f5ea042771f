"""The GPS alarm in C, written from the page alone: built here, and held by the conformance kit."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.conformance.verdict import Verdict
from tests.integration.conformance_kit import kit
from tests.integration.mosquitto import free_port

FOLDER = Path(__file__).parents[2] / "firmware-mocks" / "gps-alarm"
HEADERS = (Path("/usr/include/mosquitto.h"), Path("/usr/include/cjson/cJSON.h"))
SOME = ("TC-SAY-01", "TC-LINK-01", "TC-POWER-01", "TC-CMD-01", "TC-CFG-01", "TC-MSG-01")
"""What is tried each time; the whole kit takes this device a minute and a half (VAKA_NIGHTLY)."""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("gcc") is None or shutil.which("make") is None or not all(map(Path.is_file, HEADERS)):
        pytest.skip("no C compiler, libmosquitto-dev or libcjson-dev")
    folder = tmp_path_factory.mktemp("gps") / "gps-alarm"
    shutil.copytree(FOLDER, folder)
    subprocess.run(["make", "-s"], cwd=folder, check=True, capture_output=True)
    return folder


@contextmanager
def device(folder: Path, work: Path, port: int, hook: int, *fault: str) -> Iterator[None]:
    told = (folder / "test.conf").read_text().replace("18840", str(port)).replace("18099", str(hook))
    config = work / "gps.conf"
    config.write_text(told.replace("state_dir = state", f"state_dir = {work / 'state'}"))
    with (work / "gps.log").open("wb") as log:
        process = subprocess.Popen(
            [str(folder / "gps-alarm"), "--config", str(config), *fault], stdout=log, stderr=log
        )
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def verdicts(program: Path, work: Path, only: tuple[str, ...], *fault: str) -> dict[str, Verdict]:
    hook = free_port()
    declaration = work / "device.toml"
    told = (FOLDER / "device.toml").read_text().replace("18099", str(hook))
    told = told.replace('"gps-alarm"', json.dumps(str(program / "gps-alarm")))
    declaration.write_text(told.replace("margin_s = 3", "margin_s = 2"))
    chosen = [word for case in only for word in ("--only", case)]
    with kit(work, declaration, *chosen) as one, device(program, work, one.port, hook, *fault):
        report = one.report(300)
    return {one.id: one.verdict for one in report.clauses if one.level == "must"}


def test_the_gps_alarm_in_c_keeps_its_clauses_over_links_and_power_that_are_cut(
    program: Path, tmp_path: Path
) -> None:
    found = verdicts(program, tmp_path, () if os.environ.get("VAKA_NIGHTLY") else SOME)
    assert Verdict.FAIL not in found.values(), found
    passed = {name for name, verdict in found.items() if verdict is Verdict.PASS}
    assert {"VDI-EVT-12", "VDI-EVT-13", "VDI-MQTT-10", "VDI-CMD-01", "VDI-CFG-01"} <= passed
    if os.environ.get("VAKA_NIGHTLY"):
        assert set(found.values()) <= {Verdict.PASS, Verdict.NOT_APPLICABLE}, found


def test_the_clock_that_it_may_have_wrong_is_found_by_its_clause(program: Path, tmp_path: Path) -> None:
    found = verdicts(program, tmp_path, ("TC-SAY-01",), "--fault", "wrong-clock")
    assert found["VDI-EVT-13"] is Verdict.FAIL


def test_a_configuration_that_is_not_there_ends_it_with_two(program: Path) -> None:
    done = subprocess.run(
        [str(program / "gps-alarm"), "--config", "nowhere"], capture_output=True, check=False, timeout=20
    )
    assert done.returncode == 2
