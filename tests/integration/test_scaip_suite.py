"""The published SCAIP scenarios against a real gateway, and a power cut between receipt and reply."""

import asyncio
import os
import shutil
import ssl
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from sip_unit import Heard, Unit, alarm, in_loop

from gateway.stores.sqlite_store import SqliteStore
from tests.integration.accounts import logged
from tests.integration.gateway_process import GatewayProcess
from tests.integration.mosquitto import free_port, wait_for

ROOT = Path(__file__).parents[2]
ENROLLED = """
[[device]]
id = "pendant-scaip"
tenant = "exempelby"
adapter = "scaip"
native_id = "26317"
kind = "social_alarm"

[[enrolment]]
device = "pendant-scaip"
home = "home-1"
person = "person-1"
since = 2026-01-01T00:00:00+01:00
heartbeat_s = 3600

[[device]]
id = "pendant-silent"
tenant = "exempelby"
adapter = "scaip"
native_id = "26318"
kind = "social_alarm"

[[enrolment]]
device = "pendant-silent"
home = "home-1"
person = "person-1"
since = 2026-01-01T00:00:00+01:00
heartbeat_s = 1
"""


def served(folder: Path) -> GatewayProcess:
    issued = trustme.CA().issue_cert("127.0.0.1")
    (folder / "server.pem").write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    issued.private_key_pem.write_to_path(str(folder / "server.key"))
    example = (ROOT / "deploy" / "registry.example.toml").read_text("utf-8")
    (folder / "registry.toml").write_text(example + ENROLLED, "utf-8")
    port = free_port()
    tls = {"certificate": str(folder / "server.pem"), "key": str(folder / "server.key")}
    sip = {"enabled": True, "udp_port": port, "tcp_port": port, "tls_port": free_port(), "tls": tls}
    return GatewayProcess(folder, registry=str(folder / "registry.toml"), sip=sip)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    made = served(tmp_path_factory.mktemp("scaip"))
    made.start()
    yield made
    made.stop()


def events(gateway: GatewayProcess) -> Counter[str]:
    return Counter(type_ for _, device, type_ in logged(gateway.data) if device == "pendant-scaip")


def play(gateway: GatewayProcess, way: str) -> None:
    if shutil.which("sipp") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("sipp is not installed, and the build machine must have it")
        pytest.skip("sipp is not installed (Debian: sip-tester)")
    port = str(gateway.settings["sip"]["udp_port"])
    told = subprocess.run(
        [str(ROOT / "deploy" / "sipp" / "run"), "127.0.0.1", port, way],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"SIPP_PORT": str(free_port()), "SIPP_LINGER_MS": "3000"},
        timeout=300,
    )
    assert told.returncode == 0, told.stdout + told.stderr


@in_loop
async def test_every_scenario_gets_its_number_by_every_way_and_a_repeated_reference_is_one_event(
    gateway: GatewayProcess,
) -> None:
    """sipp of Debian is built without TLS, so a unit of our own plays the file there."""
    for way in ("udp", "tcp"):
        await asyncio.to_thread(play, gateway, way)
    await play_over_tls(gateway)

    health = gateway.health()
    assert health is not None
    assert health["ways_in"]["sip"]["received"] >= 3 * 210
    once = {"alarm.manual": 1, "alarm.cancelled": 2, "heartbeat": 2, "smoke.detected": 1}
    assert events(gateway) == once
    assert health["devices"]["discovered"] == 200


async def play_over_tls(gateway: GatewayProcess) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    unit = await Unit(transport="TLS").connect(gateway.settings["sip"]["tls_port"], context)
    suite = ROOT / "deploy" / "sipp"
    rows = [line.split(";") for line in (suite / "cases.csv").read_text().splitlines() if ";" in line]
    told = []
    for _, _, body in rows[1:]:
        assert (await unit.ask(body)).status == 200
        reply = await unit.reply()
        told.append(f"{reply.field('ref')} {reply.snu}")
    assert told == (suite / "expected.txt").read_text().split("\n")[:-1]

    crowd = [Unit(str(40_000 + n), transport="TLS") for n in range(1, 201)]
    await asyncio.gather(*(one.connect(gateway.settings["sip"]["tls_port"], context) for one in crowd))
    await asyncio.gather(*(one.ask(alarm(f"U{int(one.user) - 40_000}", one.user)) for one in crowd))
    assert [(await one.reply()).field("ref") for one in crowd] == [f"U{n}" for n in range(1, 201)]
    for one in (unit, *crowd):
        await one.close()


@in_loop
async def test_a_power_cut_between_receipt_and_reply_loses_nothing_and_doubles_nothing(
    tmp_path: Path,
) -> None:
    """A unit sends until it has its reply; the gateway is killed after each acknowledgement of SIP."""
    gateway = served(tmp_path)
    gateway.start()
    port = gateway.settings["sip"]["udp_port"]
    replied = []
    try:
        for number in range(2):
            unit = await Unit().connect(port)
            body = alarm(f"K{number}")
            unit.raw(unit.request(body))
            assert (await unit.response()).status == 200
            gateway.kill()  # the frame is on disk or is not: the unit has no reply that it could believe
            had = {reply.field("ref") for reply in _waiting(unit)}
            await asyncio.to_thread(gateway.start)
            kept = {name for name in had if name}
            while not kept:  # as units do: the same reference again until the reply comes
                unit.raw(unit.request(body))
                await unit.response()
                kept.add((await unit.reply()).field("ref"))
            replied += sorted(kept)
            await unit.close()
    finally:
        gateway.stop()
    assert replied == ["K0", "K1"]
    assert events(gateway)["alarm.manual"] == 2
    store = SqliteStore(gateway.data / "state.db")
    try:
        alerts = [one for one in store.load().alerts.values() if one.device == "pendant-scaip"]
    finally:
        store.close()
    assert [one.count for one in alerts if one.severity.value == "high"] == [2]


def _waiting(unit: Unit) -> Iterator[Heard]:
    while not unit.replies.empty():
        yield unit.replies.get_nowait()


@in_loop
async def test_a_unit_that_sends_no_heartbeat_any_more_becomes_an_alert(gateway: GatewayProcess) -> None:
    unit = await Unit("26318").connect(gateway.settings["sip"]["udp_port"])
    beat = "<mrq><ref>H1</ref><mty>PI</mty><cid>26318</cid><dty>0002</dty><stc>0102</stc></mrq>"
    assert (await unit.ask(beat)).status == 200
    assert (await unit.reply()).snu == "0"
    await unit.close()
    await asyncio.to_thread(wait_for, lambda: silent(gateway), within_s=60)


def silent(gateway: GatewayProcess) -> bool:
    alerts = gateway.get("/api/v1/alerts") or {}
    rows = alerts.get("alerts", alerts) if isinstance(alerts, dict) else alerts
    return any(row.get("device") == "pendant-silent" and "silent" in row.get("rule", "") for row in rows)
