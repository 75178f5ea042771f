import asyncio
import contextlib
from pathlib import Path

import pytest
from certificates import Certificates
from honest_intake import HonestIntake, until
from mosquitto import Broker, mosquitto

from gateway.config import BrokerSettings
from gateway.contract import ConfigurationError
from gateway.service.clock import SystemClock
from gateway.transports.mqtt_client import BrokerClient

BOTH_LEVELS = pytest.mark.parametrize("protocol", [4, 5])


async def attempt(settings: BrokerSettings) -> BrokerClient:
    """Run until subscribed or twice without success; return the client as it then stood."""
    client = BrokerClient(settings, ("home/#",), HonestIntake(), SystemClock())
    task = asyncio.create_task(client.run())
    await until(lambda: client.standing.subscribed or client._backoff._attempts >= 2)
    subscribed = client.standing.subscribed
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    client.standing.subscribed = subscribed
    return client


def settings(broker: Broker, certificates: Certificates, **changes: object) -> BrokerSettings:
    basis = {
        "name": "main",
        "url": broker.url,
        "client_id": "gw",
        "reconnect_max_s": 0.1,
        "ca": certificates.ca,
    }
    return BrokerSettings.model_validate(basis | changes)


@pytest.mark.mosquitto
@BOTH_LEVELS
def test_a_client_certificate_opens_the_broker(tmp_path: Path, protocol: int) -> None:
    found = Certificates(tmp_path)
    certificate, key = found.client
    with mosquitto(tmp_path, tls=found.lines(client=True)) as broker:
        chosen = settings(broker, found, protocol=protocol, certificate=certificate, key=key)
        assert asyncio.run(attempt(chosen)).standing.subscribed
        assert "u'gateway.example.org'" in broker.log


@pytest.mark.mosquitto
@BOTH_LEVELS
def test_without_the_certificate_that_the_broker_wants_nothing_opens(tmp_path: Path, protocol: int) -> None:
    found = Certificates(tmp_path)
    with mosquitto(tmp_path, tls=found.lines(client=True)) as broker:
        client = asyncio.run(attempt(settings(broker, found, protocol=protocol)))
        assert not client.standing.subscribed
        assert client.standing.trouble


@pytest.mark.mosquitto
def test_a_broker_of_an_unknown_authority_is_not_trusted(tmp_path: Path) -> None:
    found = Certificates(tmp_path)
    with mosquitto(tmp_path, tls=found.lines(client=False)) as broker:
        client = asyncio.run(attempt(settings(broker, found, ca=found.stranger_ca)))
        assert not client.standing.subscribed
        assert "certificate verify failed" in client.standing.trouble


@pytest.mark.mosquitto
def test_a_broker_under_another_name_is_not_trusted(tmp_path: Path) -> None:
    found = Certificates(tmp_path)
    found.server = found.client
    with mosquitto(tmp_path, tls=found.lines(client=False)) as broker:
        client = asyncio.run(attempt(settings(broker, found)))
        assert not client.standing.subscribed
        assert "certificate verify failed" in client.standing.trouble


def test_a_missing_certificate_file_is_a_configuration_error(tmp_path: Path) -> None:
    chosen = BrokerSettings.model_validate(
        {"name": "main", "url": "mqtts://127.0.0.1", "ca": tmp_path / "nowhere.pem"}
    )
    with pytest.raises(ConfigurationError, match=r"nowhere\.pem"):
        BrokerClient(chosen, ("home/#",), HonestIntake(), SystemClock())
