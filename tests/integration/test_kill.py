import os
import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.accounts import check_accounts, logged
from tests.integration.gateway_process import GatewayProcess
from tests.integration.loads import load, make_town, settle
from tests.integration.mosquitto import Broker, mosquitto, wait_for

EVENTS = int(os.environ.get("KILL_EVENTS", "50000"))
KILLS = int(os.environ.get("KILLS", "10"))
pytestmark = pytest.mark.slow


@pytest.fixture
def town(tmp_path: Path) -> Path:
    return make_town(tmp_path)


def kill_at_random(gateway: GatewayProcess, sender: subprocess.Popen[bytes], kills: int) -> int:
    """Kill and start again while the sender sends; the last kills may come while it already drains."""
    chance = random.Random(11)
    for _ in range(kills):
        time.sleep(
            chance.uniform(0.05, 0.6)
        )  # the moment of the kill is what varies here, not a wait for luck
        gateway.kill()
        gateway.start()
    return sender.wait(300)


@pytest.fixture
def gateway(town: Path) -> Iterator[GatewayProcess]:
    found = GatewayProcess(town, registry=str(town / "registry.toml"))
    found.start()
    yield found
    found.stop()


@pytest.mark.parametrize(
    "sends", [(), ("--duplicate", "0.05", "--reorder", "0.05")], ids=["plain", "doubled"]
)
def test_kills_through_the_listener_lose_nothing_and_double_nothing(
    town: Path, gateway: GatewayProcess, sends: tuple[str, ...]
) -> None:
    sender = load(town, gateway.url, EVENTS, *sends)
    assert kill_at_random(gateway, sender, KILLS) == 0, (town / "load.log").read_text()
    account_for_all(town, gateway)


BROKER = ["max_queued_messages 0", "max_inflight_messages 0", "persistence true", "persistence_location ./"]


@pytest.fixture
def behind_a_broker(town: Path) -> Iterator[tuple[Broker, GatewayProcess]]:
    with mosquitto(town, config_lines=BROKER) as broker:
        gateway = GatewayProcess(
            town,
            registry=str(town / "registry.toml"),
            listener={"enabled": False},
            broker=[{"name": "main", "url": broker.url, "topics": ["vaka/1/#"]}],
        )
        gateway.start()
        wait_for(lambda: gateway.get("/api/v1/health")["ways_in"]["main"]["subscribed"])
        yield broker, gateway
        gateway.stop()


@pytest.mark.mosquitto
def test_kills_through_a_broker_lose_nothing_and_double_nothing(
    town: Path, behind_a_broker: tuple[Broker, GatewayProcess]
) -> None:
    broker, gateway = behind_a_broker
    sender = load(town, broker.url, EVENTS)
    assert kill_at_random(gateway, sender, KILLS) == 0, (town / "load.log").read_text()
    account_for_all(town, gateway)


@pytest.mark.mosquitto
def test_restarts_of_the_broker_under_load_lose_nothing_and_double_nothing(
    town: Path, behind_a_broker: tuple[Broker, GatewayProcess]
) -> None:
    broker, gateway = behind_a_broker
    sender = load(town, broker.url, EVENTS)
    for _ in range(3):
        time.sleep(0.4)  # the broker is stopped in the middle of the load
        broker.stop()
        broker.start()
    assert sender.wait(300) == 0, (town / "load.log").read_text()
    account_for_all(town, gateway)


def account_for_all(town: Path, gateway: GatewayProcess) -> None:
    wait_for(lambda: len(logged(gateway.data)) == EVENTS, within_s=120)
    settle(gateway)
    gateway.stop()
    figures = check_accounts(town / "acked", gateway.data, ("motion.detected", "alarm.manual"))
    assert figures["acknowledged"] == figures["events"] == EVENTS
