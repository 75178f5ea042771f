"""CloudEvents out of a real gateway, by a signed webhook and through Mosquitto, past outages and kills."""

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from certificates import Certificates
from fastapi import FastAPI, Request, Response

from gateway.contract import Handed, TapFault
from gateway.service.signing import sign
from gateway.tap_settings import CloudEventsSettings
from gateway.taps import broker as broker_module
from gateway.taps.broker import Broker
from gateway.taps.envelope import Message
from simulators.standins.server import served
from tests.integration.accounts import logged as accounted
from tests.integration.gateway_process import GatewayProcess
from tests.integration.influx_outage import logged, until
from tests.integration.loads import load, make_town
from tests.integration.mosquitto import Peer, mosquitto, peer, wait_for

SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"
EVENTS = 3000


class Hook:
    """Keeps every CloudEvent by its id, the bytes of each time it came."""

    def __init__(self) -> None:
        self.got: dict[str, set[str]] = defaultdict(set)
        self.times = self.unsigned = 0
        self.away = False
        self.app = FastAPI(openapi_url=None)
        self.app.post("/hook")(self._take)

    async def _take(self, request: Request) -> Response:
        body = await request.body()
        head = request.headers
        good = sign(SECRET, head["webhook-id"], head["webhook-timestamp"], body)
        if head["webhook-signature"] != good:
            self.unsigned += 1
        if self.away:
            return Response(status_code=503)
        found = json.loads(body)
        for one in found if isinstance(found, list) else [found]:
            self.got[one["id"]].add(json.dumps(one, sort_keys=True))
            self.times += 1
        return Response(status_code=204)


@pytest.fixture
def hook() -> Iterator[tuple[Hook, str]]:
    found = Hook()
    with served(found.app) as url:
        yield found, f"{url}/hook"


@pytest.mark.mosquitto
@pytest.mark.slow
def test_every_event_leaves_by_both_ways_past_outages_and_kills_and_is_the_same_each_time(
    tmp_path: Path, hook: tuple[Hook, str]
) -> None:
    heard, url = hook
    town = make_town(tmp_path)
    with mosquitto(tmp_path, config_lines=["max_queued_messages 0"]) as broker:
        taps = [
            {"name": "hook", "url": url, "secret": SECRET, "backfill": True},
            {"name": "bus", "url": broker.url, "topic": "out", "backfill": True},
        ]
        gateway = GatewayProcess(town, registry=str(town / "registry.toml"), **{"taps.cloudevents": taps})
        read: list[tuple[str, bytes, bool]] = []
        gateway.start()
        try:
            with peer(broker) as reader:
                reader.subscribe("out/#")
                sender = load(town, gateway.url, EVENTS, "--rate", "1000")
                wait_for(lambda: heard.times > EVENTS / 10 and reader.heard)
                gateway.kill()
                read += settled(reader)
            heard.away = True
            broker.stop()  # what it had acknowledged, it had passed on
            gateway.start()
            began = time.monotonic()
            wait_for(lambda: time.monotonic() - began > 1)
            gateway.kill()
            heard.away = False
            broker.start()
            with peer(broker) as reader:
                reader.subscribe("out/#")
                gateway.start()
                assert sender.wait(120) == 0, (town / "load.log").read_text()
                until(lambda: len(logged(gateway, "events")) == EVENTS)
                until(lambda: len(heard.got) >= EVENTS + len(logged(gateway, "entries")))
                until(lambda: len(by_id(read + reader.heard)) >= EVENTS + len(logged(gateway, "entries")))
                read += reader.heard
        finally:
            gateway.stop()
    names = {name for name in heard.got if ":" not in name}
    assert names == {row[0] for row in accounted(gateway.data)}
    assert by_id(read) == heard.got  # the same bytes each time and by each way
    assert all(len(bodies) == 1 for bodies in heard.got.values())
    assert heard.unsigned == 0
    assert len(heard.got) > EVENTS
    assert not any(retained for _, _, retained in read)
    assert all(topic == f"out/{json.loads(body)['type']}" for topic, body, _ in read)


def settled(reader: Peer) -> list[tuple[str, bytes, bool]]:
    """Return what a reader has heard, when the broker has no more of it."""
    reader.publish("out/se.vaka.end", b"{}")
    wait_for(lambda: any(topic == "out/se.vaka.end" for topic, _, _ in reader.heard))
    return [one for one in reader.heard if one[0] != "out/se.vaka.end"]


def by_id(read: list[tuple[str, bytes, bool]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for _, body, _ in read:
        told = json.loads(body)
        found[told["id"]].add(json.dumps(told, sort_keys=True))
    return found


def section(url: str, **more: Any) -> CloudEventsSettings:
    return CloudEventsSettings.model_validate({"name": "bus", "url": url, "topic": "out"} | more)


def sent(way: Broker, *messages: Message) -> list[Handed]:
    async def once() -> list[Handed]:
        try:
            return list(await way.send(messages))
        finally:
            await way.close()

    return asyncio.run(once())


MESSAGE = Message("e1", "se.vaka.test.v1", b'{"id": "e1"}')


@pytest.mark.mosquitto
def test_a_broker_that_may_not_be_written_to_is_a_fault_and_not_the_messages(tmp_path: Path) -> None:
    (tmp_path / "acl").write_text("topic read #\n")
    lines = [f"acl_file {tmp_path / 'acl'}"]
    refused = pytest.raises(TapFault, match="NOT_AUTHORIZED")
    with mosquitto(tmp_path, config_lines=lines) as broker, refused:
        sent(Broker(section(broker.url)), MESSAGE)


@pytest.mark.mosquitto
def test_messages_go_by_tls_and_to_no_broker_of_an_unknown_authority(tmp_path: Path) -> None:
    found = Certificates(tmp_path)
    with mosquitto(tmp_path, tls=found.lines(client=False)) as broker:
        assert broker.url.startswith("mqtts://")
        [handed] = sent(Broker(section(broker.url, ca=str(found.ca))), MESSAGE)
        assert handed.refused == ""
        for ca in (str(found.stranger_ca), None):
            with pytest.raises(TapFault, match="CertVerification"):
                sent(Broker(section(broker.url, ca=ca)), MESSAGE)


@pytest.mark.mosquitto
def test_a_message_larger_than_the_broker_takes_is_refused_and_the_others_arrive(tmp_path: Path) -> None:
    with mosquitto(tmp_path, config_lines=["max_packet_size 4096"]) as broker, peer(broker) as reader:
        reader.subscribe("out/#")
        large = Message("e2", "se.vaka.test.v1", b"{" + b" " * 5000 + b"}")
        one, two, three = sent(Broker(section(broker.url)), MESSAGE, large, MESSAGE)
        wait_for(lambda: len(reader.heard) == 2)
    assert (one.refused, three.refused) == ("", "")
    assert two.refused.endswith("bytes, the broker takes 4096")
    assert two.body == large.body


@pytest.mark.mosquitto
def test_a_broker_that_hangs_is_a_fault_and_one_that_came_back_is_reached_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker_module, "ANSWER_WITHIN_S", 1.0)
    with mosquitto(tmp_path) as broker:
        way = Broker(section(broker.url))

        async def story() -> list[Handed]:
            await way.send([MESSAGE])
            broker.freeze()
            with pytest.raises(TapFault, match="no answer"):
                await way.send([MESSAGE])
            broker.thaw()
            await way.send([MESSAGE])
            broker.stop()
            broker.start()
            found = list(await way.send([MESSAGE]))
            await way.close()
            return found

        assert asyncio.run(story()) == [Handed(item="e1")]
