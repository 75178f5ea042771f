"""A start says in one line what is wrong before anything runs; a stop ends in time whatever hangs."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from cryptography.hazmat.primitives import serialization
from paho.mqtt.enums import CallbackAPIVersion

from gateway.config import Settings
from gateway.contract import ConfigurationError
from gateway.preflight import examine
from gateway.service.parts import PartFailedError
from gateway.wiring import Gateway
from tests.integration.gateway_process import GatewayProcess
from tests.integration.listener_kit import certificates
from tests.integration.loads import make_town
from tests.integration.mosquitto import hang_up, wait_for

ADAPTERS = ("vaka", "nuki")
STOP_WITHIN_S = 30.0


@pytest.fixture
def pems(tmp_path: Path) -> dict[str, Path]:
    return certificates(tmp_path)


def settings_of(folder: Path, **more: Any) -> Settings:
    given: dict[str, Any] = {
        "data_dir": folder / "state",
        "listener": {"port": 0},
        "api": {"port": 0},
    }
    return Settings.model_validate(given | more)


def faults_of(settings: Settings) -> list[str]:
    try:
        examine(settings, ADAPTERS)
    except ConfigurationError as error:
        return str(error).splitlines()
    return []


def with_tls(section: str, folder: Path, certificate: Path, key: Path, **more: Path) -> Settings:
    files = {"certificate": certificate, "key": key, **more}
    if section == "broker.main":
        broker = {"name": "main", "url": "mqtts://127.0.0.1:9", **files}
        return settings_of(folder, broker=[broker])
    return settings_of(folder, **{section.partition(".")[0]: {"port": 0, "tls": files}})


@pytest.mark.parametrize("section", ["api.tls", "listener.tls", "broker.main"])
def test_tls_files_that_fit_are_no_fault(section: str, tmp_path: Path, pems: dict[str, Path]) -> None:
    assert faults_of(with_tls(section, tmp_path, pems["server_cert"], pems["server_key"])) == []


@pytest.mark.parametrize("section", ["api.tls", "listener.tls", "broker.main"])
def test_each_tls_file_that_is_not_there_is_one_line(section: str, tmp_path: Path) -> None:
    gone = tmp_path / "gone.pem"
    assert faults_of(with_tls(section, tmp_path, gone, gone)) == [
        f"{section}.{key}: found '{gone}': no such file; allowed: a PEM file"
        for key in ("certificate", "key")
    ]


@pytest.mark.parametrize("section", ["api.tls", "listener.tls", "broker.main"])
def test_a_key_of_another_certificate_is_one_line(
    section: str, tmp_path: Path, pems: dict[str, Path]
) -> None:
    (line,) = faults_of(with_tls(section, tmp_path, pems["server_cert"], pems["client_key"]))
    assert line.startswith(f"{section}.certificate, {section}.key: found '{pems['server_cert']}'")
    assert "key values mismatch" in line


def test_a_file_that_is_no_pem_is_one_line(tmp_path: Path, pems: dict[str, Path]) -> None:
    text = tmp_path / "text.pem"
    text.write_text("not a certificate")
    (line,) = faults_of(with_tls("api.tls", tmp_path, text, pems["server_key"]))
    assert line.startswith(f"api.tls.certificate, api.tls.key: found '{text}'")
    good = (pems["server_cert"], pems["server_key"])
    (line,) = faults_of(with_tls("listener.tls", tmp_path, *good, client_ca=text))
    assert line.startswith(f"listener.tls.client_ca: found '{text}'")
    (line,) = faults_of(with_tls("broker.main", tmp_path, *good, ca=tmp_path / "gone.pem"))
    assert line.startswith("broker.main.ca: found")
    assert "no such file" in line


def test_an_encrypted_key_is_a_fault_and_no_question_at_the_terminal(
    tmp_path: Path, pems: dict[str, Path]
) -> None:
    key = serialization.load_pem_private_key(pems["server_key"].read_bytes(), None)
    kinds = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)
    locked = tmp_path / "locked.key"
    locked.write_bytes(key.private_bytes(*kinds, serialization.BestAvailableEncryption(b"secret")))
    (line,) = faults_of(with_tls("api.tls", tmp_path, pems["server_cert"], locked))
    assert "unencrypted" in line


def test_devices_of_an_adapter_that_is_not_installed_are_one_line(tmp_path: Path) -> None:
    path = tmp_path / "registry.toml"
    devices = "".join(
        f'[[device]]\nid = "d-{number}"\nnative_id = "{number}"\n'
        'tenant = "t"\nadapter = "teapot"\nkind = "lock"\n'
        for number in range(5)
    )
    path.write_text(f'tenant = [{{ id = "t", name = "T" }}]\n{devices}')
    (line,) = faults_of(settings_of(tmp_path, registry=path))
    assert line == (
        f"{path}: device.adapter: found 'teapot' for d-0, d-1, d-2 and 2 more: "
        "not installed, or not in `adapters`; allowed: nuki, vaka"
    )


@pytest.mark.parametrize("command", ["check", "serve"])
def test_check_and_serve_refuse_alike_before_anything_is_made(command: str, tmp_path: Path) -> None:
    config = tmp_path / "vaka.toml"
    config.write_text(
        f'data_dir = "{tmp_path}/state"\n[listener]\nport = 0\n'
        '[api]\nport = 0\n[api.tls]\ncertificate = "/gone.pem"\nkey = "/gone.key"\n'
    )
    words = [sys.executable, "-m", "gateway", command, "--config", str(config)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=STOP_WITHIN_S, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "api.tls.certificate: found '/gone.pem': no such file; allowed: a PEM file",
        "api.tls.key: found '/gone.key': no such file; allowed: a PEM file",
    ]
    assert not (tmp_path / "state").exists()


def run_gateway(
    gateway: Gateway, stop: asyncio.Event, ready: Callable[[], Awaitable[None]] | None = None
) -> None:
    async def scenario() -> None:
        async with asyncio.timeout(STOP_WITHIN_S):
            await gateway.run(stop, ready)

    asyncio.run(scenario())


def test_an_api_that_cannot_start_ends_the_gateway_with_one_line(
    tmp_path: Path, pems: dict[str, Path], caplog: pytest.LogCaptureFixture
) -> None:
    gateway = Gateway(with_tls("api.tls", tmp_path, pems["server_cert"], pems["server_key"]))
    pems["server_cert"].unlink()
    with pytest.raises(PartFailedError, match=r"^api: failed with FileNotFoundError: [^\n]*$"):
        run_gateway(gateway, asyncio.Event())
    assert "api failed" in caplog.text


def test_an_order_to_stop_is_heard_while_the_gateway_still_starts(tmp_path: Path) -> None:
    stop = asyncio.Event()

    async def hang() -> None:
        stop.set()
        await asyncio.Event().wait()

    run_gateway(Gateway(settings_of(tmp_path)), stop, hang)
    assert stop.is_set()


def test_a_fault_of_the_start_itself_is_raised_as_it_is(tmp_path: Path) -> None:
    first = Gateway(settings_of(tmp_path / "first"))
    stop = asyncio.Event()

    async def start_another() -> None:
        port = int(first.page.rstrip("/").rpartition(":")[2])
        second = Gateway(settings_of(tmp_path / "second", api={"port": port}))
        with pytest.raises(ConfigurationError, match="a free port"):
            await second.run(asyncio.Event())
        stop.set()

    run_gateway(first, stop, start_another)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_clean_stop_exits_with_0(tmp_path: Path, number: signal.Signals) -> None:
    gateway = GatewayProcess(tmp_path)
    gateway.start()
    assert gateway._end(number) == 0
    assert "Traceback" not in gateway.log()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of 8 MB, where this process may."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", folder]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting a small disk needs root")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_full_disk_does_not_hold_a_stop(tmp_path: Path, small_disk: Path) -> None:
    make_town(tmp_path)
    gateway = GatewayProcess(
        tmp_path,
        data=small_disk / "state",
        registry=str(tmp_path / "registry.toml"),
        listener={"anonymous": True},
    )
    gateway.start()
    room = os.statvfs(small_disk)
    (small_disk / "filler").write_bytes(b"\0" * (room.f_bavail * room.f_frsize))
    device = paho.Client(CallbackAPIVersion.VERSION2)
    device.max_inflight_messages_set(1000)
    device.connect("127.0.0.1", gateway.listener_port)
    device.loop_start()
    try:
        for _ in range(200):
            device.publish("vaka/1/demo/stranger/event", b"x" * 60_000, qos=1)
        wait_for(lambda: (health := gateway.health()) and health["status"] == "failing")
        began = time.monotonic()
        assert gateway.stop() == 0
        assert time.monotonic() - began < STOP_WITHIN_S
    finally:
        hang_up(device)
    assert "stopping" in gateway.log()
    assert "Traceback" not in gateway.log()
