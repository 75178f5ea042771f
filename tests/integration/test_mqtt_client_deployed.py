import asyncio
import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from honest_intake import HonestIntake, until
from mosquitto import Broker, mosquitto, peer, wait_for

from gateway.config import BrokerSettings
from gateway.service.clock import SystemClock
from gateway.transports.mqtt_client import BrokerClient
from gateway.transports.mqtt_client.packets import MAX_PACKET_BYTES

pytestmark = pytest.mark.mosquitto

DEPLOYED = Path(__file__).parents[2] / "deploy" / "mosquitto"
PASSWORD = "synthetic"


def deployed_lines(folder: Path) -> list[str]:
    """Return the delivered configuration, with this test's folder in place of the system's."""
    text = (DEPLOYED / "mosquitto.conf").read_text()
    text = text.replace("/etc/mosquitto/vaka.acl", str(DEPLOYED / "vaka.acl"))
    text = text.replace("/etc/mosquitto/", f"{folder}/").replace("/var/lib/mosquitto/", f"{folder}/")
    return [line for line in text.splitlines() if line and not line.startswith(("#", "listener", "set_tcp"))]


@contextlib.contextmanager
def deployed(folder: Path) -> Iterator[Broker]:
    (folder / "vaka.passwords").touch()
    for user in ("vaka-gateway", "lock-1", "lock-2"):
        subprocess.run(["mosquitto_passwd", "-b", folder / "vaka.passwords", user, PASSWORD], check=True)
    with mosquitto(folder, config_lines=deployed_lines(folder)) as broker:
        yield broker


async def listen(broker: Broker, intake: HonestIntake, wanted: int) -> None:
    """Be the gateway until so many messages are on disk; 0: until subscribed."""
    basis = {"name": "main", "url": broker.url, "username": "vaka-gateway", "password": PASSWORD}
    client = BrokerClient(BrokerSettings.model_validate(basis), ("vaka/1/#",), intake, SystemClock())
    task = asyncio.create_task(client.run())
    try:
        await until(lambda: client.standing.subscribed)
        await until(lambda: len(intake.durable) >= wanted)
        await until(lambda: client.acknowledged >= wanted)
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def test_the_delivered_broker_keeps_messages_over_its_own_death_once_they_are_saved(tmp_path: Path) -> None:
    intake = HonestIntake()
    with deployed(tmp_path) as broker:
        asyncio.run(listen(broker, intake, 0))
        with peer(broker, username="lock-1", password=PASSWORD) as lock:
            lock.publish("vaka/1/t/lock-1/telemetry", b"sent with QoS 0", qos=0)
            lock.publish("vaka/1/t/lock-1/event", *[b"%d" % number for number in range(3000)])
        store = tmp_path / "mosquitto.db"
        saved_at = time.time()
        wait_for(lambda: store.exists() and store.stat().st_mtime > saved_at + 1)
        broker.kill()
        broker.start()
        asyncio.run(listen(broker, intake, 3001))
    assert intake.payloads == [b"sent with QoS 0", *[b"%d" % number for number in range(3000)]]


def test_a_device_reaches_its_own_branch_only(tmp_path: Path) -> None:
    intake = HonestIntake()
    with deployed(tmp_path) as broker:
        asyncio.run(listen(broker, intake, 0))
        with peer(broker, username="lock-1", password=PASSWORD) as lock:
            lock.publish("vaka/1/t/lock-2/event", b"forged")
            lock.publish("vaka/1/gateway/vaka-gateway/status", b"forged")
            lock.publish("vaka/1/t/lock-1/event", b"own")
        asyncio.run(listen(broker, intake, 1))
    assert intake.payloads == [b"own"]


def test_the_delivered_limits_fit_the_gateway(tmp_path: Path) -> None:
    lines = deployed_lines(tmp_path)
    assert f"max_packet_size {MAX_PACKET_BYTES}" in lines
    receive_maximum = BrokerSettings.model_fields["receive_maximum"].default
    assert f"max_inflight_messages {receive_maximum}" in lines
