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
from tests.integration.mosquitto import free_port

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
heartbeat_s = 2
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
    if shutil.which("sipp") is None or shutil.which("socat") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("sipp or socat is not installed, and the build machine must have them")
        pytest.skip("sipp or socat is not installed (Debian: sip-tester, socat)")
    port = str(gateway.settings["sip"]["tls_port" if way == "tls" else "udp_port"])
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
    for way in ("udp", "tcp", "tls"):
        await asyncio.to_thread(play, gateway, way)
    await slow_over_tls(gateway)

    health = gateway.health()
    assert health is not None
    assert health["ways_in"]["sip"]["received"] >= 3 * 210
    once = {"alarm.manual": 1, "alarm.cancelled": 2, "heartbeat": 3, "smoke.detected": 1}  # A4, S1, S2
    assert events(gateway) == once
    assert health["devices"]["discovered"] == 200
    alerts = gateway.get("/api/v1/alerts")
    assert alerts is not None
    told = {one["text"]: one["severity"] for one in alerts["alerts"] if one["device"] == "pendant-scaip"}
    assert told == {"sos": "medium", "home_hazard": "high", "rejected_call": "medium"}  # A1 was cancelled


async def slow_over_tls(gateway: GatewayProcess) -> None:
    """A unit that answers its reply late, as slow.xml does, gets that reply alone; others do not wait."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    port = gateway.settings["sip"]["tls_port"]
    slow = await Unit(transport="TLS", deaf=True).connect(port, context)
    other = await Unit("26318", transport="TLS").connect(port, context)
    assert (await slow.ask(heartbeat("S1"))).status == 200
    reply = await slow.reply()
    assert (await other.ask(heartbeat("O1", "26318"))).status == 200
    assert (await other.reply()).snu == "0"
    await asyncio.sleep(2.5)  # the case itself: three times the reply would have come again by UDP
    slow.raw(reply.ok())
    assert (await slow.ask(heartbeat("S2"))).status == 200
    assert [reply.field("ref"), (await slow.reply()).field("ref")] == ["S1", "S2"]
    assert slow.replies.empty()
    for one in (slow, other):
        await one.close()


def heartbeat(ref: str, cid: str = "26317") -> str:
    return f"<mrq><ref>{ref}</ref><mty>PI</mty><cid>{cid}</cid><dty>0002</dty><stc>0102</stc></mrq>"


@pytest.mark.slow
@in_loop
async def test_a_power_cut_between_receipt_and_reply_loses_nothing_and_doubles_nothing(
    tmp_path: Path,
) -> None:
    """Forty alarms at once; the gateway is killed when the first is acknowledged, and started again."""
    gateway = served(tmp_path)
    gateway.start()
    port = gateway.settings["sip"]["udp_port"]
    units = [await Unit().connect(port) for _ in range(40)]
    sent = [unit.request(alarm(f"K{number}")) for number, unit in enumerate(units)]
    try:
        for unit, request in zip(units, sent, strict=True):
            unit.raw(request)
        assert (await units[0].response()).status == 200
        gateway.kill()  # a frame is on disk or is not: only a reply would have said so
        await asyncio.to_thread(gateway.start)
        told = await asyncio.gather(*(until_replied(*one) for one in zip(units, sent, strict=True)))
        for unit in units:
            await unit.close()
    finally:
        gateway.stop()
    assert told == [(f"K{number}", "0") for number in range(40)]
    assert events(gateway)["alarm.manual"] == 40
    store = SqliteStore(gateway.data / "state.db")
    try:
        alerts = [one for one in store.load().alerts.values() if one.device == "pendant-scaip"]
    finally:
        store.close()
    assert [one.count for one in alerts if one.rule == "sos"] == [40]


async def until_replied(unit: Unit, request: bytes) -> tuple[str, str]:
    """Send again, as units do, until the reply comes; one that came before the power cut holds."""
    replies = list(_waiting(unit))
    if not replies:
        unit.raw(request)
        replies = [await unit.reply()]
    return replies[0].field("ref"), replies[0].snu


def _waiting(unit: Unit) -> Iterator[Heard]:
    while not unit.replies.empty():
        yield unit.replies.get_nowait()


@in_loop
async def test_a_unit_that_sends_no_heartbeat_any_more_becomes_an_alert(gateway: GatewayProcess) -> None:
    """Its heartbeats end the silence in which it began; when they stop, the alert is there again."""
    unit = await Unit("26318").connect(gateway.settings["sip"]["udp_port"])
    number = 0
    async with asyncio.timeout(120):
        while not silent(gateway):
            await asyncio.sleep(0.05)
        while silent(gateway):
            number += 1
            assert (await unit.ask(heartbeat(f"H{number}", "26318"))).status == 200
            assert (await unit.reply()).snu == "0"
        await unit.close()
        while not silent(gateway):
            await asyncio.sleep(0.05)


def silent(gateway: GatewayProcess) -> bool:
    """Tell whether the unit's silence is an alert whose cause is still there."""
    alerts = gateway.get("/api/v1/alerts")
    rows = alerts["alerts"] if isinstance(alerts, dict) else alerts
    theirs = [row for row in rows if row["device"] == "pendant-silent" and "silent" in row["rule"]]
    return any(row["active"] for row in theirs)
